# SPDX-License-Identifier: GPL-2.0-or-later
"""What was sent is in the books, host by host, under a load on all CPUs: millions of frames a second, full tables, tables
that grow. NETTALLY_LONG=1: for minutes."""
import concurrent.futures
import signal
import time

import pytest
from live_daemon import Sent, ends
from live_kernel import LONG, Flooded, Kernel, check_equal, total

BOTH = "account hosts { by = { host } every = 1d limit = 4000000 }\naccount devices { by = { mac } every = 1d limit = 4000000 }\n"
FRAMES = 300_000_000 if LONG else 3_000_000
OUT = 20_000_000 if LONG else 250_000


def flood_both_ways(wire, frames=FRAMES, out=OUT, hosts=65_536, **options):
    """send_xdp into the right end and sendmmsg out of it, at once."""
    options = {"threads": 2, "families": 46, "sizes": 7, **options}
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        there = pool.submit(wire.flood, "left", frames, timeout=1000, hosts=hosts, **options)
        back = pool.submit(wire.send, "right", out, timeout=1000, src=["02:00:00:00:00:03/10.200.0.0"], spread=min(hosts, 65_000))
        there, back = there.result(), back.result()
    print(f"{frames / there['seconds'] / 1e6:.1f} M frames/s in, {out / back['seconds'] / 1e6:.2f} M frames/s out")
    return Flooded(there), Sent(back)


@pytest.mark.parametrize("capture", ["kernel", "xdp"])
def test_every_host_has_what_it_sent(broad_wire, tmp_path, pins, capture):
    with Kernel(broad_wire.right, tmp_path / "d", pins, BOTH, capture=capture) as daemon:
        there, back = flood_both_ways(broad_wire)
        daemon.stop(signal.SIGINT, timeout=60)
        sent = there + back
        for basis in ("l2", "l3"):
            check_equal(daemon.table("hosts", basis), sent.books("addr", basis))
            check_equal(daemon.table("devices", basis), sent.books("mac", basis))
        books = daemon.check_audit()
        assert (books["ingress_packets"], books["egress_packets"]) == (there.packets, back.packets)


def test_a_mirror_is_counted_and_dropped(broad_wire, tmp_path, pins):
    with Kernel(broad_wire.right, tmp_path / "d", pins, BOTH, capture="xdp", more="mirror = yes") as daemon:
        with broad_wire.counting("right") as behind:
            result = broad_wire.flood("left", 4 * FRAMES, threads=2, hosts=4096, timeout=1000)
            broad_wire.send("right", 1000)
        print(f"{4 * FRAMES / result['seconds'] / 1e6:.1f} M frames/s")
        assert sum(ring["ingress"] for ring in behind) == 0, "nothing comes past the program"
        daemon.stop(signal.SIGINT, timeout=60)
        sent = Flooded(result)
        for basis in ("l2", "l3"):
            check_equal(daemon.table("hosts", basis), sent.books("addr", basis))
        assert daemon.check_audit()["egress_packets"] == 0, "a mirror's own frames are nobody's traffic"


@pytest.mark.parametrize("capture", ["kernel", "xdp"])
def test_full_tables(broad_wire, tmp_path, pins, capture):
    """What finds no room is in `other`: keys and `other` together are what was sent."""
    with Kernel(broad_wire.right, tmp_path / "d", pins, BOTH, capture=capture, keys=1024) as daemon:
        there, back = flood_both_ways(broad_wire)
        daemon.stop(signal.SIGINT, timeout=60)
        for basis in ("l2", "l3"):
            for account, kind in (("hosts", "addr"), ("devices", "mac")):
                sent = there.books(kind, basis) if kind else {}
                want = tuple(a + b for a, b in zip(total(sent), total(back.books(kind, basis))))
                got = daemon.table(account, basis)
                assert total(got) == want
                assert got["other"][2] > 0 and len(got) > 500
                everybody = (there + back).books(kind, basis)
                assert all(value <= everybody[key][i] for key, values in got.items() if key != "other"
                           for i, value in enumerate(values)), "nobody has what another sent"
        books = daemon.check_audit()
        assert books["overflowed"] > 0
        assert books["booked_packets"] == there.packets + back.packets


def test_tables_grow_under_load(broad_wire, tmp_path, pins):
    """More hosts than tables are made for at first: nothing is lost when larger ones take their place."""
    hosts = 200_000
    with Kernel(broad_wire.right, tmp_path / "d", pins, "account hosts { by = { host } every = 1d limit = 4000000 }\n",
                keys=1 << 20) as daemon:
        there = Flooded(broad_wire.flood("left", 10 * hosts, threads=2, hosts=hosts, rate=800_000, sizes=5))
        back = Sent(broad_wire.send("right", 50_000, src=ends(1, 50)))
        daemon.stop(signal.SIGINT, timeout=60)
        want = there + back
        got = daemon.table("hosts")
        books = daemon.check_audit()
        assert total(got) == total(want.books("addr", "l2"))
        if not books["overflowed"]:
            check_equal(got, want.books("addr", "l2"))
        print(f"overflowed: {books['overflowed']}, generations said: {daemon.said().count('table')}")
        # Before the first growth some found no room; afterwards nobody.
        assert books["overflowed"] < want.packets // 2


def test_short_windows_under_load(broad_wire, tmp_path, pins):
    """Tables change hands each second."""
    accounts = "account hosts { by = { host } every = 1s limit = 4000000 keep = { \"1s:1d\", \"1h:forever\" } }\n"
    with Kernel(broad_wire.right, tmp_path / "d", pins, accounts) as daemon:
        began = time.time()
        sent = Flooded(broad_wire.flood("left", FRAMES, threads=2, hosts=1000, rate=1_500_000, families=46, timeout=1000))
        took = time.time() - began
        daemon.stop(signal.SIGINT, timeout=60)
        check_equal(daemon.table("hosts"), sent.books("addr", "l2"))
        windows = daemon.sql("SELECT window, sum(tx_packets) FROM record_hosts WHERE length = 1 GROUP BY window")
        assert sum(packets for _, packets in windows) == sent.packets
        assert took - 2 <= len(windows) <= took + 3, windows
        assert max(packets for _, packets in windows) < 2.5 * sent.packets / took
        daemon.check_audit()
