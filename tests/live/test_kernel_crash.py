# SPDX-License-Identifier: GPL-2.0-or-later
"""Kills at any instant, restarts, reloads, other accounts, under load: not one frame lost or doubled in the ledger."""
import functools
import os
import pathlib
import random
import re
import signal
import subprocess
import time

import pytest
from live_daemon import Sent, ends
from live_kernel import HOSTS, LONG, NOTHING, Kernel, Load, attached, check_equal, merged, pinned, total

TOP = pathlib.Path(__file__).resolve().parents[2]
# Accounts that change what is counted per packet; HOSTS is in each, so that its books are of everything.
OTHERS = [
    "",
    "account devices { by = { mac } every = 1h }\n",
    "account flows { by = { src_host, dst_host, dst_port } every = 1h }\n",
    "account layers { by = { vlan, proto, ethertype } every = 1h }\n",
    "account turns { by = { host, direction } every = 1s keep = { \"1s:1d\", \"1h:forever\" } }\n",
    "account services { by = { host, service } of = remote every = 1min }\n",
]


def check_hosts(daemon, sent):
    for basis in ("l2", "l3"):
        check_equal(daemon.table("hosts", basis), sent.books("addr", basis))


def wait_for_end(daemon, seconds):
    try:
        return daemon.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


@pytest.mark.parametrize("capture", ["kernel", "xdp"])
def test_killed_at_random_instants(wire, tmp_path, pins, capture):
    seed = int(os.environ.get("NETTALLY_SEED") or random.randrange(1 << 30))
    chance = random.Random(seed)
    kills = 500 if LONG else 50 if capture == "kernel" else 12
    print(f"NETTALLY_SEED={seed}")
    daemon = Kernel(wire.right, tmp_path / "d", pins, HOSTS, capture=capture)
    with daemon, Load(wire) as load:
        for turn in range(kills):
            time.sleep(chance.random() * chance.choice((0.05, 0.3, 1.2)))
            daemon.kill()
            time.sleep(chance.random() * 0.1)
            # Half of them are killed again before they are ready.
            daemon.again(wait=turn % 2 == 0)
        daemon.kill()
        daemon.again()
        load.end()
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, load.sent)
        daemon.check_audit()
    print(f"{kills} kills, {load.sent.packets} packets")


def test_restarts_reloads_and_kills_with_other_accounts(wire, tmp_path, pins):
    """What an account has is what was counted while it was configured; hosts, which always was, has everything."""
    seed = int(os.environ.get("NETTALLY_SEED") or random.randrange(1 << 30))
    chance = random.Random(seed)
    print(f"NETTALLY_SEED={seed}")
    with Kernel(wire.right, tmp_path / "d", pins, HOSTS) as daemon, Load(wire) as load:
        for turn in range(120 if LONG else 16):
            time.sleep(chance.random() * 0.5)
            accounts = HOSTS + "".join(chance.sample(OTHERS, chance.randrange(3)))
            what = chance.choice(("reload", "reload and kill", "kill", "stop", "many"))
            print(turn, what)
            if what == "reload":
                daemon.reload_accounts(accounts)
                continue
            daemon.set_accounts(accounts)
            if what in ("reload and kill", "many"):
                for _ in range(5 if what == "many" else 1):
                    daemon.process.send_signal(signal.SIGHUP)
                    time.sleep(chance.random() * 0.1)
            if what == "stop":
                daemon.stop()
            elif what != "many":
                daemon.kill()
            if what != "many":
                daemon.again()
        load.end()
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, load.sent)
        daemon.check_audit()


