# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally interfaces` against what ip(8) says, inside a namespace of its own."""
import json
import os

import pytest


def interfaces(namespace, *options):
    command = [os.environ["NETTALLY"], "interfaces", "--format", "json", *options]
    return {one["interface"]: one for one in json.loads(namespace.run(command).stdout)}


def test_facts_and_counters(wire):
    wire.send("left", 1000, size=100)
    got = interfaces(wire.left)
    assert list(got) == ["lo", "wire0"]
    one = got["wire0"]
    assert (one["state"], one["kind"], one["mtu"], one["mac"]) == ("up", "veth", 1500, "02:00:00:00:00:11")
    assert one["addresses"] == "192.0.2.101/24"
    assert one["capture"] == "socket"
    assert one["captures"] in ("kernel,socket", "socket")
    counters = wire.left.counters()
    for side in ("rx", "tx"):
        for what in ("packets", "bytes"):
            assert one[f"{side}_{what}"] == counters[side][what]
    assert one["tx_packets"] >= 1000
    assert got["lo"]["kind"] == "loopback"
    assert got["lo"]["mac"] == "-"


def test_states(wire):
    wire.right.run(["ip", "link", "set", "wire0", "down"])
    assert interfaces(wire.left)["wire0"]["state"] == "no-carrier"
    assert interfaces(wire.right)["wire0"]["state"] == "down"


def test_default_route_has_the_lowest_metric(wire):
    def default():
        return [name for name, one in interfaces(wire.left).items() if one["default"] == "yes"]

    assert default() == []
    wire.left.run(["ip", "link", "add", "other0", "type", "veth", "peer", "name", "other1"])
    wire.left.run(["ip", "link", "set", "other0", "up"])
    wire.left.run(["ip", "route", "add", "default", "via", "192.0.2.102", "metric", "200"])
    wire.left.run(["ip", "route", "add", "default", "dev", "other0", "table", "77"])
    assert default() == ["wire0"]
    wire.left.run(["ip", "route", "add", "default", "dev", "other0", "metric", "100"])
    assert default() == ["other0"]


def test_many_addresses_and_interfaces(wire):
    for number in range(40):
        wire.left.run(["ip", "link", "add", f"pair{number}", "type", "veth", "peer", "name", f"riap{number}"])
        wire.left.run(["ip", "address", "add", f"10.0.{number}.1/32", "peer", "10.255.0.1", "dev", "wire0"])
    got = interfaces(wire.left)
    assert len(got) == 82
    assert len(got["wire0"]["addresses"].split(",")) == 32, "the list is limited"
    assert [one["index"] for one in got.values()] == sorted(one["index"] for one in got.values())


def test_without_privilege(wire):
    done = wire.left.run(["setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set", "-all", "--inh-caps", "-all",
                          os.environ["NETTALLY"], "interfaces", "--format", "tsv"])
    header, *rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert all(row[header.index("capture")] == "- (needs CAP_NET_RAW)" for row in rows)
    assert header[-1] == "captures" and all(row[-1] == "-" for row in rows)


def test_ways_to_count_go_with_what_is_permitted(wire, pins):
    """`pins` skips where BPF is not permitted."""
    def captures(*options):
        done = wire.left.run(["setpriv", *options, os.environ["NETTALLY"], "interfaces", "--format", "table"])
        return {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines()}, done.stderr

    assert captures("--nnp")[0] == {"interface": "captures", "lo": "kernel,socket", "wire0": "kernel,socket"}
    found, said = captures("--bounding-set=-net_admin", "--inh-caps=-all")
    assert found["wire0"] == "socket" and said.startswith("kernel: ") and "CAP_NET_ADMIN" in said
    wire.left.run(["ip", "tuntap", "add", "tun0", "mode", "tun"])
    assert captures("--nnp")[0]["tun0"] == "kernel,socket"


@pytest.mark.parametrize("words, says", [(["--format", "xml"], "xml"), (["--nonsense"], "--nonsense"), (["eth0"], "eth0"),
                                         (["--format"], "needs a value")])
def test_usage_errors(wire, words, says):
    done = wire.left.run([os.environ["NETTALLY"], "interfaces", *words], check=False)
    assert done.returncode == 2
    assert says in done.stderr and done.stderr.startswith("nettally: interfaces: ")


def test_help(wire):
    done = wire.left.run([os.environ["NETTALLY"], "interfaces", "--help"])
    assert "Example" in done.stdout and done.stderr == ""
