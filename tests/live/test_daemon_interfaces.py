# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces that come, go, are down, are several, are not there."""
import json
import time

import pytest
from live_daemon import HOSTS, Daemon, Sent, ends, sums


def promiscuity(namespace, interface="wire0"):
    return json.loads(namespace.run(["ip", "-j", "-d", "link", "show", "dev", interface]).stdout)[0]["promiscuity"]


def make_wire(wire, name="wire0"):
    wire.right.run(["ip", "link", "add", name, "type", "veth", "peer", "name", name, "netns", wire.left.name])
    for namespace in (wire.left, wire.right):
        namespace.run(["ip", "link", "set", name, "up"])


def booked(daemon, interface="wire0"):
    return daemon.interface(interface)["booked_packets"]


def test_deleted_and_made_again(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        sent = Sent(wire.send("left", 1000, src=ends(1, 5)))
        for turn in range(2):
            wire.right.run(["ip", "link", "del", "wire0"])
            daemon.until("it is missed", lambda: not daemon.interface()["up"])
            assert "wire0: went away" in daemon.said()
            assert daemon.status()["state"] != "ok"
            make_wire(wire)
            daemon.until("it is found", lambda: daemon.interface()["up"])
            sent = sent + Sent(wire.send("left", 1000 + turn, src=ends(1, 5)))
        assert daemon.status()["counters"]["interface_lost"] == 2
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
        assert daemon.sql("SELECT sum(booked_packets) FROM interface") == [(sent.packets,)]
        assert daemon.ask("audit").returncode == 0


def test_deleted_under_load_and_made_again_at_once(wire, tmp_path):
    """A new interface of the same name before the daemon could miss the old one."""
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        sent = Sent(wire.send("left", 20_000))
        wire.right.run(["ip", "link", "del", "wire0"])
        make_wire(wire)
        daemon.until("the new one is counted", lambda: daemon.status()["counters"]["interface_found"] == 2)
        sent = sent + Sent(wire.send("left", 500))
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_down_and_up(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        sent = Sent(wire.send("left", 1000))
        for _ in range(3):
            wire.right.run(["ip", "link", "set", "wire0", "down"])
            time.sleep(0.1)
            wire.right.run(["ip", "link", "set", "wire0", "up"])
            sent = sent + Sent(wire.send("left", 1000))
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
        assert daemon.interface()["unaccounted_packets"] == 0


def test_started_while_down(wire, tmp_path):
    wire.right.run(["ip", "link", "set", "wire0", "down"])
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        said = daemon.said() + daemon.ask("status", check=False).stdout
        assert "wire0" in said and "down" in said
        wire.right.run(["ip", "link", "set", "wire0", "up"])
        sent = Sent(wire.send("left", 1000))
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_renamed(wire, tmp_path):
    """What has another name is another interface."""
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        sent = Sent(wire.send("left", 1000))
        wire.right.run(["ip", "link", "set", "wire0", "down"])
        wire.right.run(["ip", "link", "set", "wire0", "name", "other0"])
        wire.right.run(["ip", "link", "set", "other0", "up"])
        daemon.until("it is missed", lambda: not daemon.interface()["up"])
        wire.send("left", 77)
        wire.right.run(["ip", "link", "set", "other0", "down"])
        wire.right.run(["ip", "link", "set", "other0", "name", "wire0"])
        wire.right.run(["ip", "link", "set", "wire0", "up"])
        daemon.until("it is back", lambda: daemon.interface()["up"])
        sent = sent + Sent(wire.send("left", 100))
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_two_at_once(wire, tmp_path):
    make_wire(wire, "wire1")
    config = HOSTS + "account wires { by = { host, interface, direction } every = 1h }\n"
    with Daemon(wire.right, tmp_path, config, interfaces=("wire0", "wire1")) as daemon:
        one = Sent(wire.send("left", 3000, src=ends(1, 3)))
        two = Sent(wire.send("left", 2000, src=ends(2, 3), interface="wire1"))
        out = Sent(wire.send("right", 1000, src=ends(9, 2), interface="wire1"))
        daemon.stop()
        assert daemon.books("hosts", "l2") == (one + two + out).books("addr", "l2")
        by_wire = daemon.books("wires", "l2")
        for sent, name, direction in ((one, "wire0", "ingress"), (two, "wire1", "ingress"), (out, "wire1", "egress")):
            assert {k[0]: v for k, v in by_wire.items() if k[1:] == (name, direction)} == sent.books("addr", "l2")
        found = {i["interface"]: i["booked_packets"] for i in daemon.audit()["interfaces"]}
        assert found == {"wire0": 3000, "wire1": 3000}


@pytest.mark.parametrize("words, on", [("promiscuous = yes", 1), ("mirror = yes", 1), ("promiscuous = no", 0)])
def test_promiscuous(wire, tmp_path, words, on):
    with Daemon(wire.right, tmp_path, HOSTS + f"interface wire0 {{ {words} }}", interfaces=()) as daemon:
        assert promiscuity(wire.right) == on
        daemon.stop()
        assert promiscuity(wire.right) == 0


def test_promiscuous_ends_with_a_kill(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS + "interface wire0 { capture = socket  promiscuous = yes }", interfaces=()) as daemon:
        daemon.process.kill()
        daemon.process.wait()
        assert promiscuity(wire.right) == 0


def test_loopback_counts_once(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS, interfaces=("lo",), listen="off") as daemon:
        sent = Sent(wire.send("right", 1000, interface="lo", src=["00:00:00:00:00:00/127.0.0.5"],
                              dst=["00:00:00:00:00:00/127.0.0.6"]))
        daemon.stop()
        books = daemon.books("hosts", "l2")
        assert books["127.0.0.6"][:2] == (sent.packets, sent.wire_bytes)
        assert books["127.0.0.5"][2:] == (sent.packets, sent.wire_bytes)
        interface = daemon.interface("lo")
        assert interface["booked_packets"] == interface["kernel_packets"]
        assert interface["unaccounted_packets"] == 0


def test_missing(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS, interfaces=("eth77",), wait=False) as daemon:
        status, said = daemon.refused()
        assert status == 1
        assert "eth77" in said and "lo" in said and "wire0" in said


def test_filter_and_its_books(wire, tmp_path):
    config = HOSTS + 'interface wire0 { filter = "host 10.0.0.1" }\n'
    with Daemon(wire.right, tmp_path, config, interfaces=()) as daemon:
        sent = Sent(wire.send("left", 4000, src=ends(1, 4)))
        daemon.stop()
        books = daemon.interface()
        assert (books["booked_packets"], books["filtered_packets"], books["unaccounted_packets"]) == (1000, 3000, 0)
        assert set(daemon.books("hosts", "l2")) == {"10.0.0.1", "192.0.2.2"}
        assert sent.packets == 4000


def test_ends_of_our_own(wire, tmp_path):
    """self = no and groups = no leave out those parties, not the packets; of = local looks at the interface's networks."""
    config = ("account all { by = { host } every = 1h }\n"
              "account others { by = { host } every = 1h self = no groups = no }\n"
              "account ours { by = { host } of = local every = 1h }\n"
              "account far { by = { host } of = remote every = 1h }\n")
    with Daemon(wire.right, tmp_path, config) as daemon:
        sent = Sent(wire.send("left", 900, src=["02:00:00:00:00:07/192.0.2.102", "02:00:00:00:00:08/192.0.2.7",
                                                    "02:00:00:00:00:09/10.1.1.1"],
                              dst=["ff:ff:ff:ff:ff:ff/192.0.2.255"]))
        daemon.stop()
        every = sent.books("addr", "l2")
        assert daemon.books("all", "l2") == every
        assert set(daemon.books("others", "l2")) == {"192.0.2.7", "10.1.1.1"}
        assert set(daemon.books("ours", "l2")) == {"192.0.2.102", "192.0.2.7", "192.0.2.255"}
        assert daemon.books("far", "l2") == {"10.1.1.1": every["10.1.1.1"]}
        assert sums(daemon.books("ours", "l2")) != sums(every)
