# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that counts the loopback device, and what asks it."""
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

import pytest


class Daemon:
    def __init__(self, binary, folder):
        self.binary, self.ledger = binary, folder / "ledger.db"
        self.log = folder / "log"
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [binary, "run", "-i", "lo", "--ledger", self.ledger, "--listen", "127.0.0.1:0"],
                stdout=log, stderr=log)
        self.address = self._wait_for_address()

    def _wait_for_address(self):
        end = time.monotonic() + 15
        while time.monotonic() < end and self.process.poll() is None:
            found = re.search(r"http://(127\.0\.0\.1:\d+)", self.log.read_text())
            if found:
                return found[1]
            time.sleep(0.05)
        pytest.fail("the daemon did not start:\n" + self.log.read_text())

    def get(self, path, **headers):
        """(status, headers, body) of a GET"""
        request = urllib.request.Request(f"http://{self.address}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.headers, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def run(self, *args):
        """A subcommand about this daemon's ledger"""
        return subprocess.run([self.binary, *args, "--ledger", self.ledger], capture_output=True, text=True, timeout=30,
                              check=False)

    def wait_until(self, what, true, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if true():
                return
            time.sleep(0.2)
        pytest.fail(f"not within {seconds} s: {what}\n" + self.log.read_text())

    def stop(self):
        self.process.send_signal(signal.SIGINT)  # leaves nothing in the kernel
        return self.process.wait(30)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    binary = os.environ.get("NETTALLY")
    if not binary:
        pytest.skip("NETTALLY does not name the program")
    if os.geteuid() != 0:
        pytest.skip("counting an interface needs root")
    d = Daemon(os.path.abspath(binary), tmp_path_factory.mktemp("web"))
    try:
        d.wait_until("the first snapshot", lambda: d.get("/readyz")[0] == 200)
        yield d
    finally:
        if d.process.poll() is None:
            d.stop()
