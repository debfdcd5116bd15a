# SPDX-License-Identifier: GPL-2.0-or-later
"""The dashboards under examples/grafana: every query of every panel, expanded as Grafana does it, against the real server with
what a sink of nettally has written there. The largest hosts have the ledger's sums."""
import http.server
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest

from http_servers import Influx
from sql_servers import POSTGRES_BIN, ClickHouse, Postgres, free_port, wait_for

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "examples" / "grafana"
INTERVAL_S = 60


def dashboard(name):
    """{panel title: [targets]}, and the values of its variables."""
    board = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert board["uid"] == f"nettally-{name}" and board["schemaVersion"] >= 36
    plugin = board["__inputs"][0]["pluginId"]
    ids = [p["id"] for p in board["panels"]]
    assert len(ids) == len(set(ids))
    for panel in board["panels"]:
        assert panel["datasource"] == {"type": plugin, "uid": "${DS_NETTALLY}"} and panel["targets"]
    values = {v["name"]: [o["value"] for o in v["options"]] for v in board["templating"]["list"]}
    return {p["title"]: p["targets"] for p in board["panels"]}, values


def expand(text, **words):
    for word, value in words.items():
        text = text.replace("${" + word + "}", value).replace("$" + word, value)
    assert "$" not in text, text
    return text


@pytest.fixture
def filled(world):
    """Windows of the last hours; the range that a query asks for has them all."""
    world.fill("hosts", "host", windows=60, keys=30)
    world.range = (world.begin - 86400, world.begin + 86400)
    return world


def send(world, text):
    world.configure(text)
    world.start()
    world.wait_sent("home")


def largest(world):
    return {k[0]: v for k, v in world.truth("hosts", ["host"], ["rx_l2_bytes", "tx_l2_bytes"]).items()}


def test_postgresql(filled, tmp_path):
    if not os.path.exists(f"{POSTGRES_BIN}/postgres") or os.geteuid() != 0:
        pytest.skip("no PostgreSQL 15, or not root")
    (tmp_path / "pg").mkdir()
    server = Postgres(tmp_path / "pg")
    try:
        send(filled, f'postgresql home {{ url = "{server.url}" }}')
        panels, values = dashboard("postgresql")
        begin, end = (f"'{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(t))}'" for t in filled.range)
        for table in values["table"]:
            for title, targets in panels.items():
                for target in targets:
                    sql = re.sub(r"\$__timeGroupAlias\((\w+), \$__interval\)",
                                 rf'floor(extract(epoch from \1)/{INTERVAL_S})*{INTERVAL_S} AS "time"', target["rawSql"])
                    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN {begin} AND {end}", sql)
                    found = server.sql(expand(sql, table=table, __interval_ms=str(INTERVAL_S * 1000)))
                    assert found, title
                    if title == "Largest hosts":
                        assert {r[0]: [int(r[1]), int(r[2])] for r in found} == largest(filled)
                    if title == "Received and sent":
                        total = sum(float(r[1]) for r in found) * INTERVAL_S / 8
                        assert round(total) == sum(v[0] for v in largest(filled).values())
    finally:
        server.close()


def test_clickhouse(filled, tmp_path):
    if not shutil.which("clickhouse-server"):
        pytest.skip("no clickhouse-server")
    (tmp_path / "ch").mkdir()
    server = ClickHouse(tmp_path / "ch")
    try:
        send(filled, f'clickhouse home {{ url = "{server.url}" }}')
        panels, values = dashboard("clickhouse")
        begin, end = filled.range
        for table in values["table"]:
            for title, targets in panels.items():
                for target in targets:
                    sql = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 >= toDateTime({begin}) AND \1 <= toDateTime({end})",
                                 target["rawSql"])
                    found = server.sql(expand(sql, table=table, __interval_s=str(INTERVAL_S)))
                    assert found, title
                    if title == "Largest hosts":
                        assert {r[0]: [int(r[1]), int(r[2])] for r in found} == largest(filled)
    finally:
        server.stop()


def test_influxdb(filled, tmp_path):
    if not shutil.which("influxd"):
        pytest.skip("no influxd")
    (tmp_path / "influx").mkdir()
    server = Influx(tmp_path / "influx")
    try:
        send(filled, f'influxdb home {{ url = "{server.url}" database = nt }}')
        panels, values = dashboard("influxdb")
        begin, end = filled.range
        for table in values["table"]:
            for title, targets in panels.items():
                for target in targets:
                    query = expand(target["query"], table=table, timeFilter=f"time >= {begin}s AND time <= {end}s",
                                   __interval_ms=str(INTERVAL_S * 1000), __interval=f"{INTERVAL_S}s")
                    found = server.rows(query, "nt")
                    assert found, title
                    if title == "Largest hosts":
                        assert {r["host"]: r["received"] for r in found} == {k: v[0] for k, v in largest(filled).items()}
    finally:
        server.kill()


METRICS = """# TYPE nettally_hosts_bytes_total counter
nettally_hosts_bytes_total{{host="192.0.2.1",direction="receive"}} {0}
nettally_hosts_bytes_total{{host="192.0.2.1",direction="transmit"}} {1}
# TYPE nettally_sink_lag_seconds gauge
nettally_sink_lag_seconds{{sink="home"}} 3
# TYPE nettally_capture_lost_packets_total counter
nettally_capture_lost_packets_total{{reason="ring_full"}} {0}
"""


class Exporter(http.server.BaseHTTPRequestHandler):
    count = 0

    def do_GET(self):
        Exporter.count += 1000
        self.send_response(200)
        self.end_headers()
        self.wfile.write(METRICS.format(Exporter.count, 2 * Exporter.count).encode())

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def test_prometheus(tmp_path):
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus")
    exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    threading.Thread(target=exporter.serve_forever, daemon=True).start()
    port = free_port()
    (tmp_path / "p.yml").write_text("global: { scrape_interval: 1s }\nscrape_configs:\n- job_name: nettally\n  static_configs:\n"
                                    f"  - targets: ['127.0.0.1:{exporter.server_port}']\n")
    log = tmp_path / "log"
    with open(log, "wb") as to:
        process = subprocess.Popen(["prometheus", f"--config.file={tmp_path}/p.yml", f"--storage.tsdb.path={tmp_path}/data",
                                    f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], stdout=to, stderr=to)

    def ask(expr):
        url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return json.load(answer)["data"]["result"]
        except OSError:
            return []
    try:
        wait_for(lambda: ask("count_over_time(up[1m]) > 5"), process, log)
        panels, values = dashboard("prometheus")
        for title, targets in panels.items():
            for target in targets:
                found = ask(expand(target["expr"], account=values["account"][0], __rate_interval="10s", __range="1m"))
                assert found and float(found[0]["value"][1]) > 0, title
    finally:
        process.terminate()
        process.wait(10)
        exporter.shutdown()
