# SPDX-License-Identifier: GPL-2.0-or-later
"""Hooks and pins: what is attached when, what others have there, interfaces that go, come, move, are renamed."""
import contextlib
import os
import pathlib
import signal
import subprocess
import tempfile

import pytest
from live_daemon import Sent, ends, wait_until
from live_kernel import (HOSTS, NOTHING, SCHED_CLS, TCX_EGRESS, TCX_INGRESS, XDP, XDP_LINK, Kernel, attach_somebodys, attached,
                         check_equal, pinned)

COUNTING = {"kernel": {"ingress": 1, "egress": 1, "xdp": 0}, "xdp": {"ingress": 0, "egress": 1, "xdp": 1}}


def check_hosts(daemon, sent):
    for basis in ("l2", "l3"):
        check_equal(daemon.table("hosts", basis), sent.books("addr", basis))


def make_wire(wire, name="wire0", peer="wire0"):
    wire.right.run(["ip", "link", "add", name, "type", "veth", "peer", "name", peer, "netns", wire.left.name])
    wire.right.run(["ip", "link", "set", name, "up"])
    wire.left.run(["ip", "link", "set", peer, "up"])


def rename(namespace, old, new):
    namespace.run(["ip", "link", "set", old, "down"])
    namespace.run(["ip", "link", "set", old, "name", new])
    namespace.run(["ip", "link", "set", new, "up"])


def booked(daemon, interface="wire0"):
    return daemon.interface(interface)["booked_packets"]


@contextlib.contextmanager
def third_namespace(wire):
    other = wire.another(wire.right.name + "x", "wire0")
    try:
        yield other
    finally:
        other.close()


# -- ends

@pytest.mark.parametrize("capture", ["kernel", "xdp"])
def test_sigterm_leaves_it_counting_and_sigint_does_not(wire, tmp_path, pins, capture):
    with Kernel(wire.right, tmp_path / "d", pins, capture=capture) as daemon:
        assert attached(wire.right) == COUNTING[capture]
        assert pinned(pins)
        daemon.stop(signal.SIGTERM)
        assert attached(wire.right) == COUNTING[capture]
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)))
        daemon.again()
        assert attached(wire.right) == COUNTING[capture], "replaced, not added to"
        sent = sent + Sent(wire.send("right", 500, src=ends(1, 9)))
        daemon.stop(signal.SIGINT)
        assert attached(wire.right) == NOTHING
        assert pinned(pins) == []
        wire.send("left", 10)
        check_hosts(daemon, sent)
        daemon.check_audit()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_detach_books_and_removes_everything(wire, tmp_path, pins, how):
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)))
        daemon.process.send_signal(how)
        daemon.process.wait(15)
        sent = sent + Sent(wire.send("left", 777, src=ends(1, 9)))
        print(daemon.detach().stdout)
        assert attached(wire.right) == NOTHING
        assert pinned(pins) == []
        wire.send("left", 10)
        check_hosts(daemon, sent)
        assert "nothing is attached" in daemon.detach().stdout


def test_detach_leaves_a_running_daemon_alone(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        done = daemon.ask("detach", "--pins", pins, check=False)
        assert done.returncode == 1 and str(daemon.process.pid) in done.stderr, done
        assert attached(wire.right) == COUNTING["kernel"]
        sent = Sent(wire.send("left", 100))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)


def test_detach_without_the_ledger(wire, tmp_path, pins):
    """A daemon that is not installed any more, whose ledger somebody has deleted."""
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        daemon.kill()
        wire.send("left", 123)
        for path in daemon.folder.glob("ledger.db*"):
            path.unlink()
        done = subprocess.run([daemon.binary, "detach", "--pins", pins], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, done.stderr
        assert "123 packets given up" in done.stdout
        assert attached(wire.right) == NOTHING
        assert pinned(pins) == [] and not list(daemon.folder.glob("ledger.db*"))


# -- pins

UNMOUNTED = ["unshare", "-m", "--propagation", "private", "sh", "-c", 'umount -l /sys/fs/bpf; exec "$@"', "sh"]
MAY_NOT_MOUNT = ["setpriv", "--bounding-set", "-sys_admin", "--inh-caps", "-sys_admin"]


def test_no_bpffs(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "d", pins, prefix=UNMOUNTED + MAY_NOT_MOUNT) as daemon:
        assert attached(wire.right) == COUNTING["kernel"]
        said = daemon.said() + daemon.ask("status", check=False).stdout
        assert "pin" in said and "bpf" in said, said
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)), wire.send("right", 100))
        daemon.stop()
        wait_until("its programs go with it", lambda: attached(wire.right) == NOTHING)
        check_hosts(daemon, sent)
        daemon.check_audit()


