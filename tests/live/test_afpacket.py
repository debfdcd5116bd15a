# SPDX-License-Identifier: GPL-2.0-or-later
"""The packet-socket ring against frames of known number and size."""
import json
import time

import pytest

RATE = 300_000


def only(rings):
    assert len(rings) == 1
    return rings[0]


def sums(rings):
    return {name: sum(ring[name] for ring in rings) for name in ("frames", "bytes", "dropped", "ingress", "egress")}


def count_fast_frames(wire):
    """Sends as fast as it can, checks both ends' rings; frames a second."""
    with wire.counting("left") as left, wire.counting("right") as right:
        sent = wire.send("left", 600_000, size=74)
    assert sent["frames"] == 600_000
    per_second = sent["frames"] / sent["seconds"]
    for rings, direction in ((left, "egress"), (right, "ingress")):
        ring = only(rings)
        assert ring["frames"] == ring[direction] == 600_000
        assert ring["bytes"] == 600_000 * 74
        assert (ring["seen"], ring["dropped"]) == (600_000, 0)
        print(f"{direction}: {per_second / 1e6:.2f} M frames/s, {ring['cpu_ns'] / ring['frames']:.1f} ns of CPU per frame")
    return per_second


def test_fast_frames_are_all_seen_at_both_ends(wire):
    for _ in range(3):  # exact each time; fast enough on a machine that does other things too
        per_second = count_fast_frames(wire)
        if per_second >= RATE:
            return
    pytest.skip(f"this machine sends only {per_second:.0f} frames/s at the moment; they were all counted")


def test_both_directions_at_once(wire):
    with wire.counting("left") as left:
        there = wire.send("left", 100_000)
        back = wire.send("right", 70_000, size=200)
    ring = only(left)
    assert (ring["egress"], ring["ingress"]) == (there["frames"], back["frames"])
    assert ring["bytes"] == there["wire_bytes"] + back["wire_bytes"]


def test_slow_reader_knows_what_it_lost(wire):
    with wire.counting("right", "-b", 1 << 20, "-u", 2000) as right:
        sent = wire.send("left", 400_000)
    ring = only(right)
    assert ring["dropped"] > 0
    assert ring["frames"] + ring["dropped"] == ring["seen"] == sent["frames"]


def test_rare_frames_come_soon(wire):
    with wire.counting("right", "-s", 64) as right:
        wire.send("left", 10, rate=100, size=1000)
        sent_utc_ns = time.time_ns()
        time.sleep(0.2)
    ring = only(right)
    assert (ring["frames"], ring["bytes"], ring["cap_len"]) == (10, 10_000, 64)
    assert abs(sent_utc_ns - ring["last_utc_ns"]) < 1_000_000_000


@pytest.mark.parametrize("tpid, tci", [("8100", 42), ("88a8", 0xe123)])
def test_tag_taken_off_by_the_kernel(wire, tpid, tci):
    with wire.counting("right") as right, wire.counting("left") as left:
        sent = wire.send("left", 1000, vlan=f"{tpid}:{tci}")
    got, own = only(right), only(left)
    assert (got["frames"], got["tagged"]) == (1000, 1000)
    assert (got["tpid"], got["tci"]) == (int(tpid, 16), tci)
    assert got["bytes"] + 4 * got["tagged"] == sent["wire_bytes"]
    # Going out, the tag is still in the bytes.
    assert (own["tagged"], own["bytes"]) == (0, sent["wire_bytes"])


def test_second_tag_stays_in_the_bytes(wire):
    with wire.counting("right") as right:
        sent = wire.send("left", 100, vlan=["88a8:7", "8100:9"])
    ring = only(right)
    assert (ring["tagged"], ring["tpid"], ring["tci"]) == (100, 0x88a8, 7)
    assert ring["bytes"] + 400 == sent["wire_bytes"]


@pytest.mark.parametrize("expression, matches", [("vlan 42", True), ("vlan 43", False), ("vlan 42 and host 192.0.2.1", True),
                                                 ("host 192.0.2.1", False), ("not vlan", False)])
