# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon books is what was sent: at speed, over many ends, of all forms, with a slow reader, with a full table."""
import concurrent.futures
import signal
import time

import pytest
from live_daemon import HOSTS, Daemon, Sent, ends, sums

RATE = 300_000


def send_at_once(wire, *calls):
    """Several senders at the same time; the frames a second of all, and what each sent."""
    with concurrent.futures.ThreadPoolExecutor(len(calls)) as pool:
        waiting = [pool.submit(wire.send, *args, **options) for args, options in calls]
        results = [w.result() for w in waiting]
    return sum(r["frames"] for r in results) / max(r["seconds"] for r in results), results


def check_interface(daemon, sent, **want):
    books = daemon.interface()
    assert books["booked_packets"] == sent.packets
    assert books["booked_l2_bytes"] == sent.wire_bytes
    assert (books["lost_packets"], books["unaccounted_packets"], books["malformed_packets"]) == (0, 0, 0)
    for name, value in want.items():
        assert books[name] == value, name


def check_books(daemon, sent):
    for basis in ("l2", "l3"):
        assert daemon.books("hosts", basis) == sent.books("addr", basis)
        assert daemon.books("devices", basis) == sent.books("mac", basis)
    audit = daemon.audit()
    assert audit["closes"] and all(a["closes"] for a in audit["accounts"])
    for account in audit["accounts"]:
        assert account["rx_packets"] == account["tx_packets"] == sent.packets
        assert account["rx_l2_bytes"] == account["tx_l2_bytes"] == sent.wire_bytes


def test_many_hosts_both_ways_at_speed(wire, tmp_path):
    there = {"src": ends(1, 50), "dst": ends(1, 20, machine=1), "size": 90}
    back = {"src": ends(1, 7, machine=1), "dst": ends(1, 9), "size": 333}
    rate = 0
    for attempt in range(2):  # exact each time; fast enough on a machine that does other things too
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with Daemon(wire.right, folder, HOSTS) as daemon:
            rate, results = send_at_once(wire, (("left", 800_000), there), (("right", 300_000), back))
            began = time.monotonic()
            daemon.stop()  # right after the last frame
            print(f"{rate / 1e6:.2f} M frames/s, ended in {time.monotonic() - began:.2f} s")
            sent = Sent(*results)
            check_books(daemon, sent)
            check_interface(daemon, sent, ingress_packets=800_000, egress_packets=300_000, kernel_packets=1_100_000)
        if rate >= RATE:
            return
    pytest.skip(f"this machine sends only {rate:.0f} frames/s at the moment; they were all booked")


FORMS = [
    ("IPv4, one tag", {"src": ends(1, 3), "dst": ends(1, 2, machine=1), "vlan": "8100:42"}, 1),
    ("IPv4, two tags", {"src": ends(1, 3), "dst": ends(1, 2, machine=1), "vlan": ["88a8:7", "8100:9"]}, 2),
    ("IPv6", {"src": ends(1, 3, 6), "dst": ends(1, 2, 6, machine=1), "size": 200}, 0),
    ("IPv6, one tag", {"src": ends(1, 3, 6), "dst": ends(1, 2, 6, machine=1), "vlan": "8100:5"}, 1),
    ("IPv4 super-packets", {"src": ends(1, 3), "dst": ends(1, 2, machine=1), "size": 30054, "gso": 1000}, 0),
    ("IPv6 super-packets, a short last segment", {"src": ends(1, 3, 6), "dst": ends(1, 2, 6, machine=1),
                                                  "size": 9974 + 100, "gso": 900}, 0),
    ("to all", {"src": ends(1, 3), "dst": ["ff:ff:ff:ff:ff:ff/255.255.255.255", "01:00:5e:01:02:03/239.1.2.3"]}, 0),
]


