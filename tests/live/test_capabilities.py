# SPDX-License-Identifier: GPL-2.0-or-later
"""The least privilege: as another user with exactly these capabilities, the daemon counts, reloads, comes back, and ends."""
import os
import pathlib
import re
import shutil
import stat
import tempfile

import pytest
from live_daemon import HOSTS, Sent
from live_kernel import NOTHING, Kernel, attached

NOBODY = 65534
IN_KERNEL = ("bpf", "net_admin", "perfmon")
BITS = {"net_admin": 12, "net_raw": 13, "perfmon": 38, "bpf": 39}


def only(*capabilities):
    """Another user, with these capabilities and no way to others."""
    words = ",".join(["-all", *(f"+{c}" for c in capabilities)])
    return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs", f"--inh-caps={words}",
            f"--ambient-caps={words}", f"--bounding-set={words}"]


@pytest.fixture
def place(pins):
    """(folder, program, pins) where another user can come; made as the units' ExecStartPre does."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        os.chmod(folder, 0o755)
        program = shutil.copy(os.environ["NETTALLY"], f"{folder}/nettally")
        before = stat.S_IMODE(os.stat(pins.parent).st_mode)
        os.chmod(pins.parent, before | 0o001)
        pins.mkdir(mode=0o700)
        os.chown(pins, NOBODY, NOBODY)
        yield pathlib.Path(folder), program, pins
        os.chmod(pins.parent, before)


def has(daemon):
    """What the process may do now."""
    text = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(re.search(r"(?m)^CapPrm:\s*(\S+)", text)[1], 16)


@pytest.mark.parametrize("capture, capabilities", [("kernel", IN_KERNEL), ("xdp", IN_KERNEL), ("auto", IN_KERNEL),
                                                   ("socket", ("net_raw",)), ("auto", ("net_raw",))])
def test_these_suffice(wire, place, capture, capabilities):
    folder, program, pins = place
    with Kernel(wire.right, folder, pins, HOSTS, binary=program, prefix=only(*capabilities), capture=capture) as daemon:
        assert has(daemon) == sum(1 << BITS[c] for c in capabilities)
        expected = "socket" if "net_raw" in capabilities else "xdp" if capture == "xdp" else "kernel"
        assert daemon.interface()["capture"] == expected
        sent = Sent(wire.send("left", 2000))
        daemon.reload_accounts(HOSTS + "account vlans { by = { vlan } every = 1h }\n")
        sent += Sent(wire.send("left", 1000))
        daemon.stop()
        if expected != "socket":
            assert attached(wire.right) != NOTHING
            sent += Sent(wire.send("left", 500))
        daemon.again()
        sent += Sent(wire.send("left", 250))
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
    done = wire.right.run([*only(*IN_KERNEL), program, "detach", "--pins", pins])
    assert ("detached" in done.stdout) == (expected != "socket")
    assert attached(wire.right) == NOTHING


@pytest.mark.parametrize("capture", ["kernel", "xdp"])
@pytest.mark.parametrize("missing", IN_KERNEL)
def test_what_is_missing_is_named(wire, place, capture, missing):
    folder, program, pins = place
    rest = [c for c in IN_KERNEL if c != missing]
    with Kernel(wire.right, folder, pins, binary=program, prefix=only(*rest), capture=capture, wait=False) as daemon:
        status, said = daemon.refused()
    assert status == 1
    assert f"CAP_{missing.upper()}" in said
    assert attached(wire.right) == NOTHING


def test_socket_says_what_it_lacks(wire, place):
    folder, program, pins = place
    with Kernel(wire.right, folder, pins, binary=program, prefix=only(*IN_KERNEL), capture="socket", wait=False) as daemon:
        status, said = daemon.refused()
    assert status == 1 and "CAP_NET_RAW" in said


def test_a_daemon_that_becomes_another_user_reloads(wire, place):
    """Started as root with `user = nobody`: it hands its pins over before it gives root up."""
    folder, program, pins = place
    os.chown(pins, 0, 0)
    with Kernel(wire.right, folder, pins, HOSTS + "user = nobody\n", binary=program) as daemon:
        sent = Sent(wire.send("left", 1000))
        daemon.reload_accounts(HOSTS + "user = nobody\naccount vlans { by = { vlan } every = 1h }\n")
        sent += Sent(wire.send("left", 500))
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
    wire.right.run([program, "detach", "--pins", pins])
    assert attached(wire.right) == NOTHING
