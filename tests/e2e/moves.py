"""Partitions move between three log directories for ever, under load, and the broker is killed.

A producer (idempotent) and whoever moves partitions go on by themselves when the broker is back.
At the end every acknowledged record is there, once and in order (flush.on.ack); each partition
lies in one directory, and no copy is left.

usage: moves.py MILLRACE_BINARY KILL_CLIENT_BINARY [RECORDS]
"""
import glob
import os
import random
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, create_topic, expect  # noqa: E402
from kill import PARTITIONS, SETTINGS, OwnProducer, Progress, check, read_partitions  # noqa: E402

TOPIC = "moves"
KILLS = 6
ALTER_REPLICA_LOG_DIRS = 34


def text(value):
    return struct.pack(">h", len(value)) + value.encode()


class Mover(threading.Thread):
    """AlterReplicaLogDirs again and again, by hand: Python's clients do not have it."""

    def __init__(self, broker, seed):
        super().__init__()
        self.broker = broker
        self.random = random.Random(seed)
        self.ending = threading.Event()
        self.asked = 0
        self.failure = None

    def request(self, connection):
        partition = self.random.randrange(PARTITIONS)
        directory = self.random.choice(self.broker.data)
        body = struct.pack(">hhih", ALTER_REPLICA_LOG_DIRS, 1, 0, -1)
        body += struct.pack(">i", 1) + text(directory)
        body += struct.pack(">i", 1) + text(TOPIC) + struct.pack(">ii", 1, partition)
        connection.sendall(struct.pack(">i", len(body)) + body)
        with connection.makefile("rb") as answers:
            size = answers.read(4)
            answer = answers.read(struct.unpack(">i", size)[0]) if size else b""
        if answer:
            error = struct.unpack(">h", answer[-2:])[0]
            expect(error == 0, f"a move was refused with error code {error}")
            self.asked += 1

    def run(self):
        while not self.ending.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self.broker.port), 5) as connection:
                    while not self.ending.wait(0.002):
                        self.request(connection)
            except OSError:
                self.ending.wait(0.01)
            except RuntimeError as failure:
                self.failure = failure
                return

    def stop(self):
        self.ending.set()
        self.join()
        if self.failure:
            raise self.failure


def wait_for_arrivals(broker):
    deadline = time.monotonic() + 60
    while any(glob.glob(f"{data}/{TOPIC}-*-future") for data in broker.data):
        expect(time.monotonic() < deadline, "a copy is left")
        threading.Event().wait(0.01)
    for partition in range(PARTITIONS):
        places = [data for data in broker.data if os.path.isdir(f"{data}/{TOPIC}-{partition}")]
        expect(len(places) == 1, f"partition {partition} lies in {places}")


def main():
    binary, kill_client = sys.argv[1:3]
    records = int(sys.argv[3]) if len(sys.argv) > 3 else 20_000
    seed = int(os.environ.get("MILLRACE_SEED", random.SystemRandom().randrange(2**32)))
    print(f"MILLRACE_SEED={seed}")
    broker = Broker(binary, {"flush.on.ack": "true", "log.segment.delete.delay.ms": "0"},
                    data=("a", "b", "c"))
    with broker:
        create_topic(binary, broker, TOPIC, PARTITIONS)
        progress = Progress()
        producer = OwnProducer(kill_client, broker.bootstrap, TOPIC, records,
                               SETTINGS["idempotent"], progress)
        mover = Mover(broker, seed)
        mover.start()
        try:
            for kill in range(KILLS):
                expect(progress.wait_for((kill + 1) * records // (KILLS + 2)),
                       "the producer ended early")
                broker.kill()
                broker.start()
        finally:
            producer.let_end()
            mover.stop()
        producer.finish()
        wait_for_arrivals(broker)
        broker.stop()
        wait_for_arrivals(broker)
        broker.start()
        check(read_partitions(kill_client, broker.bootstrap, TOPIC), producer, "idempotent")
        print(f"{len(producer.acked)} records acknowledged, all there, once and in order, after "
              f"{mover.asked} moves asked for and {KILLS} kills")
    return 0


if __name__ == "__main__":
    sys.exit(main())
