# SPDX-License-Identifier: GPL-2.0-or-later
"""Two network namespaces and a veth pair between them, made for each test and always removed.

    def test_x(wire):
        wire.left.run(["ip", "link"])          # runs inside, waits, checks
        wire.left.start([...])                 # runs inside, in the background; ended with the test
        wire.send("left", count=1000)          # send_frames inside, its JSON
        with wire.counting("right") as rings:  # ring_count inside, its JSON after the block
            ...

Namespaces are entered by `nsenter --net=` (`ip netns exec` would mount another /sys)."""
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

NETNS = pathlib.Path("/run/netns")
BPFFS = pathlib.Path("/sys/fs/bpf")
numbers = itertools.count()
# Not in 192.0.2.0/24 alone: left and right also have addresses of their own there.
LEFT_END = "02:00:00:00:00:01/192.0.2.1"
RIGHT_END = "02:00:00:00:00:02/192.0.2.2"


def tools():
    """Where the build has put send_frames and ring_count: beside the binary's own folder."""
    nettally = os.environ.get("NETTALLY")
    if not nettally:
        pytest.skip("NETTALLY does not name the binary")
    folder = pathlib.Path(nettally).resolve().parents[2] / "tests" / "live"
    if not (folder / "send_frames").exists():
        pytest.skip(f"no {folder}/send_frames: build all targets")
    return folder


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


class Namespace:
    """One namespace, its end of the wire, and what runs inside."""

    def __init__(self, name, interface):
        self.name, self.interface = name, interface
        self.running = []

    def inside(self, command):
        return ["nsenter", f"--net={NETNS / self.name}", *map(str, command)]

    def run(self, command, timeout=30, check=True, **more):
        return subprocess.run(self.inside(command), timeout=timeout, check=check, capture_output=True, text=True, **more)

    def start(self, command, **more):
        more.setdefault("stdout", subprocess.PIPE)
        more.setdefault("text", True)
        process = subprocess.Popen(self.inside(command), **more)
        self.running.append(process)
        return process

    def stop(self, process, how=signal.SIGTERM, timeout=10):
        """Sends the signal and waits; returns what it wrote to standard output."""
        process.send_signal(how)
        try:
            return process.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise

    def counters(self, interface=None):
        """The kernel's own: {"rx": {"packets": ..}, "tx": {..}}."""
        out = self.run(["ip", "-j", "-s", "-s", "link", "show", "dev", interface or self.interface]).stdout
        return json.loads(out)[0]["stats64"]

    def close(self):
        for process in self.running:
            if process.poll() is None:
                process.kill()
                process.communicate()
        subprocess.run(["ip", "netns", "del", self.name], capture_output=True, timeout=10, check=False)


class Wire:
    """Two namespaces; `left` and `right` are the ends of one veth pair, quiet but for what a test sends."""

    def __init__(self, left, right, folder):
        self.left, self.right, self.tools = left, right, folder

    def end(self, name):
        return getattr(self, name)

    @staticmethod
    def another(name, interface):
        """A namespace more; the test closes it."""
        return make_namespace(name, interface)

    def send(self, end, count, size=100, src=(LEFT_END,), dst=(RIGHT_END,), timeout=30, interface=None, **options):
        """Sends from that end; options as send_frames: rate, spread, gso, vlan ("8100:42", or several), bypass."""
        where = self.end(end)
        command = [self.tools / "send_frames", "--interface", interface or where.interface, "--count", count, "--size", size]
        for name, ends in (("--src", src), ("--dst", dst)):
            for one in ends:
                command += [name, one]
        for name, value in options.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            for one in values:
                command += [f"--{name}"] if one is True else [f"--{name}", one]
        return json.loads(where.run(command, timeout=timeout).stdout)

    def flood(self, end, count, timeout=120, **options):
        """Frames that the kernel makes itself, straight into the other end; options as send_xdp; its JSON."""
        command = [self.tools / "send_xdp", "--interface", self.end(end).interface, "--count", count]
        for name, value in options.items():
            command += [f"--{name}", value]
        return json.loads(self.end(end).run(command, timeout=timeout).stdout)

    @contextlib.contextmanager
    def counting(self, end, *options, interface=None):
        """ring_count at that end; the list that is yielded has one dict per ring when the block is left."""
        where = self.end(end)
        process = where.start([self.tools / "ring_count", "-i", interface or where.interface, *options])
        first = process.stdout.readline()
        assert first == "ready\n", f"ring_count did not start: {first!r}"
        rings = []
        yield rings
        rings += json.loads(where.stop(process))


