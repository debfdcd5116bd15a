# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules where the kernel counts: the same as `nettally read` and a packet socket say of the same frames, whatever they read of
a frame; by the thousand; across reload, restart and a crash; and what the kernel cannot do is left to a packet socket."""
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest
from live_daemon import Sent, ends
from live_kernel import Kernel, check_equal, pinned
from test_kernel_same import captures, replay, run_iperf, use_ip6

CAPTURES = ["kernel", "xdp", "socket"]


@pytest.fixture
def bare_wire(wire):
    """Without addresses, so that nobody answers; frames as long as there are."""
    for namespace in (wire.left, wire.right):
        namespace.run(["ip", "address", "flush", "dev", "wire0"])
        namespace.run(["ip", "link", "set", "wire0", "mtu", "65535"])
    return wire


def account(folder, rules, by="rule", name="f", file="wire.filters"):
    """By direction where `by` says so; its file is `rules`, lines or (identifier, expression)."""
    text = rules if isinstance(rules, str) else "".join(f"{name};{text}\n" for name, text in rules)
    (folder / file).write_text(text)
    return f'account {name} {{ by = {{ {by} }} rules = "{folder / file}" every = 1d }}\n'


def valid_rules(folder):
    """Those of the file of rules that libpcap takes; some there are wrong on purpose."""
    path = pathlib.Path(os.environ.get("NETTALLY_DATA") or "/nonexistent") / "pcap" / "rules.txt"
    if not path.exists():
        pytest.skip("no rules: set NETTALLY_DATA")
    wrong = folder / "wrong.filters"
    lines = [line for line in path.read_text().splitlines() if line and line[0] != "#" and ";" in line]
    wrong.write_text("\n".join(lines) + "\n")
    said = subprocess.run([os.environ["NETTALLY"], "rules", "check", wrong], capture_output=True, text=True, timeout=60,
                          check=False)
    bad = {int(line.split(":")[1]) for line in (said.stderr + said.stdout).splitlines()
           if line.startswith(f"{wrong}:") and line.split(":")[1].isdigit()}
    good = [line for number, line in enumerate(lines, 1) if number not in bad]
    assert len(good) > 50
    return "\n".join(good) + "\n"


def read(folder, path, basis="l2", file="wire.filters", more=()):
    """rule -> (packets, bytes) by `nettally read`, those that matched."""
    done = subprocess.run([os.environ["NETTALLY"], "read", "--rules", folder / file, "--bytes", basis, "--format", "tsv", *more,
                           path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()[1:]]
    return {rule: (int(packets), int(size)) for rule, packets, size in rows if int(packets)}


def table(daemon, basis="l2", name="f"):
    """rule -> (packets, bytes), with direction: (rule, direction) -> ..."""
    made = {}
    for row in daemon.query(name, "--bytes", basis):
        *key, packets, size = row.values()
        made[key[0] if len(key) == 1 else tuple(key)] = (int(packets), int(size))
    return made


def of_direction(got, direction):
    return {key[0]: value for key, value in got.items() if key[1] == direction}


def counted(*results):
    sent = [Sent(r) for r in results]
    return sum(s.packets for s in sent), sum(s.wire_bytes for s in sent)


@pytest.mark.parametrize("capture", CAPTURES)
def test_captures_replayed(bare_wire, tmp_path, pins, capture):
    """Frames as long as 64 KiB, with and without tags, damaged ones too: what rules read may lie beyond the linear part."""
    files = captures()
    if not files:
        pytest.skip("no captures: set NETTALLY_DATA")
    rules = account(tmp_path, valid_rules(tmp_path), by="rule, direction")
    more = "snap_len = 65535 ring_size = 128MiB promiscuous = yes" if capture == "socket" else "promiscuous = yes"
    with Kernel(bare_wire.right, tmp_path / "d", pins, rules, capture=capture, more=more) as daemon:
        there = replay(bare_wire, "left", tmp_path / "there.pcap", files)
        back = replay(bare_wire, "right", tmp_path / "back.pcap", files)
        daemon.stop(signal.SIGINT)
        books = daemon.check_audit()
        assert (books["ingress_packets"], books["egress_packets"]) == (there["sent"], back["sent"])
        assert books["capture"] == capture
        for basis in ("l2", "l3"):
            got = table(daemon, basis)
            for direction, path in (("ingress", "there.pcap"), ("egress", "back.pcap")):
                check_equal(of_direction(got, direction), read(tmp_path, tmp_path / path, basis), f"{direction}, {basis}: ")


DEEP = [("all", ""), ("tcp", "tcp"), ("far", "tcp[1000] >= 0 and greater 2000"),
        ("far byte", "ether[1200] & 1 = 1 or ether[1200] & 1 = 0"),
        ("long", "greater 1600"), ("by length", "ip[2:2] > 1000"), ("syn", "tcp[tcpflags] & tcp-syn != 0"),
        ("port", "port 5201"), ("six", "ip6 and tcp")]


@pytest.mark.parametrize("family", [4, 6])
def test_super_packets_beyond_the_linear_part(wire, tmp_path, pins, family):
    """iperf3: what leaves is TSO, of which 66 bytes lie in the linear part. The kernel and a packet socket at the same
    interface are asked the same."""
    if not shutil.which("iperf3"):
        pytest.skip("no iperf3")
    address = use_ip6(wire) if family == 6 else "192.0.2.102"
    rules = account(tmp_path, DEEP, by="rule, direction")
    more = "snap_len = 65535 ring_size = 512MiB"
    with (Kernel(wire.left, tmp_path / "k", pins, rules) as kernel,
          Kernel(wire.left, tmp_path / "s", pins / "s", rules, capture="socket", more=more) as ring):
        run_iperf(wire, 50, address=address)
        time.sleep(0.3)
        kernel.stop(signal.SIGINT)
        ring.stop(signal.SIGINT)
        assert ring.interface()["lost_packets"] == 0
        got = table(kernel)
        # Who started later has not seen what was sent between.
        names = {"tcp", "far", "far byte", "long", "syn", "port", "six", "by length"}
        check_equal({k: v for k, v in got.items() if k[0] in names}, {k: v for k, v in table(ring).items() if k[0] in names})
        packets, size = got["far byte", "egress"]
        assert size > 40 << 20 and size / packets <= 1514, "segments, not super-packets"
        assert kernel.check_audit()["booked_frames"] < kernel.check_audit()["booked_packets"]


def test_another_filter_under_load(wire, tmp_path, pins):
    """Every frame is either booked or filtered, all through reloads."""
    text = "account hosts { by = { host } every = 1d }\n"
    with Kernel(wire.right, tmp_path / "d", pins, text, more='filter = "udp"') as daemon:
        load = wire.left.start([wire.tools / "send_frames", "--interface", "wire0", "--count", 200000, "--rate", 40000,
                                "--size", 200, "--src", ends(1, 1)[0], "--dst", ends(1, 1, machine=1)[0]])
        for expression in ("greater 300", "udp", "", "not ip"):
            daemon.reload_accounts(text, more=f'filter = "{expression}"' if expression else "")
            time.sleep(0.5)
        load.wait(30)
        daemon.stop(signal.SIGINT)
        books = daemon.check_audit()
        assert books["lost_packets"] == 0 and books["booked_packets"] + books["filtered_packets"] == 200000
        assert books["booked_packets"] > 20000 and books["filtered_packets"] > 20000


FILTERS = ["tcp", "not port 5201", "vlan 42", "greater 300", "arp or ip6"]


@pytest.mark.parametrize("capture", CAPTURES)
@pytest.mark.parametrize("rules", [False, True])
def test_filter(wire, tmp_path, pins, capture, rules):
    """What a filter leaves out is in no account, is counted as filtered, and the books close."""
    text = "account hosts { by = { host } every = 1d }\n"
    if rules:
        text += account(tmp_path, [("all", ""), ("tagged", "vlan"), ("big", "greater 500")])
    with Kernel(wire.right, tmp_path / "d", pins, text, capture=capture, more='filter = "vlan 42 or greater 800"') as daemon:
        plain = wire.send("left", 300)
        tagged = wire.send("left", 200, vlan="8100:42")
        other = wire.send("left", 50, vlan="8100:43")
        big = wire.send("right", 100, size=900)
        big_tagged = wire.send("right", 10, size=900, vlan="8100:42")
        daemon.until("all is told", lambda: daemon.interface()["booked_packets"] >= 310)
        daemon.stop(signal.SIGINT)
        books = daemon.check_audit()
        assert books["capture"] == capture
        seen = counted(tagged, big, big_tagged)
        assert (books["booked_packets"], books["booked_l2_bytes"]) == seen
        assert books["filtered_packets"] >= counted(plain, other)[0]
        if rules:
            got = table(daemon)
            assert got["all"] == seen
            assert got["tagged"] == counted(tagged, big_tagged) and got["big"] == counted(big, big_tagged)


@pytest.mark.parametrize("expression", FILTERS)
def test_filter_of_super_packets(wire, tmp_path, pins, expression):
    if not shutil.which("iperf3"):
        pytest.skip("no iperf3")
    with Kernel(wire.left, tmp_path / "d", pins, more=f'filter = "{expression}"') as daemon:
        run_iperf(wire, 50)
        time.sleep(0.3)
        daemon.stop(signal.SIGINT)
        books = daemon.check_audit()
        assert books["capture"] == "kernel"
        if expression in ("tcp", "greater 300"):
            assert books["booked_l2_bytes"] > 45 << 20
        else:
            assert books["filtered_packets"] > 50


@pytest.mark.parametrize("capture", ["kernel", "xdp"])
def test_a_thousand_rules(wire, tmp_path, pins, capture):
    rules = [(f"r{i}", f"udp dst port {1024 + i} or ether src 02:00:04:01:{i >> 8:02x}:{i & 255:02x}") for i in range(999)]
    with Kernel(wire.right, tmp_path / "d", pins, account(tmp_path, [*rules, ("all", "")]), capture=capture) as daemon:
        assert daemon.status()["rules_not_in_kernel"] == []
        sent = [wire.send("left", 10 * i, src=[ends(i, 1, machine=1)[0]]) for i in (1, 500, 998)]
        for i, one in zip((1, 500, 998), sent):
            daemon.until("it is told", lambda i=i, one=one: table(daemon).get(f"r{i}") == counted(one))
        assert table(daemon)["all"] == counted(*sent)
        daemon.stop(signal.SIGINT)
        assert daemon.interface()["capture"] == capture
        daemon.check_audit()


LOOPS = [("all", ""), ("udp", "udp"), ("walks", "ip6 protochain 17"), ("walks four", "ip protochain 17"), ("last", "greater 200")]


@pytest.mark.parametrize("capture", ["kernel", "xdp"])
def test_loops_are_left_to_a_socket(wire, tmp_path, pins, capture):
    with Kernel(wire.right, tmp_path / "d", pins, account(tmp_path, LOOPS), capture=capture) as daemon:
        left = daemon.status()["rules_not_in_kernel"]
        assert [(r["rule"], r["account"], r["interface"], r["counted_by"]) for r in left] == [
            ("walks", "f", "wire0", "socket"), ("walks four", "f", "wire0", "socket")]
        assert all("loop" in r["why"] for r in left)
        text = daemon.ask("status").stdout
        assert "RULES that are not counted in the kernel" in text and "walks four" in text
        four = wire.send("left", 100)
        six = wire.send("left", 50, size=300, src=ends(1, 1, 6), dst=ends(1, 1, 6, machine=1))
        back = wire.send("right", 30)
        want = {"all": counted(four, six, back), "udp": counted(four, six, back), "walks": counted(six),
                "walks four": counted(four, back), "last": counted(six)}
        daemon.until("all are told", lambda: table(daemon) == want)
        assert daemon.status()["counters"]["rules_missed"] == 0
        # Without them the socket goes, with one it is back; nobody loses a count.
        without = [r for r in LOOPS if not r[0].startswith("walks")]
        daemon.reload_accounts(account(tmp_path, without))
        daemon.until("no rule is left", lambda: daemon.status()["rules_not_in_kernel"] == [])
        again = wire.send("left", 100)
        daemon.until("they go on", lambda: table(daemon)["udp"] == counted(four, six, back, again))
        daemon.until("the socket is closed", lambda: not packet_sockets(wire.right))
        daemon.reload_accounts(account(tmp_path, [*without, LOOPS[3]]))
        daemon.until("it is back", lambda: [r["counted_by"] for r in daemon.status()["rules_not_in_kernel"]] == ["socket"])
        last = wire.send("left", 70)
        daemon.until("it counts", lambda: table(daemon)["walks four"] == counted(four, back, last))
        daemon.until("all go on", lambda: table(daemon)["all"] == counted(four, six, back, again, last))
        daemon.stop(signal.SIGINT)
        daemon.check_audit()


def packet_sockets(namespace):
    return namespace.run(["cat", "/proc/net/packet"]).stdout.splitlines()[1:]


def test_a_filter_with_a_loop(wire, tmp_path, pins):
    """`auto` takes the packet socket, and says why; `kernel` says why not."""
    more = 'filter = "ip protochain 17"'
    with Kernel(wire.right, tmp_path / "d", pins, capture="auto", more=more) as daemon:
        point = daemon.interface()
        assert point["capture"] == "socket" and "loop" in point["capture_why"]
        daemon.stop(signal.SIGINT)
    with Kernel(wire.right, tmp_path / "k", pins, more=more, wait=False) as daemon:
        status, said = daemon.refused()
        assert status == 1 and "loop" in said


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_counters_go_on_in_the_kernel(wire, tmp_path, pins, how):
    """While the daemon is away; what it finds is booked by the rules of then."""
    rules = [("all", ""), ("udp", "udp"), ("tagged", "vlan 42"), ("big", "greater 500")]
    with Kernel(wire.right, tmp_path / "d", pins, account(tmp_path, rules)) as daemon:
        first = wire.send("left", 100)
        daemon.until("it counts", lambda: table(daemon).get("udp") == counted(first))
        assert any(name.endswith("/rules") for name in pinned(pins))
        if how == "kill":
            daemon.kill()
        else:
            daemon.stop()
        away = wire.send("left", 200, vlan="8100:42")
        big = wire.send("right", 50, size=900)
        # Another order, one less, one new: they are known by name.
        daemon.set_accounts(account(tmp_path, [("new", "udp"), *reversed(rules[1:])]))
        daemon.again()
        want = {"all": counted(first, away, big), "udp": counted(first, big), "tagged": counted(away), "big": counted(big)}
        daemon.until("it is booked", lambda: table(daemon) == want)
        more = wire.send("left", 10)
        daemon.until("they go on", lambda: table(daemon)["udp"] == counted(first, big, more))
        assert table(daemon)["new"] == counted(more)
        daemon.stop(signal.SIGINT)
        daemon.check_audit()
    assert pinned(pins) == []


def test_reload_under_load(wire, tmp_path, pins):
    """Rules come and go while frames come: what stays counts every frame once, all through."""
    stays = [("all", ""), ("udp", "udp"), ("big", "greater 150")]
    with Kernel(wire.right, tmp_path / "d", pins, account(tmp_path, stays, by="rule, direction")) as daemon:
        load = wire.left.start([wire.tools / "send_frames", "--interface", "wire0", "--count", 400000, "--rate", 40000,
                                "--size", 200, "--src", ends(1, 1)[0], "--dst", ends(1, 1, machine=1)[0]])
        for turn in range(4):
            more = [(f"turn {turn}", f"udp port {turn}"), ("walks", "ip protochain 6")] if turn % 2 == 0 else []
            daemon.reload_accounts(account(tmp_path, [*more, *stays], by="rule, direction"))
            time.sleep(0.5)
        load.wait(30)
        daemon.until("all is told", lambda: table(daemon).get(("all", "ingress"), (0, 0))[0] == 400000)
        got = table(daemon)
        assert got["all", "ingress"] == got["udp", "ingress"] == got["big", "ingress"] == (400000, 400000 * 200)
        daemon.stop(signal.SIGINT)
        books = daemon.check_audit()
        assert (books["booked_packets"], books["lost_packets"]) == (400000, 0)
