# SPDX-License-Identifier: GPL-2.0-or-later
"""InfluxDB and VictoriaMetrics have exactly what the ledger has, whatever happens on the way."""
import random
import threading
import time

import pytest

from sink_world import sums_of
from http_servers import Influx, Listener, VictoriaMetrics

COUNTERS = ["rx_packets", "rx_l2_bytes", "rx_l3_bytes", "tx_packets", "tx_l2_bytes", "tx_l3_bytes"]


@pytest.fixture
def influx(tmp_path):
    folder = tmp_path / "influx"
    folder.mkdir()
    server = Influx(folder)
    yield server
    server.kill()


def sink(server, more="", tables=""):
    return f'influxdb home {{ url = "{server.url}" database = nt {more}\n{tables} }}'


def check_hosts(world, server):
    """Per host: the sums there are the sums here, and there is a point per record."""
    found = server.rows(f"SELECT {', '.join(f'sum({c}) AS {c}' for c in COUNTERS)} FROM hosts GROUP BY host", "nt")
    assert sums_of(found, ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)
    points = server.rows("SELECT count(rx_packets) AS n FROM hosts", "nt")[0]["n"]
    assert points == world.rows("SELECT count(*) FROM record_hosts")[0][0]


def test_all_of_it(world, influx):
    world.fill("hosts", "host", windows=20, keys=50)
    world.fill("awkward", "host,service", windows=3, keys=40)
    world.configure(sink(influx))
    world.start()
    world.wait_sent("home")
    check_hosts(world, influx)
    row = world.status()["home"]
    assert (row["records"], row["errors"], row["lag_seconds"], row["state"]) == (1000 + 120, 0, 0, "ok")
    assert world.sinks()["home"]["records"] == 1120
    world.stop()
    # late counts for windows that were sent, and new ones
    world.fill("hosts", "host", windows=5, keys=60, seed=2, start=world.begin + 17 * 60)
    world.start()
    world.wait_sent("home")
    check_hosts(world, influx)
    assert world.status()["home"]["records"] == 1120 + 5 * 60


def test_awkward_keys_stay_apart(world, influx):
    world.fill("awkward", "host,service", windows=2, keys=64)
    world.configure(sink(influx))
    world.start()
    world.wait_sent("home")
    found = influx.rows("SELECT sum(rx_packets) AS n FROM awkward GROUP BY host, service", "nt")
    truth = world.truth("awkward", ["host", "service"], ["rx_packets"])
    assert len(found) == len(truth) == 64
    assert sorted(r["n"] for r in found) == sorted(v[0] for v in truth.values())
    services = {r["service"] for r in found}
    assert {"-", "a,b=c2", '"quoted"4', "grün6"} <= services


def test_as_speedy_wrote_it(world, influx):
    world.fill("devices", "mac", every=1, windows=30, keys=8)
    world.configure(sink(influx, tables="""
        table measures { account = devices columns = { "mac", "download=rx_l3_bytes", "upload=tx_l3_bytes" } }
        table measures_metadata { devices = yes columns = { "mac", "ipv4", "ipv6" } }"""))
    world.start()
    world.wait_sent("home")
    found = influx.rows("SELECT sum(download) AS download, sum(upload) AS upload FROM measures GROUP BY mac", "nt")
    assert sums_of(found, ["mac"], ["download", "upload"]) == world.truth("devices", ["mac"], ["rx_l3_bytes", "tx_l3_bytes"])
    fields = {r["fieldKey"]: r["fieldType"] for r in influx.rows("SHOW FIELD KEYS FROM measures", "nt")}
    assert fields == {"download": "integer", "upload": "integer"}
    assert [r["tagKey"] for r in influx.rows("SHOW TAG KEYS FROM measures", "nt")] == ["mac"]
    addresses = {r["mac"]: (r["ipv4"], r["ipv6"])
                 for r in influx.rows("SELECT ipv4, ipv6 FROM measures_metadata GROUP BY mac", "nt")}
    assert addresses == {m: (a, b) for m, a, b in world.rows("SELECT mac, ipv4, ipv6 FROM device")}
    fields = {r["fieldKey"]: r["fieldType"] for r in influx.rows("SHOW FIELD KEYS FROM measures_metadata", "nt")}
    assert fields == {"ipv4": "string", "ipv6": "string"}


