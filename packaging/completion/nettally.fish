# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion for nettally(1)

set -l commands run read query top devices status audit check rules routes sinks report interfaces detach
set -l keys mac host name vendor prefix origin_as neighbour_as transit_as as_path country rule router type
set -a keys src_mac dst_mac src_host dst_host src_port dst_port interface direction vlan ethertype proto service
set -l conditions (printf '%s=\n' $keys)

function __nettally_first_column
    nettally $argv --format tsv 2>/dev/null | string replace -r '\t.*' '' | tail -n +2
end

complete -c nettally -f
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a run -d 'count, until told to stop'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a read -d 'account capture files and print'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a query -d 'sums of an account from the ledger'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a top -d 'who moves how much right now'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a sinks -d 'what the ledger is copied to'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a report -d 'tell a daemon of deliveries'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a devices -d 'who was seen: names, vendors, addresses'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a status -d 'health of the daemon in one page'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a audit -d 'do the books close?'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a check -d 'errors of a config file'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a rules -d 'check a file of rules'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a routes -d 'what an address belongs to'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a interfaces -d 'what there is to count on'
complete -c nettally -n "not __fish_seen_subcommand_from $commands" -a detach -d 'end counting in the kernel'

complete -c nettally -n '__fish_seen_subcommand_from run check query devices status audit' -s c -r -F -d 'config file'
complete -c nettally -n '__fish_seen_subcommand_from rules' -a check -F
complete -c nettally -n '__fish_seen_subcommand_from routes' -a 'lookup dump'
complete -c nettally -n '__fish_seen_subcommand_from routes' -l routes -r -F -d 'MRT file'
complete -c nettally -n '__fish_seen_subcommand_from routes' -l geo -r -F -d 'MMDB file of countries'
complete -c nettally -n '__fish_seen_subcommand_from routes' -l as-names -r -F -d 'names of AS'
complete -c nettally -n '__fish_seen_subcommand_from routes' -l all -d 'dump all that the file tells'
complete -c nettally -n '__fish_seen_subcommand_from routes' -l view -x -d 'section routes of the daemon'
complete -c nettally -n '__fish_seen_subcommand_from rules' -l mac -x -d 'address for $MAC'
complete -c nettally -n '__fish_seen_subcommand_from run rules' -s i -x -a '(__nettally_first_column interfaces)' -d interface
complete -c nettally -n '__fish_seen_subcommand_from run query devices status audit detach' -l ledger -r -F -d 'the ledger'
complete -c nettally -n '__fish_seen_subcommand_from run' -l listen -x -d 'ADDRESS:PORT of the web server'
complete -c nettally -n '__fish_seen_subcommand_from run' -l summary -d 'who moved most, at the end'
complete -c nettally -n '__fish_seen_subcommand_from run' -s q -l quiet -d 'warnings only'

complete -c nettally -n '__fish_seen_subcommand_from read' -F
complete -c nettally -n '__fish_seen_subcommand_from read' -l of -x -a 'local remote both' -d parties
complete -c nettally -n '__fish_seen_subcommand_from read' -l local -x -d 'a local prefix'
complete -c nettally -n '__fish_seen_subcommand_from read' -l filter -x -d 'pcap expression'
complete -c nettally -n '__fish_seen_subcommand_from read' -l rules -r -d 'lines identifier;pcap expression'
complete -c nettally -n '__fish_seen_subcommand_from read' -l service -x -d NAME=tcp:PORT

complete -c nettally -n '__fish_seen_subcommand_from query' -a '(__nettally_first_column query)'
complete -c nettally -n '__fish_seen_subcommand_from query' -l from -x -d 'start of the range'
complete -c nettally -n '__fish_seen_subcommand_from query' -l to -x -d 'end of the range'
complete -c nettally -n '__fish_seen_subcommand_from query' -l where -x -a "$conditions" -d KEY=VALUE

complete -c nettally -n '__fish_seen_subcommand_from read query' -l by -x -a "$keys" -d 'keys to sum by'
complete -c nettally -n '__fish_seen_subcommand_from read query' -l every -x -a '1s 10s 1min 5min 1h 1d' -d 'length of windows'
complete -c nettally -n '__fish_seen_subcommand_from read query' -l bytes -x -a 'l2 l3' -d 'layer of bytes'
complete -c nettally -n '__fish_seen_subcommand_from read query' -l sort -x -d '[-]COLUMN'
complete -c nettally -n '__fish_seen_subcommand_from read query' -l limit -x -d 'rows at most'
complete -c nettally -n '__fish_seen_subcommand_from read query devices rules interfaces' -l format -x \
    -a 'table tsv csv json ndjson' -d format
complete -c nettally -n '__fish_seen_subcommand_from status audit' -l control -r -F -d 'socket of the daemon'
complete -c nettally -n '__fish_seen_subcommand_from status audit' -l json -d 'as JSON'
complete -c nettally -n '__fish_seen_subcommand_from top' -s i -x -a '(__nettally_first_column interfaces)' -d interface
complete -c nettally -n '__fish_seen_subcommand_from top' -l account -x -a '(__nettally_first_column query)' -d 'to begin with'
complete -c nettally -n '__fish_seen_subcommand_from top' -l sort -x -a 'key 1 10 60 rx tx' -d column
complete -c nettally -n '__fish_seen_subcommand_from top' -l once -d 'a page as text'
complete -c nettally -n '__fish_seen_subcommand_from top sinks' -l control -r -F -d 'socket of the daemon'
complete -c nettally -n '__fish_seen_subcommand_from report' -a send
complete -c nettally -n '__fish_seen_subcommand_from report' -l to -x -d 'where the daemon listens'
complete -c nettally -n '__fish_seen_subcommand_from report' -l key -r -F -d 'the secret'
complete -c nettally -n '__fish_seen_subcommand_from report' -l sender -x -d 'who reports'
complete -c nettally -n '__fish_seen_subcommand_from sinks' -l kinds -d 'and their options'
complete -c nettally -n '__fish_seen_subcommand_from sinks' -l from-start -d 'retry everything'
complete -c nettally -n '__fish_seen_subcommand_from sinks' -a retry -d 'send again what was refused'
complete -c nettally -n '__fish_seen_subcommand_from read' -l routes -r -F -d 'MRT file'
complete -c nettally -n '__fish_seen_subcommand_from read' -l geo -r -F -d 'MMDB file of countries'
complete -c nettally -n '__fish_seen_subcommand_from detach' -l pins -r -F -d 'folder of the pins'
complete -c nettally -n '__fish_seen_subcommand_from detach' -l discard -d 'give up what is not booked'
complete -c nettally -l help -d usage
