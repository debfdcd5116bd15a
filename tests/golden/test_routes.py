# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally routes` on the MRT files of the data folder: every row as `bgpdump -m` saw it, every lookup as a search through
all prefixes found it. The files are read where they are."""
import calendar
import collections
import gzip
import ipaddress
import os
import pathlib
import subprocess
import time

import pytest

from reading import nettally

HERE = pathlib.Path(__file__).resolve().parent
DATA = pathlib.Path(os.environ.get('NETTALLY_DATA') or HERE.parents[2] / 'shared' / 'data') / 'mrt'
KINDS = {'B': 'table', 'A': 'announce', 'W': 'withdraw', 'STATE': 'state'}


def files(truth):
    found = sorted(p.with_name(p.name[:-len(truth)]) for p in DATA.glob('*' + truth))
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason='no MRT files with truth: set NETTALLY_DATA'))]
    return [pytest.param(p, id=p.name) for p in found]


def routes(*args, stdin=None, status=0):
    done = subprocess.run([nettally(), 'routes', *map(str, args)], input=stdin, capture_output=True, timeout=120,
                          check=False)
    assert done.returncode == status, done.stderr.decode()
    return [line.split('\t') for line in done.stdout.decode().splitlines()], done.stderr.decode()


def prefix(text):
    """Without host bits: bgpdump prints them where a router sent them (RFC 4271 4.3: they mean nothing)."""
    return '-' if text == '-' else str(ipaddress.ip_network(text, strict=False))


def truth_rows(path):
    with gzip.open(str(path) + '.routes.tsv.gz', 'rt') as lines:
        next(lines)
        for line in lines:
            _, when, kind, net, peer, peer_as, as_path = line.rstrip('\n').split('\t')
            yield int(when), KINDS[kind], prefix(net), ipaddress.ip_address(peer), peer_as, as_path or '-'


@pytest.mark.parametrize('path', files('.routes.tsv.gz'))
def test_every_row(path):
    rows, _ = routes('dump', '--all', '--routes', path, '--format', 'tsv')
    got = [(calendar.timegm(time.strptime(when, '%Y-%m-%dT%H:%M:%SZ')), kind, net, ipaddress.ip_address(peer), peer_as,
            as_path) for when, kind, net, _, peer, peer_as, as_path in rows[1:]]
    assert got == list(truth_rows(path))


@pytest.mark.parametrize('path', files('.routes.tsv.gz'))
def test_table(path):
    """What is left when the file ends, per peer; the path of the best route is one of those of its prefix."""
    left = collections.defaultdict(lambda: collections.defaultdict(set))
    several = path.name in ('bird_bgp.mrt',)  # without path identifiers in a file that has them: only the prefixes compare
    for _, kind, net, peer, _, as_path in truth_rows(path):
        if kind == 'table':
            left[net][peer].add(as_path)
        elif kind == 'announce':
            left[net][peer] = {as_path}
        elif kind == 'withdraw':
            left[net].pop(peer, None)
        elif as_path.startswith('6>'):
            for peers in left.values():
                peers.pop(peer, None)
    wanted = {net: set().union(*peers.values()) for net, peers in left.items() if peers}
    rows, _ = routes('dump', '--routes', path, '--format', 'tsv')
    assert rows[0] == ['prefix', 'origin_as', 'neighbour_as', 'as_path']
    got = {row[0]: row for row in rows[1:]}
    assert len(got) == len(rows) - 1, 'a prefix comes twice'
    assert set(got) == set(wanted)
    for net, (_, origin, neighbour, as_path) in got.items():
        assert as_path in wanted[net] or several
        words = as_path.split()
        assert origin == words[-1]
        assert neighbour == words[0] or words[0].startswith('{')


@pytest.mark.parametrize('path', files('.lookups.tsv'))
def test_lookups(path):
    truth = [line.split('\t') for line in (path.with_name(path.name + '.lookups.tsv')).read_text().splitlines()[1:]]
    stdin = ''.join(row[0] + '\n' for row in truth).encode()
    rows, _ = routes('lookup', '--routes', path, '--format', 'tsv', stdin=stdin)
    assert rows[0] == ['address', 'prefix', 'origin_as', 'as_path', 'country']
    assert len(rows) == len(truth) + 1
    for (address, net, origins), (got_address, got_net, origin, as_path, country) in zip(truth, rows[1:]):
        assert (got_address, got_net, country) == (address, net, '-')
        if net == '-':
            assert (origin, as_path) == ('-', '-')
            continue
        # "1,2" are two origins, "{1,2}" is one that is a set
        known, depth, word = [], 0, ''
        for c in origins + ',':
            depth += (c == '{') - (c == '}')
            if c == ',' and not depth:
                known.append(word)
                word = ''
            else:
                word += c
        assert origin in known
        assert as_path.split()[-1] == origin


@pytest.mark.parametrize('name, says', [
    ('rv-rib.20140523.0600_firstMB.bz2', 'the bz2 stream ends early behind record 9073'),
    ('rv-rib6.20151101.0600_firstMB.bz2', 'the bz2 stream ends early behind record 6871'),
])
def test_a_stream_that_ends_early(name, says):
    if not (DATA / name).exists():
        pytest.skip('no MRT files: set NETTALLY_DATA')
    rows, errors = routes('dump', '--routes', DATA / name, '--format', 'tsv')
    assert len(rows) > 6000
    assert says in errors


def test_cut_gz(tmp_path):
    whole = DATA / 'ris-bview.20020722.2337.gz'
    if not whole.exists():
        pytest.skip('no MRT files: set NETTALLY_DATA')
    cut = tmp_path / 'cut.gz'
    cut.write_bytes(whole.read_bytes()[:300000])
    rows, errors = routes('dump', '--routes', cut, '--format', 'tsv')
    assert len(rows) > 10000
    assert 'the gz stream ends early' in errors


@pytest.mark.parametrize('content, says', [
    (b'', 'no MRT record in it'),
    (b'BZh9', 'no MRT record in it: the bz2 stream ends early'),
    (b'address\tprefix\n' * 100, 'no MRT record in it'),
    (bytes(1200), 'no MRT record of routes in it'),
], ids=['empty', 'nothing in bz2', 'text', 'zeros'])
def test_what_is_no_mrt_file(tmp_path, content, says):
    path = tmp_path / 'other'
    path.write_bytes(content)
    rows, errors = routes('lookup', '--routes', path, '192.0.2.1', status=1)
    assert not rows
    assert f'nettally: routes: {path}: {says}' in errors


def test_zeros_without_end():
    _, errors = routes('lookup', '--routes', '/dev/zero', '192.0.2.1', status=1)
    assert 'no MRT record of routes in it' in errors


def test_command_line(tmp_path):
    path = tmp_path / 'rib'
    for args, says in (([], 'write: nettally routes lookup'), (['dump', '--all'], '--routes'),
                       (['lookup', '--routes', path, 'host'], 'is no address'),
                       (['lookup', '--routes'], 'needs a value'), (['lookup', '--all', '--routes', path], '--all is for dump'),
                       (['dump', '--routes', path, '--format', 'xml'], 'xml')):
        _, errors = routes(*args, status=2)
        assert says in errors
    _, errors = routes('dump', '--routes', path, status=1)
    assert f'nettally: routes: {path}: cannot open: No such file or directory' in errors
