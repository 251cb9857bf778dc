#!/usr/bin/env python3
"""Data directories between Millrace and Apache Kafka 4.2.0, both ways, and moves between them.

compat.py MILLRACE WRITER WORK_DIRECTORY. Every check is one line; the last line is
"N passed, M failed". Without a JDK and Maven it says so and ends well.
"""

import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True
from kafka import Kafka, KafkaBroker, free_port, missing  # noqa: E402
from log_dir_moves import moves  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(HERE))
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
COMPLAINTS = re.compile(
    r"isvalid: false|Mismatch|mismatch|corrupt|Exception|Found .* timestamp|cannot|fail", re.I
)


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, name, fine, detail=""):
        if fine:
            self.passed += 1
            print(f"ok      {name}", flush=True)
        else:
            self.failed += 1
            print(
                f"FAILED  {name}\n        " + str(detail)[:1500].replace("\n", "\n        "),
                flush=True,
            )


class Millrace:
    """The broker's binary as server and as client."""

    def __init__(self, binary, data=None, properties=None):
        self.binary = binary
        self.data = data
        self.properties = properties or {}
        self.process = None
        self.bootstrap = None

    def __enter__(self):
        port = free_port()
        settings = {
            "listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "log.dirs": self.data,
            "num.partitions": "1",
            "offsets.topic.num.partitions": "5",
            "group.initial.rebalance.delay.ms": "0",
            "log.retention.ms": "-1",
            "log.message.timestamp.after.max.ms": str(2**63 - 1),
        }
        settings.update(self.properties)
        config = self.data.rstrip("/") + ".properties"
        with open(config, "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in settings.items())
        self.log_path = self.data.rstrip("/") + ".log"
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                [self.binary, "broker", config, "-o", "json"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("Millrace does not serve:\n" + open(self.log_path).read()[-3000:])
        self.bootstrap = json.loads(line)["bootstrap"]
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.communicate(timeout=60)


class Client:
    """The command line against any broker."""

    def __init__(self, binary, bootstrap):
        self.binary = binary
        self.bootstrap = bootstrap

    def run(self, *arguments, stdin=""):
        done = subprocess.run(
            [self.binary, *arguments, "-b", self.bootstrap],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=180,
        )
        if done.returncode != 0:
            raise RuntimeError(f"millrace {' '.join(arguments)}: {done.stderr}")
        return done.stdout

    def create(self, topic, **settings):
        sets = [
            word
            for key, value in settings.items()
            for word in ("--set", f"{key.replace('_', '.')}={value}")
        ]
        self.run("topic", "create", topic, "--partitions", "1", *sets)

    def produce(self, topic, lines, *options):
        self.run(
            "produce",
            topic,
            "--key-separator",
            "|",
            "--null",
            "NULL",
            *options,
            stdin="".join(line + "\n" for line in lines),
        )

    def topics(self):
        return sorted(
            topic["topic"] for topic in json.loads(self.run("topic", "list", "-o", "json"))
        )

    def served(self, topic, *options):
        """The records as JSON lines, by partition and offset."""
        out = self.run(
            "consume", topic, "--from", "beginning", "--until-end", "-o", "json", *options
        ).splitlines()
        place = lambda line: (
            json.loads(line)["partition"],
            json.loads(line)["offset"],
        )  # noqa: E731
        return sorted(out, key=place)

    def all_served(self):
        found = {}
        for topic in self.topics():
            found[topic] = self.served(topic)
            found[topic + " (committed)"] = self.served(topic, "--committed")
        return found


def fill(client, kafka, check):
    """Codecs, keys, nulls, headers, segments, compaction, deleted records, a group's offsets."""
    client.create("codecs")
    for codec in CODECS:
        client.produce(
            "codecs",
            [f"k{i}|{codec} value {i} " + "x" * (i % 50) for i in range(200)],
            "--compression",
            codec,
            "--header",
            f"codec={codec}",
            "--header",
            "empty=",
        )
    client.produce(
        "codecs", ["NULL|no key", "no value|NULL", "|empty key", "schluessel-\u00e4\u20ac|\u00fc"]
    )
    client.create("segments", segment_bytes=1048576)
    for _ in range(6):
        client.produce(
            "segments", [f"{i}|" + f"{i:06} " * 140 for i in range(1000)], "--compression", "none"
        )
    client.create(
        "compacted",
        cleanup_policy="compact",
        segment_bytes=1048576,
        min_cleanable_dirty_ratio=0.01,
    )
    for turn in range(5):
        client.produce(
            "compacted",
            [f"key-{i % 100}|{turn} " + "y" * 900 for i in range(1200)],
            "--compression",
            CODECS[turn],
        )
        client.produce("compacted", [f"key-{turn}|NULL"])
    client.create("transactions", segment_bytes=1048576)
    client.produce("transactions", ["first|before all transactions"])
    file = os.path.join(kafka.work, "delete-records.json")
    with open(file, "w") as out:
        json.dump(
            {"partitions": [{"topic": "segments", "partition": 0, "offset": 1234}], "version": 1},
            out,
        )
    code, out = kafka.run(
        "org.apache.kafka.tools.DeleteRecordsCommand",
        "--bootstrap-server",
        client.bootstrap,
        "--offset-json-file",
        file,
    )
    check("DeleteRecords by Kafka's tool", code == 0 and "low_watermark: 1234" in out, out)
    client.run("consume", "codecs", "--group", "readers", "--from", "beginning", "--until-end")


def wait_for_compaction(data, check):
    """The cleaner's checkpoint names the topic once it was compacted."""
    import threading

    path = os.path.join(data, "cleaner-offset-checkpoint")
    for _ in range(600):
        if os.path.exists(path) and "compacted" in open(path).read():
            return check("the compacted topic was compacted", True)
        threading.Event().wait(0.1)
    return check(
        "the compacted topic was compacted",
        False,
        "no entry in cleaner-offset-checkpoint within 60 s",
    )


def files_of(data, *endings):
    return sorted(
        path
        for ending in endings
        for path in glob.glob(f"{data}/*-[0-9]*/*{ending}")
        if os.path.getsize(path) > 0
    )


def without_complaint(check, name, outcome):
    code, out = outcome
    bad = [
        line
        for line in out.splitlines()
        if COMPLAINTS.search(re.sub(r"(key|payload|value): .*", "", line))
    ]
    check(name, code == 0 and not bad, "\n".join(bad[:8]) or out[-1500:])


def same_lines(check, name, binary, theirs, files, *options):
    """millrace dump-log prints what DumpLogSegments prints; behind that stands what went to its
    stderr."""
    ours = subprocess.run(
        [binary, "dump-log", "--files", ",".join(files), *options],
        capture_output=True,
        text=True,
        errors="replace",
    ).stdout
    pairs = zip(ours.splitlines(), theirs.splitlines())
    with_what = " ".join(options) or "without options"
    check(
        f"{name}: dump-log {with_what} prints its {len(ours.splitlines())} lines, too",
        ours and theirs.startswith(ours),
        next((pair for pair in pairs if pair[0] != pair[1]), "one is shorter"),
    )


def dumped(check, name, what, kafka, binary, files, *options):
    """DumpLogSegments reads the files without complaint, and dump-log prints the same."""
    outcome = kafka.dump(files, *options)
    without_complaint(check, f"{name}: {what}", outcome)
    same_lines(check, name, binary, outcome[1], files, *options)


def read_by_kafka_tools(kafka, binary, data, name, check):
    def read(what, files, *options):
        dumped(check, name, f"{what}, {len(files)} files", kafka, binary, files, *options)

    logs = files_of(data, ".log")
    read("DumpLogSegments --deep-iteration", logs, "--deep-iteration")
    read("--index-sanity-check", files_of(data, ".index"), "--index-sanity-check")
    read("--verify-index-only", files_of(data, ".index", ".timeindex"), "--verify-index-only")
    others = files_of(data, ".txnindex", ".snapshot")
    if others:
        read("transaction indexes and producer snapshots", others)
    metadata = [
        path for path in files_of(data, ".log", ".checkpoint") if "__cluster_metadata" in path
    ]
    read("metadata", metadata, "--cluster-metadata-decoder", "--skip-record-metadata")
    offsets = [path for path in logs if "__consumer_offsets" in path]
    if offsets:
        read("offsets", offsets, "--offsets-decoder")


def check_log(binary, data, name, check, torn_tail_allowed=False):
    done = subprocess.run([binary, "check-log", data], capture_output=True, text=True)
    lines = done.stdout.splitlines()
    problems = [
        line for line in lines[:-1] if not (torn_tail_allowed and "the next start cuts" in line)
    ]
    check(
        f"{name}: check-log ({lines[-1].split(': ', 1)[-1] if lines else 'nothing'})",
        not problems,
        "\n".join(problems) + done.stderr,
    )


def copy(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target


def compare(check, name, ours, theirs):
    for topic in sorted(set(ours) | set(theirs)):
        a, b = ours.get(topic), theirs.get(topic)
        differing = next(((x, y) for x, y in zip(a or [], b or []) if x != y), None)
        check(
            f"{name}: {topic}, {len(a or [])} records",
            a is not None and a == b,
            f"{differing or ''} {len(a or [])} against {len(b or [])} records",
        )


def offsets_of(client, group):
    described = json.loads(client.run("group", "describe", group, "-o", "json"))
    return {(o["topic"], o["partition"]): o["committed"] for o in described["offsets"]}


def ours_to_kafka(kafka, binary, writer, work, check):
    """Returns the directory after Kafka has worked on it, and what Kafka served from it."""
    data = os.path.join(work, "millrace")
    with Millrace(binary, data, {"log.cleaner.backoff.ms": "200"}) as broker:
        client = Client(binary, broker.bootstrap)
        fill(client, kafka, check)
        wait_for_compaction(data, check)
    done = subprocess.run([writer, data], capture_output=True, text=True)
    check(f"transactions written ({done.stdout.strip()})", done.returncode == 0, done.stderr)
    check_log(binary, data, "stopped", check)
    read_by_kafka_tools(kafka, binary, data, "stopped", check)

    with Millrace(binary, data, {"log.cleaner.enable": "false"}) as broker:
        client = Client(binary, broker.bootstrap)
        client.produce("segments", [f"{i}|after the restart" for i in range(500)])
        client.produce(
            "codecs", [f"{i}|before the kill" for i in range(300)], "--compression", "zstd"
        )
        broker.stop(signal.SIGKILL)
    killed = copy(data, os.path.join(work, "killed"))
    check_log(binary, killed, "killed", check, torn_tail_allowed=True)
    read_by_kafka_tools(kafka, binary, killed, "killed", check)

    with Millrace(binary, data, {"log.cleaner.enable": "false"}) as broker:
        client = Client(binary, broker.bootstrap)
        ours = client.all_served()
        group = offsets_of(client, "readers")
    clean = copy(data, os.path.join(work, "for-kafka"))
    for directory, name in (
        (clean, "Kafka on our directory"),
        (killed, "Kafka on our killed directory"),
    ):
        with KafkaBroker(kafka, directory, os.path.basename(directory) + "-broker") as broker:
            client = Client(binary, broker.bootstrap)
            compare(check, name, ours, client.all_served())
            theirs = offsets_of(client, "readers")
            check(
                f"{name}: committed offsets of a group",
                theirs == group and group,
                (theirs, group),
            )
            if directory == clean:
                client.produce(
                    "codecs",
                    [f"{i}|by Kafka" for i in range(100)],
                    "--compression",
                    "lz4",
                    "--header",
                    "by=kafka",
                )
                client.create("kafkas")
                client.produce(
                    "kafkas", [f"{i}|" + "z" * i for i in range(300)], "--compression", "gzip"
                )
                served = client.all_served()
        faults = broker.complaints(killed=directory == killed)
        check(f"{name}: Kafka finds no fault with a file", not faults, "\n".join(faults))
    return clean, served


def kafkas_to_ours(kafka, binary, work, name, directory, served, check, how):
    with Millrace(
        binary, copy(directory, os.path.join(work, name)), {"log.cleaner.enable": "false"}
    ) as broker:
        compare(
            check, f"Millrace on {how}", served, Client(binary, broker.bootstrap).all_served()
        )
    check_log(binary, os.path.join(work, name), f"Millrace on {how}", check)


def recorded(kafka, binary, work, check):
    """The directory that tests/data has: both on a copy of it. Kafka is killed at the end."""
    directory = os.path.join(work, "recorded")
    os.makedirs(directory)
    subprocess.run(
        ["tar", "xzf", f"{ROOT}/tests/data/kafka_data_dir/data-dir.tar.gz", "-C", directory],
        check=True,
    )
    check_log(binary, directory, "recorded", check)
    served = None
    own = copy(directory, os.path.join(work, "recorded-kafka"))
    with KafkaBroker(kafka, own, "recorded-broker") as broker:
        client = Client(binary, broker.bootstrap)
        client.create("more")
        client.produce("more", [f"{i}|{i * i}" for i in range(100)], "--compression", "snappy")
        served = client.all_served()
        broker.stop(signal.SIGKILL)
    check_log(binary, own, "Kafka killed", check, torn_tail_allowed=True)
    kafkas_to_ours(
        kafka,
        binary,
        work,
        "recorded-millrace",
        own,
        served,
        check,
        "the directory of a killed Kafka",
    )


def main():
    binary, writer, work = sys.argv[1:4]
    gap = missing()
    if gap:
        print(f"skipped: {gap}\n0 passed, 0 failed")
        return 0
    check = Checks()
    for old in (
        "millrace",
        "killed",
        "for-kafka",
        "back",
        "recorded",
        "recorded-kafka",
        "recorded-millrace",
    ):
        shutil.rmtree(os.path.join(work, old), ignore_errors=True)
    kafka = Kafka(work)
    for part in (
        lambda: kafkas_to_ours(
            kafka,
            binary,
            work,
            "back",
            *ours_to_kafka(kafka, binary, writer, work, check),
            check,
            "the directory after Kafka",
        ),
        lambda: recorded(kafka, binary, work, check),
        lambda: moves(kafka, binary, Millrace, Client, KafkaBroker, CODECS, check),
    ):
        try:
            part()
        except (
            Exception
        ) as error:  # noqa: BLE001: one part's failure must not hide the other's outcome
            check(f"it came to an end: {type(error).__name__}", False, error)
    print(f"{check.passed} passed, {check.failed} failed")
    return 0 if check.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
