# SPDX-License-Identifier: GPL-2.0-or-later
"""Running `nettally read` and taking its output apart; the tables of truth beside the shared captures."""
import collections
import csv
import json
import os
import pathlib
import re
import subprocess

import pytest

HERE = pathlib.Path(__file__).resolve().parent
DATA = pathlib.Path(os.environ.get('NETTALLY_DATA') or HERE.parents[2] / 'shared' / 'data') / 'pcap'
# The layers behind which a host is found; behind others packets stand under `-`.
SUPPORTED = re.compile(r'(eth|sll|sll2|null|loop|raw|ppp)(/(vlan|vlan9100|qinq|mpls|pppoe|snap))*')
FLOW = 'src_host,dst_host,proto,src_port,dst_port'


def nettally():
    path = os.environ.get('NETTALLY') or str(HERE.parents[1] / 'build' / 'src' / 'cli' / 'nettally')
    if not os.access(path, os.X_OK):
        pytest.skip('no nettally to test: set NETTALLY to its path')
    return path


def captures():
    """Every capture with truth, as parameters; one that is skipped where there are none."""
    found = sorted(p.with_suffix('') for p in DATA.glob('*.truth'))
    if not found:
        return [pytest.param(None, marks=pytest.mark.skip(reason='no captures with truth: set NETTALLY_DATA'))]
    return [pytest.param(Capture(p), id=p.name) for p in found]


class Result:
    """Exit status, rows and errors of one run."""

    def __init__(self, args, files, stdin=None, format_='tsv'):
        command = [nettally(), 'read', '--format', format_, *args, *map(str, files)]
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False)
        self.status, self.text, self.errors = done.returncode, done.stdout.decode(), done.stderr.decode()
        assert self.status in (0, 1, 2), f'{command}: {self.status}\n{self.errors}'

    def rows(self):
        """Rows as dicts of text."""
        lines = self.text.splitlines()
        names = lines[0].split('\t')
        return [dict(zip(names, line.split('\t'), strict=True)) for line in lines[1:]]

    def table(self, *keys):
        """keys -> the counters, as a tuple of numbers; no key may come twice."""
        out = {}
        for row in self.rows():
            key = tuple(row.pop(k) for k in keys)
            assert key not in out, f'{key} comes twice'
            out[key[0] if len(keys) == 1 else key] = tuple(map(int, row.values()))
        return out


def read(*files, by='host', stdin=None, format_='tsv', **options):
    args = ['--by', by]
    for name, value in options.items():
        args += ['--' + name, str(value)]
    return Result(args, files, stdin, format_)


def sums(rows):
    """The sum of each column."""
    return tuple(map(sum, zip(*rows)))


def records(result, format_):
    """The records of any format as lists of text."""
    if format_ == 'json':
        return [[str(v) for v in record.values()] for record in json.loads(result.text)]
    if format_ == 'ndjson':
        return [[str(v) for v in json.loads(line).values()] for line in result.text.splitlines()]
    if format_ == 'csv':
        return list(csv.reader(result.text.splitlines()))[1:]
    return [line.split('\t') for line in result.text.splitlines()[1:]]


class Capture:
    """A capture and its truth."""

    def __init__(self, path):
        self.path, self.truth = path, path.with_name(path.name + '.truth')
        self.summary = dict(line.split('\t', 1) for line in
                            (self.truth / 'summary.tsv').read_text().splitlines() if '\t' in line)
        self.packets, self.bytes = int(self.summary['packets']), int(self.summary['bytes'])
        self.damaged = self.summary['file_damage'] != '-'

    def rows(self, name):
        path = self.truth / (name + '.tsv')
        if not path.exists():
            return []
        with open(path, newline='', encoding='utf-8') as f:
            return list(csv.DictReader(f, delimiter='\t', quoting=csv.QUOTE_NONE))

    def supported(self, name):
        return [row for row in self.rows(name) if SUPPORTED.fullmatch(row['class'])]

    def parties(self, name, key):
        """key -> rx_packets, rx_bytes, tx_packets, tx_bytes; and what is left over under `-`."""
        out = collections.defaultdict(lambda: (0, 0, 0, 0))
        for row in self.supported(name) if name == 'hosts' else self.rows(name):
            counted = tuple(int(row[c]) for c in ('rx_packets', 'rx_bytes', 'tx_packets', 'tx_bytes'))
            out[row[key]] = sums([out[row[key]], counted])
        return self.with_rest(out, (self.packets, self.bytes) * 2)

    @staticmethod
    def with_rest(table, total):
        rest = tuple(t - s for t, s in zip(total, sums(table.values()) if table else (0,) * len(total)))
        return {**table, '-': rest} if any(rest) else dict(table)

    def grouped(self, name, key):
        """key(row) -> packets, bytes over the supported classes; the rest under `-`."""
        out = collections.defaultdict(lambda: (0, 0))
        for row in self.supported(name):
            out[key(row)] = sums([out[key(row)], (int(row['packets']), int(row['bytes']))])
        out.pop('-', None)
        return self.with_rest(out, (self.packets, self.bytes))
