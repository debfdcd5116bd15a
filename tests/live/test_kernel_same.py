# SPDX-License-Identifier: GPL-2.0-or-later
"""`kernel`, `xdp`, `socket` and `nettally read` give the same books for the same frames: every Ethernet capture that a veth
takes, and TCP as iperf3 and offloads make it."""
import json
import os
import pathlib
import re
import shutil
import signal
import time

import pytest
from live_kernel import Kernel, check_equal, read_table, telling, total

LOCAL = ("10.0.0.0/8", "192.168.0.0/16", "fe80::/10")
OURS = "local = { " + ", ".join(f'"{prefix}"' for prefix in LOCAL) + " }\n"
MINE = [word for prefix in LOCAL for word in ("--local", prefix)]
# name -> (keys, further words of the account, options of `read`)
ACCOUNTS = {
    "hosts": ("host", "", []),
    "macs": ("mac", "", []),
    "both": ("mac,host,vlan", "", []),
    "flows": ("src_host,dst_host,proto,src_port,dst_port", "", []),
    "layers": ("vlan,ethertype,proto", "", []),
    "services": ("host,service", "of = remote", ["--of", "remote"]),
    "ours": ("host,ethertype", "of = local", ["--of", "local"]),
    "links": ("src_mac,dst_mac,vlan,ethertype", "", []),
    "ports": ("host,dst_port,proto", "", []),
}
# Each grain alone, and all at once.
GRAINS = [["hosts"], ["macs"], ["services"], ["flows"], ["layers"], ["links"], list(ACCOUNTS)]


def account(name):
    by, words, _ = ACCOUNTS[name]
    return f"account {name} {{ by = {{ direction, {by.replace(',', ', ')} }} {words} every = 1d limit = 1000000 }}\n"


def captures():
    """Captures in both directions of time, one file after the other."""
    folder = pathlib.Path(os.environ.get("NETTALLY_DATA") or "/nonexistent") / "pcap"
    found = sorted(p for p in folder.glob("*.pcap*") if p.is_file() and re.search(r"\.pcap(ng)?$", p.name))
    return [p for p in found if os.environ.get("NETTALLY_CAPTURE", "") in p.name]


@pytest.fixture
def bare_wire(wire):
    """Without addresses, so that nobody answers; frames as long as there are."""
    for namespace in (wire.left, wire.right):
        namespace.run(["ip", "address", "flush", "dev", "wire0"])
        namespace.run(["ip", "link", "set", "wire0", "mtu", "65535"])
    return wire


def replay(wire, end, wrote, files):
    done = wire.end(end).run([wire.tools / "replay", "wire0", wrote, *files], timeout=60)
    return json.loads(done.stdout)


def is_whole(tcpdump_said):
    return "0 packets dropped by kernel" in tcpdump_said


class Tcpdump:
    def __init__(self, namespace, path):
        self.namespace, self.path = namespace, path
        self.process = namespace.start(["tcpdump", "-i", "wire0", "-s", "0", "-B", "262144", "-U", "-w", path, "-Q", "in"],
                                       stderr=-1)
        while "listening on" not in self.process.stderr.readline():
            assert self.process.poll() is None

    def stop(self, size):
        """Once its file has as many bytes (it ends without what is still in its ring), or 20 s are over."""
        end = time.monotonic() + 20
        while self.path.stat().st_size < size and time.monotonic() < end:
            time.sleep(0.05)
        self.process.send_signal(signal.SIGINT)
        return self.process.communicate(timeout=10)[1]


def compare(daemon, name, wrote):
    """`wrote`: direction -> the capture of what was sent."""
    by, _, options = ACCOUNTS[name]
    for basis in ("l2", "l3"):
        table = daemon.table(name, basis)
        for direction, path in wrote.items():
            want = read_table([path], by, basis, [*options, *MINE])
            got = {key[1:] if len(key) > 2 else key[1]: value for key, value in table.items() if key[0] == direction}
            check_equal(got, want, f"account {name}, {direction}, {basis}: ")


