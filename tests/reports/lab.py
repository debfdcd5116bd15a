# SPDX-License-Identifier: GPL-2.0-or-later
"""A web server and its clients in two network namespaces, and a daemon that hears its reports.

    with Lab(tmp_path, loss=3) as lab:           # a veth pair; nft drops 3 % of the packets, both ways
        web = lab.nginx("location / { ... }")    # with the module, reporting to lab.daemon
        lab.curl("http://192.0.2.1:8080/1m")     # from the client's namespace
        rows = lab.stop()                        # nginx ends, then the daemon: the account's records, as dicts"""
import csv
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

SECRET = "correct horse battery staple"
OLD_SECRET = "old secret"
SERVER, CLIENT = "192.0.2.1", "192.0.2.2"
SERVER6, CLIENT6 = "2001:db8::1", "2001:db8::2"
numbers = itertools.count()

CONFIG = """
reports {{ listen = "127.0.0.1:{port}"  key web1 {{ secret_file = "{folder}/key" }}  trafstat_secret_file = "{folder}/old_key" }}
service web {{ tcp = {{ 8080, 8443 }} }}
account all {{ from = reports  by = {{ host, type, service }}  every = 1h }}
kernel {{ pins = off }}
ledger {{ path = "{folder}/ledger.db" }}
web {{ listen = off }}
"""

NGINX = """
load_module {module};
worker_processes {workers};
user root;
daemon off;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    keepalive_requests 100000;
    sendfile on;
    {http}
    server {{
        listen {server}:8080; listen [{server6}]:8080; {listen}
        root {folder}/www;
        {server_text}
    }}
    {more}
}}
"""


def run(command, timeout=60, check=True, **more):
    return subprocess.run([str(c) for c in command], timeout=timeout, check=check, capture_output=True, text=True, **more)


def wait_until(what, true, seconds=15, log=lambda: ""):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = true()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"not within {seconds} s: {what}\n{log()}")


def binary():
    if not os.environ.get("NETTALLY"):
        pytest.skip("NETTALLY does not name the binary")
    return os.path.abspath(os.environ["NETTALLY"])


def module():
    """Built by meson beside the binary, where nginx-dev is there."""
    path = pathlib.Path(binary()).parents[2] / "nginx" / "ngx_http_nettally_module.so"
    if not path.exists():
        pytest.skip(f"no {path}: nginx-dev is missing, or the target was not built")
    if not shutil.which("nginx"):
        pytest.skip("no nginx")
    return path


class Daemon:
    def __init__(self, folder, inside=(), config=CONFIG, port=0):
        self.folder, self.inside = pathlib.Path(folder), list(inside)
        (self.folder / "key").write_text(SECRET + "\n")
        (self.folder / "old_key").write_text(OLD_SECRET)
        self.config = self.folder / "nettally.conf"
        self.config.write_text(config.format(port=port, folder=folder))
        self.log = self.folder / "log"
        self.start()

    def start(self):
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([*self.inside, binary(), "run", "-c", str(self.config)], stdout=log, stderr=log)
        self.port = int(wait_until("the daemon listens", self._find_port, log=self.log.read_text))

    def _find_port(self):
        if self.process.poll() is not None:
            pytest.fail("the daemon ended:\n" + self.log.read_text())
        found = re.search(r"hearing reports on .* port (\d+)", self.log.read_text())
        return found and "ledger:" in self.log.read_text() and found[1]

    def command(self, *words, **more):
        return run([binary(), *words, "--ledger", self.folder / "ledger.db"], **more)

    def status(self):
        return json.loads(self.command("status", "--json").stdout)

    def reports(self):
        """What it says of reports: one dict of numbers, the refusals among them by reason."""
        status = self.status()
        said = dict(status["reports"])
        said.update({row["reason"]: row["datagrams"] for row in status["reports_refused"]})
        return said

    def wait_datagrams(self, count, seconds=20):
        return wait_until(f"{count} datagrams", lambda: (lambda r: r if r["datagrams"] >= count else None)(self.reports()),
                          seconds, self.log.read_text)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(30) == 0, self.log.read_text()

    def rows(self, account="all"):
        text = self.command("query", account, "--format", "tsv").stdout
        return [{k: int(v) if k in ("requests", "packets", "bytes", "retransmits") else v for k, v in row.items()}
                for row in csv.DictReader(text.splitlines(), delimiter="\t")]

    def total(self, column, **where):
        return sum(row[column] for row in self.rows() if all(row[k] == v for k, v in where.items()))

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


