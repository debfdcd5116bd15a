# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon as nettally.service starts it: another user, four capabilities and no way to more, sd_notify, SIGHUP."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

WATCHDOG_S = 2
NOBODY = 65534
PINS = pathlib.Path("/sys/fs/bpf/nettally")


class Service:
    """Runs the unit's ExecStart in a network namespace of its own, with the unit's user, capabilities and umask as far
    as setpriv(1) can give them, and listens on its NOTIFY_SOCKET."""

    def __init__(self, command, folder):
        self.said = []
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listener.bind(str(folder / "notify"))
        os.chown(folder / "notify", NOBODY, NOBODY)
        capabilities = "-all,+bpf,+net_admin,+net_raw,+perfmon"
        self.process = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "-", "setpriv", f"--reuid={NOBODY}",
             f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", f"--inh-caps={capabilities}",
             f"--ambient-caps={capabilities}", f"--bounding-set={capabilities}", *map(str, command)],
            cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": f"{WATCHDOG_S}000000",
                 "NETTALLY_TEST_ID": os.environ.get("NETTALLY_TEST_ID", "")})

    def wait_for(self, word, timeout_s=15):
        """Until the daemon says `word`; what it said comes to `said`."""
        end = time.monotonic() + timeout_s
        while not any(word in line for line in self.said):
            self.listener.settimeout(0.2)
            try:
                self.said += self.listener.recv(4096).decode().splitlines()
            except TimeoutError:
                assert self.process.poll() is None, f"it ended: {self.process.stderr.read()}"
                assert time.monotonic() < end, f"no {word}, but {self.said}"

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stderr.close()
        self.listener.close()


def remove_pins(folder):
    """What a daemon that was killed left pinned, for a start that never comes."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    folder.rmdir()


@pytest.fixture
def service(binary, installed):
    """The daemon of nettally@lo, ready. Programs and folders lie where another user can reach them."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root, for a network namespace and another user")
    folder = pathlib.Path("/tmp") / f"nettally-service-{os.getpid()}"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    program = shutil.copy(binary, folder / "nettally")
    unit = (installed / "usr/local/lib/systemd/system/nettally@.service").read_text()
    words = re.search(r"(?m)^ExecStart=\S+ (.*)", unit)[1].split()
    replaced = {"%i": "lo", "${LISTEN}": "127.0.0.1:0", "/var/lib/nettally/%i.db": str(folder / "lo.db")}
    pins = set(PINS.glob("lo_db-*"))
    started = Service([program, *(replaced.get(w, w) for w in words)], folder)
    try:
        started.wait_for("READY=1")
        yield started
    finally:
        started.stop()
        shutil.rmtree(folder)
        for left in set(PINS.glob("lo_db-*")) - pins:
            remove_pins(left)


def status_field(pid, name):
    return re.search(rf"(?m)^{name}:\s*(\S+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]


def test_service_keeps_the_watchdog_quiet(service):
    service.said.clear()
    service.wait_for("WATCHDOG=1", timeout_s=WATCHDOG_S)


def test_service_closes_itself_in(service):
    """No capability that it could use later, no new privileges, a system-call filter: before the first frame is read."""
    pid = service.process.pid
    assert status_field(pid, "NoNewPrivs") == "1"
    assert status_field(pid, "Seccomp") == "2"
    allowed = 1 << 12 | 1 << 13 | 1 << 38 | 1 << 39  # CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON, CAP_BPF
    assert int(status_field(pid, "CapPrm"), 16) & ~allowed == 0


def test_service_reloads_and_ends(service):
    service.process.send_signal(signal.SIGHUP)
    service.said.clear()
    service.wait_for("WATCHDOG=1")
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(15) == 0
    service.listener.settimeout(1)
    try:
        while True:
            service.said += service.listener.recv(4096).decode().splitlines()
    except TimeoutError:
        pass
    assert "STOPPING=1" in service.said