def test_counted_by_the_accounts_of_its_time(wire, tmp_path, pins):
    """Killed, started with other accounts: what was counted before is booked as it was meant."""
    before = HOSTS + "account devices { by = { mac } every = 1h }\n"
    after = HOSTS + "account layers { by = { proto, direction } every = 1h }\n"
    with Kernel(wire.right, tmp_path / "d", pins, before) as daemon:
        first = Sent(wire.send("left", 2000, src=ends(1, 20)))
        daemon.kill()
        first = first + Sent(wire.send("left", 3000, src=ends(5, 20)))  # nobody at home
        daemon.set_accounts(after)
        daemon.again()
        second = Sent(wire.send("left", 700, src=ends(1, 5)))
        daemon.stop()
        third = Sent(wire.send("right", 50, src=ends(1, 5)))
        daemon.set_accounts(before)
        daemon.again()
        fourth = Sent(wire.send("left", 11, src=ends(1, 5)))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, first + second + third + fourth)
        check_equal(daemon.table("devices"), (first + fourth).books("mac", "l2"))
        check_equal(daemon.table("layers"), {("17", "ingress"): (700, 70_000), ("17", "egress"): (50, 5000)})
        daemon.check_audit()


def test_a_stopped_daemon_counts_on(wire, tmp_path, pins):
    with Kernel(wire.right, tmp_path / "d", pins, HOSTS) as daemon:
        sent = Sent(wire.send("left", 1000, src=ends(1, 20)))
        for turn in range(3):
            daemon.stop()
            assert total(daemon.table("hosts"))[0] == sent.packets, "a stop books everything"
            sent = sent + Sent(wire.send("left", 1000 + turn, src=ends(1, 20))) + Sent(wire.send("right", 100))
            daemon.again()
            daemon.until("what came meanwhile is booked", lambda: total(daemon.table("hosts"))[0] == sent.packets)
        daemon.stop()
        check_hosts(daemon, sent)
        daemon.check_audit()
        daemon.detach()


def test_windows_of_what_came_meanwhile(wire, tmp_path, pins):
    """It is booked in the window in which it may have come: not before the stop, not after the start."""
    accounts = "account hosts { by = { host } every = 1s keep = { \"1s:1d\" } }\n"
    with Kernel(wire.right, tmp_path / "d", pins, accounts) as daemon:
        wire.send("left", 100)
        time.sleep(1.2)
        daemon.stop()
        stopped = int(time.time())
        time.sleep(1.1)
        wire.send("left", 40)
        daemon.again()
        started = time.time()
        daemon.stop()
        rows = daemon.sql("SELECT window, sum(rx_packets) FROM record_hosts WHERE length = 1 GROUP BY window")
        assert sum(count for _, count in rows) == 140
        assert sum(count for window, count in rows if stopped <= window <= started) == 40, (rows, stopped, started)
        daemon.detach()


# -- between every two steps (base/fault.h)

DIED = 137

def faults_binary():
    path = pathlib.Path(os.environ.get("NETTALLY_FAULTS_BINARY") or TOP / "build-test" / "src" / "cli" / "nettally")
    return path if os.access(path, os.X_OK) else None


@functools.cache
def fault_steps():
    steps = set()
    for path in (TOP / "src").rglob("*.c"):
        if not path.name.endswith("_test.c"):
            for call in re.findall(r"fault_point\(([^;]*)\);", path.read_text()):
                steps.update(re.findall(r'"([^"]+)"', call))
    return sorted(steps)


def steps(*beginnings):
    found = [step for step in fault_steps() if step.startswith(beginnings)]
    return found or [pytest.param("", marks=pytest.mark.skip(reason="no such fault points in src"))]


@pytest.fixture
def faulty(step):
    """The binary that dies at steps."""
    binary = faults_binary()
    if not binary:
        pytest.skip("no build with -Dfaults=true: set NETTALLY_FAULTS_BINARY")
    if step.encode() not in binary.read_bytes():
        pytest.skip(f"{binary} has no fault point {step}: an older build, or one without -Dfaults=true")
    return binary


def provoke(daemon):
    """Start, tick, reload, tick, end, until it dies of it: true if it did."""
    for how, seconds in ((None, 1.2), (signal.SIGHUP, 1.2), (signal.SIGTERM, 10)):
        if how:
            daemon.process.send_signal(how)
        ended = wait_for_end(daemon, seconds)
        if ended is not None:
            assert ended in (0, DIED), (ended, daemon.said())
            return ended == DIED
    pytest.fail(f"it does not end:\n{daemon.said()}")


# Its windows make the tables change hands each second.
TURNS = "account turns { by = { host, direction } every = 1s }\n"


