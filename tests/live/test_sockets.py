# SPDX-License-Identifier: GPL-2.0-or-later
"""Deliveries as the kernel's TCP tells them: what is booked is what TCP_INFO had in the end, whatever is lost on the way and
however often connections were looked at. The server is at the right, where they are followed; its clients at the left."""
import collections
import contextlib
import json
import pathlib
import re
import shutil
import signal
import sys
import threading
import time

import pytest
from live_daemon import Daemon, wait_until
from test_kernel_same import use_ip6

PAIR = [sys.executable, pathlib.Path(__file__).with_name("tcp_pair.py")]
PORT = 8080
NAMES = ("requests", "packets", "bytes", "retransmits")
ACCOUNTS = ("account clients {{ from = sockets by = {{ host, service }} every = {every} }}\n"
            "account services {{ from = sockets by = {{ service }} every = {every} }}\n"
            "service web {{ tcp = {{ 8080 }} }}\n")


class Server:
    """What it said of its connections: port of the client -> counters as they are booked."""

    def __init__(self, namespace, address="::", port=PORT):
        self.namespace, self.said = namespace, []
        self.process = namespace.start([*PAIR, "serve", address, port])
        assert self.process.stdout.readline() == "ready\n"
        self.reader = threading.Thread(target=lambda: self.said.extend(map(json.loads, self.process.stdout)))
        self.reader.start()  # it says more than a pipe holds

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
        self.reader.join()
        return self.said

    def deliveries(self):
        """Of each client's port; ports may come again."""
        made = collections.Counter()
        for one in self.stop():
            payload = one["bytes_sent"] - one["bytes_retrans"]
            made.update({(one["port"], "requests"): 1, (one["port"], "packets"): one["data_segs_out"],
                         (one["port"], "bytes"): payload, (one["port"], "retransmits"): one["total_retrans"]})
        return {key: value for key, value in made.items() if value}

    def total(self):
        made = self.deliveries()
        return tuple(sum(value for (_, name), value in made.items() if name == wanted) for wanted in NAMES)


class Watch:
    """sockets_watch at the right."""

    def __init__(self, wire, *options):
        self.namespace, self.lines = wire.right, []
        self.process = wire.right.start([wire.tools / "sockets_watch", *options])
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        if not self.lines:
            self.lines = list(map(json.loads, self.namespace.stop(self.process).splitlines()))
        return self.lines

    def stats(self):
        return self.stop()[-1]

    def told(self):
        return self.stop()[:-1]

    def deliveries(self):
        made = collections.Counter()
        for one in self.told():
            made.update({(one["client_port"], name): one[name] for name in NAMES})
        return {key: value for key, value in made.items() if value}


@pytest.fixture(autouse=True)
def bpf(pins):
    """Skips where BPF is not permitted."""
    return pins


@pytest.fixture
def server(wire):
    made = Server(wire.right)
    yield made
    made.stop()


def fetch(wire, *words, address="192.0.2.102", port=PORT):
    return int(wire.left.run([*PAIR, "fetch", address, port, *words], timeout=90).stdout)


@contextlib.contextmanager
def losses(wire, one_of):
    """What the server sends: one of so many frames is dropped where it arrives (super-packets whole)."""
    if not shutil.which("nft"):
        pytest.skip("no nft")
    rules = f"""table inet loss {{
        chain in {{ type filter hook input priority 0; tcp sport {PORT} numgen random mod {one_of} == 0 counter drop; }}
    }}"""
    made = wire.left.run(["nft", "-f", "-"], input=rules, check=False)
    if made.returncode != 0:
        pytest.skip(f"nft cannot drop here: {made.stderr}")
    yield
    dropped = re.search(r"counter packets (\d+)", wire.left.run(["nft", "list", "table", "inet", "loss"]).stdout)
    wire.left.run(["nft", "delete", "table", "inet", "loss"])
    assert dropped and int(dropped[1]) > 0


def kernel_retransmits(namespace):
    return int(namespace.run(["nstat", "-asz", "TcpRetransSegs"]).stdout.split("TcpRetransSegs")[1].split()[0])


