# SPDX-License-Identifier: GPL-2.0-or-later
"""The same traffic by nginx's module and by the kernel's sockets: `from = reports` and `from = sockets` agree."""
import collections
import time

import pytest

import lab as lab_module
from lab import CLIENT, CLIENT6, CONFIG, SERVER, SERVER6, Daemon, Lab

SOCKETS = "account sockets {{ from = sockets  by = {{ host, service }}  every = 1h }}\n"
NAMES = ("requests", "bytes", "packets", "retransmits")


@pytest.fixture(params=[0, 3], ids=["no loss", "3 % dropped"])
def lab(tmp_path, request):
    lab_module.module()
    with Lab(tmp_path, loss=request.param) as made:
        made.daemon.kill()
        try:
            made.daemon = Daemon(made.folder, made.inside("server"), config=CONFIG + SOCKETS)
        except BaseException:
            if "may not follow" in made.daemon.log.read_text():
                pytest.skip("no BPF here")
            raise
        yield made


def by_host(rows):
    made = collections.defaultdict(lambda: [0] * len(NAMES))
    for row in rows:
        for i, name in enumerate(NAMES):
            made[row["host"]][i] += row[name]
    return {host: tuple(values) for host, values in made.items()}


def test_they_agree(lab):
    """Kept-alive requests, short ones, large ones, by both families. The module reads for the last time as a connection is
    closed: what the kernel sends again after that is told by the sockets alone."""
    lab.file("small", 3000)
    lab.file("large", 1_500_000)
    lab.nginx()
    curls = 0
    for server in (SERVER, f"[{SERVER6}]"):
        url = f"http://{server}:8080"
        for words in ([f"{url}/large"], [f"{url}/small"] * 5, [f"{url}/missing"], [f"{url}/large", f"{url}/small"]):
            lab.curl(*words[:1], *(word for more in words[1:] for word in ("-o", "/dev/null", more)))
            curls += 1
    # Both hear of the end when the last segment is acknowledged.
    lab_module.wait_until("nothing is on its way", lambda: not lab.run("server", ["ss", "-Hnt", "sport", "=", ":8080"]).stdout)
    time.sleep(0.2)
    lab.stop()
    modules, sockets = by_host(lab.daemon.rows()), by_host(lab.daemon.rows("sockets"))
    assert set(modules) == set(sockets) == {CLIENT, CLIENT6}
    for host, (requests, size, packets, retransmits) in modules.items():
        connections, kernel_size, kernel_packets, kernel_retransmits = sockets[host]
        assert (requests, connections) == (9, curls / 2)
        assert kernel_size == size
        more = kernel_packets - packets, kernel_retransmits - retransmits
        if lab.loss:
            assert retransmits > 0
            assert 0 <= more[0] <= 10 and 0 <= more[1] <= 10, more
        else:
            assert more == (0, 0)
