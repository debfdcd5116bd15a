# SPDX-License-Identifier: GPL-2.0-or-later
"""The configs under examples/ count what was sent: their interfaces, addresses and paths replaced by the test's, nothing else."""
import collections
import hashlib
import ipaddress
import json
import os
import pathlib
import re
import shutil
import sqlite3
import struct
import subprocess
import time
import urllib.parse

import pytest
from live_daemon import Daemon, wait_until

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
CAPTURES = ["kernel", "xdp", "socket"]
RIGHT_MAC, LEFT_MAC = "02:00:00:00:00:12", "02:00:00:00:00:11"


def example(name, interface, capture, folder, **replaced):
    """Its text for the namespace's interface; `replaced`: pattern -> text, each must be there."""
    text = (EXAMPLES / name).read_text()
    for pattern, by in {**replaced, f"interface {interface} {{": f"interface wire0 {{ capture = {capture}",
                        "/var/lib/nettally/ledger.db": str(folder / "ledger.db")}.items():
        assert pattern in text, pattern
        text = text.replace(pattern, by)
    return re.sub(r"(capture = \w+\s*)capture = auto", r"\1", text)


def frame(src_mac, dst_mac, src, dst, proto=17, ports=(1000, 53), payload=50):
    """Ethernet, IP of either family, UDP or TCP; its checksums are nobody's business here."""
    a, b = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    head = struct.pack("!HHHH", *ports, 8 + payload, 0)
    if proto == 6:
        head = struct.pack("!HHIIBBHHH", *ports, 1, 1, 0x50, 0x10, 9, 0, 0)
    body = head + bytes(payload)
    if a.version == 4:
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0, a.packed, b.packed)
    else:
        ip = struct.pack("!IHBB16s16s", 6 << 28, len(body), proto, 64, a.packed, b.packed)
    kind = b"\x08\x00" if a.version == 4 else b"\x86\xdd"
    return bytes.fromhex((dst_mac + src_mac).replace(":", "")) + kind + ip + body


def l3(one):
    return len(one) - 14


def replay(wire, end, frames, folder):
    """Sends them, and says how many arrived."""
    path = folder / f"{end}.pcap"
    with open(path, "wb") as to:
        to.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for one in frames:
            to.write(struct.pack("<IIII", 1700000000, 0, len(one), len(one)) + one)
    done = wire.end(end).run([wire.tools / "replay", "wire0", folder / f"{end}.sent.pcap", path], timeout=60)
    assert json.loads(done.stdout)["sent"] == len(frames)


@pytest.fixture
def quiet_wire(wire):
    """Nobody answers."""
    for namespace in (wire.left, wire.right):
        namespace.run(["ip", "address", "flush", "dev", "wire0"])
    return wire


def started(wire, folder, config):
    return Daemon(wire.right, folder, config, interfaces=(), ledger=folder / "ledger.db")


def booked(daemon, frames):
    daemon.until("all is booked", lambda: daemon.interface()["booked_packets"] >= frames)


# -- GoNetMon: a mirror port

@pytest.mark.parametrize("capture", CAPTURES)
def test_gonetmon(quiet_wire, tmp_path, capture):
    (tmp_path / "hosts").write_text("192.168.1.7 printer\n192.168.1.8 tv\n192.168.1.9 tv\n")
    config = example("gonetmon.conf", "eth1", capture, tmp_path,
                     **{"names { dns = yes }": f'names {{ dns = no hosts = "{tmp_path}/hosts" }}',
                        "every = 1min\n    columns": "every = 1s\n    columns"})
    nodes = {"192.168.1.7": "printer", "192.168.1.8": "tv", "192.168.1.9": "tv", "192.168.1.10": "-", "192.168.2.1": None,
             "203.0.113.5": None}
    frames = []
    for i, one in enumerate(nodes):
        for other in nodes:
            if one != other:
                frames += [frame(LEFT_MAC, "02:00:00:00:00:99", one, other, payload=100 + i)] * (i + 1)
    want = collections.Counter()
    for one in frames:
        for at in (26, 30):
            host = str(ipaddress.ip_address(one[at:at + 4]))
            if nodes[host] is not None:
                want[f'node_bytes_total{{device="{nodes[host]}",address="{host}"}}'] += l3(one)
    with started(quiet_wire, tmp_path, config) as daemon:
        replay(quiet_wire, "left", frames, tmp_path)
        booked(daemon, len(frames))
        daemon.until("names are known", lambda: 'device="printer"' in daemon.get("/metrics")[1])
        metrics = daemon.metrics()
        got = {k: v for k, v in metrics.items() if k.startswith("node_bytes_total") and "other" not in k and v}
        assert got == want
        assert metrics["network_bytes_total"] == sum(map(l3, frames))
        assert re.search(r"# TYPE node_bytes_total counter", daemon.get("/metrics")[1])