def test_filter_sees_the_tag(wire, expression, matches):
    with wire.counting("right", "-f", expression) as right:
        wire.send("left", 100, vlan="8100:42")
    ring = only(right)
    assert (ring["frames"], ring["filtered"]) == ((100, 0) if matches else (0, 100))


ENDS_6 = {"src": ["02:00:00:00:00:01/2001:db8::1"], "dst": ["02:00:00:00:00:02/2001:db8::2"]}


@pytest.mark.parametrize("ends, headers", [({}, 54), (ENDS_6, 74)])
def test_super_packets_carry_their_segment_size(wire, ends, headers):
    size = headers + 40 * 1000
    with wire.counting("left") as left, wire.counting("right") as right:
        sent = wire.send("left", 500, size=size, gso=1000, **ends)
    assert sent["packets"] == 500 * 40
    for rings in (left, right):
        ring = only(rings)
        assert (ring["frames"], ring["super"], ring["gso_size"]) == (500, 500, 1000)
        assert ring["bytes"] == 500 * size
        # What it was on the wire can be computed from that, exactly.
        assert ring["bytes"] + 500 * 39 * headers == sent["wire_bytes"]


def test_rings_of_a_group_see_each_frame_once(wire):
    with wire.counting("right", "-r", 2) as right:
        sent = wire.send("left", 300_000, spread=256)
    assert len(right) == 2
    assert all(ring["frames"] > 0 for ring in right), "the hash spreads 256 hosts over both"
    assert sums(right) == {"frames": 300_000, "bytes": sent["wire_bytes"], "dropped": 0, "ingress": 300_000, "egress": 0}


def test_loopback_frames_come_once(wire):
    ends = {"src": ["00:00:00:00:00:00/127.0.0.1"], "dst": ["00:00:00:00:00:00/127.0.0.2"]}
    with wire.counting("left", interface="lo") as left:
        sent = wire.send("left", 1000, interface="lo", **ends)
        time.sleep(0.1)
    ring = only(left)
    from_us = sent["frames"]
    # Our own frames, and what the kernel answers (port unreachable), each once.
    kernel = wire.left.counters("lo")["rx"]["packets"]
    assert ring["frames"] == ring["seen"] == kernel >= from_us
    assert ring["egress"] == 0


def events(rings):
    return [event["what"] for event in only(rings)["events"]]


def test_down_and_up_again_in_the_same_ring(wire):
    with wire.counting("right") as right:
        wire.send("left", 100)
        time.sleep(0.1)
        wire.right.run(["ip", "link", "set", "wire0", "down"])
        time.sleep(0.3)
        wire.right.run(["ip", "link", "set", "wire0", "up"])
        wire.send("left", 50)
    assert events(right) == ["down"]
    assert only(right)["frames"] == 150


def test_opened_while_down(wire):
    wire.right.run(["ip", "link", "set", "wire0", "down"])
    with wire.counting("right") as right:
        time.sleep(0.1)
        wire.right.run(["ip", "link", "set", "wire0", "up"])
        wire.send("left", 50)
    assert events(right) == ["down"]
    assert only(right)["frames"] == 50


def test_removed_interface_is_noticed(wire):
    process = wire.right.start([wire.tools / "ring_count", "-i", "wire0"])
    assert process.stdout.readline() == "ready\n"
    wire.send("left", 100)
    wire.right.run(["ip", "link", "del", "wire0"])
    gone_utc_ns = time.time_ns()
    ring = only(json.loads(process.communicate(timeout=5)[0]))  # ends by itself
    assert ring["frames"] == 100
    assert ring["events"][-1]["what"] == "gone"
    assert ring["events"][-1]["utc_ns"] - gone_utc_ns < 1_000_000_000


def test_interface_that_is_not_there(wire):
    done = wire.right.run([wire.tools / "ring_count", "-i", "eth77"], check=False)
    assert done.returncode == 1
    assert "no interface eth77 here; there are: lo, wire0" in done.stderr


def test_without_the_capability(wire):
    done = wire.right.run(["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw",
                           wire.tools / "ring_count", "-i", "wire0"], check=False)
    assert done.returncode == 1
    assert "wire0: needs CAP_NET_RAW" in done.stderr
