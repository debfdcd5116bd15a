# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally top` on a terminal of tmux: every key, other sizes, many hosts, and the terminal afterwards."""
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import time

import pytest

NETTALLY = os.environ.get("NETTALLY", "")


class Screen:
    """A terminal of its own, in which a shell runs: what the program leaves behind can be seen."""

    def __init__(self, folder, command, width=100, height=30):
        self.socket = str(folder / "tmux")
        self.run("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", width, "-y", height,
                 "env", "LC_ALL=C.UTF-8", "PS1=end> ", "TERM=screen", "bash", "--norc", "--noprofile")
        self.wait(r"end>")
        self.before = self.modes()
        self.send(" ".join(map(str, command)), "Enter")

    def run(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *map(str, words)], capture_output=True, text=True, timeout=20,
                              check=False).stdout

    def send(self, *keys):
        self.run("send-keys", "-t", "t", *keys)

    def text(self):
        return self.run("capture-pane", "-p", "-t", "t")

    def modes(self):
        flags = "#{alternate_on} #{cursor_flag} #{keypad_flag} #{mouse_any_flag}"
        return self.run("display-message", "-p", "-t", "t", flags).strip()

    def wait(self, pattern, seconds=15):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            text = self.text()
            if re.search(pattern, text):
                return text
            time.sleep(0.1)
        pytest.fail(f"no {pattern!r} within {seconds} s on:\n{self.text()}")

    def close(self):
        self.run("kill-server")


def make_capture(path, hosts, seconds=3, each=1):
    """An UDP packet of each host a second."""
    with open(path, "wb") as to:
        to.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for second in range(seconds):
            for host in range(hosts):
                for _ in range(each):
                    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 60, 0, 0, 64, 17, 0, (10 << 24) + host, 0xc0000201)
                    frame = bytes.fromhex("020000000002020000000001") + b"\x08\x00" + ip + struct.pack("!HHHH", 1000, 53, 40, 0)
                    frame += bytes(74 - len(frame))
                    to.write(struct.pack("<IIII", 1700000000 + second, host % 1000000, len(frame), len(frame)) + frame)


@pytest.fixture
def screen(tmp_path):
    if not NETTALLY:
        pytest.skip("NETTALLY does not name the program")
    if not shutil.which("tmux"):
        pytest.skip("no tmux")
    opened = []

    def make(*command, **size):
        opened.append(Screen(tmp_path, [NETTALLY, *command], **size))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_every_key(screen, tmp_path):
    make_capture(tmp_path / "a.pcap", 40, seconds=120)
    s = screen("read", "--top", tmp_path / "a.pcap")
    s.wait(r"nettally \[hosts\]")
    s.wait(r"192\.0\.2\.1 +\S+ ")
    s.send("Tab")
    s.wait(r"\[devices\][^\n]*\n[^\n]*\nmac")
    s.send("3")
    s.wait(r"\[services\][^\n]*\n[^\n]*\nservice")
    s.wait(r"domain|dns")
    s.send("Left")
    s.wait(r"\[devices\]")
    s.send("Right", "Right")
    s.wait(r"\[pairs\]")
    s.send("1")
    s.wait(r"\[hosts\]")
    # sort by each column, and back
    for name in ("60 s", "RECEIVED", "SENT", "host v", "1 s", "10 s"):
        s.send("s")
        s.wait("v" + name if name != "host v" else name)
    s.send("S")
    s.wait("v1 s")
    s.send("r")
    s.wait(r"\^1 s")
    s.send("r", "<", ">")
    # by name: the first rows are the smallest
    s.send("<")
    text = s.wait(r"host v")
    assert re.search(r"\n10\.0\.0\.0 .*\n10\.0\.0\.1 ", text), text
    s.send("Down", "Down", "Up", "NPage", "PPage", "End")
    s.wait(r"192\.0\.2\.1 ")
    s.send("Home")
    s.wait(r"\n10\.0\.0\.0 ")
    # filter as one types
    s.send("/", "0", ".", "0", ".", "1", "7")
    text = s.wait(r"filter: 0\.0\.17_")
    s.wait(r"1 rows")
    s.send("BSpace")
    s.wait(r"filter: 0\.0\.1_")
    s.send("Enter")
    s.wait(r"filter: 0\.0\.1(;|\s)")
    s.send("Enter")  # who talks to whom
    s.wait(r"10\.0\.0\.1 talks to 1\b[\s\S]*to +192\.0\.2\.1 ")
    s.send("p")
    s.send("Escape")
    s.wait(r"41 rows")
    s.send("b")
    s.wait(r"[kM]?B/s")
    s.send("b")
    s.wait(r"bit/s")
    s.send("Space")
    s.wait(r"paused")
    s.send("Space", "?")
    s.wait(r"another account")
    s.send("h")
    s.wait(r"\n10\.0\.0\.0 ")
    s.send("q")
    s.wait(r"end>\s*$")
    assert s.modes() == s.before


