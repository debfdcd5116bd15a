# SPDX-License-Identifier: GPL-2.0-or-later
# setup.sh -- what ./run and ./test share: where things are, builds that are made once. Sourced by bash.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
owner=$(stat -c %u:%g "$top")

say() { printf '%s\n' "$*" >&2; }

# An owner who cannot come here (a folder above is closed) cannot build here either.
if [ "$(id -u)" -eq 0 ] && [ "${owner%:*}" -ne 0 ] &&
	! setpriv --reuid="${owner%:*}" --regid="${owner#*:}" --clear-groups -- test -w "$top"; then
	owner=0:0
fi

# As the owner of the checkout: `sudo ./run` leaves nothing of root's in a user's folder.
as_owner()
{
	if [ "$(id -u)" -eq 0 ] && [ "${owner%:*}" -ne 0 ]; then
		HOME=/nonexistent setpriv --reuid="${owner%:*}" --regid="${owner#*:}" --clear-groups -- "$@"
	else
		"$@"
	fi
}

# What root's tests left in the builds is the owner's too.
give_builds_back()
{
	local dir
	[ "$(id -u)" -eq 0 ] || return 0
	for dir in "$top"/build "$top"/build-test "$top"/build-asan; do
		[ ! -d "$dir" ] || chown -R "$owner" "$dir"
	done
}

# build DIR TARGET [meson option...]: sets DIR up once, then builds TARGET ("all"). Prints only when it fails.
build()
{
	local dir=$top/$1 target=$2 log status=0
	shift 2

	[ ! -d "$dir" ] || [ "$(stat -c %u:%g "$dir")" = "$owner" ] || give_builds_back
	log=$(mktemp)
	if [ ! -e "$dir/build.ninja" ]; then
		as_owner meson setup "$dir" "$top" "$@" >"$log" 2>&1 </dev/null || status=1
	fi
	if [ $status -eq 0 ]; then
		as_owner ninja -C "$dir" -j "$(nproc)" "$target" >"$log" 2>&1 </dev/null || status=1
	fi
	[ $status -eq 0 ] || { grep -v '^\[[0-9/]*\] ' "$log" | tail -n 60 >&2; say "the build in $dir failed"; }
	rm -f "$log"
	return $status
}

# build_release TARGET: the build that people run, and that the integration tests look at.
build_release() { build build "$1" --buildtype=release -Dtests=disabled; }
