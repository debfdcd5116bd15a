# SPDX-License-Identifier: GPL-2.0-or-later
"""What a service manager asks of the daemon: ready, watchdog, reload, stop; and what a kill leaves."""
import os
import pathlib
import signal
import sqlite3
import tempfile
import threading
import time

import pytest
from live_daemon import HOSTS, Daemon, Sent, ends, sums


class Load:
    """Frames in the background while a test does something; bounded."""

    def __init__(self, wire, count=150_000, rate=50_000, **options):
        self.options = {"src": ends(1, 20), "dst": ends(1, 5, machine=1), "rate": rate, **options}
        self.wire, self.count, self.sent = wire, count, None

    def __enter__(self):
        self.thread = threading.Thread(target=self._send)
        self.thread.start()
        time.sleep(0.3)
        return self

    def _send(self):
        self.sent = Sent(self.wire.send("left", self.count, **self.options))

    def __exit__(self, *_):
        self.thread.join()


def test_ready_means_it_serves(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        assert daemon.get("/readyz")[0] == daemon.get("/healthz")[0] == 200
        daemon.stop()
        notes = " ".join(text for _, text in daemon.hear())
        assert notes.index("READY=1") < notes.index("STOPPING=1")


def test_watchdog_is_fed_in_time(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS, env={"WATCHDOG_USEC": "600000"}) as daemon:
        notes = daemon.hear(2)
        fed = [when for when, text in notes if "WATCHDOG=1" in text]
        assert len(fed) >= 4
        assert all(later - sooner < 0.55 for sooner, later in zip(fed, fed[1:]))
        daemon.process.send_signal(signal.SIGSTOP)
        daemon.hear(0.2)
        before = len(daemon.hear())
        assert len(daemon.hear(1)) == before, "a stopped process feeds no watchdog"
        daemon.process.send_signal(signal.SIGCONT)
        daemon.wait_note("WATCHDOG=1", after=before)


def test_not_ready_without_its_interface(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS, interfaces=("eth77",), wait=False) as daemon:
        assert daemon.refused()[0] == 1
        assert not any("READY" in text for _, text in daemon.hear(0.1))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_ended_under_load(wire, tmp_path, how):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon, Load(wire) as load:
        daemon.stop(how, timeout=5)
        books = daemon.interface()
        assert books["booked_packets"] > 1000
        assert sums(daemon.books("hosts", "l2")) == (books["booked_packets"], books["booked_l2_bytes"]) * 2
    assert load.sent.packets == 150_000


def test_two_signals_at_once(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        wire.send("left", 1000)
        daemon.process.send_signal(signal.SIGHUP)
        daemon.process.send_signal(signal.SIGTERM)
        daemon.stop(signal.SIGINT)
        assert sums(daemon.books("hosts", "l2"))[0] == 1000


STAYS = "account hosts { by = { host } every = 1h }\n"
CHANGES = [
    ("an account more", STAYS + "account devices { by = { mac } every = 1h }\n"),
    ("another account's keys", STAYS + "account devices { by = { mac, vlan } every = 1h }\n"),
    ("an account of ports", STAYS + "account flows { by = { src_host, dst_host, dst_port } every = 1min }\n"),
    ("the same account, other windows", STAYS.replace("1h", "1min")),
    ("the same account, fewer series", STAYS.replace("1h", "1h series = 7")),
    ("local", 'local = { "10.0.0.0/16" }\n' + STAYS + "account ours { by = { host } of = local every = 1h }\n"),
    ("services", "service discard { udp = { 9 } }\n" + STAYS + "account services { by = { service } every = 1h }\n"),
    ("another ring", STAYS + "interface wire0 { ring_size = 16MiB }\n"),
    ("back", STAYS),
]


def test_reloads_lose_nothing(wire, tmp_path):
    """All changes but those of the interface itself, under load."""
    with Daemon(wire.right, tmp_path, STAYS) as daemon:
        with Load(wire, 400_000, 100_000) as load:
            for what, config in CHANGES:
                if what != "another ring":
                    daemon.reload(config)
        daemon.stop()
        assert daemon.books("hosts", "l2") == load.sent.books("addr", "l2")
        books = daemon.interface()
        assert (books["booked_packets"], books["unaccounted_packets"]) == (400_000, 0)


def test_reload_that_opens_the_interface_anew(wire, tmp_path):
    """The old ring is drained; between it and the new one nobody looks: what came then is booked as lost."""
    wire0 = STAYS + "interface wire0 { capture = socket "
    with Daemon(wire.right, tmp_path, wire0 + "}\n", interfaces=()) as daemon:
        with Load(wire, 300_000, 100_000) as load:
            daemon.reload(wire0 + "ring_size = 16MiB }\n")
            daemon.reload(wire0 + "rings = 2 }\n")
            daemon.reload(wire0 + "rings = 2  filter = \"udp\" }\n")
        tick = daemon.status()["ticks"]
        daemon.until("the last frames are in", lambda: daemon.status()["ticks"] > tick + 1)
        books = daemon.interface()
        daemon.stop()
        booked = sums(daemon.books("hosts", "l2"))[0]
        assert 0 < booked == books["booked_packets"]
        assert abs(load.sent.packets - booked - books["lost_packets"]) <= books["in_flight_packets"]
        assert daemon.sql("SELECT count(*) FROM interface WHERE run != 'before'") == [(1,)], "one run, not three"


def test_interfaces_come_and_go_by_reload(wire, tmp_path):
    wire.right.run(["ip", "link", "add", "spare0", "type", "veth", "peer", "name", "spare1"])
    wire.right.run(["ip", "link", "set", "spare1", "up"])
    wire.right.run(["ip", "link", "set", "spare0", "up"])
    both = STAYS + "interface wire0 { }\ninterface spare0 { }\n"
    with Daemon(wire.right, tmp_path, STAYS + "interface wire0 { }\n", interfaces=()) as daemon:
        with Load(wire, 150_000) as load:
            daemon.reload(both)
            daemon.until("spare0 is counted", lambda: any(i["interface"] == "spare0" for i in daemon.audit()["interfaces"]))
            more = Sent(wire.send("right", 1000, interface="spare0"))
            time.sleep(0.2)
            daemon.reload(STAYS + "interface wire0 { }\n")
            daemon.until("spare0 is left", lambda: len(daemon.audit()["interfaces"]) == 1)
        daemon.stop()
        sent = load.sent + more
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_bad_file_changes_nothing(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        daemon.write_config("account hosts { by = { nothing } }\n")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("the reload is refused", lambda: daemon.status()["reload"]["refused"] == 1)
        status = daemon.status()
        assert status["reload"]["problem"] and status["problems"]
        assert "nothing" in daemon.said()
        wire.send("left", 1000)
        daemon.until("it counts on", lambda: daemon.interface()["booked_packets"] == 1000)
        daemon.reload(HOSTS)
        assert daemon.status()["reload"] == {"done": 1, "refused": 1, "problem": ""}
        for interface in ("interface eth77 { }", "interface wire0 { filter = \"no such word\" }"):
            daemon.write_config(HOSTS + interface)
            daemon.process.send_signal(signal.SIGHUP)
        daemon.config.unlink()
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("a missing file is refused", lambda: daemon.status()["reload"]["refused"] >= 2)
        wire.send("left", 500)
        daemon.stop()
        assert sums(daemon.books("hosts", "l2"))[0] == 1500


def test_twenty_reloads_in_a_row(wire, tmp_path):
    with Daemon(wire.right, tmp_path, STAYS) as daemon:
        with Load(wire, 300_000, 100_000) as load:
            for i in range(20):
                daemon.write_config(CHANGES[i % 7][1])
                daemon.process.send_signal(signal.SIGHUP)
                time.sleep(0.02 * (i % 4))
        daemon.until("all is quiet", lambda: daemon.status()["ledger"]["pending_records"] == 0)
        last = daemon.status()
        assert last["reload"]["done"] >= 1
        daemon.stop()
        assert daemon.books("hosts", "l2") == load.sent.books("addr", "l2")


def test_last_of_many_reloads_is_in_force(wire, tmp_path):
    with Daemon(wire.right, tmp_path, STAYS) as daemon:
        for i in range(10):
            daemon.write_config(STAYS + f"account a{i} {{ by = {{ mac }} every = 1h }}\n")
            daemon.process.send_signal(signal.SIGHUP)
        daemon.until("the last file is in force", lambda: any(a["name"] == "a9" for a in daemon.status()["accounts"]))


def test_fewer_series_are_not_counted_twice(wire, tmp_path):
    """The totals of series that find no room go to `other`, once, however often it starts."""
    config = "account hosts {{ by = {{ host }} every = 1h series = {} }}\n"
    total = 0
    with Daemon(wire.right, tmp_path, config.format(50)) as daemon:
        for series in (50, 10, 10, 10, 50, 3):
            total += Sent(wire.send("left", 4000, src=ends(1, 40))).packets
            daemon.stop()
            daemon.write_config(config.format(series))
            daemon.again()
            assert series_sums(daemon) == [total, total], series


def series_sums(daemon):
    metrics = daemon.metrics()
    return [sum(v for k, v in metrics.items() if k.startswith("nettally_hosts_packets_total") and f'direction="{d}"' in k)
            for d in ("receive", "transmit")]


@pytest.mark.parametrize("series", [5, 30, 2000])
def test_reload_with_another_number_of_series(wire, tmp_path, series):
    config = "account hosts {{ by = {{ host }} every = 1h series = {} }}\n"
    with Daemon(wire.right, tmp_path, config.format(20)) as daemon:
        wire.send("left", 4000, src=ends(1, 40))
        daemon.until("all is booked", lambda: daemon.interface()["booked_packets"] == 4000)
        daemon.reload(config.format(series))
        assert series_sums(daemon) == [4000, 4000]
        wire.send("left", 4000, src=ends(1, 40))
        daemon.stop()
        daemon.again()
        assert series_sums(daemon) == [8000, 8000]


def test_account_that_goes_and_comes_back(wire, tmp_path):
    """Its books go on; its series begin anew, and have all again after a start."""
    other = "account devices { by = { mac } every = 1h }\n"
    both = "account hosts { by = { host } every = 1h }\n" + other
    with Daemon(wire.right, tmp_path, both) as daemon:
        def send(count, total):
            wire.send("left", count)
            daemon.until("all is booked", lambda: daemon.interface()["booked_packets"] == total)
        send(1000, 1000)
        daemon.reload(other)
        send(500, 1500)
        daemon.reload(both)
        send(10, 1510)
        daemon.stop()
        assert sums(daemon.books("hosts", "l2"))[0] == 1010
        assert sums(daemon.books("devices", "l2"))[0] == 1510
        for _ in range(2):
            daemon.again()
            assert series_sums(daemon) == [1010, 1010]
            daemon.stop()


def test_killed_under_load(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        before = 0
        for _ in range(2):
            with Load(wire, 200_000, 50_000) as load:
                time.sleep(2.2)
                seen = daemon.interface()["booked_packets"]
                metrics = daemon.metrics()
                daemon.process.kill()
                daemon.process.wait()
            assert load.sent.packets == 200_000
            booked = sums(daemon.books("hosts", "l2"))
            assert booked[:2] == booked[2:]
            # What the last snapshot told had a tick's time to be booked, at 50,000 frames/s.
            assert booked[0] - before >= seen - 100_000
            db = sqlite3.connect(daemon.ledger)
            assert db.execute("PRAGMA quick_check").fetchall() == [("ok",)]
            db.close()
            daemon.again()
            after = daemon.metrics()
            for name, value in after.items():
                if name.startswith("nettally_hosts_packets_total"):
                    assert metrics.get(name, 0) - value <= 100_000
            assert sum(v for k, v in after.items() if k.startswith("nettally_hosts_packets_total")) == booked[0] + booked[2]
            assert next(a for a in daemon.audit()["accounts"] if a["account"] == "hosts")["rx_packets"] == booked[0]
            before = booked[0]
        sent = Sent(wire.send("left", 1000))
        daemon.stop()
        assert sums(daemon.books("hosts", "l2"))[0] == before + sent.packets


def threads(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        yield dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)


def test_only_what_it_needs(wire, tmp_path):
    allowed = 1 << 12 | 1 << 13 | 1 << 38 | 1 << 39  # CAP_NET_ADMIN, NET_RAW, PERFMON, BPF
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        daemon.get("/metrics")
        found = list(threads(daemon.process.pid))
        assert len(found) >= 4
        for thread in found:
            for kind in ("CapEff", "CapPrm"):
                assert int(thread[kind], 16) & ~allowed == 0, (thread["Name"], kind)
            assert (thread["NoNewPrivs"].strip(), thread["Seccomp"].strip()) == ("1", "2"), thread["Name"]


def test_as_a_user_of_its_own(wire, tmp_path):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is not for others to enter
        os.chown(folder, 65534, 65534)
        run_as_nobody(wire, pathlib.Path(folder))


def run_as_nobody(wire, folder):
    config = HOSTS + f'user = nobody\ncontrol {{ socket = "{folder}/control.sock" }}\n'
    with Daemon(wire.right, folder, config) as daemon:
        assert all(thread["Uid"].split() == ["65534"] * 4 for thread in threads(daemon.process.pid))
        wire.send("left", 1000)
        wire.right.run(["ip", "link", "set", "wire0", "down"])
        wire.right.run(["ip", "link", "set", "wire0", "up"])
        daemon.stop()
        assert sums(daemon.books("hosts", "l2"))[0] == 1000
