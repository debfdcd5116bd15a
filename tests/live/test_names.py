# SPDX-License-Identifier: GPL-2.0-or-later
"""Names from real servers: what is asked, how often, what is shown; and that nothing of it costs a packet."""
import csv
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest

from live_daemon import Daemon, Sent, ends, wait_until

ACCOUNTS = ('account named { by = { host, name } every = 1h }\naccount devices { by = { mac, name, vendor } every = 1h }\n'
            'account hosts { by = { host } every = 1h }\n')
PORT = 5353
RESOLVER = f'resolver = "127.0.0.1:{PORT}"'
LOCAL = 'local = { "10.0.0.0/8", "2001:db8::/32" }\n'


def config(names, accounts=ACCOUNTS, more="", capture="socket"):
    return f"{more}{accounts}names {{ {names} }}\ninterface wire0 {{ capture = {capture} }}\n"


def need(program):
    if not shutil.which(program):
        pytest.skip(f"needs {program}")


def answers(namespace):
    """A question for localhost, by hand: does anything come back?"""
    return namespace.run(["/usr/bin/python3", "-c", (
        "import socket\ns=socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.settimeout(0.3)\n"
        "s.sendto(bytes.fromhex('00010100000100000000000009') + b'localhost' + bytes.fromhex('0000010001'), "
        f"('127.0.0.1', {PORT}))\ns.recv(512)")], check=False).returncode == 0


@pytest.fixture
def unbound(wire, tmp_path):
    """A function that starts it inside the right end with these lines of a `server:` clause."""
    need("unbound")

    def start(*lines):
        conf = tmp_path / "unbound.conf"
        conf.write_text("server:\n" + "\n".join(f"  {line}" for line in (
            f"interface: 127.0.0.1@{PORT}", f"port: {PORT}", 'username: ""', 'chroot: ""', "do-daemonize: no", "use-syslog: no",
            f'directory: "{tmp_path}"', f'pidfile: "{tmp_path}/unbound.pid"', 'module-config: "iterator"', "log-queries: yes",
            f'logfile: "{tmp_path}/unbound.log"', "num-threads: 1", "so-rcvbuf: 0", "outgoing-range: 64", *lines)) + "\n")
        process = wire.right.start(["unbound", "-d", "-c", conf])
        wait_until("unbound answers", lambda: answers(wire.right))
        return process
    return start


class Responder:
    """dns_server.py inside the right end."""

    def __init__(self, wire, mode):
        self.wire = wire
        self.process = wire.right.start(["/usr/bin/python3", pathlib.Path(__file__).with_name("dns_server.py"), PORT, mode])
        assert self.process.stdout.readline() == "ready\n"

    def stop(self):
        return json.loads(self.wire.right.stop(self.process))


def names_of(daemon):
    return {row["host"]: row["name"] for row in daemon.query("named")}


def devices(daemon):
    return {row["mac"]: row for row in json.loads(daemon.ask("devices", "--format", "json").stdout)}


def facts(daemon):
    return daemon.status()["names"]


def rss_mb(daemon):
    text = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def wait_names(daemon, want, seconds=10):
    daemon.until(f"the names {want}", lambda: want.items() <= names_of(daemon).items(), seconds)


def check_answered(daemon, log, asked):
    """Each address once, but for the silent ones: they are asked once more, and then left alone."""
    text = log.read_text()
    for question, times in asked.items():
        assert text.count(f" {question}") == times, (question, text)