def test_a_bpffs_that_it_mounts_itself(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "d", pins, prefix=UNMOUNTED) as daemon:
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)))
        mounts = pathlib.Path(f"/proc/{daemon.process.pid}/mounts").read_text()
        assert " /sys/fs/bpf bpf " in mounts
        daemon.stop()
        check_hosts(daemon, sent)
    wait_until("all goes with the mount", lambda: attached(wire.right) == NOTHING)


def test_pins_off(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "d", "off") as daemon:
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)), wire.send("right", 100))
        daemon.stop()
        check_hosts(daemon, sent)
        wait_until("its programs go with it", lambda: attached(wire.right) == NOTHING)
        daemon.again()
        daemon.kill()
        wait_until("its programs go with it", lambda: attached(wire.right) == NOTHING)


def test_pins_that_somebody_removed(wire, tmp_path, pins):
    """The running daemon counts on; the next one begins anew."""
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)))
        subprocess.run(["find", pins, "-mindepth", "1", "-delete"], check=True, timeout=10)
        sent = sent + Sent(wire.send("left", 1000, src=ends(1, 9)))
        daemon.stop()
        check_hosts(daemon, sent)
        daemon.again()
        sent = sent + Sent(wire.send("left", 100, src=ends(1, 9)))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)
        assert attached(wire.right) == NOTHING


@pytest.mark.parametrize("again", [False, True], ids=["it stays away", "it came back"])
def test_pins_of_an_interface_that_was_removed(wire, tmp_path, pins, again):
    make_wire(wire, "wire1", "wire1")
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        daemon.kill()
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)), wire.send("right", 100))
        wire.right.run(["ip", "link", "del", "wire0"])
        if again:
            make_wire(wire)
        interface = "wire0" if again else "wire1"
        daemon.set_accounts(HOSTS, interface=interface)
        daemon.again()
        sent = sent + Sent(wire.send("left", 500, src=ends(1, 9), interface=interface))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)
        assert pinned(pins) == []
        daemon.check_audit(interface)


def test_an_interface_that_is_not_configured_any_more(wire, tmp_path, pins):
    make_wire(wire, "wire1", "wire1")
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        daemon.stop()
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)))
        daemon.set_accounts(HOSTS, interface="wire1")
        daemon.again()
        assert attached(wire.right) == NOTHING
        assert attached(wire.right, "wire1") == COUNTING["kernel"]
        wire.send("left", 10)
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)


# -- interfaces that go and come

@pytest.mark.parametrize("capture", ["kernel", "xdp"])
def test_deleted_and_made_again(wire, tmp_path, pins, capture):
    with Kernel(wire.right, tmp_path / "d", pins, capture=capture) as daemon:
        sent = Sent(wire.send("left", 1000, src=ends(1, 5)))
        for turn in range(2):
            wire.right.run(["ip", "link", "del", "wire0"])
            daemon.until("it is missed", lambda: not daemon.interface()["up"])
            make_wire(wire)
            daemon.until("it is found", lambda: daemon.interface()["up"])
            sent = sent + Sent(wire.send("left", 1000 + turn, src=ends(1, 5)), wire.send("right", 10))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)
        assert daemon.sql("SELECT sum(booked_packets) FROM interface") == [(sent.packets,)]
        assert daemon.ask("audit").returncode == 0
        assert pinned(pins) == []


def test_deleted_right_after_its_last_frame(wire, tmp_path, pins):
    """Programs go with the interface; the tables do not."""
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        sent = Sent(wire.send("left", 20_000))
        wire.right.run(["ip", "link", "del", "wire0"])
        make_wire(wire)
        daemon.until("the new one is counted", lambda: daemon.status()["counters"]["interface_found"] == 2)
        sent = sent + Sent(wire.send("left", 500))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)


