# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally read` by prefix, AS and country: the sums of what it says by host, each host looked up by `nettally routes`."""
import collections
import csv
import os
import pathlib
import subprocess

import pytest

DATA = pathlib.Path(os.environ.get("NETTALLY_DATA") or "/nonexistent")
ROUTES = DATA / "mrt/ris-bview.20020722.2337.gz"
GEO = DATA / "geo/iptoasn-country.mmdb"
CAPTURES = ["mix-a.pcap", "ndpi-http_ipv6.pcap", "zeek-q-in-q.pcap"]


def nettally(*words, **more):
    command = [os.environ["NETTALLY"], *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(done.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


KEYS = [["prefix"], ["origin_as"], ["as_path"], ["country"], ["prefix", "origin_as", "as_path", "country"]]


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("keys", KEYS, ids=",".join)
def test_sums(capture, keys):
    path = DATA / "pcap" / capture
    if not (path.exists() and ROUTES.exists() and GEO.exists()):
        pytest.skip("no captures: set NETTALLY_DATA")
    hosts = nettally("read", "--by", "host", "--format", "tsv", path)
    known = nettally("routes", "lookup", "--routes", ROUTES, "--geo", GEO, "--format", "tsv",
                     input="".join(row["host"] + "\n" for row in hosts if row["host"] != "-"))
    of = {row["address"]: row for row in known}
    want = collections.defaultdict(lambda: [0] * 4)
    for row in hosts:
        key = tuple(of[row["host"]][k] if row["host"] != "-" else "-" for k in keys)
        for i, name in enumerate(("rx_packets", "rx_bytes", "tx_packets", "tx_bytes")):
            want[key][i] += int(row[name])
    got = {}
    for row in nettally("read", "--by", ",".join(keys), "--routes", ROUTES, "--geo", GEO, "--format", "tsv", path):
        got[tuple(row[k] for k in keys)] = [int(v) for v in list(row.values())[len(keys):]]
    assert got == dict(want)


def test_what_is_missing_is_said():
    for by, option in (("prefix", "--routes"), ("country", "--geo")):
        done = subprocess.run([os.environ["NETTALLY"], "read", "--by", by, "-"], capture_output=True, text=True, timeout=20,
                              stdin=subprocess.DEVNULL, check=False)
        assert done.returncode == 2 and option in done.stderr
