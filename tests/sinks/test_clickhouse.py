# SPDX-License-Identifier: GPL-2.0-or-later
"""ClickHouse has exactly what the ledger has, in records and in sums by hour and day, whatever happens on the way. Debian's
18.16 and, where chdb is installed, a current one; a cluster of two shards; two replicas."""
import os
import pathlib
import random
import shutil
import subprocess
import time

import pytest

from sink_world import World, wait_until
from sql_servers import Chdb, ClickHouse, ZooKeeper, cluster, free_port, npm_modules

COUNTERS = ["rx_packets", "rx_l2_bytes", "rx_l3_bytes", "tx_packets", "tx_l2_bytes", "tx_l3_bytes"]


def need_clickhouse():
    if not shutil.which("clickhouse-server"):
        pytest.skip("no clickhouse-server")


@pytest.fixture(params=["18.16", "current"])
def clickhouse(request, tmp_path):
    folder = tmp_path / "clickhouse"
    folder.mkdir()
    if request.param == "18.16":
        need_clickhouse()
        server = ClickHouse(folder)
    else:
        if not npm_modules("chdb"):
            pytest.skip("no chdb: npm install chdb, and name the folder in NETTALLY_NPM")
        server = Chdb(folder)
    yield server
    server.stop()


@pytest.fixture
def old_clickhouse(tmp_path):
    need_clickhouse()
    folder = tmp_path / "clickhouse"
    folder.mkdir()
    server = ClickHouse(folder)
    yield server
    server.stop()


@pytest.fixture(params=[[1, 2], [1, 1]], ids=["shards", "replicas"])
def servers(request, tmp_path):
    need_clickhouse()
    if not shutil.which("java") or not os.path.exists("/usr/share/java/zookeeper.jar"):
        pytest.skip("no ZooKeeper")
    (tmp_path / "cluster").mkdir()
    zookeeper, all_of_them = cluster(str(tmp_path / "cluster"), request.param)
    yield all_of_them
    for server in all_of_them:
        server.stop()
    zookeeper.stop()


def sink(server, more="", tables=""):
    return f'clickhouse home {{ url = "{server.url}" {more}\n{tables} }}'


def truth(world, key="host", length=0, account="hosts"):
    start = f"window - window % {length}" if length else "window"
    sums = ", ".join(f"sum({c})" for c in COUNTERS)
    return {row[:2]: row[2:] for row in world.rows(f"SELECT {start} AS w, {key}, {sums} FROM record_{account} GROUP BY w, {key}")}


def rows(server, table="hosts", where=""):
    """A row that is there twice fails."""
    found = {}
    for window, key, *counters in server.sql(
            f"SELECT toUInt32(time), host, {', '.join(COUNTERS)} FROM nettally.{table} FINAL {where}"):
        assert (int(window), key) not in found
        found[int(window), key] = tuple(map(int, counters))
    return found


def check_hosts(world, server, where=""):
    assert rows(server, "hosts", where) == truth(world)
    assert rows(server, "hosts_1h", where) == truth(world, length=3600)
    assert rows(server, "hosts_1d", where) == truth(world, length=86400)


def send_all(world):
    world.start()
    world.wait_sent("home")


def problem(world):
    return world.status()["home"].get("problem") or ""


def test_all_of_it(world, clickhouse):
    world.fill("hosts", "host", windows=90, keys=30)
    world.configure(sink(clickhouse))
    send_all(world)
    check_hosts(world, clickhouse)
    world.stop()
    # late counts for windows that are there already, and new windows: neither records nor sums are doubled
    world.fill("hosts", "host", windows=5, keys=40, seed=2, start=world.begin + 57 * 60)
    world.fill("hosts", "host", windows=5, keys=40, seed=3, start=world.begin + 88 * 60)
    send_all(world)
    check_hosts(world, clickhouse)
    assert world.status()["home"]["errors"] == 0
    engine = clickhouse.sql("SELECT engine_full FROM system.tables WHERE database = 'nettally' AND name = 'hosts'")
    assert "ReplacingMergeTree(version)" in engine[0][0]


def test_keys_and_devices(world, clickhouse):
    """Ports and protocols are numbers, -1 where there is none; any bytes are text; devices are one row each."""
    world.fill("all_keys", "mac,host,service,src_port,proto", windows=3, keys=40)
    world.configure(sink(clickhouse, tables='table all_keys { account = all_keys }\ntable devices { devices = yes }'))
    send_all(world)
    found = {tuple(r[:4]): int(r[4]) for r in clickhouse.sql(
        "SELECT mac, hex(service), toString(src_port), toString(proto), sum(rx_packets) FROM nettally.all_keys FINAL "
        "GROUP BY mac, service, src_port, proto")}
    ledger = {(m, s.encode(errors="surrogateescape").hex().upper(), "-1" if p == "-" else str(p), "-1" if q == "-" else str(q)): n
              for m, s, p, q, n in world.rows("SELECT mac, service, src_port, proto, sum(rx_packets) FROM record_all_keys "
                                              "GROUP BY 1, 2, 3, 4")}
    assert found == ledger
    devices = {r[0]: (r[1] or None, r[2] or None) for r in clickhouse.sql("SELECT mac, ipv4, ipv6 FROM nettally.devices FINAL")}
    assert devices == {m: (a, b) for m, a, b in world.rows("SELECT mac, ipv4, ipv6 FROM device")}


