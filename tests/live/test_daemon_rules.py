# SPDX-License-Identifier: GPL-2.0-or-later
"""Accounts by rule, counted in the kernel or at a packet socket: what is counted is what was sent, whoever asks, across
reload and restart."""
import contextlib
import os
import shutil
import socket
import stat
import subprocess
import time

import pytest
from live_daemon import Daemon, Sent, ends

RULES = """# a comment
all;

type="ip",tag="none";ip and not vlan
type="ip",tag="42";vlan 42 and ip
big;greater 500
from one;ether src 02:00:04:01:00:01
pair;${big} and ${from one}
here;ether src $MAC or ether dst $MAC
never;ip proto 99
"""
ONE, TWO = ends(1, 1, machine=1)[0], ends(2, 1, machine=1)[0]


@pytest.fixture(params=["socket", "kernel", "xdp"])
def capture(request, monkeypatch):
    monkeypatch.setenv("RULES_CAPTURE", request.param)
    return request.param


def config(folder, rules=RULES, more="", by="rule", name="f"):
    (folder / "wire.filters").write_text(rules)
    capture = os.environ.get("RULES_CAPTURE", "socket")
    return (f'interface wire0 {{ capture = {capture} }}\naccount {name} {{ by = {{ {by} }} rules = "wire.filters" every = 1h\n'
            f' socket = "{folder}/rules.sock" {more} }}\n')


def told(folder, path="rules.sock"):
    """identifier -> (packets, bytes), in the order of the lines"""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(str(folder / path))
        text = b""
        while part := client.recv(65536):
            text += part
    lines = [line.rsplit(":", 2) for line in text.decode().splitlines()]
    return {name: (int(packets), int(size)) for name, size, packets in lines}


def queried(daemon, account="f"):
    return {row["rule"]: (int(row["packets"]), int(row["bytes"])) for row in daemon.query(account)}


def counted(*results):
    sent = [Sent(r) for r in results]
    return sum(s.packets for s in sent), sum(s.wire_bytes for s in sent)


def traffic(wire):
    """Three kinds of frames, and what each rule has to say of them."""
    plain = wire.send("left", 300, size=100, src=[ONE, TWO])
    tagged = wire.send("left", 200, size=100, src=[TWO], vlan="8100:42")
    big = wire.send("left", 100, size=900, src=[ONE])
    of_one = [f for f in plain["flows"] if f["src_mac"] == "02:00:04:01:00:01"]
    one = (sum(f["packets"] for f in of_one), sum(f["wire_bytes"] for f in of_one))
    return {"all": counted(plain, tagged, big),
            'type="ip",tag="none"': counted(plain, big), 'type="ip",tag="42"': counted(tagged),
            "big": counted(big), "from one": tuple(map(sum, zip(one, counted(big)))), "pair": counted(big), "never": (0, 0)}


def without_here(table):
    return {name: value for name, value in table.items() if name != "here"}


def settled(daemon, folder, want):
    daemon.until("the socket tells what was sent", lambda: without_here(told(folder)) == want)
    daemon.until("the ledger has it", lambda: {n: v for n, v in without_here(queried(daemon)).items()}
                 == {n: v for n, v in want.items() if v[0]})


def twice(want):
    return {name: (2 * packets, 2 * size) for name, (packets, size) in want.items()}


@pytest.mark.usefixtures("capture")
def test_all_tell_what_was_sent(wire, tmp_path):
    with Daemon(wire.right, tmp_path, config(tmp_path), interfaces=()) as daemon:
        assert set(told(tmp_path).values()) == {(0, 0)}
        want = traffic(wire)
        settled(daemon, tmp_path, want)
        order = [line.split(";")[0] for line in RULES.splitlines() if line and line[0] != "#"]
        assert list(told(tmp_path)) == order
        status, body = daemon.get("/metrics")
        assert status == 200
        for name, (packets, size) in want.items():
            labels = name if name.startswith("type=") else f'rule="{name}"'
            assert f"nettally_f_packets_total{{{labels}}} {packets}\n" in body
            assert f"nettally_f_bytes_total{{{labels}}} {size}\n" in body
        assert 'rule="other"' not in body
        if shutil.which("promtool"):
            found = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, text=True, check=False)
            assert (found.returncode, found.stdout + found.stderr) == (0, "")
        assert daemon.audit()["closes"]
        daemon.stop()
    assert not (tmp_path / "rules.sock").exists()


