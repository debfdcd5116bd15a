# SPDX-License-Identifier: GPL-2.0-or-later
"""The web server, the control socket and `query` of a running daemon agree with each other."""
import csv
import io
import json
import re
import pathlib
import shutil
import socket
import subprocess

import pytest


def rows(daemon, target):
    status, headers, body = daemon.get(target)
    assert status == 200, body
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    return json.loads(body)


def test_health(daemon):
    assert daemon.get("/healthz")[0] == 200
    assert daemon.get("/readyz")[0] == 200


def test_page_is_self_contained(daemon):
    status, headers, body = daemon.get("/")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "http://" not in body and "https://" not in body and "src=" not in body


def test_metrics_are_clean(daemon):
    promtool = shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool (Debian package prometheus) is not installed")
    body = daemon.get("/metrics")[2]
    found = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


def test_metrics_are_in_the_manual(daemon):
    """Each family but the accounts', which the manual names by nettally_ACCOUNT_..."""
    manual = (pathlib.Path(__file__).parents[2] / "man/nettally.1").read_text().replace("\\", "")
    short = set(re.findall(r"[ ,](_[a-z_]+)", manual))
    for family in re.findall(r"^# TYPE (\S+)", daemon.get("/metrics")[2], re.MULTILINE):
        if re.match(r"nettally_(devices|hosts|services|protocols)_(bytes|packets)_total", family):
            continue
        assert family in manual or any(family.endswith(end) for end in short), family


def test_metrics_have_every_account(daemon):
    body = daemon.get("/metrics")[2]
    for account in rows(daemon, "/api/v1/accounts"):
        assert f"# TYPE nettally_{account['name']}_bytes_total counter" in body


def test_hosts_of_the_api(daemon):
    daemon.wait_until("127.0.0.1 is booked",
                      lambda: any(r["host"] == "127.0.0.1" for r in rows(daemon, "/api/v1/accounts/hosts")))
    found = rows(daemon, "/api/v1/accounts/hosts?where=host=127.0.0.0/8&sort=-rx_bytes&limit=1")
    assert [r["host"] for r in found] == ["127.0.0.1"]
    assert found[0]["rx_bytes"] > 0 and found[0]["tx_packets"] > 0


@pytest.mark.parametrize("form, separator", [("csv", ","), ("tsv", "\t")])
def test_other_formats(daemon, form, separator):
    body = daemon.get(f"/api/v1/accounts/hosts?format={form}")[2]
    table = list(csv.DictReader(io.StringIO(body), delimiter=separator))
    assert list(table[0]) == ["host", "rx_packets", "rx_bytes", "tx_packets", "tx_bytes"]


@pytest.mark.parametrize("target, status", [
    ("/api/v1/accounts/nothing", 404),
    ("/api/v1/accounts/hosts?by=mac", 400),
    ("/api/v1/accounts/hosts?sort=nothing", 400),
    ("/api/v1/accounts/hosts?from=never", 400),
    ("/api/v1/accounts/hosts?limit=-1", 400),
    ("/api/v1/accounts/hosts?nothing=1", 400),
    ("/api/v1/accounts/..%2f..%2fetc%2fpasswd", 400),
    ("/api/v1/accounts/hosts%27%3b--", 404),
    ("/nothing", 404),
])
def test_errors_are_sentences(daemon, target, status):
    got, _, body = daemon.get(target)
    assert got == status
    assert len(json.loads(body)["error"]) > 10


def test_error_sentences_are_those_of_query(daemon):
    sentence = json.loads(daemon.get("/api/v1/accounts/nothing")[2])["error"]
    printed = daemon.run("query", "nothing")
    assert (printed.returncode, printed.stderr.strip()) == (1, "nettally: query: " + sentence)


def test_foreign_host_name_is_refused(daemon):
    assert daemon.get("/api/v1/status", Host="evil.example")[0] == 403
    assert daemon.get("/api/v1/status", Host="localhost:1")[0] == 200


def test_status_and_audit(daemon):
    assert json.loads(daemon.run("status", "--json").stdout)["state"] == rows(daemon, "/api/v1/status")["state"] == "ok"
    page = daemon.run("status").stdout.splitlines()
    assert len(page) <= 24 and max(map(len, page)) <= 80
    audit = rows(daemon, "/api/v1/audit")
    assert [i["interface"] for i in audit["interfaces"]] == ["lo"]
    assert all(a["closes"] for a in audit["accounts"])


def test_control_socket_survives_noise(daemon):
    for noise in (b"\n", b"\0\xff\x1b[2J\n", b"x" * 5000, b"status json extra\n"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(8)
            s.connect(f"{daemon.ledger}.sock")
            try:
                s.sendall(noise)
                answer = s.recv(4096)
            except ConnectionError:
                answer = b""
            assert answer == b"" or answer.startswith(b"error: ")
    assert daemon.run("status").returncode == 0


def test_without_the_daemon(daemon):
    """Last: ends it."""
    assert daemon.stop() == 0
    status = daemon.run("status")
    assert status.returncode == 1 and "no daemon answers at" in status.stderr
    audit = daemon.run("audit", "--json")
    assert "as last booked" in audit.stderr
    books = json.loads(audit.stdout)
    assert audit.returncode == (0 if books["closes"] else 1)
    assert {a["account"] for a in books["accounts"]} == {"devices", "hosts"}
    assert all(a["closes"] for a in books["accounts"])
    assert "hosts" in daemon.run("query").stdout
