# SPDX-License-Identifier: GPL-2.0-or-later
import pytest

from sink_world import World, tool


@pytest.fixture
def world(tmp_path):
    tool("fill_ledger")
    w = World(tmp_path)
    yield w
    if w.process and w.process.poll() is None:
        w.process.kill()
        w.process.wait()