@pytest.mark.usefixtures("capture")
def test_reload_keeps_counts(wire, tmp_path):
    with Daemon(wire.right, tmp_path, config(tmp_path), interfaces=()) as daemon:
        want = traffic(wire)
        settled(daemon, tmp_path, want)
        less = "\n".join(line for line in RULES.splitlines() if not line.startswith(("never", "pair")))
        daemon.reload(config(tmp_path, f"new;udp\n{less}\n"))
        daemon.until("the new rules are told", lambda: "new" in told(tmp_path))
        table = told(tmp_path)
        assert table.pop("new") == (0, 0) and "never" not in table and "pair" not in table
        assert without_here(table) == {n: v for n, v in want.items() if n not in ("never", "pair")}
        again = traffic(wire)
        assert again == want
        daemon.until("the new rule counts", lambda: told(tmp_path)["new"][0] == 400)  # a tag hides udp from it
        daemon.until("the old go on", lambda: told(tmp_path)["all"] == twice(want)["all"])
        daemon.stop()


@pytest.mark.usefixtures("capture")
def test_a_bad_file_changes_nothing(wire, tmp_path):
    with Daemon(wire.right, tmp_path, config(tmp_path), interfaces=()) as daemon:
        want = traffic(wire)
        settled(daemon, tmp_path, want)
        daemon.write_config(config(tmp_path, "ok;ip\nbad;this is none\nall;ip\nall;ip6\n"))
        daemon.process.send_signal(1)
        daemon.until("it is refused", lambda: daemon.status()["reload"]["refused"] == 1)
        assert "wire.filters:2: bad: " in daemon.said() and "wire.filters:4: all: " in daemon.said()
        assert without_here(told(tmp_path)) == want
        (tmp_path / "wire.filters").write_text(RULES)
        daemon.write_config(config(tmp_path, more='socket_group = "no-such-group"'))
        daemon.process.send_signal(1)
        daemon.until("it is refused", lambda: daemon.status()["reload"]["refused"] == 2)
        traffic(wire)
        settled(daemon, tmp_path, twice(want))
        daemon.stop()


@pytest.mark.usefixtures("capture")
def test_restart_keeps_counts(wire, tmp_path):
    with Daemon(wire.right, tmp_path, config(tmp_path), interfaces=()) as daemon:
        want = traffic(wire)
        settled(daemon, tmp_path, want)
        daemon.stop()
        daemon.again()
        assert without_here(told(tmp_path)) == want
        traffic(wire)
        settled(daemon, tmp_path, twice(want))
        daemon.stop()


@pytest.mark.usefixtures("capture")
@pytest.mark.parametrize("how", ["reload", "stop", "kill"])
def test_another_expression_begins_anew(wire, tmp_path, pins, how):
    """Under the same name: what the old one counted is not the new one's, also where the daemon was away in between."""
    rules = {"stays": "ip", "changes": "udp", "in another": "greater 10", "uses": "${in another} and ip"}

    def text():
        return config(tmp_path, "".join(f"{name};{expression}\n" for name, expression in rules.items()))

    with Daemon(wire.right, tmp_path, text(), interfaces=(), pins=pins) as daemon:
        first = wire.send("left", 100)
        daemon.until("all are told", lambda: set(told(tmp_path).values()) == {counted(first)})
        daemon.until("the ledger has it", lambda: queried(daemon).get("stays") == counted(first))
        rules.update({"changes": "udp or arp", "in another": "greater 20"})
        if how == "reload":
            daemon.reload(text())
        else:
            daemon.process.kill() if how == "kill" else daemon.process.terminate()
            daemon.process.wait(10)
            away = wire.send("left", 50)
            in_kernel = "socket" not in os.environ["RULES_CAPTURE"]
            daemon.write_config(text())
            daemon.again()
        old = [first, away] if how != "reload" and in_kernel else [first]
        nothing = (0, 0)
        want = {"stays": counted(*old), "changes": nothing, "in another": nothing, "uses": nothing}
        daemon.until("it began anew", lambda: told(tmp_path) == want)
        assert queried(daemon)["changes"] == counted(*old), "what was counted stays in the ledger"
        daemon.stop()
        daemon.again()  # and does not come back
        assert told(tmp_path) == want
        more = wire.send("left", 10)
        want = {name: counted(*old, more) if name == "stays" else counted(more) for name in rules}
        daemon.until("all count on", lambda: told(tmp_path) == want)
        daemon.stop()
        daemon.again()
        assert told(tmp_path) == want
        daemon.stop(2)


