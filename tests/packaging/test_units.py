# SPDX-License-Identifier: GPL-2.0-or-later
"""The systemd units: without a complaint of systemd's own checkers, and as closed as capture allows."""
import re
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")

EXPOSURE_MAX = 3.0
UNITS = ["nettally.service", "nettally@.service"]


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def unit(request, installed, binary, tmp_path):
    """An installed unit with the program of the build in place of the one in /usr/local, which need not be there."""
    text = next(installed.rglob(request.param)).read_text()
    copy = tmp_path / request.param.replace("@.", "@veth0.")
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={binary}", text))
    return copy


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_unit_verifies(unit):
    done = analyze("verify", "--man=no", str(unit))
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr, done.stderr


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_unit_is_hardened(unit):
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX * 10:.0f}", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout + done.stderr
    exposure = float(re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout)[1])
    assert exposure < EXPOSURE_MAX


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_unit_names_what_the_daemon_needs(unit):
    settings = dict(line.split("=", 1) for line in unit.read_text().splitlines()
                    if "=" in line and not line.startswith("#"))
    assert settings["Type"] == "notify"
    assert settings["NotifyAccess"] == "main"
    assert settings["WatchdogSec"] == "30"
    assert settings["User"] == "nettally"
    needed = {"CAP_BPF", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_PERFMON"}
    assert set(settings["CapabilityBoundingSet"].split()) == needed
    assert set(settings["AmbientCapabilities"].split()) == needed
    assert settings["ExecReload"] == "kill -HUP $MAINPID"


@pytest.mark.parametrize("unit", UNITS, indirect=True)
def test_unit_lets_the_daemon_pin(unit):
    """The folder for pins is made before, belongs to the unit's user, and is what the daemon may write; a failure there
    does not stop it ("-"), and the rest of the bpffs stays as it is."""
    lines = unit.read_text().splitlines()
    before = [line.partition("=")[2] for line in lines if line.startswith("ExecStartPre=")]
    assert all(re.match(r"(-\+|\+-)/", command) for command in before)
    assert any(re.search(r"install -d -o nettally -g nettally -m 0700 /sys/fs/bpf/nettally$", command) for command in before)
    assert "ReadWritePaths=-/sys/fs/bpf/nettally" in lines
    calls = " ".join(line.partition("=")[2] for line in lines if line.startswith("SystemCallFilter=") and "~" not in line)
    assert "bpf" in calls.split()


def test_sysusers_makes_the_units_user(installed):
    if not shutil.which("systemd-sysusers"):
        pytest.skip("no systemd-sysusers here")
    root = installed.parent / "sysusers-root"
    (root / "etc").mkdir(parents=True)
    conf = installed / "usr/local/lib/sysusers.d/nettally.conf"
    done = subprocess.run(["systemd-sysusers", f"--root={root}", str(conf)], capture_output=True, text=True, timeout=60,
                          check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"(?m)^nettally:", (root / "etc/passwd").read_text())
    assert re.search(r"(?m)^nettally:", (root / "etc/group").read_text())
