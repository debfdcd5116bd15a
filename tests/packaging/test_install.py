# SPDX-License-Identifier: GPL-2.0-or-later
"""Installing puts everything in its place; uninstalling takes it away again, but not what is the user's."""
import re
import subprocess

CONFIG = "etc/nettally/nettally.conf"
LEDGER = "var/lib/nettally/ledger.db"
INSTALLED = [
    CONFIG,
    "usr/local/bin/nettally",
    "usr/local/include/nettally-report.h",
    "usr/local/lib/libnettally-report.a",
    "usr/local/lib/libnettally-report.so",
    "usr/local/lib/libnettally-report.so.0",
    "usr/local/lib/libnettally-report.so.0.1.0",
    "usr/local/lib/pkgconfig/nettally-report.pc",
    "usr/local/lib/systemd/system/nettally.service",
    "usr/local/lib/systemd/system/nettally@.service",
    "usr/local/lib/sysusers.d/nettally.conf",
    "usr/local/lib/tmpfiles.d/nettally.conf",
    "usr/local/share/bash-completion/completions/nettally",
    "usr/local/share/doc/nettally/examples/bpfcountd.conf",
    "usr/local/share/doc/nettally/examples/bpfcountd.filters",
    "usr/local/share/doc/nettally/examples/clickhouse-cluster/nettally.conf",
    "usr/local/share/doc/nettally/examples/clickhouse-cluster/servers.xml",
    "usr/local/share/doc/nettally/examples/collector.conf",
    "usr/local/share/doc/nettally/examples/collector.sql",
    "usr/local/share/doc/nettally/examples/gonetmon.conf",
    "usr/local/share/doc/nettally/examples/grafana/clickhouse.json",
    "usr/local/share/doc/nettally/examples/grafana/influxdb.json",
    "usr/local/share/doc/nettally/examples/grafana/postgresql.json",
    "usr/local/share/doc/nettally/examples/grafana/prometheus.json",
    "usr/local/share/doc/nettally/examples/speedy.conf",
    "usr/local/share/doc/nettally/examples/trafstat.conf",
    "usr/local/share/doc/nettally/nettally.conf",
    "usr/local/share/fish/vendor_completions.d/nettally.fish",
    "usr/local/share/man/man1/nettally.1",
    "usr/local/share/man/man5/nettally-ledger.5",
    "usr/local/share/man/man5/nettally.conf.5",
    "usr/local/share/zsh/site-functions/_nettally",
]


def test_install_puts_everything_in_place(installation):
    installation.install()
    # Libraries lie in lib/ or, on Debian, in a folder of the architecture below it.
    files = [re.sub(r"/lib/[a-z0-9_]+-linux-gnu[a-z0-9]*/", "/lib/", path) for path in installation.files()]
    assert sorted(files) == INSTALLED


def test_uninstall_leaves_config_and_ledger(installation):
    installation.install()
    ledger = installation.root / LEDGER
    ledger.parent.mkdir(parents=True)
    ledger.write_bytes(b"books")
    config = installation.root / CONFIG
    config.write_text("# mine\n")
    installation.uninstall()
    assert installation.files() == [CONFIG, LEDGER]
    assert config.read_text() == "# mine\n"


def test_install_keeps_a_config_that_is_there(installation):
    config = installation.root / CONFIG
    config.parent.mkdir(parents=True)
    config.write_text("# mine\n")
    installation.install()
    assert config.read_text() == "# mine\n"


def test_units_name_installed_files(installed):
    for unit in ("nettally.service", "nettally@.service"):
        text = (installed / "usr/local/lib/systemd/system" / unit).read_text()
        assert "@bindir@" not in text and "@common@" not in text
        start = next(line for line in text.splitlines() if line.startswith("ExecStart="))
        words = start.partition("=")[2].split()
        assert (installed / words[0].lstrip("/")).exists()
        for word in words:
            if word.endswith("nettally.conf"):
                assert (installed / word.lstrip("/")).exists()


def test_default_config_works_unchanged(binary, installed):
    done = subprocess.run([binary, "check", "-c", installed / CONFIG], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
