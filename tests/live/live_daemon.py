# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon inside a namespace, what asks it, and what its answers are compared with.

    with Daemon(wire.right, tmp_path, HOSTS) as daemon:   # returns when it has said READY=1
        sent = Sent(wire.send("left", 1000))
        daemon.stop()                                     # SIGTERM: everything is booked, exit 0
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")"""
import collections
import csv
import ctypes
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time

import pytest

CLONE_NEWNET = 0x40000000

# Long windows: a test does not cross one by chance (but at midnight, and sums are the same then).
HOSTS = 'account hosts { by = { host } every = 1h }\naccount devices { by = { mac } every = 1h }\n'


def wait_until(what, true, seconds=10, log=lambda: ""):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} s: {what}\n{log()}")


def connect_inside(namespace, port, timeout=10):
    """A TCP connection to 127.0.0.1 in there: a thread of its own enters the namespace, the socket stays in it."""
    made = []

    def enter():
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/run/netns/{namespace.name}", "rb") as f:
            if libc.setns(f.fileno(), CLONE_NEWNET) != 0:
                return
        try:
            made.append(socket.create_connection(("127.0.0.1", port), timeout))
        except OSError as error:
            made.append(error)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if isinstance(made[0], OSError):
        raise made[0]
    return made[0]


class Daemon:
    def __init__(self, namespace, folder, config=None, interfaces=("wire0",), listen="127.0.0.1:0", ledger=None, env=None,
                 prefix=(), wait=True, pins="off", binary=None):
        self.namespace, self.folder, self.pins = namespace, pathlib.Path(folder), pins
        self.binary = os.path.abspath(binary or os.environ["NETTALLY"])
        self.ledger = pathlib.Path(ledger or self.folder / "ledger.db")
        self.config = self.folder / "nettally.conf" if config is not None else None
        self.log = self.folder / "log"
        self.interfaces, self.listen, self.env, self.prefix = interfaces, listen, env or {}, prefix
        if config is not None:
            self.write_config(config)
        self._start(wait)

    def write_config(self, text):
        """With the pins of this daemon, so that nothing stays in the kernel that no test knows of."""
        new = self.config.with_suffix(".new")
        new.write_text(text if "kernel {" in text else f'{text}\nkernel {{ pins = "{self.pins}" }}\n')
        new.replace(self.config)  # whole, for who reads it this moment

    def _start(self, wait):
        path = self.folder / "notify"
        path.unlink(missing_ok=True)
        self.notes = []
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        path.chmod(0o777)
        self.listener = threading.Thread(target=self._listen, args=(self.notify, self.notes))
        self.listener.start()
        command = [*self.prefix, self.binary, "run", "--ledger", self.ledger, "--listen", self.listen]
        for interface in self.interfaces:
            command += ["-i", interface]
        if self.config:
            command += ["-c", self.config]
        with open(self.log, "a", encoding="utf-8") as log:
            self.process = self.namespace.start(command, stdout=log, stderr=log,
                                                env={**os.environ, "NOTIFY_SOCKET": str(path), **self.env})
        if wait:
            try:
                self.wait_note("READY=1")
            except BaseException:
                self.__exit__()
                raise

    def again(self, wait=True):
        """Starts it once more, after it has ended."""
        self._hang_up()
        self._start(wait)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait(10)
        self._hang_up()

    def said(self):
        return self.log.read_text()

    # -- what it tells a service manager

    def _listen(self, heard, notes):
        """A manager that does not read would hold the daemon up."""
        while True:
            try:
                text = heard.recv(4096).decode()
            except OSError:
                return
            if text == "":
                return
            notes.append((time.monotonic(), text))

    def hear(self, seconds=0.0):
        """What it has said so far, and says within so long; each note with its time."""
        time.sleep(seconds)
        return list(self.notes)

    def _hang_up(self):
        self.notify.shutdown(socket.SHUT_RDWR)
        self.listener.join()
        self.notify.close()

    def wait_note(self, note, seconds=15, after=0):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if any(note in text for _, text in self.hear(0.02)[after:]):
                return
            if self.process.poll() is not None:
                pytest.fail(f"it ended instead of saying {note}:\n{self.said()}")
        pytest.fail(f"no {note} within {seconds} s:\n{self.said()}")

    # -- ending

    def stop(self, how=signal.SIGTERM, timeout=15):
        self.process.send_signal(how)
        status = self.process.wait(timeout)
        assert status == 0, self.said()

    def refused(self):
        """Its exit status and what it said: for a start that must fail."""
        return self.process.wait(10), self.said()

    def reload(self, config=None):
        """SIGHUP; waits until the new file is in force."""
        before = self.status()["reload"]["done"]
        if config is not None:
            self.write_config(config)
        self.process.send_signal(signal.SIGHUP)
        self.until("the new file is in force", lambda: self.status()["reload"]["done"] > before)

    # -- asking

    def until(self, what, true, seconds=10):
        return wait_until(what, true, seconds, self.said)

    def ask(self, *words, check=True):
        done = subprocess.run([self.binary, *words, "--ledger", self.ledger], capture_output=True, text=True, timeout=20,
                              check=False)
        assert not check or done.returncode == 0, (words, done.stdout, done.stderr, self.said())
        return done

    def status(self):
        return json.loads(self.ask("status", "--json").stdout)

    def audit(self):
        return json.loads(self.ask("audit", "--json", check=False).stdout)

    def interface(self, name="wire0"):
        return next(i for i in self.audit()["interfaces"] if i["interface"] == name)

    def query(self, account, *words):
        text = self.ask("query", account, "--format", "tsv", *words).stdout
        return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))

    def books(self, account, basis):
        """{key: (rx_packets, rx_bytes, tx_packets, tx_bytes)}; more keys than one: a tuple of them."""
        found = {}
        for row in self.query(account, "--bytes", basis):
            values = list(row.values())
            keys = values[:-4]
            found[keys[0] if len(keys) == 1 else tuple(keys)] = tuple(map(int, values[-4:]))
        return found

    def sql(self, text):
        db = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=5)
        try:
            return db.execute(text).fetchall()
        finally:
            db.close()

    def port(self):
        return int(re.findall(r"http://127\.0\.0\.1:(\d+)", self.said())[-1])

    def get(self, path):
        """(status, body) of a GET"""
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = connect_inside(self.namespace, self.port())
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def metrics(self):
        """{"name{labels}": value}"""
        status, body = self.get("/metrics")
        assert status == 200
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in body.splitlines() if not line.startswith("#")}


