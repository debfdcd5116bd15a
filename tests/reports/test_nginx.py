# SPDX-License-Identifier: GPL-2.0-or-later
"""The module in a real nginx, clients beyond a wire that loses packets, and the kernel's own counters to compare with."""
import re
import signal
import subprocess
import time

import pytest

import lab as lab_module
from lab import CLIENT, CLIENT6, SERVER, SERVER6, Lab, run


@pytest.fixture
def lab(tmp_path):
    lab_module.module()
    with Lab(tmp_path) as made:
        yield made


@pytest.fixture
def lossy(tmp_path):
    lab_module.module()
    with Lab(tmp_path, loss=3) as made:
        yield made


def transferred(text):
    """What curl saw of a connection: headers and bodies."""
    return sum(map(int, re.findall(r"\d+", text)))


SIZES = ["-w", "%{size_header} %{size_download}\n"]


def test_bytes_are_what_the_client_got(lab):
    lab.file("small", 1000)
    lab.file("large", 3000000)
    lab.nginx()
    got = transferred(lab.curl(*SIZES, f"http://{SERVER}:8080/small").stdout)
    got6 = transferred(lab.curl(*SIZES, f"http://[{SERVER6}]:8080/large").stdout)
    missing = transferred(lab.curl(*SIZES, f"http://{SERVER}:8080/missing").stdout)
    rows = {(r["host"], r["type"]): r for r in lab.stop()}
    assert rows[CLIENT, "/small"]["bytes"] == got and rows[CLIENT, "/small"]["requests"] == 1
    assert rows[CLIENT6, "/large"]["bytes"] == got6 and rows[CLIENT6, "/large"]["requests"] == 1
    assert rows[CLIENT, "/missing"]["bytes"] == missing
    assert all(r["service"] == "web" for r in rows.values())
    assert rows[CLIENT6, "/large"]["packets"] >= 3000000 // 1440


def test_kept_alive_requests_sum_to_the_connection(lab):
    lab.file("a", 5000)
    lab.file("b", 700000)
    lab.nginx()
    urls = [f"http://{SERVER}:8080/{'ab'[i % 2]}" for i in range(40)]
    words = []
    for url in urls:
        words += ["-o", "/dev/null", url]
    done = lab.run("client", ["curl", "-s", *SIZES, *words])
    assert "1" == lab.run("client", ["curl", "-s", "-o", "/dev/null", "-w", "%{num_connects}", urls[0]]).stdout
    lab.stop()
    one = 5000 + 250
    total = lab.daemon.total("bytes")
    assert 0 <= total - transferred(done.stdout) - 5000 < one, "of the second curl its header"
    assert lab.daemon.total("requests") == 41
    assert lab.daemon.total("requests", type="/a") == 21


def test_a_lossy_path(lossy):
    """Bytes are the clients', retransmits are the kernel's."""
    lossy.file("large", 1500000)
    lossy.file("small", 3000)
    lossy.nginx()
    before = lossy.kernel("TcpRetransSegs")
    got = 0
    for name in ("large", "small", "large"):
        got += transferred(lossy.curl("--retry", "0", *SIZES, f"http://{SERVER}:8080/{name}").stdout)
    time.sleep(0.5)  # the last FIN is acknowledged
    retransmits = lossy.kernel("TcpRetransSegs") - before
    fins = 3  # each connection's FIN may be sent again after the last reading, and so may an answer to the client's SYN
    lossy.stop()
    assert lossy.daemon.total("bytes") == got
    told = lossy.daemon.total("retransmits")
    assert told > 10 and 0 <= retransmits - told <= 2 * fins, (told, retransmits)


