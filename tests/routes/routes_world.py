# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that has routes and countries, in a network namespace of its own, where routers run beside it.

    def test_x(world, tmp_path):
        daemon = world.daemon(CONFIG)         # until READY=1; ended with the test
        daemon.dump("edge1")                  # [{"prefix": .., "origin_as": .., "neighbour_as": .., "as_path": ..}]"""
import ctypes
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest

CLONE_NEWNET = 0x40000000
numbers = itertools.count()


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=10)


def data(*names):
    """A file of the shared test data, or a skip."""
    folder = os.environ.get("NETTALLY_DATA") or pathlib.Path(__file__).parents[3] / "shared" / "data"
    path = pathlib.Path(folder).joinpath(*names)
    if not path.exists():
        pytest.skip(f"no {path}: NETTALLY_DATA does not hold it")
    return path


def binary():
    path = os.environ.get("NETTALLY")
    if not path:
        pytest.skip("NETTALLY does not name the binary")
    return os.path.abspath(path)


def wait_until(what, true, seconds=15, log=lambda: ""):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.1)
    pytest.fail(f"not within {seconds} s: {what}\n{log()}")


class Daemon:
    def __init__(self, world, folder, config, name="nettally", prefix=()):
        self.world, self.folder, self.prefix = world, pathlib.Path(folder), prefix
        self.log, self.control = self.folder / f"{name}.log", self.folder / f"{name}.sock"
        self.ledger, self.config = self.folder / f"{name}.db", self.folder / f"{name}.conf"
        self.write(config)
        self.start()

    def write(self, config):
        self.config.write_text(f'{config}\ninterface lo {{ capture = socket }}\nweb {{ listen = off }}\n'
                               f'ledger {{ path = "{self.ledger}" }}\ncontrol {{ socket = "{self.control}" }}\n')

    def start(self):
        path = self.folder / "notify"
        path.unlink(missing_ok=True)
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(path))
        notify.settimeout(30)
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = self.world.start([*self.prefix, binary(), "run", "-c", self.config], stdout=log, stderr=log,
                                            env={**os.environ, "NOTIFY_SOCKET": str(path)})
        try:
            while b"READY=1" not in notify.recv(1000):
                pass
        except TimeoutError:
            pytest.fail(f"no READY=1\n{self.log.read_text()}")
        finally:
            notify.close()

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=20)

    def ask(self, *words, check=True):
        out = subprocess.run([binary(), *words, "--control", self.control], capture_output=True, text=True, timeout=30)
        if check:
            assert out.returncode == 0, out.stderr + self.log.read_text()
        return out

    def dump(self, view=None):
        words = ["--view", view] if view else []
        return json.loads(self.ask("routes", "dump", *words, "--format", "json").stdout)

    def paths(self, view=None):
        """{prefix: as_path}"""
        return {row["prefix"]: row["as_path"] for row in self.dump(view)}

    def status(self):
        return json.loads(self.ask("status", "--json").stdout)

    def view(self, name):
        return next(row for row in self.status()["routes"] if row["view"] == name)

    def listens_at(self):
        return int(self.status()["bmp"]["listen"].rsplit(":", 1)[1])

    def expect(self, view, paths, seconds=20):
        """Waits until the view's table is this one."""
        end = time.monotonic() + seconds
        while True:
            is_now = self.paths(view) if self.view(view)["loads"] else {}
            if is_now == paths or time.monotonic() > end:
                break
            time.sleep(0.2)
        more, less = set(is_now.items()) - set(paths.items()), set(paths.items()) - set(is_now.items())
        assert is_now == paths, f"too much: {sorted(more)[:5]}, missing: {sorted(less)[:5]}\n{self.log.read_text()}"


class World:
    """A namespace with a loopback, and what runs in it."""

    def __init__(self, folder):
        self.name, self.folder = f"nty{os.getpid() % 10000}n{next(numbers)}", folder
        self.running = []
        ip("netns", "add", self.name)
        ip("-n", self.name, "link", "set", "lo", "up")

    def inside(self, command):
        return ["nsenter", f"--net=/run/netns/{self.name}", *map(str, command)]

    def start(self, command, **more):
        process = subprocess.Popen(self.inside(command), **more)
        self.running.append(process)
        return process

    def run(self, command, check=True, **more):
        return subprocess.run(self.inside(command), check=check, capture_output=True, text=True, timeout=30, **more)

    def daemon(self, config, **more):
        return Daemon(self, self.folder, config, **more)

    def connect(self, port, source="127.0.0.1"):
        """A TCP connection inside: a thread of its own enters the namespace, the socket stays in it."""
        made = []

        def enter():
            libc = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{self.name}", "rb") as f:
                if libc.setns(f.fileno(), CLONE_NEWNET) == 0:
                    made.append(socket.create_connection(("127.0.0.1", port), 10, source_address=(source, 0)))
        thread = threading.Thread(target=enter)
        thread.start()
        thread.join()
        return made[0]

    def close(self):
        for process in reversed(self.running):
            if process.poll() is None:
                process.terminate()
        for process in self.running:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        ip("netns", "del", self.name)


@pytest.fixture
def world(tmp_path):
    if os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and ip(8)")
    w = World(tmp_path)
    yield w
    w.close()