def test_answers_of_unbound(wire, tmp_path, unbound):
    """A name, another by CNAME, NXDOMAIN, REFUSED, silence: each is asked once, and cached."""
    unbound('local-data-ptr: "10.0.0.1 86400 one.example"', 'local-zone: "0.0.10.in-addr.arpa." static',
            'local-data-ptr: "2001:db8:0::1 six.example"', 'local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." static',
            'local-zone: "1.0.10.in-addr.arpa." refuse', 'local-zone: "2.0.10.in-addr.arpa." deny',
            'local-zone: "192.in-addr.arpa." static')
    with Daemon(wire.right, tmp_path, config(f"dns = yes {RESOLVER} hosts = off")) as daemon:
        v4 = ends(1, 2) + ends(256 + 7, 1) + ends(512 + 7, 1)
        sent = Sent(wire.send("left", 40, src=v4), wire.send("left", 10, src=ends(1, 1, 6), dst=ends(2, 1, 6)))
        wait_names(daemon, {"10.0.0.1": "one.example", "2001:db8::1": "six.example", "10.0.0.2": "-", "10.0.1.7": "-"})
        daemon.until("silence is known", lambda: facts(daemon)["silent"] == 2)
        state = facts(daemon)
        assert (state["questions"], state["named"], state["nameless"], state["refused"], state["silent"], state["waiting"]) == \
            (8, 2, 3, 1, 2, 0), state
        sent += Sent(wire.send("left", 40, src=v4))
        daemon.hear(2.5)
        assert facts(daemon)["questions"] == 8
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
        assert daemon.sql("select key, name, source, until from name order by 1") == \
            [("10.0.0.1", "one.example", "dns", None), ("2001:db8::1", "six.example", "dns", None)]
    check_answered(daemon, tmp_path / "unbound.log", {
        "1.0.0.10.in-addr.arpa. PTR IN": 1, "2.0.0.10.in-addr.arpa. PTR IN": 1, "7.1.0.10.in-addr.arpa. PTR IN": 1,
        "7.2.0.10.in-addr.arpa. PTR IN": 2})


def test_answers_of_dnsmasq(wire, tmp_path):
    need("dnsmasq")
    log = tmp_path / "dnsmasq.log"
    wire.right.start(["dnsmasq", "-k", "-C", "/dev/null", "--no-resolv", "--no-hosts", "--listen-address=127.0.0.1",
                      "--bind-interfaces", "-p", PORT, "--user=root", f"--pid-file={tmp_path}/pid", "--log-queries",
                      f"--log-facility={log}", "--host-record=one.example,10.0.0.1,2001:db8::1", "--local=/in-addr.arpa/",
                      "--local=/ip6.arpa/"])
    wait_until("dnsmasq answers", lambda: answers(wire.right))
    with Daemon(wire.right, tmp_path, config(f"dns = yes {RESOLVER} hosts = off")) as daemon:
        wire.send("left", 20, src=ends(1, 2))
        wire.send("left", 10, src=ends(1, 1, 6), dst=ends(2, 1, 6))
        wait_names(daemon, {"10.0.0.1": "one.example", "2001:db8::1": "one.example", "10.0.0.2": "-"})
        state = facts(daemon)
        assert (state["named"], state["refused"], state["failed"], state["silent"]) == (2, 0, 0, 0), state
        assert log.read_text().count("query[PTR] 1.0.0.10.in-addr.arpa") == 1


MANY = 10000


def send_many(wire, times=3):
    """From 10,000 addresses, so quickly that all are wanted at once."""
    return Sent(wire.send("left", MANY * times, src=ends(1, 1), spread=MANY, rate=40000, timeout=60))


def test_ten_thousand_at_once(wire, tmp_path):
    responder = Responder(wire, "name")
    with Daemon(wire.right, tmp_path, config(f"dns = yes {RESOLVER} rate = 2000 hosts = off")) as daemon:
        before = rss_mb(daemon)
        sent = send_many(wire)
        daemon.until("all have names", lambda: facts(daemon)["named"] >= MANY, 40)
        daemon.until("and the ledger has them", lambda: daemon.sql("select count(*) from name")[0][0] >= MANY)
        state, after = facts(daemon), rss_mb(daemon)
        daemon.stop()
        assert sum(row[0] for row in daemon.books("hosts", "l2").values()) == sent.packets
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
        assert daemon.sql("select count(*) from held")[0][0] == 0, "not of a local network"
    heard = responder.stop()
    print(heard, state, f"{before:.0f} MB -> {after:.0f} MB")
    assert heard["names"] == MANY + 1 and heard["most_of_one"] <= 2, heard
    assert heard["questions"] <= MANY + 50 and heard["most_a_second"] <= 2300, heard
    assert after - before < 60, (before, after)