# -- collector: a server with clients of both families on all three services

SERVER = {4: "192.0.2.10", 6: "2001:db8::10"}
SERVICES = {"consensus": (6, 9981), "siamux": (6, 9984), "quic": (17, 9984)}


@pytest.mark.parametrize("capture", CAPTURES)
def test_collector(quiet_wire, tmp_path, capture):
    config = example("collector.conf", "eth0", capture, tmp_path, **{"names { dns = yes }": "names { dns = no }"})
    there, back = [], []
    want = collections.defaultdict(lambda: [0, 0])  # (client, service) -> received by us (down), sent (up)
    for n, (service, (proto, port)) in enumerate({**SERVICES, "-": (6, 22)}.items()):
        for k in range(3):
            for family, client in ((4, f"198.51.100.{k + 1}"), (6, f"2001:db8:9::{k + 1:x}")):
                down = frame(LEFT_MAC, RIGHT_MAC, client, SERVER[family], proto, (40000 + k, port), payload=10 * n + k)
                up = frame(RIGHT_MAC, LEFT_MAC, SERVER[family], client, proto, (port, 40000 + k), payload=500 + 10 * n + k)
                there += [down] * (k + 1)
                back += [up] * (2 * k + 1)
                want[client, service][0] += len(down) * (k + 1)
                want[client, service][1] += len(up) * (2 * k + 1)
    with started(quiet_wire, tmp_path, config) as daemon:
        replay(quiet_wire, "left", there, tmp_path)
        replay(quiet_wire, "right", back, tmp_path)
        booked(daemon, len(there) + len(back))
        rows = {(r["host"], r["service"]): [int(r["tx_bytes"]), int(r["rx_bytes"])] for r in daemon.query("clients")}
        assert rows == dict(want)
        daemon.stop()
        shutil.copy(EXAMPLES / "collector.sql", tmp_path)
        db = sqlite3.connect(tmp_path / "ledger.db")
        db.executescript((tmp_path / "collector.sql").read_text())
        sums = db.execute("SELECT ip, sum(consensus_down), sum(consensus_up), sum(siamux_down), sum(siamux_up), sum(quic_down), "
                          "sum(quic_up), min(timestamp) FROM traffic GROUP BY ip").fetchall()
        db.close()
        assert {row[0] for row in sums} == {client for client, _ in want}
        for ip, *values, stamp in sums:
            assert values == [v for service in SERVICES for v in want[ip, service]], ip
            assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:00", stamp)
        assert daemon.ask("query", "clients").returncode == 0  # the view is in nobody's way


# -- speedy: a gateway with devices on one side

def influx(namespace, folder):
    """InfluxDB in there; None where there is none."""
    if not shutil.which("influxd"):
        return None
    (folder / "influx.conf").write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:18088"\n[meta]\ndir = "{folder}/meta"\n[data]\n'
        f'dir = "{folder}/data"\nwal-dir = "{folder}/wal"\n[http]\nbind-address = "127.0.0.1:8086"\nlog-enabled = false\n'
        "[monitor]\nstore-enabled = false\n")
    with open(folder / "influx.log", "ab") as log:
        process = namespace.start(["influxd", "run", "-config", folder / "influx.conf"], stdout=log, stderr=log)
    ping = ["curl", "-sf", "http://127.0.0.1:8086/ping"]
    wait_until("InfluxDB is there", lambda: namespace.run(ping, check=False).returncode == 0)
    return process