def test_all_forms_of_frames(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        sent = Sent()
        sent.flows = []
        for _, options, tags in FORMS:
            for end in ("left", "right"):
                sent = sent + Sent(wire.send(end, 1200, **options), tags=tags)
        daemon.stop()
        for basis in ("l2", "l3"):
            assert daemon.books("hosts", basis) == sent.books("addr", basis)
        check_books(daemon, sent)
        check_interface(daemon, sent)


def test_metrics_are_what_was_sent(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        sent = Sent(wire.send("left", 5000, src=ends(1, 10), dst=ends(1, 5, machine=1)))
        daemon.until("all is booked", lambda: daemon.interface()["booked_packets"] == sent.packets)
        metrics = daemon.metrics()
        for host, (rx_packets, rx_bytes, tx_packets, tx_bytes) in sent.books("addr", "l2").items():
            for name, rx, tx in (("packets", rx_packets, tx_packets), ("bytes", rx_bytes, tx_bytes)):
                series = f'nettally_hosts_{name}_total{{host="{host}",direction='
                assert (metrics[series + '"receive"}'], metrics[series + '"transmit"}']) == (rx, tx)
        assert metrics["nettally_capture_packets_total"] == sent.packets
        assert metrics['nettally_unaccounted_packets_total{interface="wire0"}'] == 0
        assert metrics['nettally_interface_packets_total{interface="wire0",direction="receive"}'] == sent.packets


def test_metrics_with_more_keys_than_series(wire, tmp_path):
    config = "account hosts { by = { host } every = 1h series = 20 }"
    with Daemon(wire.right, tmp_path, config) as daemon:
        sent = Sent(wire.send("left", 10_000, src=ends(1, 500)))
        daemon.until("all is booked", lambda: daemon.interface()["booked_packets"] == sent.packets)
        metrics = {k: v for k, v in daemon.metrics().items() if k.startswith("nettally_hosts_bytes_total")}
        assert len(metrics) <= 40
        assert any('host="other"' in k for k in metrics)
        for direction in ("receive", "transmit"):
            assert sum(v for k, v in metrics.items() if f'direction="{direction}"' in k) == sent.wire_bytes


def test_two_rings(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS + "interface wire0 { capture = socket  rings = 2 }", interfaces=()) as daemon:
        sent = Sent(wire.send("left", 300_000, src=ends(1, 256)), wire.send("right", 100_000, src=ends(1, 256)))
        daemon.stop()
        check_books(daemon, sent)
        check_interface(daemon, sent)


def test_slow_reader_knows_what_it_lost(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS + "interface wire0 { capture = socket  ring_size = 1MiB }", interfaces=()) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        sent = Sent(wire.send("left", 200_000, src=ends(1, 10)))
        daemon.process.send_signal(signal.SIGCONT)
        more = Sent(wire.send("left", 200_000, src=ends(1, 10)))
        sent = sent + more
        daemon.until("all is told", lambda: (lambda i: i["booked_packets"] + i["lost_packets"])(daemon.interface()) == 400_000)
        live = daemon.interface()
        assert live["lost_packets"] > 0 and live["unaccounted_packets"] == 0
        metrics = daemon.metrics()
        assert metrics['nettally_interface_lost_packets_total{interface="wire0"}'] == live["lost_packets"]
        daemon.stop()
        assert daemon.sql("SELECT booked_packets, lost_packets, kernel_rx_packets FROM interface") == [
            (live["booked_packets"], live["lost_packets"], 400_000)]
        received = sums(daemon.books("hosts", "l2"))
        assert received == (live["booked_packets"], 100 * live["booked_packets"]) * 2


def test_stopped_for_a_moment_under_load(wire, tmp_path):
    """Rings of the default size hold what comes while the reader is held up."""
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        for _ in range(3):
            daemon.process.send_signal(signal.SIGSTOP)
            wire.send("left", 20_000)
            daemon.process.send_signal(signal.SIGCONT)
        daemon.stop()
        books = daemon.interface()
        assert (books["booked_packets"], books["lost_packets"], books["unaccounted_packets"]) == (60_000, 0, 0)


@pytest.mark.parametrize("every", ["1h", "1s"])
def test_more_hosts_than_the_limit(wire, tmp_path, every):
    with Daemon(wire.right, tmp_path, f"account hosts {{ by = {{ host }} every = {every} limit = 100 }}") as daemon:
        sent = Sent(wire.send("left", 60_000, rate=20_000, src=ends(1, 1000)))
        daemon.stop()
        books = daemon.books("hosts", "l2")
        assert books["other"][0] > 0 or books["other"][2] > 0
        assert sums(books) == (60_000, 6_000_000) * 2
        windows = daemon.sql("SELECT window, count(*) FROM record_hosts "
                             "WHERE length = (SELECT min(length) FROM record_hosts) GROUP BY window")
        assert all(1 <= count <= 101 for _, count in windows), windows
        assert daemon.sql("SELECT sum(overflowed) FROM account")[0][0] >= 900


def test_a_million_hosts_in_one_window(wire, tmp_path):
    """Counting goes on while they are booked."""
    with Daemon(wire.right, tmp_path, "account hosts { by = { host } every = 1d }") as daemon:
        began = time.monotonic()
        sent = 0
        for block in range(16):  # 16 times 65,000 sources, each once
            first = f"02:00:00:00:00:01/10.{block}.0.0"
            sent += wire.send("left", 65_000, src=[first], spread=65_000)["frames"]
        counted = time.monotonic()
        daemon.until("all is booked", lambda: daemon.interface()["booked_packets"] == sent
                     and daemon.status()["ledger"]["pending_records"] == 0, seconds=30)
        booked = time.monotonic()
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as f:
            peak_kib = int(next(line for line in f if line.startswith("VmHWM")).split()[1])
        print(f"{sent} hosts: sent in {counted - began:.1f} s, booked {booked - counted:.1f} s later, {peak_kib >> 10} MiB")
        daemon.stop(timeout=30)
        assert daemon.sql("SELECT count(*), sum(tx_packets), sum(rx_packets) FROM record_hosts WHERE length = 86400") == [
            (sent + 1, sent, sent)]
        check = daemon.interface()
        assert (check["lost_packets"], check["unaccounted_packets"]) == (0, 0)