@pytest.mark.parametrize("how", ["silence", "closed"])
def test_a_resolver_that_is_down(wire, tmp_path, how):
    """10,000 addresses, 10 s: 16 without an answer say that it is down; then it is left alone for ever longer."""
    responder = Responder(wire, "silence") if how == "silence" else None
    with Daemon(wire.right, tmp_path, config(f"dns = yes {RESOLVER} rate = 1000 hosts = off")) as daemon:
        sent = send_many(wire)
        daemon.until("it is known to be down", lambda: facts(daemon).get("resolver"))
        sent += send_many(wire)
        daemon.hear(8)
        state = facts(daemon)
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
    heard = responder.stop() if responder else {"questions": state["questions"]}
    print(heard, state)
    assert heard["questions"] == state["questions"] <= 16 + 64 + 8, state
    assert state["waiting"] >= MANY - 100 and state["silent"] >= 16, state


def test_a_resolver_that_comes_back(wire, tmp_path):
    with Daemon(wire.right, tmp_path, config(f"dns = yes {RESOLVER} hosts = off")) as daemon:
        wire.send("left", 200, src=ends(1, 1), spread=100)
        daemon.until("it is known to be down", lambda: facts(daemon).get("resolver"))
        responder = Responder(wire, "name")
        daemon.until("names come", lambda: facts(daemon)["named"] >= 60, 20)
        assert not facts(daemon).get("resolver")
        responder.stop()


def test_the_cache_is_bounded(wire, tmp_path):
    responder = Responder(wire, "name")
    with Daemon(wire.right, tmp_path, config(f"dns = yes {RESOLVER} rate = 2000 cache = 500 hosts = off")) as daemon:
        sent = send_many(wire, 1)
        daemon.until("nobody waits", lambda: facts(daemon)["evicted"] >= MANY - 600 and facts(daemon)["waiting"] == 0)
        state = facts(daemon)
        assert state["remembered"] == 500, state
        daemon.stop()
        assert daemon.books("hosts", "l2") == sent.books("addr", "l2")
    assert responder.stop()["questions"] <= 2 * 500 + MANY // 2


def test_order_of_trust_and_files_that_change(wire, tmp_path):
    """config, lease, hosts; each that goes lets the next show; files are read again; nothing is lost on the way."""
    hosts, leases = tmp_path / "hosts", tmp_path / "leases"
    hosts.write_text("10.0.0.1 from-hosts\n10.0.0.2 two\n")
    leases.write_text("0 02:00:04:00:00:01 10.0.0.1 From-Lease *\n")
    given = 'given = { "Küche = TV=02:00:04:00:00:03", "six=2001:db8::9" }'
    names = f'hosts = "{hosts}" leases = "{leases}" {given}'
    with Daemon(wire.right, tmp_path, config(names, more=LOCAL)) as daemon:
        wire.send("left", 30, src=ends(1, 3))
        # the device of 10.0.0.3 by IPv6 too: it is called as the device is
        wire.send("left", 10, src=["02:00:04:00:00:03/2001:db8::33"], dst=["02:00:00:00:00:02/2001:db8::9"])
        wait_names(daemon, {"10.0.0.1": "from-lease", "10.0.0.2": "two", "10.0.0.3": "Küche = TV", "2001:db8::33": "Küche = TV",
                            "2001:db8::9": "six"})
        wait_until("devices", lambda: devices(daemon).get("02:00:04:00:00:03", {}).get("ipv6") == "2001:db8::33")
        tv, first = devices(daemon)["02:00:04:00:00:03"], devices(daemon)["02:00:04:00:00:01"]
        assert (tv["name"], tv["source"], tv["ipv4"], tv["random"], tv["vendor"]) == \
            ("Küche = TV", "config", "10.0.0.3", "yes", "(random)")
        assert (first["name"], first["source"]) == ("from-lease", "lease")
        leases.write_text("")
        hosts.with_suffix(".new").write_text("10.0.0.1 from-hosts\n10.0.0.2 deux\n")
        hosts.with_suffix(".new").replace(hosts)
        daemon.until("the hosts file", lambda: daemon.sql(
            "select name, source from name where key = '10.0.0.1' and until is null") == [("from-hosts", "hosts")], 15)
        daemon.until("the new name", lambda: daemon.sql(
            "select name from name where key = '10.0.0.2' order by since") == [("two",), ("deux",)], 15)
        assert daemon.sql("select count(*) from held where host = '10.0.0.3' and mac = '02:00:04:00:00:03'") == [(1,)]
        history = json.loads(daemon.ask("devices", "10.0.0.1", "--format", "json").stdout)
        assert [(h["what"], h["value"]) for h in history] == [("device", "02:00:04:00:00:01"), ("name", "from-lease"),
                                                               ("name", "from-hosts")]
        assert any('host="10.0.0.2"' in m and 'name="deux"' in m for m in daemon.metrics())
        status, body = daemon.get("/api/v1/devices")
        assert status == 200 and {d["mac"] for d in json.loads(body)} == set(devices(daemon))
        assert daemon.get("/api/v1/devices/10.0.0.1")[0] == 200
        assert daemon.get("/api/v1/devices/x")[0] == 400


