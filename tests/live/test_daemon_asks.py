# SPDX-License-Identifier: GPL-2.0-or-later
"""Who asks the daemon: the control socket, the API, slow and many clients. All of them agree with what was sent."""
import contextlib
import json
import os
import socket
import stat
import subprocess
import tempfile
import time
import urllib.parse

import pytest
from live_daemon import HOSTS, Daemon, Sent, connect_inside, ends, sums


def booked(daemon, sent):
    daemon.until("all is booked", lambda: daemon.interface()["booked_packets"] == sent.packets
                 and not daemon.status()["ledger"]["pending_records"])


# -- the control socket

def test_socket_is_for_root_and_group_only(wire):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is not for others to enter
        os.chmod(folder, 0o755)
        with Daemon(wire.right, folder, HOSTS) as daemon:
            path = f"{daemon.ledger}.sock"
            found = os.stat(path)
            assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660
            assert stat.S_IMODE(os.stat(daemon.ledger).st_mode) & 0o007 == 0
            done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", daemon.binary, "status",
                                   "--control", path], capture_output=True, text=True, check=False, timeout=15)
            assert done.returncode == 1
            assert "not allowed" in done.stderr and "root" in done.stderr
            daemon.stop()
            assert not os.path.exists(path)


def test_clients_that_hang_hold_up_nobody(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon, contextlib.ExitStack() as open_ones:
        for i in range(100):
            client = open_ones.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(f"{daemon.ledger}.sock")
            with contextlib.suppress(OSError):
                client.send(b"stat"[:i % 4 + 1])
        began = time.monotonic()
        sent = Sent(wire.send("left", 1000))
        assert daemon.status()["state"] == "ok"
        assert time.monotonic() - began < 3
        booked(daemon, sent)
        daemon.stop()


def test_answers_that_nobody_reads(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon, contextlib.ExitStack() as open_ones:
        for _ in range(20):
            client = open_ones.enter_context(socket.socket(socket.AF_UNIX))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            client.settimeout(2)
            client.connect(f"{daemon.ledger}.sock")
            client.send(b"status json\n")
        assert daemon.status()["state"] == "ok"
        daemon.stop()


def test_status_and_audit_in_both_forms(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        sent = Sent(wire.send("left", 1234, src=ends(1, 3)))
        booked(daemon, sent)
        assert daemon.status()["counters"]["capture_packets"] == 1234
        page = daemon.ask("status").stdout
        assert "wire0" in page and "hosts" in page
        audit = daemon.ask("audit")
        assert "the books close" in audit.stdout
        assert daemon.audit()["closes"] is True
        control = subprocess.run([daemon.binary, "status", "--json", "--control", f"{daemon.ledger}.sock"],
                                 capture_output=True, text=True, check=True, timeout=10)
        assert json.loads(control.stdout)["ledger"]["path"] == str(daemon.ledger)
        live = daemon.audit()
        daemon.stop()
        # Without a daemon: the same from the ledger, and no status.
        assert daemon.ask("status", check=False).returncode == 1
        assert "run" in daemon.ask("status", check=False).stderr
        left = daemon.ask("audit", "--json")
        assert "last booked" in left.stderr
        for member in ("booked_packets", "booked_l2_bytes", "lost_packets", "kernel_packets", "unaccounted_packets"):
            assert json.loads(left.stdout)["interfaces"][0][member] == live["interfaces"][0][member]

        def accounts(audit):
            return sorted((a["account"], a["rx_packets"], a["tx_packets"], a["rx_l2_bytes"], a["tx_l2_bytes"], a["rx_l3_bytes"],
                           a["tx_l3_bytes"]) for a in audit["accounts"])
        assert accounts(json.loads(left.stdout)) == accounts(live)


def test_control_socket_left_by_a_kill(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        daemon.process.kill()
        daemon.process.wait()
        assert os.path.exists(f"{daemon.ledger}.sock")
        assert daemon.ask("audit", check=False).returncode == 0, "the ledger answers"
        daemon.again()
        assert daemon.status()["state"] == "ok"


# -- the API

def api(daemon, path, **params):
    status, body = daemon.get(path + ("?" + urllib.parse.urlencode(params) if params else ""))
    assert status == 200, body
    return json.loads(body)


def test_api_agrees_with_query_and_with_what_was_sent(wire, tmp_path):
    config = HOSTS + "account seconds { by = { host } every = 1s bytes = l3 }\naccount flat { by = { proto } every = 1h }\n"
    with Daemon(wire.right, tmp_path, config) as daemon:
        start = int(time.time())
        sent = Sent(wire.send("left", 6000, rate=3000, src=ends(1, 6), dst=ends(1, 2, machine=1)))
        booked(daemon, sent)
        for account, basis in (("hosts", "l2"), ("seconds", "l3")):
            rows = api(daemon, f"/api/v1/accounts/{account}")
            got = {r["host"]: (r["rx_packets"], r["rx_bytes"], r["tx_packets"], r["tx_bytes"]) for r in rows}
            assert got == sent.books("addr", basis) == daemon.books(account, basis)
        assert api(daemon, "/api/v1/accounts/flat") == [{"proto": 17, "packets": 6000, "bytes": 600_000}]
        every = api(daemon, "/api/v1/accounts/seconds", every="1s")
        assert 2 <= len({r["window"] for r in every}) <= 4
        assert sum(r["rx_packets"] for r in every) == 6000
        text = daemon.ask("query", "seconds", "--every", "1s", "--format", "json").stdout
        assert sorted(map(str, json.loads(text))) == sorted(map(str, every))
        middle = start + 1
        before = api(daemon, "/api/v1/accounts/seconds", to=middle)
        after = api(daemon, "/api/v1/accounts/seconds", **{"from": middle})
        assert sum(r["tx_bytes"] for r in before) + sum(r["tx_bytes"] for r in after) == sums(sent.books("addr", "l3"))[1]
        assert len(api(daemon, "/api/v1/accounts/hosts", limit=3, sort="-rx_bytes")) == 3
        assert len(api(daemon, "/api/v1/accounts/hosts", limit=3, every="1h")) <= 6
        names = {a["name"]: a for a in api(daemon, "/api/v1/accounts")}
        assert set(names) == {"hosts", "devices", "seconds", "flat"}
        (interface,) = api(daemon, "/api/v1/interfaces")
        assert (interface["interface"], interface["packets"], interface["l2_bytes"]) == ("wire0", 6000, 600_000)
        assert api(daemon, "/api/v1/audit")["closes"]
        metrics = daemon.metrics()
        assert metrics['nettally_flat_packets_total{proto="17"}'] == 6000
        assert metrics["nettally_ledger_failing"] == 0


def test_slow_clients_do_not_hold_up_the_end(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon, contextlib.ExitStack() as open_ones:
        for i in range(20):
            client = open_ones.enter_context(connect_inside(wire.right, daemon.port()))
            client.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n" + (b"" if i % 2 else b"\r\n"))
        sent = Sent(wire.send("left", 1000))
        assert daemon.get("/healthz")[0] == 200
        began = time.monotonic()
        daemon.stop(timeout=5)
        assert time.monotonic() - began < 3
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_more_connections_than_it_takes(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        with contextlib.ExitStack() as open_ones:
            for _ in range(100):
                with contextlib.suppress(OSError):
                    open_ones.enter_context(connect_inside(wire.right, daemon.port(), timeout=1))
            sent = Sent(wire.send("left", 1000))
            booked(daemon, sent)
        daemon.until("it serves again", lambda: daemon.get("/healthz")[0] == 200)
        daemon.stop()


def test_query_while_it_books(wire, tmp_path):
    """Sums only grow, both sides of a record at once."""
    with Daemon(wire.right, tmp_path, HOSTS + "account seconds { by = { host } every = 1s }\n") as daemon:
        last = 0
        for _ in range(4):
            wire.send("left", 20_000, rate=40_000, src=ends(1, 200))
            for account in ("hosts", "seconds"):
                rows = sums(daemon.books(account, "l2"))
                assert rows[:2] == rows[2:]
            assert rows[0] >= last
            last = rows[0]
        daemon.stop()
        assert sums(daemon.books("seconds", "l2"))[0] == 80_000