@pytest.mark.parametrize("looks", [0, 50], ids=["at the end", "20 looks a second"])
@pytest.mark.parametrize("family", [4, 6])
def test_losses(wire, server, family, looks):
    address = use_ip6(wire) if family == 6 else "192.0.2.102"
    wire.right.run(["ethtool", "-K", "wire0", "gso", "off", "tso", "off"], check=False)
    watch = Watch(wire, "-l", looks)
    with losses(wire, 50):
        before = kernel_retransmits(wire.right)
        got = fetch(wire, 4, 3_000_000, "--together", address=address)
        got += fetch(wire, 2, 1_000_000, 100_000, 20, address=address)
        time.sleep(0.3)
        after = kernel_retransmits(wire.right)
    want = server.deliveries()
    assert watch.deliveries() == want
    requests, _, size, retransmits = server.total()
    assert (requests, size) == (6, got) == (6, 4 * 3_000_000 + 2 * 1_000_000)
    assert retransmits == after - before > 0
    stats = watch.stats()
    assert (stats["lost"], stats["unknown"], stats["crowded"], stats["looks_failed"]) == (0, 0, 0, 0)
    assert {one["client"] for one in watch.told()} == {"fd00::1" if family == 6 else "192.0.2.101"}
    assert all(one["srtt_us"] > 0 for one in watch.told())
    if looks:
        assert len(watch.told()) > 6, "looks told of some while they lived"


def test_clients_that_go_away(wire, server):
    """A client that closes in the middle: bytes are what it got, and what was in flight."""
    watch = Watch(wire, "-l", 100)
    code = ("import socket, sys; s = socket.create_connection(('192.0.2.102', 8080)); s.sendall(b'50000000 0 0\\n'); n = 0\n"
            "while n < 1000000: n += len(s.recv(65536))\n"
            "print(n)")
    for _ in range(5):
        assert int(wire.left.run([sys.executable, "-c", code]).stdout) >= 1_000_000
    time.sleep(0.5)
    want = server.deliveries()
    assert watch.deliveries() == want
    assert all("error" in one for one in server.said)
    assert server.total()[0] == 5 and server.total()[2] >= 5_000_000


def test_ten_thousand_short_ones(wire, tmp_path, server):
    """The accounts of a daemon; half of them by IPv6."""
    address = use_ip6(wire)
    with Daemon(wire.right, tmp_path, ACCOUNTS.format(every="1h"), interfaces=(), listen="off") as daemon:
        got = fetch(wire, 5_000, 3_000) + fetch(wire, 5_000, 5_000, address=address)
        assert got == 5_000 * 8_000
        wait_until("the server has said all", lambda: not re.search(r":8080\s", wire.right.run(["ss", "-Hnt"]).stdout))
        daemon.until("they are booked", lambda: int((daemon.query("services") or [{"requests": 0}])[0]["requests"]) == 10_000)
        facts = daemon.status()["sockets"]
        daemon.stop()
        rows = {row["host"]: row for row in daemon.query("clients")}
        assert set(rows) == {"192.0.2.101", "fd00::1"}
        assert (rows["192.0.2.101"]["requests"], rows["192.0.2.101"]["bytes"]) == ("5000", str(5_000 * 3_000))
        assert (rows["fd00::1"]["requests"], rows["fd00::1"]["bytes"]) == ("5000", str(5_000 * 5_000))
        (all_of_them,) = daemon.query("services")
        assert all_of_them["service"] == "web"
        assert tuple(int(all_of_them[name]) for name in NAMES) == server.total()
        facts = facts[0] if isinstance(facts, list) else facts
        assert (facts["lost_connections"], facts["unknown_connections"], facts["closed_connections"]) == (0, 0, 10_000)


def test_windows_of_a_long_one(wire, tmp_path, server):
    """100 kB each 250 ms for 10 s, by windows of a second; nothing waits for its end."""
    with Daemon(wire.right, tmp_path, ACCOUNTS.format(every="1s"), interfaces=(), listen="off") as daemon:
        client = wire.left.start([*PAIR, "fetch", "192.0.2.102", PORT, 1, 4_000_000, 100_000, 250])
        daemon.until("windows are booked while it lives", lambda: len(daemon.query("clients", "--every", "1s")) >= 3)
        assert client.poll() is None
        assert {row["requests"] for row in daemon.query("clients", "--every", "1s")} == {"0"}
        assert client.communicate(timeout=20)[0] == "4000000\n"
        daemon.until("its end is booked", lambda: daemon.query("services")[0]["requests"] == "1")
        daemon.stop()
        windows = daemon.query("clients", "--every", "1s")
        assert len(windows) >= 5
        # Four pieces fit into a second; a look that comes late has those of the next one, too.
        assert all(int(row["bytes"]) <= 1_000_000 for row in windows), windows
        assert tuple(sum(int(row[name]) for row in windows) for name in NAMES) == server.total()