def test_other_sizes(screen, tmp_path):
    make_capture(tmp_path / "a.pcap", 40, seconds=60)
    s = screen("read", "--top", tmp_path / "a.pcap", width=80, height=24)
    s.wait(r"\[hosts\]")
    for width, height in ((60, 12), (200, 60), (20, 4), (80, 24)):
        s.run("resize-window", "-t", "t", "-x", width, "-y", height)
        time.sleep(0.5)
        lines = s.text().split("\n")
        assert len(lines) <= height + 1
        assert lines[0].startswith("nettally"), lines
    s.wait(r"\? help.*q quit")
    s.send("q")
    s.wait(r"end>\s*$")


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_terminal_is_as_it_was(screen, tmp_path, signo):
    make_capture(tmp_path / "a.pcap", 4, seconds=60)
    s = screen("read", "--top", tmp_path / "a.pcap")
    s.wait(r"\[hosts\]")
    pids = subprocess.run(["pgrep", "-f", f"read --top {tmp_path}/a.pcap"], capture_output=True, text=True, check=False).stdout
    for pid in pids.split():
        os.kill(int(pid), signo)
    s.wait(r"end>\s*$")
    assert s.modes() == s.before
    s.send("stty -a | tr ' ' '\\n' | grep -cx -e echo -e icanon", "Enter")
    s.wait(r"\n2\n")


def test_fifty_thousand_hosts(screen, tmp_path):
    """Frames come once a second, and keys are answered between them."""
    make_capture(tmp_path / "a.pcap", 50_000, seconds=12)
    s = screen("read", "--top", tmp_path / "a.pcap")
    s.wait(r"50001 rows", seconds=30)
    clocks = set()
    began = time.monotonic()
    while time.monotonic() - began < 6:
        s.send("Down")
        clocks.add(re.search(r"\d\d:\d\d:\d\d", s.text())[0])
        time.sleep(0.2)
    assert len(clocks) >= 3, clocks  # 20 a minute is 2 in 6 s
    began = time.monotonic()
    s.send("b")
    s.wait(r"B/s", seconds=5)
    assert time.monotonic() - began < 2.5
    s.send("q")
    s.wait(r"end>\s*$")


def test_once_is_a_page_of_text(tmp_path):
    make_capture(tmp_path / "a.pcap", 3, seconds=10)
    done = subprocess.run([NETTALLY, "read", "--once", tmp_path / "a.pcap"], capture_output=True, text=True, timeout=30,
                          check=False, env={**os.environ, "LC_ALL": "C.UTF-8"})
    lines = done.stdout.split("\n")
    assert done.returncode == 0 and len(lines) == 25 and lines[24] == ""
    assert all(len(line) <= 80 for line in lines)
    assert "\x1b" not in done.stdout
    # 10 s of 74 bytes: 592 bit/s
    assert re.search(r"^10\.0\.0\.0 +592 +592 +99 +- +740 ", done.stdout, re.M), done.stdout
    assert re.search(r"^192\.0\.2\.1 +1\.8k +1\.8k +296 +2\.2k +- ", done.stdout, re.M), done.stdout


def test_without_a_daemon(tmp_path):
    done = subprocess.run([NETTALLY, "top", "--once", "--control", tmp_path / "none"], capture_output=True, text=True, timeout=30,
                          check=False)
    assert done.returncode == 1 and "no daemon answers at" in done.stderr
    done = subprocess.run([NETTALLY, "top", "--once", "-i", "none9"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and done.stderr.startswith("nettally: top: cannot count: ")
    assert not list(pathlib.Path("/tmp").glob("nettally-top-*"))
