# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally detach`: what counts on without a daemon is booked once, then nothing of it is left."""
import os
import re
import shutil
import signal
import subprocess

import pytest
from live_daemon import Sent
from live_kernel import NOTHING, Kernel, attached, pinned

BOTH_HOOKS = {"ingress": 1, "egress": 1, "xdp": 0}


def detach(*words, check=True, prefix=()):
    done = subprocess.run([*prefix, os.path.abspath(os.environ["NETTALLY"]), "detach", *map(str, words)], capture_output=True,
                          text=True, timeout=60, check=False)
    assert not check or done.returncode == 0, (done.stdout, done.stderr)
    return done


def left_counting(wire, folder, pins, before=1000, after=1234):
    """A daemon that was stopped, and frames that came after: (daemon, all that was sent)."""
    with Kernel(wire.right, folder, pins) as daemon:
        sent = Sent(wire.send("left", before))
        daemon.stop()
    assert attached(wire.right) == BOTH_HOOKS
    return daemon, sent + Sent(wire.send("left", after))


def check_gone(wire, pins, end="right"):
    assert attached(getattr(wire, end)) == NOTHING
    assert not pins.exists()


def test_what_came_after_the_daemon_is_booked(wire, tmp_path, pins):
    daemon, sent = left_counting(wire, tmp_path, pins)
    done = detach("--pins", pins)
    assert done.stdout == f"wire0: detached; 1,234 packets booked into {daemon.ledger}\n" and done.stderr == ""
    check_gone(wire, pins)
    assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
    done = detach("--pins", pins)
    assert done.stdout == "nothing is attached\n"
    assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_a_killed_daemon_is_booked_by_the_ledgers_name(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path, pins) as daemon:
        sent = Sent(wire.send("left", 1500))
        daemon.kill()
        sent += Sent(wire.send("left", 500))
    other = detach("--pins", pins, "--ledger", tmp_path / "other.db")
    assert other.stdout == f"nothing is attached for {tmp_path}/other.db\n"
    assert attached(wire.right) == BOTH_HOOKS
    assert re.fullmatch(rf"wire0: detached; [0-9,]+ packets booked into {daemon.ledger}\n",
                        detach("--pins", pins, "--ledger", daemon.ledger).stdout)
    check_gone(wire, pins)
    assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_a_running_daemon_keeps_what_is_its(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path, pins) as daemon:
        for words in ((), ("--ledger", daemon.ledger), ("--discard",)):
            done = detach("--pins", pins, *words, check=False)
            assert done.returncode == 1
            assert f"a daemon counts into it (pid {daemon.process.pid}): stop it first" in done.stderr
        sent = Sent(wire.send("left", 700))
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
    detach("--pins", pins)
    check_gone(wire, pins)


def test_every_ledger_below_the_pins(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "a", pins) as one, Kernel(wire.left, tmp_path / "b", pins) as two:
        first = Sent(wire.send("left", 300))
        one.stop()
        two.stop()
    sent = first + Sent(wire.send("right", 400, src=("02:00:00:00:00:02/192.0.2.2",), dst=("02:00:00:00:00:01/192.0.2.1",)))
    lines = detach("--pins", pins).stdout.splitlines()
    assert sorted(lines) == sorted(f"wire0: detached; 400 packets booked into {d.ledger}" for d in (one, two))
    check_gone(wire, pins)
    check_gone(wire, pins, "left")
    for daemon in (one, two):
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


@pytest.mark.parametrize("gone", [False, True])
def test_given_up_packets_are_told(wire, tmp_path, pins, gone):
    """At most: the ledger, which knows what is booked already, is not asked."""
    daemon, _ = left_counting(wire, tmp_path / "x", pins, before=10, after=2000)
    if gone:
        shutil.rmtree(tmp_path / "x")
        said = detach("--pins", pins).stdout
        assert re.fullmatch(rf"wire0: detached; up to 2,0[01]0 packets given up \(there is no {daemon.ledger} any more\)\n", said)
    else:
        assert re.fullmatch(r"wire0: detached; up to 2,0[01]0 packets given up\n", detach("--pins", pins, "--discard").stdout)
        assert sum(rx for rx, *_ in daemon.books("hosts", "l2").values()) == 10
    check_gone(wire, pins)


def test_an_interface_that_is_gone_is_booked_all_the_same(wire, tmp_path, pins):
    daemon, sent = left_counting(wire, tmp_path, pins)
    wire.right.run(["ip", "link", "del", "wire0"])
    assert "1,234 packets booked" in detach("--pins", pins).stdout
    assert not pins.exists()
    assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_interrupt_detaches(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path, pins) as daemon:
        sent = Sent(wire.send("left", 800))
        daemon.stop(signal.SIGINT)
        assert attached(wire.right) == NOTHING
        assert pinned(pins) == []
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
    assert detach("--pins", pins).stdout == "nothing is attached\n"


def test_a_broken_ledger_is_no_reason_to_lose_counts(wire, tmp_path, pins):
    daemon, sent = left_counting(wire, tmp_path, pins)
    kept = daemon.ledger.read_bytes()
    daemon.ledger.write_bytes(b"this is no ledger" * 1000)
    done = detach("--pins", pins, check=False)
    assert done.returncode == 1 and str(daemon.ledger) in done.stderr
    assert attached(wire.right) == BOTH_HOOKS
    daemon.ledger.write_bytes(kept)
    detach("--pins", pins)
    check_gone(wire, pins)
    assert daemon.books("hosts", "l2") == sent.books("addr", "l2")


def test_others_pins_stay(pins):
    (pins / "others" / "thing").mkdir(parents=True)
    for words in ((), ("--discard",)):
        done = detach("--pins", pins, *words, check=False)
        assert done.returncode == 1 and "nettally did not make this" in done.stderr
    assert (pins / "others" / "thing").exists()


def test_nothing_to_do(pins, tmp_path):
    for words in (("--pins", "/nonexistent/pins"), ("--pins", tmp_path)):
        done = detach(*words)
        assert (done.stdout, done.stderr) == ("nothing is attached\n", "")


def test_without_privilege(wire, tmp_path, pins):
    left_counting(wire, tmp_path, pins)
    done = detach("--pins", pins, check=False, prefix=["setpriv", "--bounding-set=-net_admin", "--inh-caps=-all"])
    assert done.returncode == 1 and "CAP_NET_ADMIN" in done.stderr
    done = detach("--pins", pins, check=False, prefix=["setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all"])
    assert done.returncode == 1 and ("CAP_BPF" in done.stderr or "root" in done.stderr)
    assert attached(wire.right) == BOTH_HOOKS
    detach("--pins", pins)


@pytest.mark.parametrize("words, says", [(["--nonsense"], "--nonsense"), (["eth0"], "eth0"), (["--pins"], "needs a value"),
                                         (["--pins", "here"], "whole path"), (["--ledger", ""], "empty")])
def test_usage_errors(words, says):
    done = detach(*words, check=False)
    assert done.returncode == 2
    assert says in done.stderr and done.stderr.startswith("nettally: detach: ")
