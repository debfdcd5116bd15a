# SPDX-License-Identifier: GPL-2.0-or-later
"""What the packaging tests share: the program under test, its build, an installation of it in a folder."""
import os
import pathlib
import shutil
import subprocess

import pytest


@pytest.fixture(scope="session")
def binary():
    path = os.environ.get("NETTALLY")
    if not path or not os.access(path, os.X_OK):
        pytest.skip("NETTALLY does not name the program to test")
    return pathlib.Path(path)


class Installation:
    """`meson install` of the build into `root`; the build's own install log is put back afterwards, so that an
    installation that someone made from it can still be removed."""

    def __init__(self, build, root):
        self.build, self.root = build, root
        self.log = build / "meson-logs" / "install-log.txt"
        self.kept = self.log.read_bytes() if self.log.exists() else None

    def _run(self, *command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False,
                              env={**os.environ, "DESTDIR": str(self.root)})
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def install(self):
        return self._run("meson", "install", "-C", str(self.build), "--no-rebuild")

    def uninstall(self):
        return self._run("ninja", "-C", str(self.build), "uninstall")

    def close(self):
        if self.kept is not None:
            self.log.write_bytes(self.kept)
        else:
            self.log.unlink(missing_ok=True)

    def files(self):
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*") if p.is_file())


@pytest.fixture(scope="session")
def build(binary):
    folder = binary.resolve().parents[2]
    if not (folder / "build.ninja").exists() or not shutil.which("meson"):
        pytest.skip("the program under test does not lie in a meson build")
    return folder


@pytest.fixture
def installation(build, tmp_path):
    made = Installation(build, tmp_path / "root")
    yield made
    made.close()


@pytest.fixture(scope="session")
def installed(build, tmp_path_factory):
    """The root of an installation that tests only look at."""
    made = Installation(build, tmp_path_factory.mktemp("installed") / "root")
    try:
        made.install()
    finally:
        made.close()
    return made.root