def test_renamed(wire, tmp_path, pins):
    """What has another name is another interface: no longer counted."""
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        sent = Sent(wire.send("left", 1000))
        rename(wire.right, "wire0", "other0")
        daemon.until("it is missed", lambda: not daemon.interface()["up"])
        wait_until("nothing is left there", lambda: attached(wire.right, "other0") == NOTHING)
        wire.send("left", 77)
        rename(wire.right, "other0", "wire0")
        daemon.until("it is back", lambda: daemon.interface()["up"])
        sent = sent + Sent(wire.send("left", 100))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)


def test_renamed_while_nobody_looked(wire, tmp_path, pins):
    """It counted on under its new name; that is booked, then it ends there."""
    make_wire(wire, "wire1", "wire1")
    with Kernel(wire.right, tmp_path / "d", pins) as daemon:
        daemon.stop()
        sent = Sent(wire.send("left", 1000))
        rename(wire.right, "wire0", "other0")
        sent = sent + Sent(wire.send("left", 77))
        rename(wire.right, "wire1", "wire0")
        daemon.again()
        assert attached(wire.right, "other0") == NOTHING
        assert attached(wire.right, "wire0") == COUNTING["kernel"]
        wire.send("left", 10)
        sent = sent + Sent(wire.send("left", 500, interface="wire1"))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)
        assert pinned(pins) == []


@pytest.mark.parametrize("alive", [True, False], ids=["under its eyes", "while nobody looked"])
def test_moved_to_another_namespace(wire, tmp_path, pins, alive):
    """Programs move with it: they are taken off, and what they counted is booked."""
    make_wire(wire, "wire1", "wire1")
    with third_namespace(wire) as other, Kernel(wire.right, tmp_path / "d", pins) as daemon:
        sent = Sent(wire.send("left", 1000))
        if not alive:
            daemon.kill()
        wire.right.run(["ip", "link", "set", "wire0", "netns", other.name])
        other.run(["ip", "link", "set", "wire0", "up"])
        if alive:
            daemon.until("it is missed", lambda: not daemon.interface()["up"])
            wait_until("nothing is left there", lambda: attached(other) == NOTHING)
        else:
            sent = sent + Sent(wire.send("left", 55))
            daemon.set_accounts(HOSTS, interface="wire1")
            daemon.again()
            assert attached(other) == NOTHING
        wire.send("left", 33)
        other.run(["ip", "link", "set", "wire0", "netns", wire.right.name])
        wire.right.run(["ip", "link", "set", "wire0", "up"])
        if alive:
            daemon.until("it is back", lambda: daemon.interface()["up"])
            sent = sent + Sent(wire.send("left", 100))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)
        assert pinned(pins) == []


# -- others

def test_a_second_daemon_on_the_same_ledger_is_refused(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "a", pins) as first:
        with Kernel(wire.right, tmp_path / "b", pins, ledger=first.ledger, wait=False) as second:
            status, said = second.refused()
            assert status == 1 and str(first.process.pid) in said
        assert attached(wire.right) == COUNTING["kernel"]
        sent = Sent(wire.send("left", 100))
        first.stop(signal.SIGINT)
        check_hosts(first, sent)


def test_two_daemons_with_ledgers_of_their_own(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "a", pins) as first, Kernel(wire.right, tmp_path / "b", pins) as second:
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)))
        assert attached(wire.right) == {"ingress": 2, "egress": 2, "xdp": 0}
        first.stop(signal.SIGINT)
        assert attached(wire.right) == COUNTING["kernel"]
        more = Sent(wire.send("left", 100, src=ends(1, 9)))
        second.stop(signal.SIGINT)
        check_hosts(first, sent)
        check_hosts(second, sent + more)


PASS_XDP, NEXT_TCX = 2, 0xffffffff


def test_somebody_else_has_the_xdp_slot(wire, tmp_path, pins):
    """Never replaced: by name it fails, auto takes tcx and says so."""
    theirs = attach_somebodys(wire.right, XDP_LINK, XDP, PASS_XDP)
    try:
        with Kernel(wire.right, tmp_path / "a", pins, capture="xdp", wait=False) as daemon:
            status, said = daemon.refused()
            assert status == 1 and "wire0" in said and "XDP" in said.upper(), said
        assert attached(wire.right) == {"ingress": 0, "egress": 0, "xdp": 1}
        with Kernel(wire.right, tmp_path / "b", pins, capture="auto") as daemon:
            assert attached(wire.right) == {"ingress": 1, "egress": 1, "xdp": 1}
            assert daemon.interface()["capture"] == "kernel"
            sent = Sent(wire.send("left", 1000, src=ends(1, 9)))
            daemon.stop(signal.SIGINT)
            check_hosts(daemon, sent)
    finally:
        os.close(theirs)