def test_away_for_several_windows(world, influx):
    world.fill("hosts", "host", windows=5, keys=50)
    world.configure(sink(influx, "timeout = 2s"))
    world.start()
    world.wait_sent("home")
    influx.stop()
    world.stop()
    world.fill("hosts", "host", windows=10, keys=50, seed=3, start=world.begin + 300)
    world.start()
    end = time.monotonic() + 10
    while world.status()["home"]["state"] != "failing":
        assert time.monotonic() < end, world.log()
        time.sleep(0.1)
    time.sleep(3)
    row = world.status()["home"]
    assert row["errors"] >= 2 and row["lag_seconds"] > 6000 and "onnect" in row["problem"]
    assert world.log().count("sink home (influxdb):") == 1
    influx.start()
    world.wait_sent("home", 60)
    check_hosts(world, influx)
    assert "works again" in world.log()


def test_the_server_is_killed_in_the_middle(world, influx):
    world.fill("hosts", "host", windows=100, keys=500)
    world.configure(sink(influx, "batch = 500 timeout = 2s"))
    world.start()
    for _ in range(3):
        time.sleep(random.uniform(0.1, 0.4))
        influx.kill()
        time.sleep(0.2)
        influx.start()
    world.wait_sent("home", 90)
    check_hosts(world, influx)


def test_nettally_is_killed_twenty_times(world, influx):
    world.fill("hosts", "host", windows=1000, keys=50)
    world.configure(sink(influx, "batch = 50"))
    world.kill_often()
    world.start()
    world.wait_sent("home", 60)
    check_hosts(world, influx)


def test_everything_again(world, influx):
    world.fill("hosts", "host", windows=10, keys=50)
    world.configure(sink(influx))
    world.start()
    world.wait_sent("home")
    influx.query("DROP DATABASE nt")
    world.retry("home", "--from-start")
    end = time.monotonic() + 20
    while world.status()["home"]["records"] < 1000:
        assert time.monotonic() < end, world.log()
        time.sleep(0.1)
    world.wait_sent("home")
    check_hosts(world, influx)


def test_what_is_refused_is_set_aside_and_sent_after_the_fix(world, influx):
    world.fill("hosts", "host", windows=10, keys=20)
    influx.query("CREATE DATABASE nt")
    # a field of another type in one shard: it refuses what is written there
    import urllib.request
    urllib.request.urlopen(f"{influx.url}/write?db=nt&precision=s", f"hosts,host=x rx_packets=1.5 {world.begin}\n".encode())
    world.configure(sink(influx))
    world.start()
    end = time.monotonic() + 20
    while world.status()["home"]["set_aside_windows"] == 0:
        assert time.monotonic() < end, world.log()
        time.sleep(0.1)
    world.wait_sent("home")
    row = world.status()["home"]
    assert row["rejected_records"] == 20 * row["set_aside_windows"] and "conflict" in row["problem"]
    assert "refused and set aside" in world.log()
    influx.query("DROP MEASUREMENT hosts", "nt")
    world.retry("home")
    end = time.monotonic() + 20
    while world.status()["home"]["set_aside_windows"]:
        assert time.monotonic() < end, world.log()
        time.sleep(0.1)
    world.retry("home", "--from-start")  # the measurement was dropped whole
    time.sleep(1.5)
    world.wait_sent("home")
    check_hosts(world, influx)


def test_password(world, tmp_path):
    folder = tmp_path / "influx"
    folder.mkdir()
    influx = Influx(folder, auth=True)
    secret = tmp_path / "secret"
    secret.write_text("wrong\n")
    world.fill("hosts", "host", windows=5, keys=10)
    world.configure(sink(influx, f'user = admin password_file = "{secret}"'))
    try:
        world.start()
        end = time.monotonic() + 10
        while world.status()["home"]["state"] != "failing":
            assert time.monotonic() < end, world.log()
            time.sleep(0.1)
        assert "401" in world.status()["home"]["problem"]
        assert world.status()["home"]["set_aside_windows"] == 0
        world.stop()
        world.configure(sink(influx, 'user = admin password_env = "NT_SECRET"'))
        world.start(NT_SECRET="first")
        world.wait_sent("home")
        check_hosts(world, influx)
        assert "first" not in world.log() and "first" not in str(world.status())
    finally:
        influx.kill()


