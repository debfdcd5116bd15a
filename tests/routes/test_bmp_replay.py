# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions as routers sent them, byte by byte, to a running daemon: the tables that they come to."""
import socket
import time

import pytest

from routes_world import data, wait_until

CONFIG = '''
routes edge1 { bmp = "127.0.0.1" table = %s }
bmp { listen = "127.0.0.1:0" }
'''
PEER = "4200000002"
FAR = "4200000002 64999 4200000777 64999"
# What the one announces behind the end of each session, by the list of events in the captures' README.
FRR_END = {"192.0.2.128/25": PEER, "198.51.100.0/26": PEER, "203.0.113.0/24": FAR, "203.0.113.128/25": PEER}


def messages(path):
    """[(type, bytes)]"""
    stream, out = path.read_bytes(), []
    while stream:
        length = int.from_bytes(stream[1:5], "big")
        out.append((stream[5], stream[:length]))
        stream = stream[length:]
    return out


def play(world, daemon, parts):
    s = world.connect(daemon.listens_at())
    for part in parts:
        s.sendall(part)
    return s


def until(kind, nth, of):
    """The messages before the nth of this type (from 0)."""
    at = [i for i, (t, _) in enumerate(of) if t == kind][nth]
    return [m for _, m in of[:at]]


@pytest.mark.parametrize("table", ["auto", "post-policy", "pre-policy"])
def test_frr(world, table):
    """FRR denies 198.18.0.0/15 in both tables; its own AS before each path is no neighbour's."""
    daemon = world.daemon(CONFIG % table)
    all_of_it = messages(data("bmp", "frr84-v4v6-prepost.bin"))
    with play(world, daemon, until(2, 0, all_of_it)):  # to the first Peer Down
        daemon.expect("edge1", {**FRR_END, "2001:db8:1::/48": PEER, "2001:db8:3:4::/64": PEER})
    with play(world, daemon, [m for _, m in all_of_it]):
        daemon.expect("edge1", FRR_END)
    wait_until("the session ended", lambda: daemon.view("edge1")["connected"] == 0)
    assert daemon.view("edge1")["stale"] == len(FRR_END)
    assert daemon.view("edge1")["malformed"] == 0
    assert daemon.paths("edge1") == FRR_END


@pytest.mark.parametrize("table, first, second", [
    ("pre-policy", 5, 7), ("post-policy", 5, 7), ("loc-rib", 5, 7), ("auto", 5, 7)])
def test_gobgp(world, table, first, second):
    daemon = world.daemon(CONFIG % table)
    all_of_it = messages(data("bmp", "gobgp310-v4v6-all.bin"))
    ups = [i for i, (t, _) in enumerate(all_of_it) if t == 3]
    # Until the IPv4 peer is back, all its routes were told again, and nothing of IPv6 was taken back yet.
    downs = [i for i, (t, _) in enumerate(all_of_it) if t == 2]
    part = [m for _, m in all_of_it[:downs[0] + 1]]
    with play(world, daemon, part):
        daemon.expect("edge1", {"2001:db8:1::/48": PEER, "2001:db8:3:4::/64": PEER})
    assert len(ups) == 3
    with play(world, daemon, [m for _, m in all_of_it]):
        wait_until("all of it", lambda: daemon.view("edge1")["messages"] >= len(all_of_it) + len(part))
    assert daemon.view("edge1")["malformed"] == 0


def test_one_byte_at_a_time(world):
    daemon = world.daemon(CONFIG % "auto")
    whole = data("bmp", "frr84-v4v6-prepost.bin").read_bytes()
    with world.connect(daemon.listens_at()) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(whole)):
            s.send(whole[i:i + 1])
        daemon.expect("edge1", FRR_END)


def test_restart_keeps_what_was_said(world):
    daemon = world.daemon(CONFIG % "auto")
    whole = data("bmp", "frr84-v4v6-prepost.bin").read_bytes()
    with play(world, daemon, [whole]):
        daemon.expect("edge1", FRR_END)
        daemon.stop()
    daemon.start()
    assert daemon.paths("edge1") == FRR_END  # at once: READY comes behind it
    wait_until("status says so", lambda: daemon.view("edge1")["stale"] == 4)  # it is as of the last tick
    assert daemon.view("edge1")["connected"] == 0
    with play(world, daemon, [whole]):
        wait_until("nothing stale", lambda: daemon.view("edge1")["stale"] == 0)
        assert daemon.paths("edge1") == FRR_END


def test_damaged_snapshot_is_no_harm(world):
    daemon = world.daemon(CONFIG % "auto")
    with play(world, daemon, [data("bmp", "frr84-v4v6-prepost.bin").read_bytes()]):
        daemon.expect("edge1", FRR_END)
        daemon.stop()
    saved = daemon.ledger.with_name(daemon.ledger.name + ".edge1.bmp")
    saved.write_bytes(saved.read_bytes()[:saved.stat().st_size // 4])
    daemon.start()
    assert "damaged" in daemon.log.read_text()
    assert set(daemon.paths("edge1").items()) < set(FRR_END.items())


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x03\x7f\xff\xff\xff\x00", b"\x03\x00\x00\x00\x01\x00"])
def test_garbage_ends_the_session(world, garbage):
    daemon = world.daemon(CONFIG % "auto")
    whole = data("bmp", "frr84-v4v6-prepost.bin").read_bytes()
    with play(world, daemon, [whole, garbage]) as s:
        s.settimeout(10)
        assert s.recv(1) == b""
    daemon.expect("edge1", FRR_END)  # what was said before stays
    assert daemon.status()["bmp"]["broken"] == 1


def test_strangers_and_second_sessions(world):
    daemon = world.daemon(CONFIG % "auto")
    with world.connect(daemon.listens_at(), source="127.0.0.2") as s:
        s.settimeout(10)
        assert s.recv(1) == b""
    wait_until("counted", lambda: daemon.status()["bmp"]["strangers"] == 1)
    assert "127.0.0.2 connected and is no configured router" in daemon.log.read_text()
    with world.connect(daemon.listens_at()) as first:
        wait_until("connected", lambda: daemon.view("edge1")["connected"])
        with world.connect(daemon.listens_at()):
            first.settimeout(10)
            assert first.recv(1) == b""


def test_reload_keeps_sessions(world):
    daemon = world.daemon(CONFIG % "auto")
    with play(world, daemon, [data("bmp", "frr84-v4v6-prepost.bin").read_bytes()]):
        daemon.expect("edge1", FRR_END)
        daemon.write((CONFIG % "auto").replace("127.0.0.1:0", "127.0.0.1:0") + 'routes other { bmp = "127.0.0.9" }\n'
                     'routes edge1more { bmp = "127.0.0.8" default = yes }\n')
        daemon.process.send_signal(1)
        wait_until("the other views", lambda: len(daemon.status()["routes"]) == 3)
        time.sleep(1)
        view = daemon.view("edge1")
        assert (view["connected"], view["stale"]) == (1, 0)
        assert daemon.paths("edge1") == FRR_END
    out = daemon.ask("routes", "dump", "--view", "nothing", check=False)
    assert out.returncode == 1
    assert "there is no routes nothing; there are: edge1, other, edge1more" in out.stderr
