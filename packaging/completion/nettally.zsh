#compdef nettally
# SPDX-License-Identifier: GPL-2.0-or-later
# zsh completion for nettally(1)

_nettally_interfaces() {
	local -a names
	names=(${(f)"$(nettally interfaces --format tsv 2>/dev/null | sed '1d;s/\t.*//')"})
	compadd -a names
}

_nettally_accounts() {
	local -a names
	names=(${(f)"$(nettally query --format tsv 2>/dev/null | sed '1d;s/\t.*//')"})
	compadd -a names
}

_nettally_keys() {
	_values -s , key mac host name vendor prefix origin_as neighbour_as transit_as as_path country \
		src_mac dst_mac src_host dst_host src_port dst_port interface direction vlan ethertype proto service \
		rule router type
}

_nettally() {
	local -a commands show
	commands=(
		'run:count, until told to stop'
		'read:account capture files and print'
		'query:sums of an account from the ledger'
		'top:who moves how much right now'
		'devices:who was seen: names, vendors, addresses'
		'status:the health of the daemon in one page'
		'audit:do the books close?'
		'check:errors of a config file, with file and line'
		'rules:check a file of rules'
		'routes:what an address belongs to'
		'sinks:what the ledger is copied to'
		'report:tell a daemon of deliveries'
		'interfaces:what there is to count on'
		'detach:end counting in the kernel'
	)
	show=(
		'--format[how to print]:format:(table tsv csv json ndjson)'
		'--by[the keys to sum by]:keys:_nettally_keys'
		'--bytes[the layer of bytes]:layer:(l2 l3)'
		'--every[length of the windows]:duration:(1s 10s 1min 5min 1h 1d)'
		'--sort[a column, - before it: largest first]:column:'
		'--limit[rows at most]:number:'
	)
	if (( CURRENT == 2 )); then
		_describe command commands
		return
	fi
	local command=$words[2]
	shift words
	(( CURRENT-- ))
	case $command in
	run)
		_arguments '-c[config file]:file:_files' '*-i[interface]:interface:_nettally_interfaces' \
			'--ledger[the ledger]:file:_files' '--listen[web server]:address and port:' \
			'--summary[who moved most, at the end]' '--quiet[warnings only]' '--help[usage]'
		;;
	read)
		_arguments $show '--of[parties]:parties:(local remote both)' '*--local[a local prefix]:prefix:' \
			'--routes[MRT file]:file:_files' '--geo[MMDB file]:file:_files' '--top[the live view]' \
			'--filter[pcap expression]:expression:' '--rules[lines identifier;pcap expression]:file:_files' \
			'*--service[NAME=tcp:PORT]:service:' '--help[usage]' \
			'*:capture file:_files'
		;;
	query)
		_arguments $show '--ledger[the ledger]:file:_files' '-c[config file]:file:_files' \
			'--from[start]:time:' '--to[end]:time:' \
			'*--where[KEY=VALUE]:condition:' '--help[usage]' '1:account:_nettally_accounts'
		;;
	devices)
		_arguments '--ledger[the ledger]:file:_files' '-c[config file]:file:_files' \
			'--format[how to print]:format:(table tsv csv json ndjson)' '--help[usage]' '1:address:'
		;;
	top)
		_arguments '*-i[interface]:interface:_nettally_interfaces' '--account[to begin with]:account:_nettally_accounts' \
			'--sort[column]:column:(key 1 10 60 rx tx)' '--filter[only keys with this]:text:' '--bytes[not bits]' \
			'--peers[who talks to whom]' '--once[a page as text]' '--control[socket of the daemon]:file:_files' \
			'--ledger[its ledger]:file:_files' '-c[its config file]:file:_files' '--help[usage]'
		;;
	sinks)
		_arguments '--kinds[and their options]' '--from-start[retry everything]' \
			'--control[socket of the daemon]:file:_files' '--ledger[its ledger]:file:_files' \
			'-c[its config file]:file:_files' '--help[usage]' '1:what:(retry)'
		;;
	report)
		_arguments '--to[where the daemon listens]:address and port:' '--key[secret]:file:_files' '--sender[who]:name:' \
			'--help[usage]' '1:what:(send)'
		;;
	status | audit)
		_arguments '--json[as JSON]' '--control[socket of the daemon]:file:_files' \
			'--ledger[its ledger]:file:_files' '-c[its config file]:file:_files' '--help[usage]'
		;;
	check) _arguments '-c[config file]:file:_files' '--help[usage]' ;;
	detach)
		_arguments '--ledger[only of this ledger]:file:_files' '--pins[folder of the pins]:folder:_files -/' \
			'--discard[give up what is not booked]' '--help[usage]'
		;;
	rules)
		_arguments '-i[for this interface]:interface:_nettally_interfaces' '--mac[the address for $MAC]:address:' \
			'--format[how to print]:format:(table tsv csv json ndjson)' '--help[usage]' '1:what:(check)' \
			'2:file:_files'
		;;
	routes)
		_arguments '--routes[MRT file]:file:_files' '--geo[MMDB file of countries]:file:_files' \
			'--as-names[last column: names of AS]:file:_files' \
			'--all[dump all that the file tells]' '--view[section routes of the daemon]:name:' \
			'--format[how to print]:format:(table tsv csv json ndjson)' '--help[usage]' '1:what:(lookup dump)'
		;;
	interfaces) _arguments '--format[how to print]:format:(table tsv csv json ndjson)' '--help[usage]' ;;
	esac
}

_nettally "$@"