def test_somebody_else_is_at_tcx(wire, tmp_path, pins):
    theirs = [attach_somebodys(wire.right, kind, SCHED_CLS, NEXT_TCX) for kind in (TCX_INGRESS, TCX_EGRESS)]
    try:
        with Kernel(wire.right, tmp_path / "d", pins) as daemon:
            assert attached(wire.right) == {"ingress": 2, "egress": 2, "xdp": 0}
            sent = Sent(wire.send("left", 1000, src=ends(1, 9)), wire.send("right", 100))
            daemon.stop(signal.SIGINT)
            check_hosts(daemon, sent)
            assert attached(wire.right) == {"ingress": 1, "egress": 1, "xdp": 0}
    finally:
        for fd in theirs:
            os.close(fd)


def test_no_native_xdp_is_no_xdp(wire, tmp_path, pins):
    """A bridge has none: never the generic one."""
    wire.right.run(["ip", "link", "add", "br0", "type", "bridge"])
    wire.right.run(["ip", "link", "set", "wire0", "master", "br0"])
    wire.right.run(["ip", "link", "set", "br0", "up"])
    with Kernel(wire.right, tmp_path / "a", pins, capture="xdp", interface="br0", wait=False) as daemon:
        status, said = daemon.refused()
        assert status == 1 and "br0" in said and "native" in said, said
    with Kernel(wire.right, tmp_path / "b", pins, capture="auto", interface="br0") as daemon:
        assert daemon.interface("br0")["capture"] == "kernel"
        assert attached(wire.right, "br0") == COUNTING["kernel"]
        sent = Sent(wire.send("right", 100, interface="br0"))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)


def test_auto_says_what_and_why(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "d", pins, capture="auto") as daemon:
        found = daemon.interface()
        assert found["capture"] == "kernel"
        page = daemon.ask("status").stdout
        assert "tcx" in page and "kernel" in page, page
        assert "tcx" in daemon.said()
        daemon.stop(signal.SIGINT)


def test_auto_without_permission_takes_the_socket(wire, tmp_path, pins):
    without = ["setpriv", "--bounding-set", "-sys_admin,-bpf,-perfmon", "--inh-caps", "-sys_admin,-bpf,-perfmon"]
    with Kernel(wire.right, tmp_path / "a", pins, capture="auto", prefix=without) as daemon:
        assert daemon.interface()["capture"] == "socket"
        assert "CAP_BPF" in daemon.said() + daemon.ask("status").stdout
        sent = Sent(wire.send("left", 1000, src=ends(1, 9)))
        daemon.stop()
        check_hosts(daemon, sent)
    with Kernel(wire.right, tmp_path / "b", pins, capture="kernel", prefix=without, wait=False) as daemon:
        status, said = daemon.refused()
        assert status == 1 and "CAP_BPF" in said


def test_as_another_user(wire, pins):
    """CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and a folder of its own suffice, also for the next start."""
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is not for others to enter
        folder = pathlib.Path(folder)
        os.chown(folder, 65534, 65534)
        pins.mkdir()
        os.chown(pins, 65534, 65534)
        caps = "-all,+bpf,+perfmon,+net_admin"
        prefix = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs",
                  "--bounding-set", caps, "--inh-caps", caps, "--ambient-caps", caps]
        accounts = HOSTS + f'control {{ socket = "{folder}/control.sock" }}\n'
        with Kernel(wire.right, folder, pins, accounts, prefix=prefix) as daemon:
            with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as f:
                assert "Uid:\t65534\t65534\t65534\t65534" in f.read()
            sent = Sent(wire.send("left", 1000, src=ends(1, 9)), wire.send("right", 100))
            for _ in range(2):
                daemon.kill()
                sent = sent + Sent(wire.send("left", 500, src=ends(1, 9)))
                daemon.again()
                sent = sent + Sent(wire.send("left", 100, src=ends(1, 9)))
            assert daemon.interface()["capture"] == "kernel"
            daemon.stop(signal.SIGINT)
            check_hosts(daemon, sent)
            assert attached(wire.right) == NOTHING
