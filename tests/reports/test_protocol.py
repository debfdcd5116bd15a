# SPDX-License-Identifier: GPL-2.0-or-later
"""Datagrams of both protocols, right and wrong, to a daemon: booked + counted lost = sent. The sender here is written from
docs/report-protocol.md alone, beside the library."""
import hashlib
import hmac
import os
import random
import signal
import socket
import struct
import time

import pytest

import lab
from lab import OLD_SECRET, SECRET, Daemon, run, wait_until


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def address(text):
    if ":" in text:
        return b"\x06" + socket.inet_pton(socket.AF_INET6, text)
    return b"\x04" + socket.inet_pton(socket.AF_INET, text)


class Session:
    def __init__(self, secret=SECRET, sender="test", began=None):
        self.secret, self.sender = secret.encode(), sender.encode()
        self.began = began or time.time_ns() // 1000
        self.nonce, self.sequence, self.before = random.getrandbits(32), 0, 0

    def datagram(self, records, types=("video",), servers=(("192.0.2.1", 443),), shift_s=0, change=lambda body: body, version=2):
        """A record: (client, bytes, packets, retransmits, requests)."""
        self.sequence += 1
        body = b"".join(bytes([len(t)]) + t.encode() for t in types)
        body += b"".join(address(a) + struct.pack(">H", p) for a, p in servers)
        for i, (client, *numbers) in enumerate(records):
            body += bytes([i % len(types), 0]) + address(client) + b"".join(map(varint, [*numbers, 1000, 500]))
        key_id = hmac.digest(self.secret, b"nettally report key", "sha256")[:8]
        head = struct.pack(">4sBBH8sQQQQIBBBB", b"NTLY", version, 0, len(records), key_id,
                           time.time_ns() // 1000 + shift_s * 1000000, self.began, self.sequence, self.before, self.nonce,
                           len(self.sender), len(types), len(servers), 0)
        self.before += len(records)
        whole = change(head + self.sender + body)
        return whole + hmac.digest(self.secret, whole, "sha256")


def old_datagram(ip="198.51.100.9", size=14480, kind=2, mss=1448, retransmits=3, secret=OLD_SECRET, shift_s=0):
    head = struct.pack("<QQIIII256s", int(time.time()) + shift_s, size, kind, 1, retransmits, mss, ip.encode())
    return head + hashlib.sha1(head + secret.encode().ljust(20, b"\0")).digest()


@pytest.fixture
def daemon(tmp_path):
    d = Daemon(tmp_path)
    yield d
    d.kill()


@pytest.fixture
def sock(daemon):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", daemon.port))
        yield s


def test_records_are_booked(daemon, sock):
    session = Session()
    sock.send(session.datagram([("198.51.100.1", 1000, 2, 1, 1), ("2001:db8::7", 2000, 3, 0, 4)], types=("video", "image")))
    sock.send(session.datagram([("198.51.100.1", 10, 1, 0, 1)] * 50))
    daemon.wait_datagrams(2)
    daemon.stop()
    assert daemon.rows() == [
        {"host": "198.51.100.1", "type": "video", "service": "-", "requests": 51, "packets": 52, "bytes": 1500, "retransmits": 1},
        {"host": "2001:db8::7", "type": "image", "service": "-", "requests": 4, "packets": 3, "bytes": 2000, "retransmits": 0}]


def test_the_old_protocol(daemon, sock):
    sock.send(old_datagram())
    sock.send(old_datagram(ip="2001:db8::5", size=1447, kind=7))
    sock.send(old_datagram(mss=0))
    daemon.wait_datagrams(3)
    daemon.stop()
    assert daemon.rows() == [
        {"host": "198.51.100.9", "type": "2", "service": "-", "requests": 2, "packets": 10, "bytes": 28960, "retransmits": 6},
        {"host": "2001:db8::5", "type": "7", "service": "-", "requests": 1, "packets": 0, "bytes": 1447, "retransmits": 3}]