def influx_rows(namespace, text):
    query = "http://127.0.0.1:8086/query?" + urllib.parse.urlencode({"db": "speedy", "q": text})
    series = json.loads(namespace.run(["curl", "-sf", query]).stdout)["results"][0].get("series", [])
    return [dict(zip(s["columns"], values), **s.get("tags", {})) for s in series for values in s["values"]]


@pytest.mark.parametrize("capture", CAPTURES)
def test_speedy(quiet_wire, tmp_path, capture):
    database = influx(quiet_wire.right, tmp_path)
    if not database:
        pytest.skip("no influxd")
    config = example("speedy.conf", "eth0", capture, tmp_path)
    devices = {f"02:00:00:01:00:{i:02x}": f"192.168.2.{i}" for i in range(1, 6)}
    uploads, downloads, want = [], [], {}
    for n, (mac, address) in enumerate(devices.items()):
        up = frame(mac, RIGHT_MAC, address, "203.0.113.1", payload=100 + n)
        down = frame(RIGHT_MAC, mac, "203.0.113.1", address, payload=900 + n)
        uploads += [up] * (n + 1)
        downloads += [down] * (n + 2)
        want[mac] = (l3(down) * (n + 2), l3(up) * (n + 1))
    uploads.append(frame("02:00:00:01:00:01", "ff:ff:ff:ff:ff:ff", "192.168.2.1", "255.255.255.255"))
    want["02:00:00:01:00:01"] = (want["02:00:00:01:00:01"][0], want["02:00:00:01:00:01"][1] + l3(uploads[-1]))
    sums = 'SELECT sum(download) AS download, sum(upload) AS upload FROM measures GROUP BY mac'

    def got():
        return {r["mac"]: (r["download"], r["upload"]) for r in influx_rows(quiet_wire.right, sums)}

    try:
        with started(quiet_wire, tmp_path, config) as daemon:
            replay(quiet_wire, "left", uploads, tmp_path)
            replay(quiet_wire, "right", downloads, tmp_path)
            booked(daemon, len(uploads) + len(downloads))
            wait_until("InfluxDB has it", lambda: got() == want, 20, lambda: f"{got()}\n{want}\n{daemon.said()}")
            addresses = "SELECT last(ipv4) AS ipv4 FROM measures_metadata GROUP BY mac"
            wait_until("the addresses, too", lambda: {r["mac"]: r["ipv4"] for r in influx_rows(
                quiet_wire.right, addresses)}.items() >= devices.items(), 20)
            daemon.stop()
    finally:
        quiet_wire.right.stop(database)


# -- trafstat: reports of a sender that is out there

def datagram(secret, client, sent, retransmits, mss, kind):
    head = struct.pack("<QQIIII256s", int(time.time()), sent, kind, 1, retransmits, mss, client.encode())
    return head + hashlib.sha1(head + secret.ljust(20, b"\0")).digest()


