# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally read` on captures that make-captures writes: the outputs in *.expect, cuts, streams, what is no capture.

An .expect holds cases: `$ ARGUMENTS` (files are those of make-captures), the output, then `! ` before each line of
standard error and `? STATUS` where it is not 0."""
import os
import pathlib
import shlex
import struct
import subprocess
import sys
import time

import pytest

from reading import HERE, nettally, read, sums


@pytest.fixture(name='made', scope='session')
def made_fixture(tmp_path_factory):
    folder = tmp_path_factory.mktemp('captures')
    subprocess.run([sys.executable, HERE / 'make-captures', folder], check=True)
    return folder


def cases():
    for path in sorted(HERE.glob('*.expect')):
        arguments, want = None, []
        for line in [*path.read_text(encoding='utf-8').splitlines(), '$ ']:
            if not line.startswith('$ '):
                want.append(line)
                continue
            if arguments is not None:
                yield pytest.param(arguments, want, id=f'{path.stem}: {arguments}')
            arguments, want = line[2:], []


@pytest.mark.parametrize('arguments, want', cases())
def test_expected(made, arguments, want):
    done = subprocess.run([nettally(), 'read', *shlex.split(arguments)], cwd=made, capture_output=True, text=True,
                          timeout=60, check=False)
    got = done.stdout.splitlines() + ['! ' + line for line in done.stderr.splitlines()]
    if done.returncode:
        got.append(f'? {done.returncode}')
    assert got == want


def records(data):
    """Where the records of a little-endian pcap end, and their wire lengths."""
    at, out = 24, []
    while at < len(data):
        _, _, cap_len, wire_len = struct.unpack_from('<IIII', data, at)
        at += 16 + cap_len
        out.append((at, wire_len))
    return out


def test_cut_anywhere(made, tmp_path):
    """What lies whole before the cut is counted; the error names the file and the packet that is not whole."""
    data = (made / 'ethernet.pcap').read_bytes()
    ends = records(data)
    cut = tmp_path / 'cut.pcap'
    places = {24, *range(25, 160), *range(160, len(data), 19), *(end + n for end, _ in ends for n in (-1, 0, 1))}
    for place in sorted(p for p in places if p <= len(data)):
        cut.write_bytes(data[:place])
        whole = [wire for end, wire in ends if end <= place]
        result = read(cut, by='vlan')
        assert sums([(0, 0), *result.table('vlan').values()]) == (len(whole), sum(whole)), place
        if place == 24 or place in dict(ends):
            assert (result.status, result.errors) == (0, ''), place
        else:
            assert result.status == 1
            assert result.errors == (f'nettally: read: {cut}: packet {len(whole) + 1}: '
                                     'cut short: the file ends in the middle of it\n')


def test_damage_keeps_the_other_files(made):
    """A damaged file does not take the others with it, before or behind."""
    whole = read(made / 'ethernet.pcap').table('host')
    result = read(made / 'ethernet.pcap', made / 'cut.pcap', made / 'ethernet.pcap')
    assert result.status == 1
    assert str(made / 'cut.pcap') in result.errors
    packets = sums(whole.values())[0]
    assert sums(result.table('host').values())[0] == 3 * packets - 1


@pytest.mark.parametrize('content, why', [
    (b'', 'empty'),
    (b'hello, world', 'not a capture file (magic 0x68656c6c)'),
    (b'\x1f\x8b\x08\0\0\0\0\0', 'compressed'),
    (b'\xd4\xc3\xb2\xa1\x02\0\x04\0', 'in the middle of its header'),
])
def test_no_capture(tmp_path, content, why):
    path = tmp_path / 'file.pcap'
    path.write_bytes(content)
    result = read(path)
    assert result.status == 1
    assert result.errors.startswith(f'nettally: read: {path}: ') and why in result.errors


def test_no_file(tmp_path):
    missing, folder = read(tmp_path / 'nothing.pcap'), read(tmp_path)
    assert (missing.status, folder.status) == (1, 1)
    assert 'nothing.pcap: cannot be opened: No such file' in missing.errors
    assert 'is a directory' in folder.errors


def test_unknown_key(made):
    result = read(made / 'ethernet.pcap', by='nonsense')
    assert (result.status, result.text) == (2, '')
    assert '"nonsense"' in result.errors and 'src_host' in result.errors


@pytest.mark.skipif(os.geteuid() == 0, reason='root reads everything')
def test_unreadable(made, tmp_path):
    path = tmp_path / 'secret.pcap'
    path.write_bytes(pathlib.Path(made / 'ethernet.pcap').read_bytes())
    path.chmod(0)
    result = read(path)
    assert result.status == 1 and 'Permission denied' in result.errors


def test_slow_stream(made):
    """A stream that comes in dribbles, cut in the middle of records."""
    data = (made / 'interfaces.pcapng').read_bytes()
    with subprocess.Popen([nettally(), 'read', '--by', 'interface', '--format', 'tsv', '-'], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        for at in range(0, len(data), 101):
            process.stdin.write(data[at:at + 101])
            process.stdin.flush()
            time.sleep(0.005)
        got = process.communicate(timeout=30)[0].decode()
    assert got == read(made / 'interfaces.pcapng', by='interface').text
