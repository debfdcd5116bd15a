# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers behind HTTP: InfluxDB, VictoriaMetrics, and a small one of our own that remembers what it was sent."""
import base64
import gzip
import http.server
import json
import os
import shutil
import signal
import subprocess
import threading
import urllib.parse
import urllib.request

import pytest

from sql_servers import free_port, wait_for

INFLUX_CONFIG = """reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{d}/meta"
[data]
dir = "{d}/data"
wal-dir = "{d}/wal"
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = {auth}
log-enabled = false
[monitor]
store-enabled = false
"""


def get(url, data=None, headers=None):
    return urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=30).read()


class Server:
    """A process that is started, stopped and killed at will."""

    def run(self, command, ready):
        self.log = os.path.join(self.folder, "log")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)

        def is_ready():
            try:
                get(self.url + ready)
                return True
            except OSError:
                return False
        wait_for(is_ready, self.process, self.log)

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(30)

    def kill(self):
        self.stop(signal.SIGKILL)


class Influx(Server):
    def __init__(self, folder, auth=False):
        if not shutil.which("influxd"):
            pytest.skip("no influxd")
        self.folder = str(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.auth = None
        with open(f"{folder}/c.toml", "w") as f:
            f.write(INFLUX_CONFIG.format(d=folder, port=self.port, rpc=free_port(), auth=str(auth).lower()))
        self.start()
        if auth:
            self.query("CREATE USER admin WITH PASSWORD 'first' WITH ALL PRIVILEGES")
            self.auth = ("admin", "first")

    def start(self):
        self.run(["influxd", "run", "-config", f"{self.folder}/c.toml"], "/ping")

    def query(self, q, db=""):
        words = urllib.parse.urlencode({"q": q, "db": db, "epoch": "s"}).encode()
        login = {"Authorization": "Basic " + base64.b64encode(":".join(self.auth).encode()).decode()} if self.auth else {}
        return json.loads(get(f"{self.url}/query", words, login))["results"][0]

    def rows(self, q, db):
        """Rows as dicts, tags of a GROUP BY included."""
        return [{**dict(zip(s["columns"], v)), **s.get("tags", {})}
                for s in self.query(q, db).get("series", []) for v in s["values"]]


class VictoriaMetrics(Server):
    def __init__(self, folder):
        if not shutil.which("victoria-metrics"):
            pytest.skip("no victoria-metrics")
        self.folder = str(folder)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self):
        self.run(["victoria-metrics", f"-storageDataPath={self.folder}/data", f"-httpListenAddr=127.0.0.1:{self.port}",
                  "-retentionPeriod=12", "-memory.allowedBytes=128MiB", "-search.latencyOffset=0s",
                  "-dedup.minScrapeInterval=1ms"], "/health")

    def series(self, match):
        """[(labels, {time: value})]: the last value of each time counts, as in its own queries."""
        get(f"{self.url}/internal/force_flush")
        lines = get(f"{self.url}/api/v1/export?{urllib.parse.urlencode({'match[]': match})}").decode().splitlines()
        return [(s["metric"], dict(zip(s["timestamps"], s["values"]))) for s in map(json.loads, lines)]


class Listener:
    """Remembers each request; `answer` decides: a status, or (status, body). Or None: the connection is dropped."""

    def __init__(self, answer=lambda r: 200):
        self.requests, self.answer = [], answer
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                request = {"path": self.path, "headers": dict(self.headers), "body": body}
                said = listener.answer(request)
                if said is None:
                    self.close_connection = True
                    return
                status, text = said if isinstance(said, tuple) else (said, b"")
                if status < 300:
                    listener.requests.append(request)
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
