# SPDX-License-Identifier: GPL-2.0-or-later
"""Interfaces that are no Ethernet: counted in the kernel as a packet socket counts them."""
import contextlib
import fcntl
import ipaddress
import os
import pathlib
import signal
import socket
import struct
import time

import pytest
from live_kernel import HOSTS, Kernel, check_equal, inside, merged, total

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 1, 0x1000
UDP = 17


def udp(source, destination, payload):
    """An IP datagram; nobody looks at its checksums."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    body = struct.pack("!HHHH", 1024, 9, 8 + payload, 0) + bytes(payload)
    if source.version == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 0, 0, 64, UDP, 0)
    else:
        head = struct.pack("!IHBB", 6 << 28, len(body), UDP, 64)
    return head + source.packed + destination.packed + body


@contextlib.contextmanager
def tun(namespace, name="tun0"):
    if not pathlib.Path("/dev/net/tun").exists():
        pytest.skip("no /dev/net/tun")

    def make():
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        return fd
    fd = inside(namespace, make)
    try:
        namespace.run(["ip", "address", "add", "10.9.0.1/24", "dev", name])
        namespace.run(["ip", "link", "set", name, "up"])
        yield fd
    finally:
        os.close(fd)


def books_of(datagrams):
    made = {}
    for datagram in datagrams:
        six = datagram[0] >> 4 == 6
        ends = (datagram[8:24], datagram[24:40]) if six else (datagram[12:16], datagram[16:20])
        source, destination = (str(ipaddress.ip_address(end)) for end in ends)
        made = merged(made, {source: (0, 0, 1, len(datagram))}, {destination: (1, len(datagram), 0, 0)})
    return made


@pytest.mark.parametrize("capture", ["kernel", "socket"])
def test_ip_without_a_link_header(wire, tmp_path, pins, capture):
    with tun(wire.right) as fd, Kernel(wire.right, tmp_path / "d", pins, capture=capture, interface="tun0") as daemon:
        received = [udp(f"10.9.0.{2 + i % 5}", "10.8.8.8", 100 + i % 5) for i in range(200)]
        received += [udp(f"2001:db8::{i % 3}", "2001:db8:9::1", 10 + i % 7) for i in range(100)]
        for datagram in received:
            os.write(fd, datagram)
        out = inside(wire.right, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with out:
            for i in range(60):
                out.sendto(bytes(30 + i % 4), (f"10.9.0.{100 + i % 3}", 9))
        sent = [udp("10.9.0.1", f"10.9.0.{100 + i % 3}", 30 + i % 4) for i in range(60)]
        for _ in sent:  # a tun counts what its reader takes
            os.read(fd, 4096)
        daemon.stop(signal.SIGINT)
        want = books_of(received + sent)
        for basis in ("l2", "l3"):
            check_equal(daemon.table("hosts", basis), want)
        daemon.check_audit("tun0")


@pytest.mark.parametrize("capture", ["kernel", "socket"])
def test_loopback_is_counted_once(wire, tmp_path, pins, capture):
    end = {"src": ["00:00:00:00:00:00/127.0.0.1"], "dst": ["00:00:00:00:00:00/127.0.0.2"]}
    with Kernel(wire.right, tmp_path / "d", pins, HOSTS, interface="lo", capture=capture) as daemon:
        before = wire.right.counters("lo")["rx"]["packets"]
        wire.send("right", 1000, interface="lo", **end)
        time.sleep(0.2)
        daemon.stop(signal.SIGINT)
        received = total(daemon.table("hosts"))
        assert received[0] == wire.right.counters("lo")["rx"]["packets"] - before >= 1000
        daemon.check_audit("lo")


@pytest.mark.parametrize("capture", ["kernel", "socket"])
def test_the_stacks_own_copy_of_multicast_is_not_counted(wire, tmp_path, pins, capture):
    """Who has joined the group that it sends to gets a copy from its own stack, which never was on the wire."""
    group = "239.1.2.3"
    with Kernel(wire.right, tmp_path / "d", pins, capture=capture) as daemon:
        def member():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind(("", 5353))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4s", socket.inet_aton(group),
                                                                                socket.inet_aton("192.0.2.102")))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("192.0.2.102"))
            return s
        s = inside(wire.right, member)
        for _ in range(10):
            s.sendto(b"x" * 100, (group, 5353))
        s.settimeout(2)
        assert s.recv(200) == b"x" * 100, "the copy came"
        s.close()
        daemon.stop(signal.SIGINT)
        assert daemon.table("hosts", "l3")[group] == (10, 10 * 128, 0, 0)
        assert daemon.ask("audit").returncode == 0
