# SPDX-License-Identifier: GPL-2.0-or-later
"""A target that only DNS knows: the resolver works behind the daemon's own system-call filter."""
import os
import subprocess
import sys

import pytest

from sink_world import World, wait_until

# Every name is 127.0.0.1 and has no IPv6 address. Ends with the shell that started it.
NAME_SERVER = r"""
import os, socket, struct
parent = os.getppid()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
server.settimeout(1)
while os.getppid() == parent:
    try:
        question, peer = server.recvfrom(512)
    except TimeoutError:
        continue
    end = question.index(b"\0", 12) + 5
    is_a = question[end - 4:end - 2] == b"\0\1"
    answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + b"\x7f\0\0\1" if is_a else b""
    server.sendto(question[:2] + b"\x81\x80" + struct.pack(">HHHH", 1, is_a, 0, 0) + question[12:end] + answer, peer)
"""
SINKS = """
webhook hook { url = "http://target.example:1/" }
postgresql base { url = "postgresql://a@target.example:1/db" }
kafka bus { brokers = "target.example:1" timeout = 5s }
"""


@pytest.fixture
def world(tmp_path):
    """A daemon in namespaces of its own, whose resolv.conf names our server."""
    if os.geteuid() != 0:
        pytest.skip("needs root, for namespaces")
    made = World(tmp_path)
    made.fill("hosts", "host", windows=2)
    made.configure(SINKS)
    (tmp_path / "server.py").write_text(NAME_SERVER)
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    (tmp_path / "go").write_text(
        f"ip link set lo up && mount --bind {tmp_path}/resolv.conf /etc/resolv.conf || exit 1\n"
        f"{sys.executable} {tmp_path}/server.py & name_server=$!\nsleep 0.5\n"
        f"{os.environ['NETTALLY']} run -c {made.config} & daemon=$!\n"
        "trap 'kill $daemon' TERM\nwait $daemon\nwait $daemon\nstatus=$?\nkill $name_server\nexit $status\n")
    with open(made.log_path, "ab") as log:
        made.process = subprocess.Popen(["unshare", "--net", "--mount", "sh", f"{tmp_path}/go"], stdout=log, stderr=log)
    wait_until(lambda: made.process.poll() is not None or made.answers(), log=made.log)
    assert made.process.poll() is None, made.log()
    yield made
    made.process.terminate()
    made.process.wait(20)


def test_names_are_found(world):
    """The names are found, so what fails is the connection: nobody listens there."""
    wait_until(lambda: all(row["problem"] not in ("", "-") for row in world.sinks().values()), log=world.log)
    problems = {name: row["problem"] for name, row in world.sinks().items()}
    assert len(problems) == 3
    for name, problem in problems.items():
        assert not any(word in problem for word in ("esolv", "translate", "resolution")), (name, problem)
        assert "onnect" in problem or "refused" in problem, (name, problem)