WRONG = {
    "forged": (lambda s: Session("another secret").datagram([("1.2.3.4", 1, 1, 1, 1)]), "unknown_key"),
    "changed": (lambda s: (lambda d: d[:70] + bytes([d[70] ^ 1]) + d[71:])(s.datagram([("1.2.3.4", 1, 1, 1, 1)])),
                "bad_signature"),
    "stale": (lambda s: s.datagram([("1.2.3.4", 1, 1, 1, 1)], shift_s=-61), "stale"),
    "from the future": (lambda s: s.datagram([("1.2.3.4", 1, 1, 1, 1)], shift_s=62), "stale"),
    "cut by a byte": (lambda s: s.datagram([("1.2.3.4", 1, 1, 1, 1)])[:-1], "bad_signature"),
    "cut to its head": (lambda s: s.datagram([("1.2.3.4", 1, 1, 1, 1)])[:56], "bad_length"),
    "oversized": (lambda s: s.datagram([("1.2.3.4", 1, 1, 1, 1)] * 700), "bad_length"),
    "of version 3": (lambda s: s.datagram([("1.2.3.4", 1, 1, 1, 1)], version=3), "bad_version"),
    "of version 1": (lambda s: s.datagram([("1.2.3.4", 1, 1, 1, 1)], version=1), "bad_version"),
    "malformed": (lambda s: s.datagram([("1.2.3.4", 1, 1, 1, 1)], change=lambda b: b + b"x"), "malformed"),
    "noise": (lambda s: os.urandom(500), "bad_length"),
    "empty": (lambda s: b"", "bad_length"),
    "old, forged": (lambda s: old_datagram(secret="another"), "bad_signature"),
    "old, stale": (lambda s: old_datagram(shift_s=-25), "stale"),
    "old, cut": (lambda s: old_datagram()[:-1], "bad_length"),
    "old, longer": (lambda s: old_datagram() + b"x", "bad_length"),
    "old, without an address": (lambda s: old_datagram(ip="nobody"), "malformed"),
}


def test_wrong_ones_are_counted_by_reason(daemon, sock):
    session, expected = Session(), {}
    right = session.datagram([("198.51.100.1", 1000, 2, 1, 1)])
    sock.send(right)
    for what, (make, reason) in WRONG.items():
        sock.send(make(session))
        expected[reason] = expected.get(reason, 0) + 1
    for _ in range(5):
        sock.send(right)
    expected["replayed"] = 5
    sent = 1 + len(WRONG) + 5
    said = daemon.wait_datagrams(sent)
    assert {k: said[k] for k in expected} == expected
    assert said["booked_datagrams"] == 1 and said["booked_records"] == 1
    assert said["datagrams"] == sent == said["booked_datagrams"] + sum(
        n for row in daemon.status()["reports_refused"] for n in [row["datagrams"]])
    sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        sock.recv(1)  # nothing is ever answered
    daemon.stop()
    assert daemon.total("bytes") == 1000


def test_gaps_are_counted_and_repaired(daemon, sock):
    session = Session()
    datagrams = [session.datagram([("198.51.100.1", 1, 1, 0, 1)] * (i + 1)) for i in range(10)]
    for i in (0, 3, 5, 4, 9):
        sock.send(datagrams[i])
    said = daemon.wait_datagrams(5)
    assert said["missing_datagrams"] - said["late_datagrams"] == 5
    assert said["missing_records"] - said["late_records"] == 2 + 3 + 7 + 8 + 9
    assert said["booked_records"] == 1 + 4 + 6 + 5 + 10


