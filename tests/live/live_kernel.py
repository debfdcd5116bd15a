# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of counting in the kernel share: loads that are known exactly, tables to compare, what is attached.

    with Load(wire) as load:          # frames both ways until the block is left
        ...
    assert daemon.table("hosts") == load.sent.table("addr")"""
import collections
import contextlib
import csv
import ctypes
import ipaddress
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
from live_daemon import CLONE_NEWNET, Daemon, Sent, ends

LONG = bool(os.environ.get("NETTALLY_LONG"))
COUNTERS = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "packets", "bytes")
HOSTS = "account hosts { by = { host } every = 1h }\n"


def config(accounts=HOSTS, capture="kernel", interface="wire0", keys=None, pins="off", more=""):
    limit = f"keys = {keys}" if keys else ""
    return (f'{accounts}\ninterface {interface} {{ capture = {capture} {more} }}\n'
            f'kernel {{ pins = "{pins}" {limit} }}\n')


class Kernel(Daemon):
    """A daemon that counts in the kernel, by a config of config()."""

    def __init__(self, namespace, folder, pins, accounts=HOSTS, binary=None, env=None, prefix=(), wait=True, ledger=None,
                 listen="off", **options):
        self.options = options
        folder = pathlib.Path(folder)
        folder.mkdir(exist_ok=True)
        super().__init__(namespace, folder, config(accounts, pins=pins, **options), interfaces=(), binary=binary, env=env,
                         prefix=prefix, wait=wait, pins=pins, ledger=ledger, listen=listen)

    def set_accounts(self, accounts, **options):
        self.options.update(options)
        self.write_config(config(accounts, pins=self.pins, **self.options))

    def reload_accounts(self, accounts, **options):
        self.options.update(options)
        self.reload(config(accounts, pins=self.pins, **self.options))

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def table(self, account, basis="l2"):
        return table_of(self.query(account, "--bytes", basis))

    def check_audit(self, interface="wire0"):
        """Its books close, also by the ledger alone."""
        audit = self.audit()
        assert audit["closes"] and all(a["closes"] for a in audit["accounts"]), audit
        found = [i for i in audit["interfaces"] if i["interface"] == interface]
        assert found and found[0]["unaccounted_packets"] == 0, audit
        return found[0]

    def detach(self):
        return self.ask("detach", "--pins", self.pins)


def table_of(rows):
    """{key: counters}; more keys than one: a tuple of them; none: ()."""
    made = {}
    for row in rows:
        key = tuple(value for name, value in row.items() if name not in COUNTERS)
        assert key not in made, f"{key} comes twice"
        made[key[0] if len(key) == 1 else key] = tuple(int(row[name]) for name in COUNTERS if name in row)
    return made


def read_table(files, by, basis="l2", options=()):
    """What `nettally read` says of captures."""
    command = [os.environ["NETTALLY"], "read", "--by", by, "--bytes", basis, "--format", "tsv", *options, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return table_of(csv.DictReader(done.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def check_equal(got, want, where=""):
    """A difference in words that fit a page."""
    if got == want:
        return
    keys = sorted({*got, *want}, key=lambda key: ("other" not in key, str(key)))
    lines = [f"{key}: got {got.get(key)}, want {want.get(key)}" for key in keys if got.get(key) != want.get(key)]
    pytest.fail(f"{where}{len(lines)} keys differ, of {len(want)}:\n" + "\n".join(lines[:20]))


@contextlib.contextmanager
def telling(daemon, wire):
    """Where the block fails: what the kernel and the daemon say of lost frames, and the books as they are."""
    before = softnet_drops()
    try:
        yield
    except (AssertionError, pytest.fail.Exception):
        for name, namespace in (("left", wire.left), ("right", wire.right)):
            print(f"{name}:", namespace.counters())
        print("softnet drops by CPU:", before, "->", softnet_drops())
        print("audit:", daemon.ask("audit", "--json", check=False).stdout)
        if daemon.process.poll() is None:
            print("status:", daemon.ask("status", "--json", check=False).stdout)
        print("log:", daemon.said())
        raise


def softnet_drops():
    with open("/proc/net/softnet_stat", encoding="ascii") as f:
        return [int(line.split()[1], 16) for line in f]


class Flooded(Sent):
    """What send_xdp says it sent, host by host."""

    def __init__(self, result):
        super().__init__()
        assert not result["error"], result
        # Not a frame may have been lost before it came to the interface: nobody knows whose it was.
        assert result["dropped"] == 0, result
        self.flows = [(flow, 14) for flow in self.flows_of(result)]

    @staticmethod
    def flows_of(result):
        hosts, step = result["hosts"], result["step"]
        packets = [sum(sent // hosts for sent in result["sent"])] * hosts
        for sent in result["sent"]:
            for k in range(sent % hosts):
                packets[k * step % hosts] += 1
        for host, count in enumerate(packets):
            six = result["families"] == 6 or (result["families"] == 46 and host % 2)
            if not count:
                continue
            address = ipaddress.IPv6Address((0x20010db8 << 96) + host) if six else ipaddress.IPv4Address((10 << 24) + host)
            yield {"src": str(address), "dst": "2001:db8:1::2" if six else "192.0.2.2", "dst_mac": "02:00:00:00:00:02",
                   "src_mac": "02:01:" + ":".join(f"{host >> shift & 255:02x}" for shift in (24, 16, 8, 0)),
                   "packets": count, "wire_bytes": count * (result["size"] + host % result["sizes"])}


class Load:
    """Frames both ways in the background until the block is left."""

    def __init__(self, wire, rate=50_000, back_rate=20_000, hosts=300, seconds=300):
        self.wire, self.sent, self.outputs, self.threads = wire, None, [], []
        there = ["--src", *" --src ".join(ends(1, hosts)).split(), "--dst", *" --dst ".join(ends(1, 2, machine=1)).split()]
        back = ["--src", *" --src ".join(ends(1, 2, machine=1)).split(), "--dst", *" --dst ".join(ends(1, hosts)).split()]
        self.commands = [(wire.left, rate, 90, there), (wire.right, back_rate, 222, back)]
        self.seconds = seconds

    def __enter__(self):
        self.processes = []
        for where, rate, size, words in self.commands:
            command = [self.wire.tools / "send_frames", "--interface", where.interface, "--rate", rate, "--size", size,
                       "--count", rate * self.seconds, *words]
            self.processes.append((where, where.start(command)))
        for _, process in self.processes:  # its output is more than a pipe holds
            self.threads.append(threading.Thread(target=lambda p=process: self.outputs.append(p.stdout.read())))
            self.threads[-1].start()
        time.sleep(0.2)
        return self

    def end(self):
        """Sooner than the block."""
        if self.sent:
            return
        for _, process in self.processes:
            process.send_signal(signal.SIGTERM)
        for thread in self.threads:
            thread.join(30)
        for _, process in self.processes:
            process.wait(10)
        self.sent = Sent(*map(json.loads, self.outputs))

    def __exit__(self, *_):
        self.end()


# -- the bpf(2) call, for what no tool of Debian 12 can say of tcx

BPF_PROG_LOAD, BPF_PROG_QUERY, BPF_LINK_CREATE = 5, 16, 28
SCHED_CLS, XDP = 3, 6
TCX_INGRESS, TCX_EGRESS, XDP_LINK = 46, 47, 37
XDP_DRIVER_MODE = 1 << 2


def bpf(command, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.syscall(321, command, attributes, ctypes.sizeof(attributes))
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done


def words(*values, size=72):
    """A union bpf_attr of 32-bit words; a pair of them is one of 64."""
    return (ctypes.c_uint32 * (size // 4))(*values)


def pointer(to):
    at = ctypes.addressof(to)
    return at & 0xffffffff, at >> 32


def inside(namespace, call):
    """What the call gives in that namespace: a thread of its own goes there."""
    got = []

    def enter():
        with open(f"/run/netns/{namespace.name}", "rb") as f:
            if ctypes.CDLL(None, use_errno=True).setns(f.fileno(), CLONE_NEWNET) == 0:
                try:
                    got.append(call())
                except OSError as error:
                    got.append(error)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if isinstance(got[0], OSError):
        raise got[0]
    return got[0]


def ifindex(namespace, interface="wire0"):
    return json.loads(namespace.run(["ip", "-j", "link", "show", "dev", interface]).stdout)[0]["ifindex"]


def attached(namespace, interface="wire0"):
    """Programs at {"ingress": .., "egress": .., "xdp": ..} of an interface."""
    link = json.loads(namespace.run(["ip", "-j", "-d", "link", "show", "dev", interface]).stdout)[0]
    ids = (ctypes.c_uint32 * 64)()

    def query(kind):
        attributes = words(link["ifindex"], kind, 0, 0, *pointer(ids), 64)
        bpf(BPF_PROG_QUERY, attributes)
        return attributes[6]
    counts = inside(namespace, lambda: (query(TCX_INGRESS), query(TCX_EGRESS)))
    return {"ingress": counts[0], "egress": counts[1], "xdp": 1 if "xdp" in link else 0}


NOTHING = {"ingress": 0, "egress": 0, "xdp": 0}


def attach_somebodys(namespace, kind, program_type, result, interface="wire0"):
    """A foreign program that gives `result` for every frame; a file descriptor: it goes when that is closed."""
    code = (ctypes.c_uint64 * 2)(0xb7 | result << 32, 0x95)
    licence = ctypes.create_string_buffer(b"GPL")
    program = bpf(BPF_PROG_LOAD, words(program_type, 2, *pointer(code), *pointer(licence), size=128))
    index = ifindex(namespace, interface)
    try:
        return inside(namespace, lambda: bpf(BPF_LINK_CREATE, words(program, index, kind,
                                                                     XDP_DRIVER_MODE if kind == XDP_LINK else 0)))
    finally:
        os.close(program)


def pinned(folder):
    """What is pinned below it."""
    folder = pathlib.Path(folder)
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()) if folder.exists() else []


def total(table):
    return tuple(map(sum, zip(*table.values()))) if table else (0, 0, 0, 0)


def merged(*tables):
    made = collections.defaultdict(lambda: (0, 0, 0, 0))
    for table in tables:
        for key, values in table.items():
            made[key] = tuple(map(sum, zip(made[key], values)))
    return dict(made)