def test_a_restart_writes_nothing_anew(wire, tmp_path):
    responder = Responder(wire, "name")
    leases = tmp_path / "leases"
    leases.write_text("0 02:00:04:00:00:01 10.0.0.1 leased *\n")
    names = f'dns = yes {RESOLVER} hosts = off leases = "{leases}"'
    with Daemon(wire.right, tmp_path, config(names, more=LOCAL)) as daemon:
        wire.send("left", 30, src=ends(1, 3))
        daemon.until("names", lambda: daemon.sql("select count(*) from name where key like '10.%'") == [(3,)])
        daemon.hear(1.5)
        rows = daemon.sql("select * from name order by 1, 2"), daemon.sql("select * from held order by 1, 2")
        daemon.stop()
        daemon.again()
        wire.send("left", 30, src=ends(1, 3))
        daemon.until("it is asked again", lambda: facts(daemon)["named"] >= 2)
        daemon.hear(1.5)
        daemon.stop()
        assert (daemon.sql("select * from name order by 1, 2"), daemon.sql("select * from held order by 1, 2")) == rows
    responder.stop()


def test_neighbours_join_addresses(wire, tmp_path):
    """The kernel's neighbour table says who holds an address that is only ever received from here."""
    wire.right.run(["ip", "neigh", "add", "192.0.2.1", "lladdr", "02:00:00:00:00:01", "dev", "wire0", "nud", "permanent"])
    with Daemon(wire.right, tmp_path, config('hosts = off given = { "gateway=02:00:00:00:00:01" }')) as daemon:
        wire.right.run(["/usr/bin/python3", "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                        "for _ in range(5): s.sendto(b'x', ('192.0.2.1', 9))"])
        wait_names(daemon, {"192.0.2.1": "gateway"})
        daemon.until("the holder", lambda: daemon.sql(
            "select mac from held where host = '192.0.2.1'") == [("02:00:00:00:00:01",)])
        daemon.hear(1.1)  # the ledger's time is in seconds
        wire.right.run(["ip", "neigh", "replace", "192.0.2.1", "lladdr", "02:00:00:00:00:07", "dev", "wire0", "nud", "permanent"])
        daemon.until("the next holder", lambda: daemon.sql(
            "select mac from held where host = '192.0.2.1' order by since") == [("02:00:00:00:00:01",), ("02:00:00:00:00:07",)])


@pytest.fixture
def open_folder():
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield pathlib.Path(folder)


def test_files_and_privileges(wire, open_folder):
    """As another user: a file that is root's alone is read at the start, later it cannot be; said once, old names hold."""
    tmp_path, hosts = open_folder, open_folder / "hosts"
    hosts.write_text("10.0.0.1 mine\n")
    hosts.chmod(0o600)
    with Daemon(wire.right, tmp_path, config(f'dns = yes {RESOLVER} hosts = "{hosts}"', more="user = nobody\n")) as daemon:
        wire.send("left", 10, src=ends(1, 1))
        wait_names(daemon, {"10.0.0.1": "mine"})
        hosts.write_text("10.0.0.1 other-one\n")
        daemon.until("it is said", lambda: "Permission denied" in daemon.said(), 15)
        hosts.write_text("10.0.0.1 other-two\n")
        daemon.until("tried again", lambda: facts(daemon)["files_failed"] >= 2, 15)
        assert daemon.said().count("Permission denied") == 1
        assert names_of(daemon)["10.0.0.1"] == "mine"
        hosts.chmod(0o644)
        wait_names(daemon, {"10.0.0.1": "other-two"}, 15)


def test_two_hosts_of_one_name(wire, tmp_path):
    """An account by name alone: one row, one series."""
    names = 'hosts = off given = { "pair=10.0.0.1", "pair=10.0.0.2" }'
    with Daemon(wire.right, tmp_path, config(names, "account named { by = { name } every = 1h }\n")) as daemon:
        sent = wire.send("left", 30, src=ends(1, 3))
        daemon.until("one row for two", lambda: any(
            (r["name"], r["tx_packets"]) == ("pair", "20") for r in daemon.query("named")))
        assert {r["name"] for r in daemon.query("named")} == {"pair", "-"}
        name = 'nettally_named_packets_total{name="pair",direction="transmit"}'
        daemon.until("one series", lambda: daemon.metrics().get(name) == 20)
        assert sum(int(r["tx_packets"]) for r in daemon.query("named")) == sum(f["packets"] for f in sent["flows"])


@pytest.mark.parametrize("capture", ["socket", "kernel", "xdp"])
def test_names_and_vendors_however_it_is_counted(wire, tmp_path, pins, capture):
    """A vendor of the system's list is a key of the records; names are joined to them."""
    oui = pathlib.Path("/usr/share/ieee-data/oui.txt")
    if not oui.exists():
        pytest.skip("needs ieee-data")
    src = ["b8:27:eb:00:00:01/10.0.0.1", "02:00:00:00:00:09/10.0.0.2"]
    names = 'hosts = off given = { "pi=b8:27:eb:00:00:01" }'
    accounts = ('account devices { by = { mac, name, vendor } every = 1h }\naccount vendors { by = { vendor } every = 1h }\n'
                'account named { by = { host, name } every = 1h }\n')
    with Daemon(wire.right, tmp_path, config(names, accounts, LOCAL, capture), pins=pins) as daemon:
        wire.send("left", 20, src=src)
        wait_names(daemon, {"10.0.0.1": "pi", "10.0.0.2": "-"})
        daemon.stop()
        rows = {r["mac"]: r for r in daemon.query("devices")}
        assert (rows["b8:27:eb:00:00:01"]["name"], rows["b8:27:eb:00:00:01"]["vendor"][:9]) == ("pi", "Raspberry")
        assert rows["02:00:00:00:00:09"]["vendor"] == "(random)"
        by_vendor = {r["vendor"]: int(r["tx_packets"]) for r in daemon.query("vendors")}
        assert by_vendor["(random)"] == 10 and sum(by_vendor.values()) == 20
        assert devices(daemon)["b8:27:eb:00:00:01"]["random"] == "no"
    daemon.ask("detach", "--pins", pins, check=False)


def test_clients_of_reports_have_names(wire, tmp_path):
    (tmp_path / "key").write_text("correct horse battery staple")
    responder = Responder(wire, "name")
    conf = config(f"dns = yes {RESOLVER} hosts = off", "account clients { from = reports by = { host, name } every = 1h }\n",
                  f'reports {{ listen = "127.0.0.1:8789" key web1 {{ secret_file = "{tmp_path}/key" }} }}\n')
    with Daemon(wire.right, tmp_path, conf) as daemon:
        for _ in range(2):
            wire.right.run([daemon.binary, "report", "send", "--to", "127.0.0.1", "--key", tmp_path / "key", "--sender", "web1",
                            "client=198.51.100.7", "bytes=1000", "packets=1"])
        daemon.until("its name", lambda: [r["name"] for r in daemon.query("clients")] == ["h7.example"])
        assert daemon.query("clients")[0]["bytes"] == "2000"
    responder.stop()


def test_reload(wire, tmp_path):
    responder = Responder(wire, "name")
    with Daemon(wire.right, tmp_path, config('hosts = off given = { "one=10.0.0.1" }')) as daemon:
        wire.send("left", 20, src=ends(1, 2))
        wait_names(daemon, {"10.0.0.1": "one", "10.0.0.2": "-"})
        daemon.reload(config(f'dns = yes {RESOLVER} hosts = off given = {{ "uno=10.0.0.1" }}'))
        daemon.until("the new name", lambda: daemon.sql(
            "select name from name where key = '10.0.0.1' and until is null") == [("uno",)], 40)
        wire.send("left", 20, src=ends(3, 1))
        daemon.until("DNS is asked now", lambda: names_of(daemon).get("10.0.0.3", "-").endswith(".example"))
        assert not facts(daemon).get("resolver")
    responder.stop()


def test_hostile_names(wire, tmp_path):
    """Bytes of DNS that would break a terminal, a table, CSV, JSON, a page, a metric or SQL."""
    responder = Responder(wire, "hostile")
    with Daemon(wire.right, tmp_path, config(f"dns = yes {RESOLVER} hosts = off", more=LOCAL)) as daemon:
        wire.send("left", 20, src=ends(1, 2))
        daemon.until("both have names", lambda: facts(daemon)["named"] >= 3)
        daemon.until("in the ledger", lambda: daemon.sql("select count(*) from name where key like '10.%'") == [(2,)])
        wanted = {row[0] for row in daemon.sql("select name from name")}
        assert all(name.isascii() and name.isprintable() and not set(name) & set("\"'<>&,;= \t`$()|") for name in wanted), wanted
        assert max(map(len, wanted)) <= 255 and any("\\027" in name for name in wanted)
        for form in ("table", "tsv", "csv", "json", "ndjson"):
            text = daemon.ask("query", "named", "--format", form).stdout
            assert all(c == "\n" or c == "\t" or c.isprintable() for c in text), form
            assert form in ("table", "json") or len(text.splitlines()) == (3 if form == "ndjson" else 4), text
        csv_rows = list(csv.DictReader(io.StringIO(daemon.ask("query", "named", "--format", "csv").stdout)))
        json_rows = json.loads(daemon.ask("query", "named", "--format", "json").stdout)
        assert {r["name"] for r in csv_rows} == {r["name"] for r in json_rows} <= wanted | {"-"}
        for name in wanted:
            rows = daemon.query("named", "--where", f"name={name}")
            assert rows and {r["name"] for r in rows} == {name}
        status, body = daemon.get("/metrics")
        assert status == 200 and "\x1b" not in body and "<script" not in body
        shown = {bytes(m, "ascii").decode("unicode_escape") for m in re.findall(r'(?m)^nettally_named_.*name="([^"]*)"', body)}
        assert wanted == shown - {"-", "other"}, (wanted, shown)
        if shutil.which("promtool"):
            done = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
        assert daemon.get("/api/v1/devices")[0] == 200
        daemon.stop()
        assert daemon.sql("pragma integrity_check") == [("ok",)]
    responder.stop()


@pytest.mark.parametrize("names, problem", [
    ('resolver = "nonsense"', "resolver"), ('resolver = "127.0.0.1:99999"', "resolver"), ('leases = "/nowhere"', "leases"),
    ('hosts = "/nowhere"', "hosts"), ('oui = "/nowhere"', "oui"), ('given = { "x" }', "given"),
    ('given = { "x=1.2.3" }', "given"),
    ('given = { "a=10.0.0.1", "b=10.0.0.1" }', "called 'a' already"), ("cache = 1", "cache"), ("rate = 0", "rate"),
    ("dns = perhaps", "dns"), ("nonsense = 1", "unknown key"),
])
def test_mistakes_of_the_config(tmp_path, names, problem):
    file = tmp_path / "x.conf"
    file.write_text(f"\nnames {{\n{names}\n}}\n")
    done = subprocess.run([os.environ["NETTALLY"], "check", "-c", file], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and f"{file}:3: " in done.stdout + done.stderr and problem in done.stdout + done.stderr