def make_namespace(name, interface):
    ip("netns", "add", name)
    namespace = Namespace(name, interface)
    # Quiet: no router solicitations, no duplicate address detection, no multicast reports.
    namespace.run(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"], check=False)
    namespace.run(["ip", "link", "set", "lo", "up"])
    return namespace


@contextlib.contextmanager
def two_namespaces(queues=1):
    if os.geteuid() != 0:
        pytest.skip("needs root: makes network namespaces")
    if not shutil.which("nsenter") or not shutil.which("ip"):
        pytest.skip("needs nsenter and ip")
    folder = tools()
    tag = f"nt{os.getpid() % 100000}"
    many = ("numtxqueues", str(queues), "numrxqueues", str(queues)) if queues > 1 else ()
    namespaces = []
    try:
        for side in ("l", "r"):
            namespaces.append(make_namespace(f"{tag}{side}", "wire0"))
        left, right = namespaces
        ip("link", "add", "wire0", *many, "netns", left.name, "type", "veth", "peer", "name", "wire0", *many, "netns", right.name)
        for side, (namespace, address) in enumerate(((left, "192.0.2.101/24"), (right, "192.0.2.102/24"))):
            namespace.run(["ip", "link", "set", "wire0", "address", f"02:00:00:00:00:{0x11 + side:02x}"])
            namespace.run(["ip", "address", "add", address, "dev", "wire0"])
            namespace.run(["ip", "link", "set", "wire0", "up"])
        yield Wire(left, right, folder)
    finally:
        for namespace in namespaces:
            namespace.close()


@pytest.fixture
def wire():
    with two_namespaces() as made:
        yield made


@pytest.fixture
def broad_wire():
    """A queue for each CPU, and the right end polls: it takes what send_xdp sends from the left, all of it."""
    with two_namespaces(os.cpu_count()) as made:
        made.right.run([made.tools / "send_xdp", "--gro", "wire0"])
        yield made


def remove_tree(folder):
    """In a bpffs, where shutil.rmtree does not dare: whatever is pinned there is let go."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink()
    folder.rmdir()


@pytest.fixture
def pins():
    """A directory for pins that is not there yet, in a bpffs; removed with all in it. Skips where BPF is not permitted."""
    check = subprocess.run([tools() / "send_xdp", "--check"], capture_output=True, text=True, timeout=30, check=False)
    if check.returncode != 0:
        pytest.skip(f"no BPF here: {check.stdout.strip() or check.stderr.strip()}")
    if not os.path.ismount(BPFFS):
        subprocess.run(["mount", "-t", "bpf", "bpf", BPFFS], check=True, capture_output=True, timeout=10)
    folder = BPFFS / f"nt-test-{os.getpid()}-{next(numbers)}"
    yield folder
    if folder.exists():
        remove_tree(folder)


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left():
    """No test leaves a pin of its own; nor, when the whole suite runs, in the directory of daemons that were told no other."""
    default = BPFFS / ("nettally" if "NETTALLY_TEST_ID" in os.environ else "nobody")
    before = set(default.glob("*/*"))  # an empty folder counts nothing
    yield
    left = [path for path in BPFFS.glob(f"nt-test-{os.getpid()}-*")] if BPFFS.exists() else []
    for _ in range(50):  # detached programs go after a grace period
        more = set(default.glob("*/*")) - before
        if not more:
            break
        time.sleep(0.1)
    assert not left and not more, f"pins are left: {left} {more}"