@pytest.mark.parametrize("grain", GRAINS, ids=lambda names: names[0] if len(names) == 1 else "all")
@pytest.mark.parametrize("capture", ["kernel", "xdp", "socket"])
def test_captures_replayed(bare_wire, tmp_path, pins, capture, grain):
    files = captures()
    if not files:
        pytest.skip("no captures: set NETTALLY_DATA")
    more = "snap_len = 65535 ring_size = 128MiB promiscuous = yes" if capture == "socket" else "promiscuous = yes"
    everything = len(grain) > 1
    with Kernel(bare_wire.right, tmp_path / "d", pins, OURS + "".join(map(account, grain)), capture=capture, more=more) as daemon:
        tcpdump = Tcpdump(bare_wire.right, tmp_path / "seen.pcap") if everything and shutil.which("tcpdump") else None
        there = replay(bare_wire, "left", tmp_path / "there.pcap", files)
        seen = tcpdump.stop((tmp_path / "there.pcap").stat().st_size) if tcpdump else ""
        back = replay(bare_wire, "right", tmp_path / "back.pcap", files)
        assert there["sent"] == back["sent"] > 0
        print(there)
        daemon.stop(signal.SIGINT)
        with telling(daemon, bare_wire):
            books = daemon.check_audit()
            assert books["capture"] == capture
            assert (books["ingress_packets"], books["egress_packets"]) == (there["sent"], back["sent"])
            assert books["booked_l2_bytes"] == there["bytes"] + back["bytes"]
            assert (books["lost_packets"], books["filtered_packets"]) == (0, 0)
            for name in grain:
                compare(daemon, name, {"ingress": tmp_path / "there.pcap", "egress": tmp_path / "back.pcap"})
    if tcpdump:
        assert is_whole(seen), seen
        for name in grain:
            by, _, options = ACCOUNTS[name]
            check_equal(read_table([tmp_path / "seen.pcap"], by, "l2", [*options, *MINE]),
                        read_table([tmp_path / "there.pcap"], by, "l2", [*options, *MINE]))


# -- offloads

STREAMS = ("account streams { by = { direction, src_host, dst_host, proto, src_port, dst_port } every = 1d }\n"
           "account hosts { by = { host } every = 1d }\n")


def side(daemon, direction, basis):
    """TCP of iperf3 alone: not the ARP that was before one of the daemons."""
    return {key[1:]: value for key, value in daemon.table("streams", basis).items()
            if key[0] == direction and "5201" in key[4:]}


def run_iperf(wire, megabytes, *words, address="192.0.2.102"):
    server = wire.right.start(["iperf3", "-s", "-1", "-B", address])
    for _ in range(100):
        if "5201" in wire.right.run(["ss", "-Hlnt"]).stdout:
            break
        time.sleep(0.05)
    done = wire.left.run(["iperf3", "-c", address, "-n", f"{megabytes}M", "-J", *words], timeout=60)
    server.wait(20)
    return json.loads(done.stdout)["end"]["sum_received"]["bytes"]


def use_ip6(wire):
    for number, namespace in enumerate((wire.left, wire.right), 1):
        namespace.run(["sysctl", "-qw", "net.ipv6.conf.wire0.accept_dad=0", "net.ipv6.conf.wire0.disable_ipv6=0"])
        namespace.run(["ip", "address", "add", f"fd00::{number}/64", "dev", "wire0", "nodad"])
    return "fd00::2"


CASES = {
    "tcx": ("kernel", [], 4),
    "tcx, IPv6": ("kernel", [], 6),
    "tcx, back": ("kernel", ["-R"], 4),
    # A small window: no more on its way than the queue of a veth that polls holds, 256 frames.
    "xdp": ("xdp", ["-w", "64K"], 4),
    "xdp, IPv6": ("xdp", ["-w", "64K"], 6),
    "xdp, back, four streams": ("xdp", ["-R", "-P", "4"], 4),
    "socket": ("socket", [], 4),
}


@pytest.mark.parametrize("case", CASES)
def test_both_ends_of_iperf3_agree(wire, tmp_path, pins, case):
    """tcx at the left, the capture of the case at the right; super-packets as the segments they stand for."""
    if not shutil.which("iperf3"):
        pytest.skip("no iperf3")
    capture, words, family = CASES[case]
    address = use_ip6(wire) if family == 6 else "192.0.2.102"
    with (Kernel(wire.left, tmp_path / "left", pins / "l", STREAMS) as left,
          Kernel(wire.right, tmp_path / "right", pins / "r", STREAMS, capture=capture) as right):
        received = run_iperf(wire, 200, *words, address=address)
        time.sleep(0.3)
        left.stop(signal.SIGINT)
        right.stop(signal.SIGINT)
        for basis in ("l2", "l3"):
            for sender, receiver in ((left, right), (right, left)):
                check_equal(side(receiver, "ingress", basis), side(sender, "egress", basis))
        packets, l2_bytes = total(side(left if "-R" not in words else right, "egress", "l2"))
        assert l2_bytes > received > 150 << 20
        assert l2_bytes / packets <= 1514, "as on the wire, not as super-packets"
        books = left.check_audit()
        if capture != "xdp":  # with XDP at the other end, a veth makes no super-packets
            assert books["booked_frames"] < books["booked_packets"]
        right.check_audit()
