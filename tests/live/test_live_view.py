# SPDX-License-Identifier: GPL-2.0-or-later
"""`nettally top` of a daemon and of an interface shows what was sent; the words that it asks with."""
import os
import pathlib
import re
import subprocess
import time

import pytest
from live_daemon import Daemon, ends

ACCOUNTS = ("account hosts { by = { host } every = 1h }\naccount pairs { by = { src_host, dst_host } every = 1h }\n"
            "account filters { by = { rule } rules = \"RULES\" every = 1h }\n")


def top(daemon, *words):
    """Looks for three seconds."""
    return subprocess.Popen([daemon.binary, "top", "--once", "--bytes", "--ledger", daemon.ledger, *words],
                            stdout=subprocess.PIPE, text=True, env={"LC_ALL": "C.UTF-8"})


@pytest.fixture
def daemon(wire, tmp_path):
    (tmp_path / "rules").write_text("udp;udp\na tab\\\there;ip\n")
    with Daemon(wire.right, tmp_path, ACCOUNTS.replace("RULES", str(tmp_path / "rules"))) as running:
        yield running


def test_a_daemon(wire, daemon):
    looking = top(daemon, "--peers")
    time.sleep(0.7)
    sent = wire.send("left", 3000, size=1000, src=ends(1, 3), dst=ends(1, 1, machine=1), rate=3000)
    page = looking.communicate(timeout=20)[0]
    assert looking.returncode == 0
    for flow in sent["flows"]:
        line = re.search(rf"^{re.escape(flow['src'])} .*$", page, re.M)
        assert line and line[0].split()[5] == "1.0M", page  # SENT: 1,000 frames of 1,000 bytes
    assert re.search(r"^10\.1\.0\.1 +\S+ +\S+ +\S+ +3\.0M +-", page, re.M), page
    assert re.search(r"^10\.1\.0\.1 talks to 3\nfrom 10\.0\.0\.\d ", page, re.M), page
    assert "lost 0" in page


def test_rules_are_rows(wire, daemon):
    looking = top(daemon, "--account", "filters", "--sort", "key")
    time.sleep(0.7)
    wire.send("left", 100, size=100, src=ends(1, 1), dst=ends(1, 1, machine=1))
    page = looking.communicate(timeout=20)[0]
    assert re.search(r"^udp +\S+ +\S+ +\S+ +10\.0k", page, re.M), page


def test_what_is_asked(wire, daemon):
    def ask(line):
        return daemon.namespace.run(["/usr/bin/python3", "-c",
                                     "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
                                     "s.sendall(sys.argv[2].encode())\ns.shutdown(1)\n"
                                     "sys.stdout.write(b''.join(iter(lambda: s.recv(65536), b'')).decode())",
                                     f"{daemon.ledger}.sock", line + "\n"]).stdout

    assert ask("live accounts").splitlines()[0] == "account\thosts\thost\trx_packets,rx_bytes,tx_packets,tx_bytes"
    assert ask("live nothing 0").startswith("error: no account 'nothing'")
    assert ask("live").startswith("error: ")
    assert ask("live hosts").startswith("tick\t")
    before = int(ask("live hosts 0").split("\t")[1])
    wire.send("left", 10, size=100, src=ends(1, 2), dst=ends(1, 1, machine=1))
    daemon.until("a tick", lambda: int(ask("live hosts 0").split("\t")[1]) >= before + 2)
    rows = dict(line.split("\t", 1) for line in ask("live hosts 0").splitlines()[2:])
    assert rows == {"10.0.0.1": "0\t0\t5\t500", "10.0.0.2": "0\t0\t5\t500", "10.1.0.1": "10\t1000\t0\t0"}
    now = int(ask("live hosts 0").split("\t")[1])
    assert len(ask(f"live hosts {now}").splitlines()) == 2  # nothing moved behind it


def test_an_interface_without_a_daemon(wire):
    looking = wire.right.start([os.path.abspath(os.environ["NETTALLY"]), "top", "--once", "--bytes", "-i", "wire0"])
    time.sleep(2)
    wire.send("left", 1000, size=1000, src=ends(1, 1), dst=ends(1, 1, machine=1), rate=2000)
    page = looking.communicate(timeout=30)[0]
    assert looking.returncode == 0
    assert re.search(r"^10\.0\.0\.1 .* 1\.0M ", page, re.M), page
    assert not list(pathlib.Path("/tmp").glob("nettally-top-*"))
