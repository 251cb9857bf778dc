"""Replicas move between data directories: asked for by Kafka's tool, and gone on with by Kafka."""

import glob
import json
import os
import shutil
import threading
import time

TOPIC = "moved"


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.05)
    return True


class Reassignment:
    """kafka-reassign-partitions for one replica and its directory."""

    def __init__(self, kafka, bootstrap, directory):
        self.kafka = kafka
        self.bootstrap = bootstrap
        self.file = os.path.join(kafka.work, "reassignment.json")
        partition = {"topic": TOPIC, "partition": 0, "replicas": [1], "log_dirs": [directory]}
        with open(self.file, "w") as out:
            json.dump({"version": 1, "partitions": [partition]}, out)

    def run(self, *options):
        return self.kafka.run(
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
            "--bootstrap-server",
            self.bootstrap,
            "--reassignment-json-file",
            self.file,
            *options,
        )


def lies_in(directory):
    return os.path.isdir(f"{directory}/{TOPIC}-0")


def futures(directories):
    return [path for data in directories for path in glob.glob(f"{data}/{TOPIC}-0.*-future")]


def described(kafka, bootstrap):
    """What kafka-log-dirs says of the topic: {directory: is it a copy on its way}."""
    code, out = kafka.run(
        "org.apache.kafka.tools.LogDirsCommand",
        "--bootstrap-server",
        bootstrap,
        "--describe",
        "--topic-list",
        TOPIC,
    )
    found = [line for line in out.splitlines() if line.startswith("{")]
    return {
        log_dir["logDir"]: log_dir["partitions"][0]["isFuture"]
        for broker in json.loads(found[0])["brokers"]
        for log_dir in broker["logDirs"]
        if log_dir["partitions"]
    } if code == 0 and found else out


def fill(client, codecs):
    client.create(TOPIC, segment_bytes=1048576)
    for codec in codecs:
        lines = [f"k{i}|{codec} {i} " + os.urandom(300).hex() for i in range(2000)]
        client.produce(TOPIC, lines, "--compression", codec)


def moved_by_kafkas_tool(kafka, broker, client, to, check):
    before = client.served(TOPIC)
    code, out = Reassignment(kafka, broker.bootstrap, to).run("--execute")
    check("kafka-reassign-partitions begins a move", code == 0 and "Successfully" in out, out)
    check("the replica has moved", wait_until(lambda: lies_in(to)), os.listdir(to))
    code, out = Reassignment(kafka, broker.bootstrap, to).run("--verify")
    words = f"Reassignment of replica {TOPIC}-0-1 completed successfully"
    check("kafka-reassign-partitions --verify is content", words in out, out)
    places = described(kafka, broker.bootstrap)
    check("kafka-log-dirs sees it there alone", places == {to: False}, places)
    after = client.served(TOPIC)
    check(f"what is served is the same, {len(after)} records", before == after and after)
    return after


def without_throttle(kafka, bootstrap):
    kafka.run(
        "kafka.admin.ConfigCommand",
        "--bootstrap-server",
        bootstrap,
        "--alter",
        "--entity-type",
        "brokers",
        "--entity-name",
        "1",
        "--delete-config",
        "replica.alter.log.dirs.io.max.bytes.per.second",
    )


def slow_move(kafka, bootstrap, whose, origin, to, check):
    """Begins one that takes minutes."""
    move = Reassignment(kafka, bootstrap, to)
    code, out = move.run("--execute", "--replica-alter-log-dirs-throttle", "20000")
    check(f"{whose}: kafka-reassign-partitions throttles a move", code == 0, out)
    places = described(kafka, bootstrap)
    check(f"{whose}: kafka-log-dirs sees both", places == {origin: False, to: True}, places)
    code, out = move.run("--verify")
    check(f"{whose}: --verify says that it goes on", "is still in progress" in out, out)


def goes_on(kafka, broker, client, whose, origin, to, served, check):
    """A start brings to its end what somebody else's stop interrupted."""
    check(f"{whose} serves the same meanwhile", client.served(TOPIC) == served)
    check(f"{whose} has still to move it", len(futures([to])) == 1, os.listdir(to))
    without_throttle(kafka, broker.bootstrap)
    arrived = wait_until(lambda: lies_in(to) and not futures([to]) and not lies_in(origin))
    check(f"{whose} brings it to its end", arrived, (os.listdir(origin), os.listdir(to)))
    places = described(kafka, broker.bootstrap)
    check(f"{whose}: kafka-log-dirs sees it there alone", places == {to: False}, places)
    check(f"{whose} serves the same then", client.served(TOPIC) == served)


def moves(kafka, binary, millrace, client_of, kafka_broker, codecs, check):
    """What Millrace begins, Kafka goes on with, and the other way round."""
    root = os.path.join(kafka.work, "moves")
    shutil.rmtree(root, ignore_errors=True)
    first, second = (os.path.join(root, name) for name in "ab")
    both = {"log.dirs": f"{first},{second}"}
    os.makedirs(root)
    with millrace(binary, first, both) as broker:
        client = client_of(binary, broker.bootstrap)
        fill(client, codecs)
        here, there = (first, second) if lies_in(first) else (second, first)
        served = moved_by_kafkas_tool(kafka, broker, client, there, check)
        slow_move(kafka, broker.bootstrap, "Millrace", there, here, check)
    with kafka_broker(kafka, first, "moves-broker", both) as broker:
        client = client_of(binary, broker.bootstrap)
        goes_on(kafka, broker, client, "Kafka", there, here, served, check)
        slow_move(kafka, broker.bootstrap, "Kafka", here, there, check)
    faults = broker.complaints()
    check("Kafka finds no fault with a file of a move", not faults, "\n".join(faults))
    with millrace(binary, first, both) as broker:
        client = client_of(binary, broker.bootstrap)
        goes_on(kafka, broker, client, "Millrace", here, there, served, check)
