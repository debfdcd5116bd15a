# SPDX-License-Identifier: GPL-2.0-or-later
# Each line to a C string of its own.
s/[\\"]/\\&/g
s/^/"/
s/$/\\n",/