def test_trafstat(quiet_wire, tmp_path):
    data = pathlib.Path(os.environ.get("NETTALLY_DATA") or "/nonexistent")
    mrt, country = data / "mrt/quagga_rib.mrt", data / "geo/iptoasn-country.mmdb"
    if not mrt.exists() or not country.exists():
        pytest.skip("no captures: set NETTALLY_DATA")
    (tmp_path / "secret").write_bytes(b"a secret")
    config = example("trafstat.conf", "none", "auto", tmp_path, **{
        "# A routing": "interface none {\n}\n# A routing", "/var/run/frr/edge1.mrt": str(mrt), "192.0.2.0/24": "127.0.0.0/8",
        "/var/lib/nettally/country.mmdb": str(country), "/etc/nettally/trafstat.secret": str(tmp_path / "secret"),
        "0.0.0.0:8789": "127.0.0.1:8789"})
    config = re.sub(r"interface wire0 \{[^}]*\}\n", "", config)
    rows = [("8.8.8.8", 100_000, 3, 1460, 1), ("8.8.8.8", 1, 0, 1460, 1), ("1.1.1.1", 5_000_000_000, 9, 1000, 2),
            ("2001:4860:4860::8888", 777, 0, 100, 2)]
    with started(quiet_wire, tmp_path, config) as daemon:
        payload = b"".join(datagram(b"a secret", *row).hex().encode() + b"\n" for row in rows)
        send = "import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n" \
               "[s.sendto(bytes.fromhex(l.strip()),('127.0.0.1',8789)) for l in sys.stdin]\n"
        subprocess.run(quiet_wire.right.inside(["/usr/bin/python3", "-c", send]), input=payload.decode(), text=True, check=True,
                       timeout=20)
        want = (len(rows), sum(r[1] for r in rows), sum(r[1] // r[3] for r in rows), sum(r[2] for r in rows))

        def sums(account):
            found = daemon.query(account)
            return tuple(sum(int(r[c]) for r in found) for c in ("requests", "bytes", "packets", "retransmits"))

        daemon.until("all is booked", lambda: sums("everything") == want)
        assert sums("archive") == want and sums("countries") == want and sums("as_end_bytes") == want
        everything = daemon.query("everything")
        assert [r["router"] for r in everything] == ["edge1"]
        assert {r["country"] for r in daemon.query("countries")} >= {"US"}
        assert {r["type"] for r in daemon.query("archive")} == {"1", "2"}


# -- all of them

@pytest.mark.parametrize("name", ["bpfcountd", "collector", "gonetmon", "speedy"])
def test_is_right_as_it_is(tmp_path, name):
    for path in EXAMPLES.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    done = subprocess.run([os.environ["NETTALLY"], "check", "-c", tmp_path / f"{name}.conf"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# -- bpfcountd: a client of the socket, and its names in /metrics

ASK = ("import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
       "sys.stdout.write(b''.join(iter(lambda: s.recv(65536), b'')).decode())")


@pytest.mark.parametrize("capture", CAPTURES)
def test_bpfcountd(quiet_wire, tmp_path, capture):
    shutil.copy(EXAMPLES / "bpfcountd.filters", tmp_path)
    config = example("bpfcountd.conf", "eth0", capture, tmp_path, **{
        "#   columns =": "columns =", "/run/nettally/segment.sock": str(tmp_path / "segment.sock"),
        "account segment": f'ledger {{ path = "{tmp_path}/ledger.db" }}  # /var/lib/nettally/ledger.db\naccount segment'})
    frames = []
    for i in range(20):
        frames += [frame(LEFT_MAC, RIGHT_MAC, f"10.0.0.{i}", "10.0.0.99", payload=i),
                   frame(LEFT_MAC, RIGHT_MAC, f"fe80::{i + 1:x}", "ff02::fb", ports=(5353, 5353), payload=2 * i),
                   frame(LEFT_MAC, "ff:ff:ff:ff:ff:ff", "0.0.0.0", "255.255.255.255", ports=(68, 67), payload=300)]
    with started(quiet_wire, tmp_path, config) as daemon:
        replay(quiet_wire, "left", frames, tmp_path)
        booked(daemon, len(frames))
        (tmp_path / "ours").write_text((EXAMPLES / "bpfcountd.filters").read_text().replace("$MAC", RIGHT_MAC))
        done = subprocess.run([os.environ["NETTALLY"], "read", "--rules", tmp_path / "ours", "--format", "json",
                               tmp_path / "left.sent.pcap"], capture_output=True, text=True, timeout=30, check=True)
        want = [f'{r["rule"]}:{r["bytes"]}:{r["packets"]}' for r in json.loads(done.stdout)]
        ask = ["/usr/bin/python3", "-c", ASK, tmp_path / "segment.sock"]
        daemon.until("the socket tells all", lambda: quiet_wire.right.run(ask).stdout.splitlines() == want)
        assert sum(int(line.rsplit(":", 1)[1]) for line in want) >= len(frames)
        metrics = daemon.metrics()
        for row in json.loads(done.stdout):
            labels = f'iface="eth0",{row["rule"]}'
            if f"bpfcountd_packets{{{labels}}}" not in metrics:  # an identifier that is no label of its own
                labels = f'iface="eth0",rule="{row["rule"]}"'
            assert metrics[f"bpfcountd_packets{{{labels}}}"] == row["packets"]
            assert metrics[f"bpfcountd_bytes{{{labels}}}"] == row["bytes"]