def test_keys_are_exchanged_on_sighup(daemon, sock, tmp_path):
    old, new = Session(), Session("the next secret, much better")
    sock.send(old.datagram([("198.51.100.1", 1, 1, 0, 1)]))
    sock.send(new.datagram([("198.51.100.1", 1, 1, 0, 1)]))
    assert daemon.wait_datagrams(2)["unknown_key"] == 1
    (tmp_path / "key2").write_text("the next secret, much better\n")
    text = daemon.config.read_text()
    daemon.config.write_text(text.replace(f'"{tmp_path}/key"', f'{{ "{tmp_path}/key", "{tmp_path}/key2" }}'))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until("reloaded", lambda: "reloaded" in daemon.log.read_text())
    sock.send(old.datagram([("198.51.100.1", 1, 1, 0, 1)]))
    sock.send(new.datagram([("198.51.100.1", 1, 1, 0, 1)]))
    assert daemon.wait_datagrams(4)["booked_datagrams"] == 3
    daemon.config.write_text(text.replace(f"{tmp_path}/key", f"{tmp_path}/key2"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until("reloaded", lambda: daemon.log.read_text().count("reloaded") == 2)
    sock.send(old.datagram([("198.51.100.1", 1, 1, 0, 1)]))
    sock.send(new.datagram([("198.51.100.1", 1, 1, 0, 1)]))
    said = daemon.wait_datagrams(6)
    assert said["booked_datagrams"] == 4 and said["unknown_key"] == 2
    daemon.config.write_text(text.replace(f"{tmp_path}/key", f"{tmp_path}/nowhere"))
    daemon.process.send_signal(signal.SIGHUP)
    wait_until("refused", lambda: "refused" in daemon.log.read_text())
    sock.send(new.datagram([("198.51.100.1", 1, 1, 0, 1)]))
    assert daemon.wait_datagrams(7)["booked_datagrams"] == 5


def test_a_replay_over_a_restart_is_refused(daemon, sock):
    session = Session()
    first = session.datagram([("198.51.100.1", 1, 1, 0, 1)])
    sock.send(first)
    daemon.wait_datagrams(1)
    daemon.stop()
    daemon.config.write_text(daemon.config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{daemon.port}"))
    daemon.start()
    sock.send(first)
    sock.send(session.datagram([("198.51.100.1", 1, 1, 0, 1)]))
    said = daemon.wait_datagrams(2)
    assert said["stale"] == 1 and said["booked_datagrams"] == 1 and said["missing_datagrams"] == 0
    daemon.stop()
    assert daemon.total("requests") == 2


def test_the_command(daemon, tmp_path):
    def send(*words, **more):
        return run([lab.binary(), "report", "send", "--to", f"127.0.0.1:{daemon.port}", "--key", tmp_path / "key", "--sender",
                    "script", *words], **more)
    send("client=198.51.100.1", "server=192.0.2.1:8080", "type=video", "bytes=3000", "packets=3", "retransmits=1", "rtt=20000")
    send("-", input="client=2001:db8::1 bytes=7\n\n# nothing\nclient=198.51.100.1 requests=2\n")
    assert daemon.wait_datagrams(4)["booked_records"] == 3
    for words in (("client=nobody",), ("bytes=1",), ("client=1.2.3.4", "bytes=-1"), ("client=1.2.3.4", "x=1"), ()):
        done = send(*words, check=False)
        assert done.returncode == 2 and done.stderr.startswith("nettally: report: "), words
    sender = [s for s in daemon.status()["report_senders"] if s["sender"] == "script"][0]
    assert sender["key"] == "web1" and sender["records"] == 3 and sender["bytes"] == 3007 and sender["rtt_microseconds"] == 20000
    daemon.stop()
    assert daemon.total("bytes", service="web", type="video") == 3000


def test_metrics(daemon, sock):
    sock.send(Session().datagram([("198.51.100.1", 1000, 2, 1, 1)]))
    daemon.wait_datagrams(1)
    daemon.stop()
    text = daemon.config.read_text().replace("listen = off", 'listen = "127.0.0.1:0"')
    daemon.config.write_text(text)
    daemon.start()
    page = wait_until("the page", lambda: __import__("re").search(r"http://(\S+?)/?\s", daemon.log.read_text() + " "))[1]
    sock.connect(("127.0.0.1", daemon.port))
    sock.send(b"noise")
    daemon.wait_datagrams(1)
    metrics = run(["curl", "-sf", f"http://{page}/metrics"]).stdout
    assert 'nettally_reports_refused_datagrams_total{reason="bad_length"} 1' in metrics
    assert "nettally_reports_booked_records_total 0" in metrics


def test_the_router_serves_the_server(tmp_path):
    """Of the server told, of the datagram's source with the old protocol; the longest prefix wins."""
    routes = ('bmp {{ listen = "127.0.0.1:0" }}\n'
              'routes near {{ bmp = "192.0.2.98"  serves = {{ "127.0.0.0/8" }} }}\n'
              'routes edge1 {{ bmp = "192.0.2.99"  serves = {{ "192.0.2.0/24", "2001:db8::/32" }}  default = yes }}\n'
              'routes edge2 {{ bmp = "192.0.2.97"  serves = {{ "192.0.2.128/25" }} }}\n')
    daemon = Daemon(tmp_path, config=lab.CONFIG.replace("host, type, service", "router") + routes)
    try:
        session = Session()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.1", daemon.port))
            sock.send(old_datagram(size=1))
            for size, server in ((10, "192.0.2.1"), (100, "192.0.2.200"), (1000, "2001:db8::1"), (10000, "203.0.113.1")):
                sock.send(session.datagram([("198.51.100.1", size, 1, 0, 1)], servers=((server, 443),)))
            daemon.wait_datagrams(5)
        daemon.stop()
        assert {r["router"]: r["bytes"] for r in daemon.rows()} == {"near": 1, "edge1": 1010, "edge2": 100, "-": 10000}
    finally:
        daemon.kill()


@pytest.mark.parametrize("protocol", ["old", "new"])
def test_booked_and_lost_are_all_that_was_sent(daemon, protocol):
    """100,000 old datagrams; ten million records in new ones (by the bench's sender, whose code is the library's)."""
    bench = os.path.join(os.path.dirname(lab.binary()), "../../bench/report_bench")
    if not os.path.exists(bench):
        pytest.skip("no bench/report_bench: build all targets")
    count = 100000 if protocol == "old" else 10000000
    done = run([bench, "send", protocol, f"127.0.0.1:{daemon.port}", daemon.folder / ("old_key" if protocol == "old" else "key"),
                count], timeout=120)
    sent = dict(zip(done.stdout.split()[::2], map(int, done.stdout.split()[1::2])))
    assert sent["records"] == count
    time.sleep(2.5)
    said = daemon.reports()
    daemon.stop()
    assert said["datagrams"] == said["booked_datagrams"]
    if protocol == "old":
        lost = said["kernel_dropped_datagrams"] + sent["unsent"]
    else:
        lost = said["missing_records"] - said["late_records"]
    assert said["booked_records"] + lost == sent["records"]
    assert daemon.total("requests") == said["booked_records"]
    assert daemon.total("bytes") == sent["bytes"] or lost
