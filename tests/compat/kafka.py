"""Apache Kafka 4.2.0 from Maven Central: its jars, its tools, a broker of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from harness import free_port  # noqa: E402

CLUSTER = "QsZ1mR0kTQ2vYb7xWn3aLg"
LOGGING = """<Configuration status="WARN">
<Appenders><Console name="c"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders>
<Loggers><Root level="WARN"><AppenderRef ref="c"/></Root></Loggers>
</Configuration>"""


def missing():
    """What is not installed, as a sentence; None where all is there."""
    for program in ("java", "mvn"):
        if not shutil.which(program):
            return f"{program} is not installed (a JDK 17 and Maven are needed)"
    return None


class Kafka:
    """Where the jars are; they are fetched once."""

    def __init__(self, work):
        self.work = work
        self.libs = os.path.join(work, "libs")
        os.makedirs(work, exist_ok=True)
        self.logging = os.path.join(work, "log4j2.xml")
        with open(self.logging, "w") as file:
            file.write(LOGGING)
        if not os.path.isfile(os.path.join(self.libs, "kafka-tools-4.2.0.jar")):
            self.fetch()

    def fetch(self):
        log = os.path.join(self.work, "maven.log")
        with open(log, "w") as out:
            code = subprocess.call(
                [
                    "mvn",
                    "-B",
                    "-f",
                    os.path.join(HERE, "pom.xml"),
                    "dependency:copy-dependencies",
                    f"-DoutputDirectory={self.libs}",
                    "-DincludeScope=runtime",
                ],
                stdout=out,
                stderr=out,
            )
        if code != 0:
            raise RuntimeError(f"Maven could not fetch Apache Kafka; see {log}")

    def java(self, main, *arguments, heap="-Xmx384m"):
        return [
            "java",
            heap,
            "-Dfile.encoding=UTF-8",
            f"-Dlog4j2.configurationFile={self.logging}",
            "-cp",
            f"{self.libs}/*",
            main,
            *arguments,
        ]

    def run(self, main, *arguments, timeout=300):
        """Runs a tool; returns (exit code, what it printed)."""
        done = subprocess.run(
            self.java(main, *arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
        )
        return done.returncode, done.stdout

    def dump(self, files, *options):
        return self.run("kafka.tools.DumpLogSegments", "--files", ",".join(files), *options)


class KafkaBroker:
    """A broker and controller in one process on a directory, which is formatted where it is new."""

    def __init__(self, kafka, data, name, properties=None):
        self.kafka = kafka
        self.data = data
        self.directory = os.path.join(kafka.work, name)
        os.makedirs(self.directory, exist_ok=True)
        self.port, controller = free_port(), free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        settings = {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": data,
            "num.partitions": "1",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "5",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "transaction.state.log.num.partitions": "5",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "log.retention.ms": "-1",
            "log.message.timestamp.after.max.ms": str(2**63 - 1),
        }
        settings.update(properties or {})
        self.config = os.path.join(self.directory, "server.properties")
        with open(self.config, "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in settings.items())
        self.log_path = os.path.join(self.directory, "broker.log")
        self.process = None

    def __enter__(self):
        if not os.path.isfile(os.path.join(self.data, "meta.properties")):
            code, out = self.kafka.run(
                "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", self.config
            )
            if code != 0:
                raise RuntimeError("Kafka cannot format its directory:\n" + out)
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen(
                self.kafka.java("kafka.Kafka", self.config, heap="-Xmx512m"),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 90
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError("Kafka does not serve:\n" + self.log()[-3000:]) from None
                threading.Event().wait(0.1)

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)

    def __exit__(self, *_):
        self.stop()

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def complaints(self, killed=False):
        """Lines of its log in which Kafka finds fault with a file. After a kill the newest segment
        of ours has no indexes on disk yet; Kafka says so and makes them, as it does anyway then."""
        words = re.compile(
            r"corrupt|CorruptIndex|rebuild|Invalid|cannot be read|truncat|Error loading|FATAL",
            re.I,
        )
        return [
            line
            for line in self.log().splitlines()
            if re.search(r" (WARN|ERROR|FATAL) ", line)
            and words.search(line)
            and not (killed and "Could not find offset index file" in line)
        ]
