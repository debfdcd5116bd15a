# SPDX-License-Identifier: GPL-2.0-or-later
"""Webhook, Kafka and files have exactly what the ledger has, whatever happens on the way."""
import collections
import csv
import json
import random
import shutil
import subprocess
import time

import pytest

from sink_world import sums_of, tool
from http_servers import Listener

COUNTERS = ["rx_packets", "rx_l2_bytes", "tx_packets", "tx_l3_bytes"]


def last_of(records, keys):
    """Records are absolute: of those with the same key the last one counts."""
    return list({tuple(str(r[k]) for k in keys): r for r in records}.values())


def check(world, records, account, keys):
    assert sums_of(last_of(records, ["window", *keys]), keys, COUNTERS) == world.truth(account, keys, COUNTERS)


# ---- webhook ----

def records_of(server):
    """A receiver that knows what it has by its key."""
    by_key = {r["headers"]["Idempotency-Key"]: json.loads(r["body"]) for r in server.requests}
    return [record for body in by_key.values() for record in body["records"]]


def test_webhook(world, tmp_path):
    token = tmp_path / "token"
    token.write_text("t0ken\n")
    server = Listener(lambda r: 200 if r["headers"].get("Authorization") == "Bearer t0ken" else 401)
    world.fill("hosts", "host", windows=10, keys=30)
    world.configure(f'webhook api {{ url = "{server.url}/take" token_file = "{token}" node = n1 }}')
    world.start()
    world.wait_sent("api")
    assert {r["path"] for r in server.requests} == {"/take"}
    body = json.loads(server.requests[0]["body"])
    assert (body["node"], body["sink"], body["table"]) == ("n1", "api", "hosts")
    assert len(server.requests) == 10 == len({r["headers"]["Idempotency-Key"] for r in server.requests})
    # what a receiver that sums by key has is exact, with no word about windows
    assert sums_of(records_of(server), ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)
    server.close()


def test_webhook_with_a_server_that_fails(world):
    answers = [200, 503, None, 500, 429, 200, 408]
    server = Listener(lambda r: random.choice(answers))
    world.fill("hosts", "host", windows=8, keys=30)
    world.configure(f'webhook api {{ url = "{server.url}" batch = 30 timeout = 2s }}')
    world.start()
    time.sleep(2)
    answers[:] = [200]
    world.wait_sent("api", 60)
    assert sums_of(records_of(server), ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)
    assert world.status()["api"]["rejected_records"] == 0
    server.close()


def test_webhook_repeats_have_the_same_key(world):
    server = Listener()
    world.fill("hosts", "host", windows=1000, keys=20)
    world.configure(f'webhook api {{ url = "{server.url}" batch = 100 }}')
    world.kill_often()
    world.start()
    world.wait_sent("api", 60)
    assert len({r["headers"]["Idempotency-Key"] for r in server.requests}) == 1000 <= len(server.requests)
    assert sums_of(records_of(server), ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)
    world.retry("api", "--from-start")
    time.sleep(1.5)
    world.wait_sent("api", 60)
    assert len({r["headers"]["Idempotency-Key"] for r in server.requests}) == 2000  # asked for, so not the same
    check(world, records_of(server), "hosts", ["host"])
    server.close()


def test_webhook_that_refuses_some(world):
    refuses = [True]
    server = Listener(lambda r: (422, b"no fives") if refuses[0] and json.loads(r["body"])["table"] == "fives" else 200)
    world.fill("hosts", "host", windows=5, keys=10)
    world.fill("fives", "host", windows=5, keys=5)
    world.configure(f'webhook api {{ url = "{server.url}" }}')
    world.start()
    world.wait_sent("api")
    row = world.status()["api"]
    assert (row["set_aside_windows"], row["rejected_records"], row["records"]) == (5, 25, 50)
    assert "no fives" in row["problem"]
    check(world, records_of(server), "hosts", ["host"])
    refuses[0] = False
    world.stop()
    world.start()  # what was set aside waits until it is asked for
    world.wait_sent("api")
    assert world.status()["api"]["set_aside_windows"] == 5
    world.retry("api")
    end = time.monotonic() + 20
    while world.status()["api"]["set_aside_windows"]:
        assert time.monotonic() < end, world.log()
        time.sleep(0.1)
    fives = [r for q in server.requests if json.loads(q["body"])["table"] == "fives" for r in json.loads(q["body"])["records"]]
    check(world, fives, "fives", ["host"])
    server.close()