def test_those_that_were_there_before(wire, tmp_path, server):
    """Of a connection that lived before: what it moves from then on. A daemon that ends and one that begins lose nothing of
    one that is quiet meanwhile."""
    with contextlib.ExitStack() as stack:
        client = wire.left.start([*PAIR, "fetch", "192.0.2.102", PORT, 1, 3_000_000, 1_000_000, 4_000])
        wait_until("a first piece is sent", lambda: "1000000" in wire.right.run(["ss", "-tin", "sport", "=", f":{PORT}"]).stdout
                   .replace("bytes_acked:", ""))
        daemon = stack.enter_context(Daemon(wire.right, tmp_path, ACCOUNTS.format(every="1h"), interfaces=(), listen="off"))
        time.sleep(4.3)
        daemon.stop()
        assert [(row["requests"], row["bytes"]) for row in daemon.query("clients")] == [("0", "1000000")]
        daemon.again()
        assert client.communicate(timeout=20)[0] == "3000000\n"
        time.sleep(0.2)
        daemon.stop()
        assert [(row["requests"], row["bytes"]) for row in daemon.query("clients")] == [("1", "2000000")]


def test_connections_from_here(wire):
    """What this machine calls is no delivery of it, though it sends."""
    server = Server(wire.left)
    watch = Watch(wire, "-l", 50)
    done = wire.right.run([*PAIR, "fetch", "192.0.2.101", PORT, 3, 100_000, 20_000, 100])
    assert done.stdout == "300000\n"
    assert watch.told() == []
    assert watch.stats()["unknown"] == 0
    server.stop()


def test_other_namespaces(wire, server):
    """The kernel tells of all of them; only ours is followed."""
    there = Server(wire.left, port=PORT + 1)
    watch = Watch(wire, "-l", 50)
    wire.right.run([*PAIR, "fetch", "192.0.2.101", PORT + 1, 2, 10_000])
    wire.left.run([*PAIR, "fetch", "127.0.0.1", PORT + 1, 2, 10_000])
    assert fetch(wire, 1, 10_000) == 10_000
    time.sleep(0.2)
    assert watch.deliveries() == server.deliveries()
    there.stop()


def test_full_ring(wire, server):
    """Nobody reads for a while: what finds no room is counted."""
    watch = Watch(wire, "-r", 4096, "-w", 3000)
    assert fetch(wire, 200, 100) == 20_000
    time.sleep(3.2)
    stats = watch.stats()
    assert 0 < stats["closed"] < 200
    assert stats["closed"] + stats["lost"] == 200
    assert len(watch.told()) == stats["closed"]
    server.stop()


def test_more_than_can_be_remembered(wire, server):
    """Told whole when they close."""
    watch = Watch(wire, "-m", 8, "-l", 50)
    assert fetch(wire, 40, 50_000, 10_000, 150, "--together") == 40 * 50_000
    time.sleep(0.3)
    assert watch.deliveries() == server.deliveries()
    stats = watch.stats()
    assert stats["crowded"] > 0 and stats["accepted_lost"] > 0
    assert (stats["closed"], stats["lost"], stats["unknown"]) == (40, 0, 0)


def test_reload(wire, tmp_path, server):
    """The account comes with a reload; then another service's name; a connection lives through it."""
    packets = "account hosts { by = { host } every = 1h }\n"
    config = tmp_path / "nettally.conf"
    with Daemon(wire.right, tmp_path, packets, listen="off") as daemon:
        daemon.reload(packets + ACCOUNTS.format(every="1h"))
        client = wire.left.start([*PAIR, "fetch", "192.0.2.102", PORT, 1, 500_000, 100_000, 500])
        time.sleep(1)
        daemon.reload(packets + ACCOUNTS.format(every="1h").replace("web", "other_web"))
        assert config.exists() and client.communicate(timeout=20)[0] == "500000\n"
        time.sleep(0.2)
        daemon.stop()
        rows = daemon.query("clients")
        assert {row["service"] for row in rows} == {"web", "other_web"} or len(rows) == 1
        assert tuple(sum(int(row[name]) for row in rows) for name in NAMES) == server.total()


def test_without_root(wire, server):
    """CAP_BPF and CAP_PERFMON are enough; without them a sentence."""
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv")
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    caps = ["--inh-caps=-all,+bpf,+perfmon", "--ambient-caps=-all,+bpf,+perfmon", "--bounding-set=-all,+bpf,+perfmon"]
    tool = pathlib.Path("/tmp") / f"sockets_watch-{wire.right.name}"
    shutil.copy(wire.tools / "sockets_watch", tool)
    try:
        process = wire.right.start([*nobody, *caps, tool], stderr=-1)
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        assert fetch(wire, 1, 1000) == 1000
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        told = list(map(json.loads, process.communicate(timeout=10)[0].splitlines()))
        assert (told[0]["bytes"], told[0]["requests"]) == (1000, 1)
        done = wire.right.run([*nobody, tool], check=False)
        assert done.returncode == 1
        assert "may not follow TCP connections: that needs CAP_BPF and CAP_PERFMON" in done.stderr
    finally:
        tool.unlink()
    server.stop()
