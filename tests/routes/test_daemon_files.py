# SPDX-License-Identifier: GPL-2.0-or-later
"""MRT and geo files of a running daemon: loaded, read again when they change, kept when the new one is damaged; and what is
booked by them."""
import json
import os
import pathlib
import struct
import subprocess

import pytest

from routes_world import binary, data, wait_until


def attribute(flags, kind, value):
    return struct.pack(">BBB", flags, kind, len(value)) + value


def mrt(routes):
    """TABLE_DUMP_V2 (RFC 6396 4.3): a peer, then a row for each prefix: {"192.0.2.0/24": [64500, 64501]}"""
    peers = struct.pack(">IHH", 0xc0000201, 0, 1) + struct.pack(">BIII", 2, 0xc0000202, 0xc0000202, 64500)
    records = [struct.pack(">IHHI", 1700000000, 13, 1, len(peers)) + peers]
    for number, (prefix, path) in enumerate(routes.items()):
        address, bits = prefix.split("/")
        octets = bytes(int(part) for part in address.split("."))[:(int(bits) + 7) // 8]
        as_path = struct.pack(">BB", 2, len(path)) + b"".join(struct.pack(">I", n) for n in path)
        attributes = attribute(0x40, 1, b"\0") + attribute(0x40, 2, as_path) + attribute(0x40, 3, b"\xc0\0\2\2")
        row = struct.pack(">IB", number, int(bits)) + octets + struct.pack(">HHIH", 1, 0, 1700000000, len(attributes))
        row += attributes
        records.append(struct.pack(">IHHI", 1700000000, 13, 2, len(row)) + row)
    return b"".join(records)


def replace(path, content):
    new = path.with_suffix(".new")
    new.write_bytes(content)
    os.replace(new, path)


ONE = {"127.0.0.0/8": [64500, 64501], "10.0.0.0/8": [64500]}
TWO = {"127.0.0.0/8": [64500, 64502], "127.0.0.0/16": [64500, 64503]}
TEXTS = [{prefix: " ".join(map(str, path)) for prefix, path in routes.items()} for routes in (ONE, TWO)]


def test_a_file_that_changes(world, tmp_path):
    path = tmp_path / "rib.mrt"
    path.write_bytes(mrt(ONE))
    daemon = world.daemon(f'routes edge1 {{ mrt = "{path}" }}')
    assert daemon.paths() == TEXTS[0]  # at once: small tables are there before READY
    replace(path, mrt(TWO))
    daemon.expect("edge1", TEXTS[1])
    assert daemon.view("edge1")["loads"] == 2
    replace(path, mrt(ONE)[:-3])
    wait_until("the damage is told", lambda: daemon.view("edge1")["problem"])
    assert daemon.paths() == TEXTS[1]
    assert any(p.startswith("routes edge1: ") for p in daemon.status()["problems"])
    assert "the table that was loaded before stays in force" in daemon.log.read_text()
    replace(path, b"no MRT file at all")
    wait_until("another sentence", lambda: daemon.view("edge1")["failures"] == 2)
    assert daemon.paths() == TEXTS[1]
    replace(path, mrt(ONE))
    daemon.expect("edge1", TEXTS[0])
    assert daemon.view("edge1")["problem"] == ""


def test_lookup_asks_the_daemon(world, tmp_path):
    path = tmp_path / "rib.mrt"
    path.write_bytes(mrt(ONE))
    (tmp_path / "names").write_text("64500 Example Networks\n64501 Other\n")
    daemon = world.daemon(f'routes a {{ mrt = "{path}" }}\nroutes b {{ mrt = "{path}" }}\n'
                          f'geo {{ as_names = "{tmp_path}/names" }}')
    out = daemon.ask("routes", "lookup", "127.0.0.1", check=False)
    assert out.returncode == 1 and "say which with --view; there are: a, b" in out.stderr
    rows = json.loads(daemon.ask("routes", "lookup", "--view", "b", "--format", "json", "10.1.2.3", "11.0.0.1").stdout)
    assert rows[0] == {"address": "10.1.2.3", "prefix": "10.0.0.0/8", "origin_as": 64500, "as_path": "64500",
                       "country": rows[1]["country"]}
    assert rows[1]["prefix"] in ("-", None)
    words = ["routes", "lookup", "--format", "tsv", "127.0.0.1", "10.0.0.1", "11.0.0.1"]
    out = daemon.ask(*words, "--view", "a", "--as-names", "daemon").stdout
    assert [line.split("\t")[-1] for line in out.splitlines()] == ["as_name", "Other", "Example Networks", "-"]
    alone = subprocess.run([binary(), *words, "--routes", path, "--as-names", tmp_path / "names"], capture_output=True,
                           text=True, check=True, timeout=20)
    assert alone.stdout == out


def test_a_large_table_is_streamed(world, tmp_path):
    path = tmp_path / "rib.mrt"
    many = {f"{10 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24": [64500, 65000 + i % 1000] for i in range(150000)}
    path.write_bytes(mrt(many))
    daemon = world.daemon(f'routes edge1 {{ mrt = "{path}" }}')
    wait_until("loaded", lambda: daemon.view("edge1")["loads"], 30)
    assert daemon.paths() == {prefix: " ".join(map(str, p)) for prefix, p in many.items()}


def test_nothing_is_lost_while_a_table_is_replaced(world, tmp_path):
    """Packets all the while; two large tables, one after the other, take turns. Every packet is booked once, by one of them."""
    path = tmp_path / "rib.mrt"
    rest = {f"{10 + i // 65536}.{i // 256 % 256}.{i % 256}.0/24": [64500, 65000 + i % 1000] for i in range(100000)}
    tables = [mrt({"127.0.0.0/8": [64500, last]} | rest) for last in (64501, 64502)]
    path.write_bytes(tables[0])
    daemon = world.daemon(f'routes edge1 {{ mrt = "{path}" }}\naccount origins {{ by = {{ origin_as }} every = 1h }}\n')
    wait_until("loaded", lambda: daemon.view("edge1")["loads"], 30)
    sender = world.start(["/usr/bin/python3", "-c", "import socket, time\n"
                          "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                          "for i in range(12000): s.sendto(b'x', ('127.0.0.1', 9)); time.sleep(0.001)"])
    for loads in (2, 3):
        replace(path, tables[(loads + 1) % 2])
        wait_until("the next table", lambda n=loads: daemon.view("edge1")["loads"] >= n, 30)
    sender.wait(timeout=60)
    wait_until("all seen", lambda: daemon.status()["counters"]["capture_packets"] >= 24000)
    daemon.stop()
    out = subprocess.run([binary(), "query", "origins", "--ledger", daemon.ledger, "--format", "json"], capture_output=True,
                         text=True, check=True, timeout=20).stdout
    rows = {row["origin_as"]: row["rx_packets"] for row in json.loads(out)}
    assert set(rows) == {64501, 64502} and sum(rows.values()) >= 24000, rows
    audit = json.loads(daemon.ask("audit", "--json", "--ledger", str(daemon.ledger), check=False).stdout or "{}")
    assert all(i["unaccounted_packets"] == 0 for i in audit.get("interfaces", []) if i["interface"] == "lo"), audit


def send_inside(world, count):
    world.run(["/usr/bin/python3", "-c", "import socket\n"
               "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
               f"for i in range({count}): s.sendto(b'x' * 100, ('127.0.0.1', 9))"])


def test_booked_by_the_table_of_the_time(world, tmp_path):
    """Keys of routes in an account; a table that comes later changes what comes later. No packet is lost by the change."""
    path = tmp_path / "rib.mrt"
    path.write_bytes(mrt(ONE))
    geo = data("geo", "iptoasn-country.mmdb")
    daemon = world.daemon(f'routes edge1 {{ mrt = "{path}" }}\ngeo {{ country = "{geo}" }}\n'
                          'account peering { by = { prefix, origin_as, as_path } every = 1h }\n'
                          'account hosts { by = { host } every = 1h }\n')
    send_inside(world, 100)
    wait_until("booked", lambda: daemon.status()["counters"]["capture_packets"] >= 200)
    replace(path, mrt(TWO))
    daemon.expect("edge1", TEXTS[1])
    send_inside(world, 100)
    wait_until("booked", lambda: daemon.status()["counters"]["capture_packets"] >= 400)
    daemon.stop()
    out = subprocess.run([binary(), "query", "peering", "--ledger", daemon.ledger, "--format", "json"], capture_output=True,
                         text=True, check=True, timeout=20).stdout
    rows = {(row["prefix"], row["as_path"]): row for row in json.loads(out)}
    assert set(rows) == {("127.0.0.0/8", "64500 64501"), ("127.0.0.0/16", "64500 64503")}, out
    assert sum(row["rx_packets"] for row in rows.values()) == sum(row["tx_packets"] for row in rows.values())
    hosts = subprocess.run([binary(), "query", "hosts", "--ledger", daemon.ledger, "--format", "json"], capture_output=True,
                           text=True, check=True, timeout=20).stdout
    assert sum(r["rx_packets"] for r in json.loads(hosts)) == sum(row["rx_packets"] for row in rows.values())
    assert {row["origin_as"] for row in rows.values()} == {64501, 64503}


MISTAKES = [
    ('routes a { }', "write either mrt = FILE or bmp = ROUTER-ADDRESS"),
    ('routes a { mrt = "/nonexistent" }', "mrt = /nonexistent: No such file or directory"),
    ('routes a { mrt = "/tmp" }', "this is no file"),
    ('routes a/b { bmp = "192.0.2.1" }\nbmp { listen = "127.0.0.1:0" }', "a name is letters, digits"),
    ('routes a { bmp = "router1" }\nbmp { listen = "127.0.0.1:0" }', "write the address from which the router connects"),
    ('routes a { bmp = "192.0.2.1" }', "need a place where routers connect"),
    ('routes a { bmp = "192.0.2.1" table = best }\nbmp { listen = "127.0.0.1:0" }', "auto, loc-rib, post-policy, pre-policy"),
    ('routes a { bmp = "192.0.2.1" }\n'
     'routes a { bmp = "192.0.2.2" }\nbmp { listen = "127.0.0.1:0" }', "'routes a' is written twice"),
    ('routes a { bmp = "192.0.2.1" }\n'
     'routes b { bmp = "192.0.2.1" }\nbmp { listen = "127.0.0.1:0" }', "that of routes a already"),
    ('routes a { bmp = "192.0.2.1" serves = { "192.0.2.0/33" } }\nbmp { listen = "127.0.0.1:0" }', "serves: "),
    ('bmp { listen = "somewhere" }', "write ADDRESS:PORT such as 0.0.0.0:11019"),
    ('geo { country = "/nonexistent" }', "No such file"),
    ('geo { group eu2 { countries = { "DEU" } } }', "'DEU' is no country"),
    ('interface lo { routes = nowhere }', "there is no section routes nowhere"),
]


@pytest.mark.parametrize("text, sentence", MISTAKES)
def test_mistakes(tmp_path, text, sentence):
    path = tmp_path / "c.conf"
    path.write_text(text + "\n")
    out = subprocess.run([binary(), "check", "-c", path], capture_output=True, text=True, timeout=20, check=False)
    assert out.returncode == 2, out
    assert sentence in out.stdout + out.stderr, out
    assert f"{path}:" in out.stdout + out.stderr


def test_groups_of_countries(world, tmp_path):
    """A made file says that 0.0.0.0/1 is DE: `eu` has it, and a group of the config."""
    seeds = pathlib.Path(__file__).parents[1] / "fuzz" / "make-bmp-seeds"
    subprocess.run([seeds, tmp_path], check=True, timeout=20)
    daemon = world.daemon(f'geo {{ country = "{tmp_path}/mmdb/made-0"  group near {{ countries = {{ "DE", "CH" }} }} }}\n'
                          'account countries { by = { country } every = 1h }\n')
    send_inside(world, 50)
    wait_until("booked", lambda: daemon.status()["counters"]["capture_packets"] >= 100)
    daemon.stop()

    def rows(where):
        out = subprocess.run([binary(), "query", "countries", "-c", daemon.config, "--where", where, "--format", "json"],
                             capture_output=True, text=True, check=False, timeout=20)
        return (out.returncode, out.stderr) if out.returncode else [row["country"] for row in json.loads(out.stdout)]
    for where, want in (("country=eu", ["DE"]), ("country=near", ["DE"]), ("country=DE", ["DE"]), ("country=US,DE", ["DE"]),
                        ("country=US", []), ("country=D", [])):
        assert rows(where) == want, where
    status, words = rows("country=nowhere")
    assert status == 2 and "there is no such group" in words