@pytest.mark.usefixtures("capture")
def test_by_interface_and_direction(wire, tmp_path):
    text = config(tmp_path, "all;\nudp;udp\n", by="rule, interface, direction").replace("socket = ", "socket = ")
    with Daemon(wire.right, tmp_path, text, interfaces=()) as daemon:
        came = wire.send("left", 100)
        went = wire.send("right", 50)
        daemon.until("both are told", lambda: told(tmp_path)["udp"] == counted(came, went))
        metrics = daemon.metrics()
        for way, result in ("ingress", came), ("egress", went):
            labels = f'rule="udp",interface="wire0",direction="{way}"'
            assert metrics[f"nettally_f_packets_total{{{labels}}}"] == counted(result)[0]
            assert metrics[f"nettally_f_bytes_total{{{labels}}}"] == counted(result)[1]
        daemon.stop()


def test_any_identifier(wire, tmp_path):
    names = ["x" * 3000, 'a="1",b="2"', 'b="2",a="1"', 'interface="x"', "other", "-", 'q"\\', "tab\there", 'a=""', "é:1:2"]
    with Daemon(wire.right, tmp_path, config(tmp_path, "".join(f"{n};udp\n" for n in names)), interfaces=()) as daemon:
        sent = wire.send("left", 100)
        daemon.until("all are told", lambda: list(told(tmp_path).values()) == [counted(sent)] * len(names))
        assert list(told(tmp_path)) == names
        body = daemon.get("/metrics")[1]
        assert 'nettally_f_packets_total{a="1",b="2"} 100\n' in body and 'rule="b=\\"2\\",a=\\"1\\""} 100\n' in body
        assert body.count("nettally_f_packets_total{") == len(names)
        if shutil.which("promtool"):
            found = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, text=True, check=False)
            assert (found.returncode, found.stdout + found.stderr) == (0, "")
        daemon.until("the ledger has them", lambda: len(queried(daemon)) == len(names))
        daemon.stop()
        daemon.again()
        assert list(told(tmp_path).values()) == [counted(sent)] * len(names)
        daemon.stop()


def test_many_rules(wire, tmp_path):
    """Their answer is larger than a socket's buffer."""
    rules = "".join(f"{i:04}{'x' * 300};udp dst port {1024 + i % 999} or ip\n" for i in range(1000))
    with Daemon(wire.right, tmp_path, config(tmp_path, rules), interfaces=()) as daemon:
        sent = wire.send("left", 100)
        daemon.until("all are told", lambda: set(told(tmp_path).values()) == {counted(sent)})
        daemon.stop()


def test_hostile_clients(wire, tmp_path):
    rules = "".join(f"{i:05}{'x' * 100};ip\n" for i in range(5000))
    with Daemon(wire.right, tmp_path, config(tmp_path, rules), interfaces=()) as daemon, contextlib.ExitStack() as open_ones:
        path = str(tmp_path / "rules.sock")
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o660
        for i in range(60):  # that never read: the answer fills their buffer
            client = open_ones.enter_context(socket.socket(socket.AF_UNIX))
            client.settimeout(5)
            client.connect(path)
            with contextlib.suppress(OSError):
                client.send(b"x" * i)
        for _ in range(3000):  # that close at once
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
        began = time.monotonic()
        sent = wire.send("left", 1000)
        assert len(told(tmp_path)) == 5000
        assert daemon.status()["state"] == "ok" and time.monotonic() - began < 20
        daemon.until("all is counted", lambda: told(tmp_path)["00000" + "x" * 100] == counted(sent))
        assert daemon.interface()["lost_packets"] == 0
        daemon.stop()


@pytest.mark.parametrize("rules, line", [("a;ip\nb;nonsense here\n", 2), ("a\n", 1), ("a;${b}\n", 1), (";ip\n", 1)])
def test_nothing_starts_with_a_bad_rule(wire, tmp_path, rules, line):
    with Daemon(wire.right, tmp_path, config(tmp_path, rules), interfaces=(), wait=False) as daemon:
        status, said = daemon.refused()
        assert status == 2 and f"wire.filters:{line}: " in said
        assert not daemon.ledger.exists()