class Sent:
    """What one or several senders say they sent, as books."""

    def __init__(self, *results, tags=0):
        self.results, self.tags = results, tags

    def __add__(self, other):
        sum_of = Sent()
        sum_of.flows = list(self.flows) + list(other.flows)
        return sum_of

    @property
    def flows(self):
        made = self.__dict__.get("_flows")
        if made is None:
            made = [(flow, 14 + 4 * self.tags) for result in self.results for flow in result["flows"]]
        return made

    @flows.setter
    def flows(self, value):
        self.__dict__["_flows"] = value

    @property
    def packets(self):
        return sum(flow["packets"] for flow, _ in self.flows)

    @property
    def wire_bytes(self):
        return sum(flow["wire_bytes"] for flow, _ in self.flows)

    def books(self, key, basis):
        """key: addr or mac"""
        books = collections.defaultdict(lambda: [0, 0, 0, 0])
        for flow, header in self.flows:
            size = flow["wire_bytes"] - (header * flow["packets"] if basis == "l3" else 0)
            suffix = "_mac" if key == "mac" else ""
            for end, at in (("dst", 0), ("src", 2)):
                books[flow[end + suffix]][at] += flow["packets"]
                books[flow[end + suffix]][at + 1] += size
        return {k: tuple(v) for k, v in books.items() if any(v)}


def sums(books):
    return tuple(map(sum, zip(*books.values()))) if books else (0, 0, 0, 0)


def ends(first, count, family=4, machine=0):
    """Ends for send_frames: MAC 02:00:00:MACHINE:.., addresses counted up."""
    made = []
    for i in range(first, first + count):
        address = f"10.{machine}.{i >> 8}.{i & 255}" if family == 4 else f"2001:db8:{machine}::{i:x}"
        made.append(f"02:00:{family:02x}:{machine:02x}:{i >> 8:02x}:{i & 255:02x}/{address}")
    return made
