# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion for nettally(1)

_nettally_list()
{
	# Keys may be given as a list, host,proto: the last part is completed.
	local head=
	case $cur in *,*) head=${cur%,*}, ;; esac
	mapfile -t COMPREPLY < <(compgen -P "$head" -W "$1" -- "${cur##*,}")
	compopt -o nospace
}

_nettally_interfaces()
{
	nettally interfaces --format tsv 2>/dev/null | sed '1d;s/	.*//'
}

_nettally_accounts()
{
	nettally query --format tsv 2>/dev/null | sed '1d;s/	.*//'
}

_nettally()
{
	local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]}
	local commands="run read query top devices status audit check rules routes sinks report interfaces detach"
	local keys="mac host name vendor prefix origin_as neighbour_as transit_as as_path country"
	keys+=" src_mac dst_mac src_host dst_host src_port dst_port"
	keys+=" interface direction vlan ethertype proto service rule router type"
	COMPREPLY=()

	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$commands --help --version" -- "$cur")
		return
	fi
	case $previous in
	--by) _nettally_list "$keys"; return ;;
	--of) mapfile -t COMPREPLY < <(compgen -W "local remote both" -- "$cur"); return ;;
	--bytes) mapfile -t COMPREPLY < <(compgen -W "l2 l3" -- "$cur"); return ;;
	--every) mapfile -t COMPREPLY < <(compgen -W "1s 10s 1min 5min 1h 1d" -- "$cur"); return ;;
	--format) mapfile -t COMPREPLY < <(compgen -W "table tsv csv json ndjson" -- "$cur"); return ;;
	--where)
		mapfile -t COMPREPLY < <(compgen -S = -W "$keys" -- "$cur")
		compopt -o nospace
		return
		;;
	-i) mapfile -t COMPREPLY < <(compgen -W "$(_nettally_interfaces)" -- "$cur"); return ;;
	-c | --ledger | --control | --pins)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		return
		;;
	--rules | --routes | --geo | --as-names | --key)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		return
		;;
	--mac | --listen | --local | --filter | --service | --sort | --limit | --from | --to | --sender) return ;;
	esac

	local options=--help
	case $command in
	run) options="-c -i --ledger --listen --summary --quiet --help" ;;
	read)
		options="--by --of --local --filter --rules --routes --geo --top --once --service --every --bytes --sort --limit"
		options+=" --format --help"
		;;
	query) options="--ledger -c --from --to --every --where --by --bytes --sort --limit --format --help" ;;
	top) options="-i --account --sort --filter --bytes --peers --once --control --ledger -c --help" ;;
	sinks) options="--kinds --from-start --format --control --ledger -c --help" ;;
	report) options="--to --key --sender --help" ;;
	status | audit) options="--json --control --ledger -c --help" ;;
	devices) options="--ledger -c --format --help" ;;
	check) options="-c --help" ;;
	rules) options="-i --mac --format --help" ;;
	routes) options="--routes --geo --as-names --all --view --control --ledger -c --format --help" ;;
	interfaces) options="--format --help" ;;
	detach) options="--ledger --pins --discard --help" ;;
	esac
	case $cur in
	-*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur"); return ;;
	esac
	case $command in
	read | check)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		compopt -o filenames
		;;
	rules)
		mapfile -t COMPREPLY < <([ "$COMP_CWORD" -eq 2 ] && compgen -W check -- "$cur" || compgen -f -- "$cur")
		[ "$COMP_CWORD" -eq 2 ] || compopt -o filenames
		;;
	routes) [ "$COMP_CWORD" -ne 2 ] || mapfile -t COMPREPLY < <(compgen -W "lookup dump" -- "$cur") ;;
	sinks) [ "$COMP_CWORD" -ne 2 ] || mapfile -t COMPREPLY < <(compgen -W retry -- "$cur") ;;
	report) [ "$COMP_CWORD" -ne 2 ] || mapfile -t COMPREPLY < <(compgen -W send -- "$cur") ;;
	query) mapfile -t COMPREPLY < <(compgen -W "$(_nettally_accounts)" -- "$cur") ;;
	*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur") ;;
	esac
}

complete -F _nettally nettally
