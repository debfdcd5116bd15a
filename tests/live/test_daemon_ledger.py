# SPDX-License-Identifier: GPL-2.0-or-later
"""A ledger on a disk that is full, read-only, damaged, taken, not ours; ports and privileges that are not there."""
import contextlib
import os
import sqlite3
import subprocess
import tempfile
import time

import pytest
from live_daemon import HOSTS, Daemon, Sent, ends, sums


@contextlib.contextmanager
def small_disk(folder, size="1m"):
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True, timeout=10)
    try:
        yield folder
    finally:
        for _ in range(20):
            if subprocess.run(["umount", folder], capture_output=True, check=False, timeout=10).returncode == 0:
                break
            time.sleep(0.1)


# An account with short windows makes ticks short, also while the ledger rests.
QUICK = HOSTS + "account pace { by = { proto } every = 1s }\n"


def ledger_of(daemon):
    return daemon.status()["ledger"]


def fill(folder):
    with open(folder / "ballast", "wb", buffering=0) as f:
        with contextlib.suppress(OSError):
            while True:
                f.write(bytes(4096))


def check_bad_times(wire, daemon, begin, end):
    """Counts through a time without a ledger; all is booked when it can be written again."""
    sent = Sent(wire.send("left", 5000, src=ends(1, 50)))
    daemon.until("the first is booked", lambda: ledger_of(daemon)["booked_records"] > 0)
    begin()
    sent = sent + Sent(wire.send("left", 300_000, src=ends(1, 5000)))
    failing = daemon.until("it says so", lambda: ledger_of(daemon)["state"] == "failing" and ledger_of(daemon))
    assert failing["problem"] and failing["pending_records"] > 0
    status = daemon.status()
    assert status["state"] != "ok" and status["problems"]
    assert daemon.metrics()["nettally_ledger_failing"] == 1
    before = status["counters"]["capture_packets"]
    sent = sent + Sent(wire.send("left", 1000, src=ends(1, 50)))
    daemon.until("it counts on", lambda: daemon.status()["counters"]["capture_packets"] >= before + 1000)
    end()
    daemon.until("all is booked", lambda: ledger_of(daemon)["state"] == "ok" and not ledger_of(daemon)["pending_records"])
    assert "works again" in daemon.said()
    sent = sent + Sent(wire.send("left", 1000, src=ends(1, 50)))
    daemon.stop()
    assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
    assert daemon.books("devices", "l2") == sent.books("mac", "l2")
    assert daemon.ask("audit").returncode == 0


def test_full_disk(wire, tmp_path):
    with small_disk(tmp_path / "disk", "4m") as disk, Daemon(wire.right, tmp_path, QUICK, ledger=disk / "l.db") as daemon:
        check_bad_times(wire, daemon, lambda: fill(disk), (disk / "ballast").unlink)


def test_full_disk_at_the_end(wire, tmp_path):
    """It waits for a while, then says what is lost, and exits 1."""
    with small_disk(tmp_path / "disk", "2m") as disk, Daemon(wire.right, tmp_path, HOSTS, ledger=disk / "l.db") as daemon:
        wire.send("left", 100)
        daemon.until("it is booked", lambda: ledger_of(daemon)["booked_records"] > 0)
        fill(disk)
        wire.send("left", 100_000, src=ends(1, 20_000))
        daemon.until("it says so", lambda: ledger_of(daemon)["state"] == "failing", seconds=5)
        daemon.process.terminate()
        time.sleep(1.5)
        (disk / "ballast").unlink()
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True, timeout=10)
        assert daemon.process.wait(25) == 0, daemon.said()
        assert sums(daemon.books("hosts", "l2"))[0] == 100_100


def test_locked_by_a_reader_that_writes(wire, tmp_path):
    """Somebody's sqlite3 holds the write lock: as a bad disk, for so long."""
    with Daemon(wire.right, tmp_path, QUICK) as daemon:
        held = []

        def begin():
            held.append(sqlite3.connect(daemon.ledger, isolation_level=None))
            held[0].execute("BEGIN IMMEDIATE")
        check_bad_times(wire, daemon, begin, lambda: held[0].execute("ROLLBACK"))
        held[0].close()


def test_second_daemon_is_refused(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as first:
        other = tmp_path / "other"
        other.mkdir()
        with Daemon(wire.right, other, HOSTS, ledger=first.ledger, wait=False) as second:
            status, said = second.refused()
            assert status == 1
            assert str(first.process.pid) in said and "ledger.db" in said
        wire.send("left", 100)
        assert first.status()["state"] == "ok", "the first is not disturbed"
        first.stop()
        assert sums(first.books("hosts", "l2"))[0] == 100


def test_second_daemon_with_a_ledger_of_its_own(wire, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
    with Daemon(wire.right, folders[0], HOSTS) as first, Daemon(wire.left, folders[1], HOSTS) as second:
        sent = Sent(wire.send("left", 1000, src=ends(1, 5)))
        for daemon in (first, second):
            assert daemon.status()["ledger"]["path"] == str(daemon.ledger)
            daemon.stop()
            assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def broken_head(path):
    with open(path, "r+b") as f:
        f.write(b"no ledger at all")


def broken_middle(path):
    with open(path, "r+b") as f:
        f.seek(4096)
        f.write(bytes(range(256)) * 200)


def no_ledger(path):
    path.unlink()
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE somebody_elses(x)")
    db.commit()
    db.close()


@pytest.mark.parametrize("damage", [broken_head, broken_middle, no_ledger])
def test_damaged_ledger_is_refused(wire, tmp_path, damage):
    with Daemon(wire.right, tmp_path, HOSTS) as daemon:
        wire.send("left", 1000, src=ends(1, 500))
        daemon.stop()
        damage(daemon.ledger)
        before = daemon.ledger.read_bytes()
        daemon.again(wait=False)
        status, said = daemon.refused()
        assert status == 1
        assert "ledger.db" in said
        assert any(word in said for word in ("move", "another", "recover", "restore")), said
        assert daemon.ledger.read_bytes() == before, "never overwritten"


def test_folder_that_cannot_be_written(wire, tmp_path):
    with small_disk(tmp_path / "disk") as disk:
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True, timeout=10)
        with Daemon(wire.right, tmp_path, HOSTS, ledger=disk / "l.db", wait=False) as daemon:
            status, said = daemon.refused()
            assert status == 1
            assert str(disk) in said


def test_folder_that_is_not_there(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS, ledger=tmp_path / "no" / "such" / "l.db", wait=False) as daemon:
        status, said = daemon.refused()
        assert status == 1
        assert "/no/such" in said


def test_port_in_use(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS) as first:
        other = tmp_path / "other"
        other.mkdir()
        with Daemon(wire.right, other, HOSTS, listen=f"127.0.0.1:{first.port()}", wait=False) as second:
            status, said = second.refused()
            assert status == 1
            assert str(first.port()) in said and "in use" in said.lower()


def test_no_web_server(wire, tmp_path):
    with Daemon(wire.right, tmp_path, HOSTS, listen="off") as daemon:
        assert "http://" not in daemon.said()
        assert daemon.status()["listen"] == ""
        listening = wire.right.run(["ss", "-Hltn"], check=False).stdout
        assert listening.strip() == ""
        daemon.stop()


def test_without_privilege(wire):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is not for others to enter
        os.chown(folder, 65534, 65534)
        done = wire.right.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                               os.path.abspath(os.environ["NETTALLY"]), "run", "-i", "wire0", "--ledger", f"{folder}/l.db",
                               "--listen", "127.0.0.1:0"], check=False)
        assert done.returncode == 1
        assert "CAP_NET_RAW" in done.stderr