def test_a_table_of_ones_own(world, clickhouse):
    """Types come from its catalog; one that would hold repeats twice is refused, as is one that lacks a column."""
    clickhouse.sql("CREATE DATABASE nettally")
    clickhouse.sql("CREATE TABLE nettally.own (at DateTime, host String, bytes UInt64) ENGINE = MergeTree ORDER BY (at, host)")
    world.fill("hosts", "host", windows=4, keys=20)
    columns = '"at=window", "host", "bytes=rx_bytes", "more=tx_bytes"'
    world.configure(sink(clickhouse, tables=f"table own {{ account = hosts columns = {{ {columns} }} }}"))
    world.start()
    wait_until(lambda: "must be a ReplacingMergeTree" in problem(world), log=world.log)
    clickhouse.sql("DROP TABLE nettally.own")
    clickhouse.sql("CREATE TABLE nettally.own (at DateTime, host FixedString(16), bytes UInt64, version UInt64) "
                   "ENGINE = ReplacingMergeTree(version) ORDER BY (at, host)")
    wait_until(lambda: "has no column more" in problem(world), log=world.log)
    clickhouse.sql("ALTER TABLE nettally.own ADD COLUMN more Nullable(Float64)")
    world.wait_sent("home")
    found = {"-" if r[0] == "::" else r[0].removeprefix("::ffff:"): [int(r[1]), int(float(r[2]))] for r in clickhouse.sql(
        "SELECT IPv6NumToString(host), sum(bytes), sum(more) FROM nettally.own FINAL GROUP BY host")}
    assert found == {k[0]: v for k, v in world.truth("hosts", ["host"], ["rx_l2_bytes", "tx_l2_bytes"]).items()}


def test_away_for_several_windows(world, old_clickhouse):
    world.fill("hosts", "host", windows=5, keys=50)
    world.configure(sink(old_clickhouse, "timeout = 2s"))
    send_all(world)
    old_clickhouse.stop()
    world.stop()
    world.fill("hosts", "host", windows=8, keys=50, seed=3, start=world.begin + 4 * 60)
    world.start()
    wait_until(lambda: world.status()["home"]["errors"] >= 2, log=world.log)
    old_clickhouse.start()
    world.wait_sent("home")
    check_hosts(world, old_clickhouse)


def test_server_killed_in_the_middle_of_a_write(world, old_clickhouse):
    world.fill("hosts", "host", windows=100, keys=200)
    world.configure(sink(old_clickhouse, "timeout = 2s batch = 400"))
    world.start()
    for _ in range(5):
        time.sleep(random.uniform(0.05, 0.4))
        old_clickhouse.kill()
        old_clickhouse.start()
    world.wait_sent("home")
    check_hosts(world, old_clickhouse)


def test_killed_twenty_times(world, old_clickhouse):
    """SIGKILL of nettally in the middle of a write."""
    world.fill("hosts", "host", windows=100, keys=200)
    world.configure(sink(old_clickhouse, "batch = 600"))
    world.kill_often()
    send_all(world)
    check_hosts(world, old_clickhouse)


def test_killed_between_records_and_sums(world, old_clickhouse):
    """Builds with -Dfaults=true end there: the records are in, the hours and days are not."""
    world.fill("hosts", "host", windows=100, keys=20)
    world.configure(sink(old_clickhouse, "batch = 400"))
    for n in (1, 2, 3):
        process = subprocess.Popen([os.environ["NETTALLY"], "run", "-c", str(world.config)], stderr=subprocess.DEVNULL,
                                   env={**os.environ, "NETTALLY_FAULT": f"sink_rows_sent:{n}"})
        try:
            assert process.wait(5) == 137
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.skip("a build without fault points")
    send_all(world)
    check_hosts(world, old_clickhouse)


def test_all_again_from_the_start(world, clickhouse):
    world.fill("hosts", "host", windows=30, keys=50)
    world.configure(sink(clickhouse, "batch = 300"))
    send_all(world)
    for n in (1, 2):
        world.retry("home", "--from-start")
        wait_until(lambda n=n: world.status()["home"]["records"] == (n + 1) * 1500, log=world.log)
        world.wait_sent("home")
        check_hosts(world, clickhouse)