def test_influxdb_2(world):
    server = Listener(lambda r: 204 if r["headers"].get("Authorization") == "Token s3cret" else 401)
    world.fill("hosts", "host", windows=3, keys=5)
    world.configure(f'influxdb home {{ url = "{server.url}/" org = "my org" bucket = b token_env = "NT_TOKEN" }}')
    world.start(NT_TOKEN="s3cret")
    world.wait_sent("home")
    assert {r["path"] for r in server.requests} == {"/api/v2/write?precision=s&org=my%20org&bucket=b"}
    assert b"".join(r["body"] for r in server.requests).count(b"\n") == 15
    server.close()


def test_victoriametrics(world, tmp_path):
    folder = tmp_path / "vm"
    folder.mkdir()
    server = VictoriaMetrics(folder)
    try:
        world.fill("hosts", "host", windows=20, keys=50)
        world.configure(f'influxdb vm {{ url = "{server.url}" database = nt batch = 100 timeout = 2s }}')
        world.start()
        time.sleep(0.3)
        server.kill()
        time.sleep(0.5)
        server.start()
        world.wait_sent("vm", 60)
        world.retry("vm", "--from-start")
        time.sleep(1.5)
        world.wait_sent("vm", 60)
        time.sleep(1.5)
        for counter in COUNTERS:
            found = {(m["host"],): [int(sum(points.values()))] for m, points in server.series(f"hosts_{counter}")}
            assert found == world.truth("hosts", ["host"], [counter])
    finally:
        server.kill()


def test_slow_target_does_not_hold_the_end_up(world):
    release = threading.Event()
    server = Listener(lambda r: (release.wait(60), 204)[1])
    world.fill("hosts", "host", windows=3, keys=5)
    world.configure(f'influxdb home {{ url = "{server.url}" database = nt timeout = 50s }}')
    world.start()
    time.sleep(1)
    begin = time.monotonic()
    world.stop()
    assert time.monotonic() - begin < 9
    release.set()
    server.close()


def test_certificates(world, tmp_path):
    import ssl
    import subprocess
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{tmp_path}/key",
                    "-out", f"{tmp_path}/cert", "-days", "2", "-subj", "/CN=localhost",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    server = Listener(lambda r: 204)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{tmp_path}/cert", f"{tmp_path}/key")
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    url = server.url.replace("http:", "https:")
    world.fill("hosts", "host", windows=3, keys=5)
    world.configure(f'influxdb home {{ url = "{url}" database = nt }}')
    world.start()
    end = time.monotonic() + 10
    while world.status()["home"]["state"] != "failing":
        assert time.monotonic() < end, world.log()
        time.sleep(0.1)
    assert "certificate is not trusted" in world.status()["home"]["problem"] and not server.requests
    for more in (f'ca_file = "{tmp_path}/cert"', "insecure = yes"):
        world.stop()
        world.configure(f'influxdb home {{ url = "{url}" database = nt {more} }}')
        world.start()
        world.retry("home", "--from-start")
        time.sleep(1.2)
        world.wait_sent("home")
        assert server.requests
        server.requests.clear()
    server.close()


def test_live_traffic_through_an_outage(world, influx):
    """Windows of a second, counted while the server is away, and while it comes back."""
    import socket
    world.accounts["hosts"] = ("host", 1)
    world.configure(sink(influx, "timeout = 2s"))
    text = world.config.read_text().replace('"port 1 and port 2"', '"udp and port 9"')
    world.config.write_text(text)
    world.start()
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begin = time.monotonic()
    away = False
    while time.monotonic() - begin < 9:
        for n in range(1, 20):
            sender.sendto(b"x" * (20 * n), (f"127.0.0.{n}", 9))
        time.sleep(0.05)
        if 2 < time.monotonic() - begin < 6 and not away:
            influx.kill()
            away = True
        elif time.monotonic() - begin > 6 and away:
            influx.start()
            away = False
    time.sleep(5)  # the last windows end
    world.wait_sent("home", 60)
    assert world.rows("SELECT count(*) FROM changed WHERE seq IS NULL")[0][0] == 0
    assert world.rows("SELECT count(DISTINCT window) FROM record_hosts")[0][0] >= 9
    check_hosts(world, influx)
    world.stop()
