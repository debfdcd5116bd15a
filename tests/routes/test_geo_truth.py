# SPDX-License-Identifier: GPL-2.0-or-later
"""Countries as another reader of MMDB files finds them; and files that are damaged."""
import ipaddress
import json
import subprocess

import pytest

from routes_world import binary, data

FILES = ["iptoasn-country.mmdb", "iptoasn-country-ipv4.mmdb"]
TRUTHS = ["GeoIP2-Country-Test.mmdb", "GeoLite2-Country-Test.mmdb"]


def lookup(path, addresses):
    out = subprocess.run([binary(), "routes", "lookup", "--geo", path, "--format", "tsv"], input="\n".join(addresses) + "\n",
                         capture_output=True, text=True, timeout=60, check=True).stdout
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows[0] == ["address", "prefix", "origin_as", "as_path", "country"]
    return [row[4] for row in rows[1:]]


def country(value):
    if value == "-":
        return "-"
    record = json.loads(value)
    return record.get("country_code") or record.get("country", {}).get("iso_code") or "-"


def rows_of(path):
    return [line.rstrip("\n").split("\t") for line in path.read_text().splitlines()[1:]]


@pytest.mark.parametrize("name", FILES)
def test_lookups(name):
    rows = rows_of(data("geo", name + ".lookups.tsv"))
    found = lookup(data("geo", name), [row[0] for row in rows])
    wrong = [(row[0], f) for row, f in zip(rows, found) if f != country(row[2])]
    assert len(found) == len(rows) and not wrong, wrong[:5]


@pytest.mark.parametrize("name", TRUTHS)
def test_every_network(name):
    """The first and the last address of each, and the one behind it where no other network begins there."""
    want = {}
    for text, value in rows_of(data("geo", "maxmind", name + ".truth.tsv")):
        network = ipaddress.ip_network(text)
        for address in (network[0], network[-1]):
            want[str(address)] = country(value)
            if int(address) < 1 << 32:  # ::a.b.c.d is IPv4
                want[str(ipaddress.IPv4Address(int(address)))] = country(value)
    found = dict(zip(want, lookup(data("geo", "maxmind", name), list(want))))
    wrong = [(a, found[a], want[a]) for a in want if found[a] != want[a]]
    assert not wrong, wrong[:5]


def test_damaged_files_are_errors():
    """Each is refused in a sentence, or (where the damage lies in what is not looked at) answers."""
    folder = data("geo", "maxmind-bad")
    files = sorted(folder.glob("*.mmdb")) + sorted(data("geo", "maxmind").glob("*broken*.mmdb"))
    assert files
    for path in files:
        out = subprocess.run([binary(), "routes", "lookup", "--geo", path, "1.1.1.1", "::1"], capture_output=True, text=True,
                             timeout=20, check=False)
        assert out.returncode in (0, 1), (path, out)
        if out.returncode:
            assert out.stderr.startswith("nettally: ") and path.name in out.stderr, (path, out)


def test_cut_at_many_places(tmp_path):
    whole = data("geo", "maxmind", "GeoLite2-Country-Test.mmdb").read_bytes()
    for size in [0, 1, 100, len(whole) // 2, len(whole) - 100, len(whole) - 1]:
        path = tmp_path / "cut.mmdb"
        path.write_bytes(whole[:size])
        out = subprocess.run([binary(), "routes", "lookup", "--geo", path, "1.1.1.1"], capture_output=True, text=True,
                             timeout=20, check=False)
        assert out.returncode in (0, 1) and "Sanitizer" not in out.stderr, (size, out)