def test_two_nodes_two_servers(world, servers, tmp_path):
    """Two nodes write into one cluster, each through another server, and later the other way round; both read the same."""
    (tmp_path / "two").mkdir()
    two = World(tmp_path / "two")
    for number, (node, w) in enumerate((("one", world), ("two", two))):
        w.fill("hosts", "host", windows=90, keys=30, seed=number)
        w.configure(sink(servers[number], f"node = {node} cluster = nt"))
        send_all(w)
        w.stop()
    for number, (node, w) in enumerate((("one", world), ("two", two))):
        w.fill("hosts", "host", windows=5, keys=40, seed=7, start=w.begin + 57 * 60)
        w.configure(sink(servers[1 - number], f"node = {node} cluster = nt"))
        send_all(w)
        w.retry("home", "--from-start")
        wait_until(lambda w=w: w.status()["home"]["records"] >= 90 * 30 + 5 * 40 + 90 * 30, log=w.log)
        w.wait_sent("home")
        w.stop()
    for server in servers:
        for node, w in (("one", world), ("two", two)):
            check_hosts(w, server, f"WHERE node = '{node}'")
    parts = [int(server.sql("SELECT count() FROM nettally.hosts_local")[0][0]) for server in servers]
    assert all(parts), "each server has its part"


EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "clickhouse-cluster"


def test_the_example_of_two_shards(world, tmp_path):
    """examples/clickhouse-cluster as it is, but for names, ports and paths."""
    need_clickhouse()
    if not shutil.which("java") or not os.path.exists("/usr/share/java/zookeeper.jar"):
        pytest.skip("no ZooKeeper")
    (tmp_path / "zk").mkdir()
    zookeeper = ZooKeeper(tmp_path / "zk")
    ports = [(free_port(), free_port(), free_port()) for _ in range(2)]
    text = (EXAMPLE / "servers.xml").read_text()
    text = text.replace("zk1.example</host><port>2181", f"127.0.0.1</host><port>{zookeeper.port}")
    for n, p in enumerate(ports):
        text = text.replace(f"ch{n + 1}.example</host><port>9000", f"127.0.0.1</host><port>{p[1]}")
    inner = text.split("<yandex>")[1].split("</yandex>")[0]
    two = []
    try:
        for n, p in enumerate(ports):
            (tmp_path / f"ch{n}").mkdir()
            two.append(ClickHouse(tmp_path / f"ch{n}", p, inner.replace("<shard>1</shard>", f"<shard>{n + 1}</shard>")))
        world.fill("hosts", "host,service", windows=60, keys=40)
        conf = (EXAMPLE / "nettally.conf").read_text().replace("http://ch1.example:8123", two[0].url)
        world.config.write_text(conf.replace("of = local", "").replace("central", "home") +
                                f'ledger {{ path = "{world.ledger}" }}\nweb {{ listen = off }}\n'
                                f'control {{ socket = "{world.folder}/control" }}\nkernel {{ pins = off }}\n')
        send_all(world)
        for server in two:
            found = {r[0]: [int(n) for n in r[1:]] for r in server.sql(
                f"SELECT host, {', '.join(f'sum({c})' for c in COUNTERS)} FROM nettally.hosts_1d FINAL GROUP BY host")}
            assert found == {k[0]: v for k, v in world.truth("hosts", ["host"], COUNTERS).items()}
            assert 0 < int(server.sql("SELECT count() FROM nettally.hosts_local")[0][0]) < 2400
    finally:
        for server in two:
            server.stop()
        zookeeper.stop()


def test_a_shard_goes_and_comes_back(world, servers):
    world.fill("hosts", "host", windows=60, keys=100)
    world.configure(sink(servers[0], "cluster = nt timeout = 3s batch = 600"))
    world.start()
    wait_until(lambda: world.status()["home"]["records"] > 0, log=world.log)
    servers[1].kill()
    time.sleep(2)
    servers[1].start()
    world.wait_sent("home", 90)

    def all_there():
        try:
            check_hosts(world, servers[1])
            return True
        except (AssertionError, RuntimeError):  # a replica that was away catches up
            return False
    wait_until(all_there, log=world.log)
    check_hosts(world, servers[0])


def test_password_and_refusal(world, tmp_path):
    need_clickhouse()
    (tmp_path / "ch").mkdir()
    server = ClickHouse(tmp_path / "ch", password="wort")
    try:
        secret = world.folder / "secret"
        secret.write_text("falsch")
        world.fill("hosts", "host", windows=2, keys=5)
        world.configure(sink(server, f'user = default password_file = "{secret}"'))
        world.start()
        wait_until(lambda: problem(world), log=world.log)
        assert "193" in problem(world) or "Wrong password" in problem(world)
        world.stop()
        secret.write_text("wort")
        send_all(world)
        check_hosts(world, server)
        assert "wort" not in world.log().replace("password", "") and "falsch" not in world.log()
    finally:
        server.stop()


def test_bad_config_is_refused(world):
    world.fill("hosts", "host", windows=1, keys=2)
    cases = {
        'url = "http://127.0.0.1:1" database = "a b"': "letters, digits",
        'url = "http://127.0.0.1:1" table t { account = hosts columns = { "host", "rx_bytes" } }': "lack the window's time",
    }
    for text, want in cases.items():
        world.configure(f"clickhouse home {{ {text} }}")
        done = world.nettally("check", "-c", str(world.config), check=False)
        assert done.returncode == 2 and want in done.stderr
