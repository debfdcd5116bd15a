# SPDX-License-Identifier: GPL-2.0-or-later
"""A ledger that is filled by a tool, a daemon without an interface that copies it out, and what both say."""
import collections
import json
import os
import pathlib
import random
import signal
import sqlite3
import subprocess
import time

import pytest

WAIT_S = 40


def tool(name):
    nettally = os.environ.get("NETTALLY")
    if not nettally:
        pytest.skip("NETTALLY does not name the binary")
    path = pathlib.Path(nettally).resolve().parents[2] / "tests" / "sinks" / name
    if not path.exists():
        pytest.skip(f"no {path}: build all targets")
    return str(path)


def wait_until(true, seconds=WAIT_S, log=lambda: ""):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.1)
    pytest.fail(f"not within {seconds} s\n{log()}")


class World:
    """`fill`, `start`, `wait`, `kill`; the config's sinks are the test's."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ledger = self.folder / "ledger.db"
        self.config = self.folder / "nettally.conf"
        self.log_path = self.folder / "log"
        self.process = None
        self.accounts = {}
        self.begin = int(time.time()) - 7200

    def fill(self, name, by, every=60, windows=10, keys=20, seed=1, start=None):
        """Books made-up windows while no daemon runs."""
        self.accounts[name] = (by, every)
        subprocess.run([tool("fill_ledger"), self.ledger, name, by, str(every), str(start or self.begin), str(windows), str(keys),
                        str(seed)], check=True, timeout=120)

    def configure(self, sinks, more=""):
        accounts = "".join(f"account {name} {{ by = {{ {by} }} every = {every}s keep = {{ \"{every}s:7d\", \"1d:forever\" }} }}\n"
                           for name, (by, every) in self.accounts.items())
        # an interface, but nothing is counted on it
        self.config.write_text('interface lo { capture = socket filter = "port 1 and port 2" }\n'
                               f'ledger {{ path = "{self.ledger}" }}\nweb {{ listen = off }}\n'
                               f'control {{ socket = "{self.folder}/control" }}\n{accounts}{more}\n{sinks}\n')

    def nettally(self, *words, check=True, **more):
        return subprocess.run([os.environ["NETTALLY"], *words], check=check, capture_output=True, text=True, timeout=30, **more)

    def start(self, **env):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([os.environ["NETTALLY"], "run", "-c", str(self.config)], stdout=log, stderr=log,
                                            env={**os.environ, **env})
        wait_until(lambda: self.process.poll() is not None or self.answers(), log=self.log)
        assert self.process.poll() is None, self.log()

    def answers(self):
        return self.nettally("status", "--control", f"{self.folder}/control", check=False).returncode == 0

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            assert self.process.wait(30) == 0, self.log()

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def status(self):
        out = self.nettally("status", "--json", "--control", f"{self.folder}/control").stdout
        return {row["sink"]: row for row in json.loads(out).get("sinks", [])}

    def sinks(self):
        out = self.nettally("sinks", "--format", "ndjson", "--control", f"{self.folder}/control").stdout
        return {row["sink"]: row for row in map(json.loads, out.splitlines())}

    def retry(self, name, *more):
        return self.nettally("sinks", "retry", name, *more, "--control", f"{self.folder}/control")

    def rows(self, sql):
        with sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True) as db:
            db.text_factory = lambda b: b.decode(errors="surrogateescape")
            return db.execute(sql).fetchall()

    def wait_sent(self, name, seconds=WAIT_S):
        """The sink has all there is."""
        def has_all():
            seq, = self.rows("SELECT value FROM meta WHERE key = 'seq'")[0]
            rows = self.rows(f"SELECT seq FROM sink WHERE name = '{name}'")
            open_windows, = self.rows(f"SELECT count(*) FROM changed WHERE seq > {rows[0][0] if rows else 0}")[0]
            return rows and (rows[0][0] >= seq or open_windows == 0) and self.status()[name]["state"] == "ok"
        wait_until(has_all, seconds, self.log)

    def truth(self, account, keys, counters):
        """{key values: sums} of the ledger."""
        names = ", ".join(keys)
        sums = ", ".join(f"sum({c})" for c in counters)
        return {tuple(str(v) for v in row[:len(keys)]): list(row[len(keys):])
                for row in self.rows(f"SELECT {names}, {sums} FROM record_{account} GROUP BY {names}")}

    def cursor(self):
        return self.rows("SELECT ifnull(max(seq), 0) FROM sink")[0][0] if self.ledger.exists() else 0

    def kill_often(self, times=20, longest=0.1):
        """SIGKILL while it writes: shortly after the cursor has moved. Returns where it was each time."""
        cursors = []
        for _ in range(times):
            before = self.cursor()
            with open(self.log_path, "ab") as log:
                self.process = subprocess.Popen([os.environ["NETTALLY"], "run", "-c", str(self.config)], stdout=log, stderr=log)
            end = time.monotonic() + 4
            while self.cursor() == before and time.monotonic() < end:
                time.sleep(0.01)
            time.sleep(random.uniform(0, longest))
            self.kill()
            cursors.append(self.cursor())
        assert len(set(cursors)) > 1, cursors  # it was on its way at least once
        return cursors


def sums_of(rows, keys, counters):
    """The same of rows as dicts."""
    found = collections.defaultdict(lambda: [0] * len(counters))
    for row in rows:
        for i, c in enumerate(counters):
            found[tuple(str(row[k]) for k in keys)][i] += int(row[c])
    return dict(found)
