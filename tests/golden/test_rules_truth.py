# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally read --rules`: every rule in the file's order, zeros too; exactly what libpcap's own tools counted."""
import json
import re

import pytest

import reading
from reading import Result, sums


def rules_that_compile(folder):
    """The shared rules without those that libpcap does not take."""
    path = reading.DATA / 'rules.txt'
    if not path.exists():
        pytest.skip('no rules: set NETTALLY_DATA')
    lines = path.read_text().splitlines(keepends=True)
    refused = Result(['--rules', str(path)], [reading.DATA / 'made-edge.pcap'])
    assert (refused.status, refused.text) == (2, '')
    for line in re.findall(rf'^{re.escape(str(path))}:(\d+): \w+: .', refused.errors, re.MULTILINE):
        lines[int(line) - 1] = '\n'
    (folder / 'rules').write_text(''.join(lines))
    return folder / 'rules'


@pytest.fixture(scope='module', name='rules')
def rules_fixture(tmp_path_factory):
    return rules_that_compile(tmp_path_factory.mktemp('rules'))


def identifiers(path):
    return [line.split(';')[0] for line in path.read_text().splitlines() if line and line[0] != '#']


def counted(result):
    return {row['rule']: (int(row['packets']), int(row['bytes'])) for row in result.rows()}


@pytest.mark.parametrize('capture', reading.captures())
def test_truth(capture, rules):
    result = Result(['--rules', str(rules)], [capture.path])
    got = counted(result)
    assert list(got) == identifiers(rules)
    for row in capture.rows('rules'):
        if row['status'] == 'ok':
            assert got[row['identifier']] == (int(row['packets']), int(row['bytes'])), row
        elif row['identifier'] in got and ',' not in capture.summary['link_types'] and not capture.damaged:
            assert got[row['identifier']] == (0, 0), row


@pytest.mark.parametrize('capture', reading.captures())
def test_windows_add_up(capture, rules):
    whole = counted(Result(['--rules', str(rules)], [capture.path]))
    rows = Result(['--rules', str(rules), '--every', '10s'], [capture.path]).rows()
    names = identifiers(rules)
    assert [row['rule'] for row in rows] == names * (len(rows) // len(names))
    assert [row['window'] for row in rows] == sorted(row['window'] for row in rows)
    for name in names if rows else []:
        assert sums((int(row['packets']), int(row['bytes'])) for row in rows if row['rule'] == name) == whole[name]


def write(folder, text):
    (folder / 'rules').write_bytes(text)
    return ['--rules', str(folder / 'rules')]


def first_capture():
    path = reading.DATA / 'ndpi-netbios.pcap'
    if not path.exists():
        pytest.skip('no captures: set NETTALLY_DATA')
    return path


def test_all_mistakes_at_once(tmp_path):
    result = Result(write(tmp_path, b'a;ip\nb;this is none\n\nc;ether src $MAC\nd;${nobody}\ne\n'), [first_capture()])
    assert (result.status, result.text) == (2, '')
    for line, name in (2, 'b'), (4, 'c'), (5, 'd'), (6, 'e'):
        assert f'{tmp_path}/rules:{line}: {name}' in result.errors


def test_sort_and_limit(tmp_path):
    rules = write(tmp_path, b'none;ip host 192.0.2.77\nall;\nudp;udp\n')
    path = first_capture()
    rows = Result([*rules, '--sort', '-packets', '--limit', '2'], [path]).rows()
    assert [row['rule'] for row in rows] == ['all', 'udp']
    assert [row['rule'] for row in Result([*rules, '--sort', 'rule'], [path]).rows()] == ['all', 'none', 'udp']
    assert Result([*rules, '--sort', 'host'], [path]).status == 2
    assert Result([*rules, '--by', 'host'], [path]).status == 2
    assert Result(['--by', 'rule'], [path]).status == 2


def test_any_identifier(tmp_path):
    """Of any length, of any bytes."""
    long = 'x' * 5000
    rules = write(tmp_path, f'{long};ip\ntype="arp",x="\\"";arp\na\tb;ip6\n-;udp\n'.encode() + b'\xff;tcp\n')
    out = json.loads(Result(rules, [first_capture()], format_='json').text)
    assert [row['rule'] for row in out][:4] == [long, 'type="arp",x="\\""', 'a\tb', '-']
    assert len(out) == 5


def test_nothing_on_this_link_type(tmp_path):
    path = reading.DATA / 'derived-loop-pubsub.pcap'
    if not path.exists():
        pytest.skip('no captures: set NETTALLY_DATA')
    result = Result(write(tmp_path, b'mac;ether src 02:00:00:00:00:01\nip;ip\n'), [path, path])
    assert result.status == 0 and result.errors.count('rules:1: mac: ') == 1
    assert counted(result)['mac'] == (0, 0) and counted(result)['ip'][0] > 0