@pytest.mark.parametrize("step", steps("kernel_", "swap_", "clean_", "book_", "remove_"))
def test_killed_between_two_steps(wire, tmp_path, pins, step, faulty):
    """A daemon that finds what another left, counts, reloads, ends; killed at the step, the first and a later time."""
    died = []
    with Kernel(wire.right, tmp_path / "d", pins, HOSTS + TURNS, binary=faulty) as daemon, Load(wire, 30_000, 10_000) as load:
        for nth in range(1, 7 if LONG else 3):
            daemon.kill()  # leaves something behind
            daemon.env = {"NETTALLY_FAULT": f"{step}:{nth}"}
            daemon.again(wait=False)
            daemon.set_accounts(HOSTS + TURNS + OTHERS[2] * (nth % 2))
            if provoke(daemon):
                died.append(nth)
            daemon.env = {}
            daemon.again()
        load.end()
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, load.sent)
        check_equal(merge_directions(daemon.table("turns")), load.sent.books("addr", "l2"))
        daemon.check_audit()
    assert died, "the step was never passed: the test does not provoke it"


def merge_directions(table):
    return merged(*({key[0]: values} for key, values in table.items()))


@pytest.mark.parametrize("step", steps("detach_"))
def test_killed_while_sigint_detaches(wire, tmp_path, pins, step, faulty):
    """Half of the hooks are free, the books are not made: the next start makes them."""
    with Kernel(wire.right, tmp_path / "d", pins, binary=faulty, env={"NETTALLY_FAULT": f"{step}:1"}) as daemon:
        sent = Sent(wire.send("left", 3000, src=ends(1, 20)), wire.send("right", 100))
        daemon.process.send_signal(signal.SIGINT)
        assert daemon.process.wait(10) == DIED, "the step was never passed"
        daemon.env = {}
        daemon.again()
        sent = sent + Sent(wire.send("left", 500, src=ends(1, 20)), wire.send("right", 100))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)
        assert pinned(pins) == [] and attached(wire.right) == NOTHING


@pytest.mark.parametrize("step", steps("reap_", "book_", "remove_"))
def test_killed_in_nettally_detach(wire, tmp_path, pins, step, faulty):
    with Kernel(wire.right, tmp_path / "d", pins, binary=faulty) as daemon:
        sent = Sent(wire.send("left", 3000, src=ends(1, 20)), wire.send("right", 100))
        daemon.kill()
        sent = sent + Sent(wire.send("left", 500, src=ends(1, 20)))
        done = subprocess.run([faulty, "detach", "--pins", pins], capture_output=True, text=True, timeout=20, check=False,
                              env={**os.environ, "NETTALLY_FAULT": f"{step}:1"})
        assert done.returncode == DIED, (done, "the step was never passed")
        daemon.detach()
        check_hosts(daemon, sent)
        assert pinned(pins) == [] and attached(wire.right) == NOTHING


@pytest.mark.parametrize("step", steps("reap_"))
def test_killed_while_an_old_interface_is_given_up(wire, tmp_path, pins, step, faulty):
    """What is pinned of an interface that is not configured any more."""
    wire.right.run(["ip", "link", "add", "wire1", "type", "veth", "peer", "name", "wire1", "netns", wire.left.name])
    for namespace in (wire.left, wire.right):
        namespace.run(["ip", "link", "set", "wire1", "up"])
    with Kernel(wire.right, tmp_path / "d", pins, binary=faulty) as daemon:
        sent = Sent(wire.send("left", 3000, src=ends(1, 20)), wire.send("right", 100))
        daemon.kill()
        sent = sent + Sent(wire.send("left", 500, src=ends(1, 20)))
        daemon.set_accounts(HOSTS, interface="wire1")
        daemon.env = {"NETTALLY_FAULT": f"{step}:1"}
        daemon.again(wait=False)
        assert daemon.process.wait(10) == DIED, "the step was never passed"
        daemon.env = {}
        daemon.again()
        sent = sent + Sent(wire.send("left", 70, src=ends(1, 20), interface="wire1"))
        daemon.stop(signal.SIGINT)
        check_hosts(daemon, sent)
        assert pinned(pins) == [] and attached(wire.right) == NOTHING
