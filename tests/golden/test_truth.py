# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally read` against the tables of truth beside the shared captures: hosts, MACs, flows, protocols and the rest, exactly."""
import datetime
import pytest

import reading
from reading import FLOW, read, sums

pytestmark = pytest.mark.parametrize('capture', reading.captures())


def check_status(capture, result):
    if not capture.damaged:
        assert (result.status, result.errors) == (0, '')
        return
    assert result.status == 1
    assert str(capture.path) in result.errors
    assert f'packet {capture.packets + 1}:' in result.errors


@pytest.mark.parametrize('by, name, key', [('host', 'hosts', 'addr'), ('mac', 'macs', 'mac')])
def test_parties(capture, by, name, key):
    result = read(capture.path, by=by)
    check_status(capture, result)
    table = result.table(by)
    assert table == capture.parties(name, key)
    if capture.packets:
        assert sums(table.values()) == (capture.packets, capture.bytes) * 2


def test_flows(capture):
    """Flows with ports are those of the truth; all others together are the rest."""
    table = read(capture.path, by=FLOW).table(*FLOW.split(','))
    flows = {k: v for k, v in table.items() if k[2] in ('6', '17') and '-' not in k[3:]}
    want = {}
    for row in capture.supported('flows'):
        key = tuple(row[c] for c in ('src', 'dst', 'proto', 'sport', 'dport'))
        want[key] = sums([want.get(key, (0, 0)), (int(row['packets']), int(row['bytes']))])
    assert flows == want
    if table:
        assert sums(table.values()) == (capture.packets, capture.bytes)


def test_protocols(capture):
    want = capture.grouped('protocols', lambda row: row['proto'])
    assert read(capture.path, by='proto').table('proto') == want


def ethertype_of(row):
    """Of a row of layers.tsv, None where the tables do not tell."""
    kind, layer = row['class'], row['next']
    if kind.startswith(('wlan', 'radiotap', 'nflog', 'chdlc', 'ppi', 'fddi', 'tshark')) or '/llc' in kind or layer == '-':
        return None
    if 'ethertype-' in kind:
        return '0x' + kind.split('ethertype-')[1][:4]
    if 'mpls' in kind:
        return '0x8847'
    if 'pppoe' in kind:
        return '0x8864'
    return {'ip4': '0x0800', 'ip6': '0x86dd'}.get(layer, layer)


def test_ethertypes(capture):
    table = read(capture.path, by='ethertype').table('ethertype')
    want, unsure = {}, (0, 0)
    for row in capture.rows('layers'):
        key, counted = ethertype_of(row), (int(row['packets']), int(row['bytes']))
        if key:
            want[key] = sums([want.get(key, (0, 0)), counted])
        else:
            unsure = sums([unsure, counted])
    for key, counted in want.items():
        assert table[key] >= counted
    if table:
        assert sums(table.values()) == sums([*want.values(), unsure]) == (capture.packets, capture.bytes)
    if unsure == (0, 0):
        assert table == want


def test_vlans(capture):
    table = read(capture.path, by='vlan').table('vlan')
    tagged = [row for row in capture.rows('layers') if not row['class'].startswith('tshark')
              and any(tag in row['class'] for tag in ('/vlan', '/qinq'))]
    if capture.path.name == 'made-edge.pcap':
        assert sums(table.values()) == (capture.packets, capture.bytes)
        return # tags cut short: the truth has no class for them
    want = sums([(0, 0)] + [(int(row['packets']), int(row['bytes'])) for row in tagged])
    assert sums([(0, 0)] + [v for k, v in table.items() if k != '-']) == want


@pytest.mark.parametrize('by', ['host', 'src_mac,proto,vlan'])
def test_formats_agree(capture, by):
    tsv = reading.records(read(capture.path, by=by), 'tsv')
    for format_ in 'csv', 'json', 'ndjson':
        assert reading.records(read(capture.path, by=by, format_=format_), format_) == tsv
    table = read(capture.path, by=by, format_='table')
    assert table.status == (1 if capture.damaged else 0)
    assert len(table.text.splitlines()) >= len(tsv)


def test_stdin_is_the_file(capture):
    of_file = read(capture.path)
    of_stream = read('-', stdin=capture.path.read_bytes())
    assert (of_stream.text, of_stream.status) == (of_file.text, of_file.status)
    assert of_stream.errors == of_file.errors.replace(str(capture.path), 'standard input')


def test_several_files_add_up(capture):
    once, thrice = read(capture.path), read(*[capture.path] * 3)
    assert thrice.status == once.status
    assert thrice.table('host') == {k: tuple(3 * n for n in v) for k, v in once.table('host').items()}


def test_rules(capture):
    """Each expression counts what libpcap's own tools counted."""
    if ',' in capture.summary['link_types'] or capture.damaged:
        pytest.skip('damaged or of several link types: the truth is partial')
    for rule in capture.rows('rules'):
        result = read(capture.path, by='direction', filter=rule['expression'])
        if rule['status'] == 'invalid':
            assert result.status == 2 or capture.packets == 0, rule
            continue
        got = sums([(0, 0), *result.table('direction').values()])
        assert (result.status, got) == (0, (int(rule['packets']), int(rule['bytes']))), rule


def test_windows(capture):
    """Windows are aligned, and their sums are the whole."""
    whole = read(capture.path).table('host')
    folded = {}
    for (window, host), counted in read(capture.path, every='10s').table('window', 'host').items():
        start = datetime.datetime.fromisoformat(window.replace('Z', '+00:00'))
        assert start.timestamp() % 10 == 0
        folded[host] = sums([folded.get(host, (0,) * 4), counted])
    assert folded == whole


def test_l3_is_within_l2(capture):
    frames, datagrams = read(capture.path).table('host'), read(capture.path, bytes='l3').table('host')
    assert frames.keys() == datagrams.keys()
    for host, (rx_packets, rx_bytes, tx_packets, tx_bytes) in frames.items():
        assert datagrams[host][0::2] == (rx_packets, tx_packets)
        assert datagrams[host][1] <= rx_bytes and datagrams[host][3] <= tx_bytes
