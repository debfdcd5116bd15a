# SPDX-License-Identifier: GPL-2.0-or-later
"""Real routers beside the daemon: what one announces, changes and takes back, the other tells by BMP and in MRT files; the
daemon's table follows, and equals the router's own list.

    near (FRR or GoBGP, AS 65001, BMP and MRT) <- far (FRR, AS 4200000002), in one namespace, over its loopback
    at 192.0.2.1 and 192.0.2.2 (routers refuse 127.0.0.0/8 as a next hop)"""
import json
import pwd
import shutil

import pytest

from routes_world import ip, wait_until

BGPD = "/usr/lib/frr/bgpd"
NEAR_AS, FAR_AS = 65001, 4200000002
PREFIXES = [f"10.{i // 250}.{i % 250}.0/24" for i in range(1000)]


def need(world, *programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    try:
        pwd.getpwnam("frr")
    except KeyError:
        pytest.skip("there is no user frr: the package frr is not installed")
    for address in ("192.0.2.1/32", "192.0.2.2/32"):
        ip("-n", world.name, "address", "add", address, "dev", "lo")


class Frr:
    """A bgpd without zebra, at an address of the loopback."""

    def __init__(self, world, name, address, config, bmp=False):
        self.world, self.folder = world, world.folder / name
        self.folder.mkdir()
        self.folder.chmod(0o777)
        world.folder.chmod(0o755)
        for parent in list(world.folder.parents)[:-1]:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 1 and str(parent).startswith("/tmp/"):
                parent.chmod(parent.stat().st_mode | 0o711)
        (self.folder / "bgpd.conf").write_text(config)
        more = ["-M", "bmp"] if bmp else []
        shutil.chown(self.folder, "frr", "frr")
        with open(self.folder / "log", "w", encoding="utf-8") as log:
            world.start([BGPD, "-Z", "-i", self.folder / "pid", "--vty_socket", self.folder, "-f", self.folder / "bgpd.conf",
                         "-l", address, "-A", "127.0.0.1", "-P", "0", "-z", self.folder / "zserv", *more,
                         "--log", "stdout"], stdout=log, stderr=log)
        wait_until("bgpd answers", lambda: self.vtysh("show version", check=False), log=self.text)

    def text(self):
        return (self.folder / "log").read_text()

    def vtysh(self, *commands, check=True):
        words = [word for command in commands for word in ("-c", command)]
        out = self.world.run(["vtysh", "--vty_socket", self.folder, *words], check=False)
        if check:
            assert out.returncode == 0, out.stdout + out.stderr
        return out.stdout if out.returncode == 0 else ""

    def configure(self, text):
        path = self.folder / "more.conf"
        path.write_text(text)
        self.world.run(["vtysh", "--vty_socket", self.folder, "-f", path])

    def paths(self):
        routes = json.loads(self.vtysh("show bgp ipv4 unicast json") or "{}").get("routes", {})
        return {prefix: next(r for r in rows if r.get("bestpath"))["path"] or "-" for prefix, rows in routes.items()
                if any(r.get("bestpath") for r in rows)}


class Gobgp:
    def __init__(self, world, config):
        self.world = world
        path = world.folder / "gobgp.toml"
        path.write_text(config)
        with open(world.folder / "gobgp.log", "w", encoding="utf-8") as log:
            world.start(["gobgpd", "-f", path, "--api-hosts=127.0.0.1:15051", "-l", "warn"], stdout=log, stderr=log)

    def paths(self):
        out = self.world.run(["gobgp", "-u", "127.0.0.1", "-p", "15051", "-j", "global", "rib"], check=False)
        if out.returncode:
            return {}
        found = {}
        for prefix, rows in json.loads(out.stdout or "{}").items():
            best = next((row for row in rows if row.get("best")), rows[0])
            path = next((a["as_paths"] for a in best["attrs"] if a["type"] == 2), [])
            found[prefix] = " ".join(str(n) for part in path for n in part["asns"]) or "-"
        return found


def far(world):
    networks = "\n".join(f"  network {prefix}" for prefix in PREFIXES)
    return Frr(world, "far", "192.0.2.2", f'''
router bgp {FAR_AS}
 bgp router-id 192.0.2.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 timers bgp 3 9
 neighbor 192.0.2.1 remote-as {NEAR_AS}
 neighbor 192.0.2.1 timers connect 1
 neighbor 192.0.2.1 update-source 192.0.2.2
 neighbor 192.0.2.1 ebgp-multihop 2
 address-family ipv4 unicast
{networks}
 exit-address-family
!
access-list some seq 5 permit 10.0.0.0/15
route-map longer permit 10
 match ip address some
 set as-path prepend {FAR_AS} 64999
route-map longer permit 20
''')


def near_frr(world, port):
    dump = world.folder / "near" / "rib.mrt"
    return Frr(world, "near", "192.0.2.1", f'''
dump bgp routes-mrt {dump} 3
router bgp {NEAR_AS}
 bgp router-id 192.0.2.1
 no bgp ebgp-requires-policy
 timers bgp 3 9
 neighbor 192.0.2.2 remote-as {FAR_AS}
 neighbor 192.0.2.2 timers connect 1
 neighbor 192.0.2.2 update-source 192.0.2.1
 neighbor 192.0.2.2 ebgp-multihop 2
 bmp targets nettally
  bmp connect 127.0.0.1 port {port} min-retry 200 max-retry 500
  bmp monitor ipv4 unicast pre-policy
  bmp monitor ipv4 unicast post-policy
''', bmp=True)


def near_gobgp(world, port):
    return Gobgp(world, f'''
[global.config]
  as = {NEAR_AS}
  router-id = "192.0.2.1"
  local-address-list = ["192.0.2.1"]
[[neighbors]]
  [neighbors.config]
    neighbor-address = "192.0.2.2"
    peer-as = {FAR_AS}
  [neighbors.transport.config]
    local-address = "192.0.2.1"
  [neighbors.ebgp-multihop.config]
    enabled = true
    multihop-ttl = 2
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 9
    keepalive-interval = 3
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
[[bmp-servers]]
  [bmp-servers.config]
    address = "127.0.0.1"
    port = {port}
    route-monitoring-policy = "all"
''')


CONFIG = '''
routes near { bmp = "127.0.0.1" default = yes }
bmp { listen = "127.0.0.1:0" }
'''


def expect_the_same(daemon, router, view, count, paths):
    """The router has so many routes, so many different paths; then the daemon has these very ones."""
    wait_until(f"{count} routes in the router", lambda: len(router.paths()) == count and
               len(set(router.paths().values())) == paths, 40, daemon.log.read_text)
    daemon.expect(view, router.paths(), 40)


@pytest.mark.parametrize("kind", ["frr", "gobgp"])
def test_bmp(world, kind):
    need(world, "vtysh", *(["gobgpd", "gobgp"] if kind == "gobgp" else []))
    daemon = world.daemon(CONFIG)
    port = daemon.listens_at()
    near = near_frr(world, port) if kind == "frr" else near_gobgp(world, port)
    other = far(world)
    expect_the_same(daemon, near, "near", 1000, 1)
    # half of the routes get another path
    other.vtysh("conf t", f"router bgp {FAR_AS}", "address-family ipv4 unicast", "neighbor 192.0.2.1 route-map longer out")
    other.vtysh("clear bgp ipv4 unicast 192.0.2.1 soft out")
    expect_the_same(daemon, near, "near", 1000, 2)
    gone = "\n".join(f"  no network {prefix}" for prefix in PREFIXES[100:400])
    other.configure(f"router bgp {FAR_AS}\n address-family ipv4 unicast\n{gone}\n")
    expect_the_same(daemon, near, "near", 700, 2)
    # the BGP session is lost, and comes back
    other.vtysh("conf t", f"router bgp {FAR_AS}", "neighbor 192.0.2.1 shutdown")
    expect_the_same(daemon, near, "near", 0, 0)
    other.vtysh("conf t", f"router bgp {FAR_AS}", "no neighbor 192.0.2.1 shutdown")
    expect_the_same(daemon, near, "near", 700, 2)
    # the station is away, and meanwhile routes go
    daemon.stop()
    gone = "\n".join(f"  no network {prefix}" for prefix in PREFIXES[400:500])
    other.configure(f"router bgp {FAR_AS}\n address-family ipv4 unicast\n{gone}\n")
    daemon.write(CONFIG.replace(":0\"", f":{port}\""))
    daemon.start()
    assert len(daemon.paths()) == 700
    assert daemon.view("near")["malformed"] == 0
    expect_the_same(daemon, near, "near", 600, 2)
    wait_until("nothing stale", lambda: daemon.view("near")["stale"] == 0, 60)


def test_mrt_while_it_is_rewritten(world):
    need(world, "vtysh")
    near, other = near_frr(world, 1), far(world)
    dump = world.folder / "near" / "rib.mrt"
    wait_until("a dump with all routes", lambda: dump.exists() and dump.stat().st_size > 30000, 60, near.text)
    # FRR's files are for its group, and the daemon has given up root's right to read all.
    daemon = world.daemon(f'routes dumped {{ mrt = "{dump}" }}', prefix=("setpriv", "--groups", "frr"))
    expect_the_same(daemon, near, "dumped", 1000, 1)
    gone = "\n".join(f"  no network {prefix}" for prefix in PREFIXES[100:400])
    other.configure(f"router bgp {FAR_AS}\n address-family ipv4 unicast\n{gone}\n")
    expect_the_same(daemon, near, "dumped", 700, 1)
    # a damaged file, and none: the table stays
    other.world.run(["vtysh", "--vty_socket", near.folder, "-c", "conf t", "-c", f"no dump bgp routes-mrt {dump} 3"])
    dump.write_bytes(dump.read_bytes()[:5000])
    wait_until("it is told", lambda: daemon.view("dumped")["problem"], 30)
    assert len(daemon.paths()) == 700
    assert any("dumped" in problem for problem in daemon.status()["problems"]), daemon.status()["problems"]
    dump.unlink()
    wait_until("it is told", lambda: "No such file" in daemon.view("dumped")["problem"], 30)
    assert len(daemon.paths()) == 700