def test_unknown_sink(world):
    world.fill("hosts", "host", windows=1, keys=1)
    world.configure('webhook api { url = "http://127.0.0.1:1" }')
    world.start()
    done = world.nettally("sinks", "retry", "ape", "--control", f"{world.folder}/control", check=False)
    assert done.returncode == 1 and "there are: api" in done.stderr


# ---- Kafka ----

class Kafka:
    def __init__(self):
        if not shutil.which("kcat"):
            pytest.skip("no kcat")
        self.process = subprocess.Popen([tool("kafka_mock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.brokers = self.process.stdout.readline().strip()

    def say(self, word):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def messages(self, topic):
        """(key, record) of all, in order of arrival within a partition."""
        out = subprocess.run(["kcat", "-C", "-b", self.brokers, "-t", topic, "-e", "-q", "-f", "%k\t%s\n"], check=True,
                             capture_output=True, text=True, timeout=60).stdout
        return [tuple(line.split("\t")) for line in out.splitlines()]

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


@pytest.fixture
def kafka():
    k = Kafka()
    yield k
    k.close()


def test_kafka(world, kafka):
    world.fill("hosts", "host", windows=10, keys=50)
    world.configure(f'kafka bus {{ brokers = "{kafka.brokers}" }}')
    world.start()
    world.wait_sent("bus")
    messages = kafka.messages("hosts")
    assert len(messages) == 500 == len({k for k, _ in messages})
    records = [json.loads(m) for _, m in messages]
    assert sums_of(records, ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)
    key = json.loads(messages[0][0])
    assert key[0] == "hosts" and key[1] == records[0]["window"] and records[0]["host"] in key


def test_kafka_brokers_away(world, kafka):
    world.fill("hosts", "host", windows=200, keys=100)
    world.configure(f'kafka bus {{ brokers = "{kafka.brokers}" timeout = 3s batch = 500 topic = all }}')
    world.start()
    time.sleep(0.3)
    kafka.say("down")
    end = time.monotonic() + 25
    while world.status()["bus"]["state"] != "failing":
        assert time.monotonic() < end, world.log()
        time.sleep(0.1)
    kafka.say("up")
    world.wait_sent("bus", 90)
    messages = kafka.messages("all")
    assert len({k for k, _ in messages}) == 20000
    check(world, [json.loads(m) for _, m in messages], "hosts", ["host"])
    assert json.loads(messages[0][1])["table"] == "hosts"


def test_kafka_nettally_is_killed_twenty_times(world, kafka):
    world.fill("hosts", "host", windows=1000, keys=20)
    world.configure(f'kafka bus {{ brokers = "{kafka.brokers}" batch = 20 }}')
    world.kill_often()
    world.configure(f'kafka bus {{ brokers = "{kafka.brokers}" }}')
    world.start()
    world.wait_sent("bus", 60)
    messages = kafka.messages("hosts")
    assert len({k for k, _ in messages}) == 20000
    check(world, [json.loads(m) for _, m in messages], "hosts", ["host"])


# ---- files ----

def read_files(folder, table, form, with_parts=True):
    records = []
    for path in sorted(p for p in folder.iterdir() if p.name.startswith(f"{table}-")):
        if path.suffix == ".part" and not with_parts:
            continue
        with open(path, newline="", errors="surrogateescape") as f:
            records += [json.loads(line) for line in f] if form == "ndjson" else list(csv.DictReader(f))
    return records


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_files(world, tmp_path, form):
    folder = tmp_path / "out"
    folder.mkdir()
    world.fill("hosts", "host", windows=20, keys=50)
    world.fill("awkward", "host,service", windows=3, keys=32)
    world.configure(f'file ship {{ directory = "{folder}" format = {form} rotate = 2s }}')
    world.start()
    world.wait_sent("ship")
    time.sleep(3.5)
    assert not [p for p in folder.iterdir() if p.suffix == ".part"]
    records = read_files(folder, "hosts", form)
    assert len(records) == 1000  # each once
    assert sums_of(records, ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)
    awkward = read_files(folder, "awkward", form)
    assert len({r["service"] for r in awkward}) == 32 and {"a,b=c2", '"quoted"4', "grün6"} <= {r["service"] for r in awkward}


def test_files_nettally_is_killed_twenty_times(world, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    world.fill("hosts", "host", windows=1000, keys=50)
    world.configure(f'file ship {{ directory = "{folder}" batch = 50 rotate_size = 200KiB }}')
    world.kill_often()
    world.start()
    world.wait_sent("ship", 60)
    world.stop()
    records = read_files(folder, "hosts", "ndjson")
    names = collections.Counter((r["window"], r["host"]) for r in records)
    assert len(records) == 50000 and max(names.values()) == 1  # exactly once
    assert sums_of(records, ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)


def test_files_on_a_full_disk(world, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=False, capture_output=True)
    if done.returncode:
        pytest.skip("no tmpfs can be mounted here")
    try:
        world.fill("hosts", "host", windows=40, keys=100)
        world.configure(f'file ship {{ directory = "{folder}" batch = 100 }}')
        world.start()
        end = time.monotonic() + 10
        while world.status()["ship"]["state"] != "failing":
            assert time.monotonic() < end, world.log()
            time.sleep(0.1)
        assert "No space left" in world.status()["ship"]["problem"]
        subprocess.run(["mount", "-o", "remount,size=64m", str(folder)], check=True)
        world.wait_sent("ship", 60)
        records = read_files(folder, "hosts", "ndjson")
        assert len(records) == 4000
        assert sums_of(records, ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)
        world.stop()
    finally:
        if world.process:
            world.process.kill()
            world.process.wait()
        subprocess.run(["umount", str(folder)], check=False)


def test_away_then_the_window_expires(world, tmp_path):
    """hold is over: what was not sent goes, and is counted."""
    world.fill("hosts", "host", windows=20, keys=50, start=int(time.time()) - 40 * 86400)
    world.configure('webhook api { url = "http://127.0.0.1:1" hold = 1h }')
    world.start()
    end = time.monotonic() + 30
    while world.status()["api"]["expired_records"] < 1000:
        assert time.monotonic() < end, world.log()
        time.sleep(0.2)
    assert world.rows("SELECT count(*) FROM changed")[0][0] == 0
    world.stop()


def test_what_is_not_sent_is_held(world):
    begin = int(time.time()) - 8 * 86400
    world.fill("hosts", "host", windows=20, keys=50, start=begin)  # keep says: 7 days
    world.configure('webhook api { url = "http://127.0.0.1:1" hold = 30d }')
    world.start()
    time.sleep(4)
    assert world.rows("SELECT count(*) FROM changed")[0][0] == 20
    assert world.status()["api"]["expired_records"] == 0
    world.stop()
    server = Listener()
    world.configure(f'webhook api {{ url = "{server.url}" hold = 30d }}')
    world.start()
    world.wait_sent("api")
    sent = sums_of(records_of(server), ["host"], COUNTERS)
    end = time.monotonic() + 30
    while world.rows("SELECT count(*) FROM changed")[0][0]:  # now keep has its way
        assert time.monotonic() < end, world.log()
        time.sleep(0.2)
    assert sent == world.truth("hosts", ["host"], COUNTERS)
    server.close()


def test_reload(world):
    first, second = Listener(), Listener()
    world.fill("hosts", "host", windows=5, keys=10)
    world.configure(f'webhook api {{ url = "{first.url}" }}')
    world.start()
    world.wait_sent("api")
    world.configure(f'webhook other {{ url = "{second.url}" }}')
    world.process.send_signal(1)
    end = time.monotonic() + 20
    while "other" not in world.status() or world.status()["other"]["records"] < 50:
        assert time.monotonic() < end, world.log()
        time.sleep(0.1)
    assert sums_of(records_of(second), ["host"], COUNTERS) == world.truth("hosts", ["host"], COUNTERS)
    first.close()
    second.close()