class Lab:
    def __init__(self, folder, loss=0):
        if os.geteuid() != 0:
            pytest.skip("needs root: network namespaces")
        self.folder, self.web, self.daemon, self.loss = pathlib.Path(folder), None, None, loss
        number = f"{os.getpid() % 100000}{next(numbers)}"
        self.ns = {"server": f"nts-rs{number}", "client": f"nts-rc{number}"}

    def inside(self, side, command=()):
        return ["nsenter", f"--net=/run/netns/{self.ns[side]}", *map(str, command)]

    def run(self, side, command, **more):
        return run(self.inside(side, command), **more)

    def __enter__(self):
        try:
            self._wire()
            (self.folder / "www").mkdir()
            self.daemon = Daemon(self.folder, self.inside("server"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wire(self):
        for name in self.ns.values():
            run(["ip", "netns", "add", name])
        run(["ip", "link", "add", "wire0", "netns", self.ns["server"], "type", "veth", "peer", "name", "wire0", "netns",
             self.ns["client"]])
        for side, address, address6 in (("server", SERVER, SERVER6), ("client", CLIENT, CLIENT6)):
            self.run(side, ["ip", "addr", "add", f"{address}/24", "dev", "wire0"])
            self.run(side, ["ip", "addr", "add", f"{address6}/64", "dev", "wire0", "nodad"])
            for device in ("lo", "wire0"):
                self.run(side, ["ip", "link", "set", device, "up"])
            # segments as they are, so that each is lost for itself
            self.run(side, ["ethtool", "-K", "wire0", "tso", "off", "gso", "off", "gro", "off"], check=False)
            if self.loss:
                self.run(side, ["nft", f"table inet loss {{ chain in {{ type filter hook input priority 0; iifname wire0 "
                                       f"numgen random mod 1000 < {int(self.loss * 10)} drop; }}; }}"])

    def __exit__(self, *_):
        if self.web and self.web.poll() is None:
            self.web.kill()
            self.web.wait(10)
        if self.daemon:
            self.daemon.kill()
        for name in self.ns.values():
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)

    def file(self, name, size):
        (self.folder / "www" / name).write_bytes(os.urandom(4096) * (size // 4096) + bytes(size % 4096))

    def nginx(self, server="", http="", more="", listen="", workers=1, on=True, load=True):
        """`server`, `http`: text in these sections; `more`: other servers."""
        d = self.folder
        if on:
            http = (f"nettally on; nettally_server 127.0.0.1:{self.daemon.port} key={d}/key sender=web1;\n"
                    f"nettally_type $uri;\n{http}")
        text = NGINX.format(module=module(), folder=d, http=http, server=SERVER, server6=SERVER6, listen=listen,
                            server_text=server, more=more, workers=workers)
        (d / "nginx.conf").write_text(text if load else text.replace("load_module", "#"))
        with open(d / "nginx.out", "w", encoding="utf-8") as out:
            self.web = subprocess.Popen(self.inside("server", ["nginx", "-c", d / "nginx.conf", "-e", d / "error.log"]),
                                        stdout=out, stderr=out)
        def listening():
            if self.web.poll() is not None:
                pytest.fail("nginx ended:\n" + (d / "nginx.out").read_text() + (d / "error.log").read_text())
            return ":8080" in self.run("server", ["ss", "-Hltn"]).stdout
        wait_until("nginx listens", listening)

    def stop_nginx(self, how=signal.SIGQUIT):
        self.web.send_signal(how)
        self.web.wait(30)
        assert "alert" not in (self.folder / "error.log").read_text()

    def stop(self):
        self.stop_nginx()
        self.daemon.stop()
        said = self.daemon.log.read_text()
        assert "cannot" not in said and "lost" not in said, said
        return self.daemon.rows()

    def curl(self, *words, check=True, timeout=120):
        return self.run("client", ["curl", "-s", "-S", "-o", "/dev/null", *words], check=check, timeout=timeout)

    def kernel(self, name, side="server"):
        """A counter of the kernel's in there, such as TcpRetransSegs."""
        found = re.search(rf"^{name}\s+(\d+)", self.run(side, ["nstat", "-asz", name]).stdout, re.M)
        return int(found[1])