def test_an_aborted_download(lossy):
    """What the client got, and no more beyond it than was in flight: never what was not sent."""
    lossy.file("large", 30000000)
    lossy.nginx()
    done = lossy.curl("--max-time", "1.5", "--limit-rate", "300k", *SIZES, f"http://{SERVER}:8080/large", check=False)
    got = transferred(done.stdout)
    assert done.returncode == 28 and 0 < got < 25000000
    time.sleep(0.5)
    lossy.stop()
    told = lossy.daemon.total("bytes")
    # curl reads slowly: beside what it took, its kernel had a receive buffer full (at most 6 MiB by tcp_rmem)
    assert got <= told <= got + 6 * 2**20 + 100000 and told < 30000000
    assert lossy.daemon.total("requests") == 1


def test_the_kernel_agrees_on_aborted_downloads(lab):
    """All bytes that left in segments are in the reports, each once."""
    lab.file("large", 30000000)
    lab.nginx()
    for _ in range(4):
        lab.curl("--max-time", "0.4", "--limit-rate", "2M", f"http://{SERVER}:8080/large", check=False)
    lab.run("client", ["curl", "-s", "-o", "/dev/null", f"http://{SERVER}:8080/large"])
    time.sleep(0.3)
    out_before = lab.kernel("IpExtOutOctets")
    segments = lab.kernel("TcpOutSegs") + lab.kernel("TcpRetransSegs")
    lab.stop()
    told, packets = lab.daemon.total("bytes"), lab.daemon.total("packets")
    # the octets of IP: with a header for each super-packet, and the reports' UDP on loopback
    assert told < out_before < told * 1.05
    assert packets <= segments


def test_tls_and_http2(lab):
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=x", "-keyout", lab.folder / "tls.key", "-out", lab.folder / "tls.pem"])
    lab.file("large", 2000000)
    lab.file("small", 2000)
    lab.nginx(listen="listen 192.0.2.1:8443 ssl http2;",
              server=f"ssl_certificate {lab.folder}/tls.pem; ssl_certificate_key {lab.folder}/tls.key;")
    words = []
    for i in range(20):
        words += ["-o", "/dev/null", f"https://{SERVER}:8443/{'large' if i == 7 else 'small'}"]
    done = lab.run("client", ["curl", "-s", "-k", "--http2", "--parallel", "--parallel-max", "8", "-w",
                              "%{http_version} %{num_connects} %{size_download}\n", *words])
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {line[0] for line in lines} == {"2"}
    got = sum(int(line[2]) for line in lines)
    connections = sum(int(line[1]) for line in lines)
    lab.stop()
    assert lab.daemon.total("requests") == 20
    told = lab.daemon.total("bytes")
    # TLS's and HTTP/2's own bytes: 5 + 17 of a record, 9 of a frame, the handshake
    assert got + connections * 500 < told < got * 1.01 + connections * 5000 + 20 * 500


def test_realip_and_proxy_protocol(lab):
    lab.file("small", 1000)
    lab.nginx(http="set_real_ip_from 192.0.2.0/24;",
              server="real_ip_header X-Forwarded-For;",
              more=f"""server {{ listen {SERVER}:8081 proxy_protocol; root {lab.folder}/www; }}
                       server {{ listen {SERVER}:8082 proxy_protocol; root {lab.folder}/www; real_ip_header proxy_protocol; }}""")
    lab.curl("-H", "X-Forwarded-For: 198.51.100.77", f"http://{SERVER}:8080/small")
    lab.curl("-H", "X-Forwarded-For: 2001:db8:77::1", f"http://{SERVER}:8080/small")
    lab.curl("--haproxy-protocol", f"http://{SERVER}:8081/small")
    for port, client in (("8081", "203.0.113.5"), ("8082", "203.0.113.6")):
        request = f"PROXY TCP4 {client} 192.0.2.1 1234 80\r\nGET /small HTTP/1.0\r\n\r\n"
        lab.run("client", ["bash", "-c", f"exec 3<>/dev/tcp/{SERVER}/{port}; printf %s '{request}' >&3; "
                                         "timeout 5 cat <&3 >/dev/null"])
    rows = {r["host"]: r["requests"] for r in lab.stop()}
    assert rows == {"198.51.100.77": 1, "2001:db8:77::1": 1, CLIENT: 1, "203.0.113.5": 1, "203.0.113.6": 1}


def test_upstream_errors_and_locations(lab):
    """`off` means off, also on a connection that others share."""
    lab.file("small", 1000)
    lab.nginx(server="""location /gone { proxy_pass http://127.0.0.1:9; }
                        location /off/ { nettally off; alias %s/www/; }
                        location /typed/ { nettally_type "video $request_method"; alias %s/www/; }""" % (lab.folder, lab.folder))
    words = []
    for path in ("off/small", "small", "off/small", "typed/small", "gone", "off/small"):
        words += ["-o", "/dev/null", f"http://{SERVER}:8080/{path}"]
    done = lab.run("client", ["curl", "-s", "-w", "%{size_header} %{size_download}\n", *words])
    sizes = [sum(map(int, line.split())) for line in done.stdout.splitlines()]
    rows = {r["type"]: r for r in lab.stop()}
    assert set(rows) == {"/small", "video GET", "/gone"}
    assert rows["/small"]["bytes"] == sizes[1] and rows["video GET"]["bytes"] == sizes[3] and rows["/gone"]["bytes"] == sizes[4]


@pytest.mark.parametrize("how", ["graceful", "fast"])
def test_no_report_is_lost_when_workers_end(lab, how):
    lab.file("small", 1000)
    lab.nginx(workers=2)
    done = lab.run("client", ["curl", "-s", *SIZES, *["-o", "/dev/null", f"http://{SERVER}:8080/small"] * 30])
    lab.stop_nginx(signal.SIGQUIT if how == "graceful" else signal.SIGTERM)
    lab.daemon.stop()
    assert lab.daemon.total("requests") == 30
    assert lab.daemon.total("bytes") == transferred(done.stdout)


def test_wrk_and_a_reload(lab):
    lab.file("small", 1000)
    lab.nginx(workers=2, http="access_log off;")
    each = transferred(lab.curl(*SIZES, f"http://{SERVER}:8080/small").stdout)
    wrk = subprocess.Popen(lab.inside("client", ["wrk", "-t1", "-c20", "-d3", f"http://{SERVER}:8080/small"]),
                           stdout=subprocess.PIPE, text=True)
    time.sleep(1)
    lab.web.send_signal(signal.SIGHUP)
    text = wrk.communicate(timeout=30)[0]
    requests = int(re.search(r"(\d+) requests in", text)[1])
    lab.stop()
    assert requests < lab.daemon.total("requests") <= requests + 100, text  # those that wrk began and did not wait for
    # a response of a worker that ends has "close" instead of "keep-alive"; those that nobody waited for were not sent
    assert requests * each - 200 <= lab.daemon.total("bytes") <= lab.daemon.total("requests") * each, text


def test_a_daemon_that_is_away_disturbs_nobody(lab):
    lab.file("small", 1000)
    lab.nginx()
    lab.daemon.stop()
    for _ in range(3):
        assert lab.curl("-w", "%{http_code}", f"http://{SERVER}:8080/small").stdout == "200"
        time.sleep(1.2)
    lab.stop_nginx()


@pytest.mark.parametrize("text, says", [
    ("nettally on;", "nettally_server ADDRESS:PORT key=FILE"),
    ("nettally_server 127.0.0.1:8789;", "invalid number of arguments"),
    ("nettally_server 127.0.0.1:8789 key=/nowhere/key;", "/nowhere/key"),
    ("nettally_server 127.0.0.1:port key=KEY;", "127.0.0.1:port"),
    ("nettally_server 127.0.0.1:8789 key=KEY color=red;", "color=red"),
    ("nettally maybe;", "on"),
])
def test_mistakes_in_the_configuration(lab, text, says):
    with pytest.raises(pytest.fail.Exception, match=re.escape(says)):
        lab.nginx(server=text.replace("KEY", f"{lab.folder}/key"), on=False)
