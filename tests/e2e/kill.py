"""kill -9 of the broker in mid-produce: afterwards every acknowledged record is there, once and in order.

The producer (our own client, or librdkafka) is idempotent and goes on by itself when the broker is back. The broker is
killed three times, each time after some more records were acknowledged.

usage: kill.py own|librdkafka MILLRACE_BINARY KILL_CLIENT_BINARY [RECORDS]
"""
import importlib.util
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker  # noqa: E402

KILLS = 3
PARTITIONS = 4


class Progress:
    """How many records are acknowledged; the producer's thread reports, the killer waits."""

    def __init__(self):
        self.changed = threading.Condition()
        self.acked = 0
        self.ended = False

    def report(self, acked, ended=False):
        with self.changed:
            self.acked = max(self.acked, acked)
            self.ended = self.ended or ended
            self.changed.notify_all()

    def wait_for(self, acked):
        """False where the producer ended before."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.ended or self.acked >= acked, timeout=60):
                raise RuntimeError(f"only {self.acked} records acknowledged, waiting for {acked}")
            return self.acked >= acked and not self.ended


class OwnProducer:
    """Our client in a process of its own. Every record must be acknowledged: the number of the last is enough."""

    def __init__(self, kill_client, bootstrap, topic, records, progress):
        self.process = subprocess.Popen([kill_client, "produce", bootstrap, topic, str(records)],
                                        stdout=subprocess.PIPE, text=True)
        self.records = records
        self.progress = progress
        self.acked = set()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            words = line.split()
            self.progress.report(int(words[1]))
            if words[0] == "done" and int(words[1]) == self.records:
                self.acked = set(range(self.records))
        self.progress.report(0, ended=True)

    def finish(self):
        self.thread.join(timeout=120)
        if self.process.wait(timeout=10) != 0:
            raise RuntimeError("our producer gave records up")
        return self.acked


class RdProducer:
    """librdkafka by confluent-kafka, on a thread."""

    def __init__(self, _kill_client, bootstrap, topic, records, progress):
        self.progress = progress
        self.acked = set()
        self.failed = []
        self.thread = threading.Thread(target=self.run, args=(bootstrap, topic, records))
        self.thread.start()

    def run(self, bootstrap, topic, records):
        from confluent_kafka import Producer
        producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 1,
                             "batch.num.messages": 100, "reconnect.backoff.max.ms": 200, "log_level": 0})

        def delivered(error, message):
            if error is None:
                self.acked.add(int(message.value()))
            else:
                self.failed.append((error, message.value()))

        for number in range(records):
            producer.produce(topic, value=str(number), partition=number % PARTITIONS, on_delivery=delivered)
            producer.poll(0)
            if number % 100 == 0:
                producer.flush(60)
                self.progress.report(len(self.acked))
        producer.flush(60)
        self.progress.report(len(self.acked), ended=True)

    def finish(self):
        self.thread.join(timeout=120)
        if self.failed:
            raise RuntimeError(f"librdkafka gave {len(self.failed)} records up: {self.failed[0]}")
        return self.acked


def check(kill_client, bootstrap, topic, acked):
    lines = subprocess.run([kill_client, "read", bootstrap, topic], stdout=subprocess.PIPE, text=True, check=True,
                           timeout=120).stdout.split("\n")
    partitions = {}
    for line in filter(None, lines):
        partition, number = line.split()
        partitions.setdefault(partition, []).append(int(number))
    for partition, numbers in sorted(partitions.items()):
        if numbers != sorted(set(numbers)):
            wrong = next(i for i in range(1, len(numbers)) if numbers[i] <= numbers[i - 1])
            raise RuntimeError(f"partition {partition}: {numbers[wrong]} follows {numbers[wrong - 1]}")
    found = set().union(*partitions.values()) if partitions else set()
    if acked - found:
        raise RuntimeError(f"{len(acked - found)} acknowledged records are lost, e.g. {min(acked - found)}")


def main():
    producer_class = {"own": OwnProducer, "librdkafka": RdProducer}[sys.argv[1]]
    binary, kill_client = sys.argv[2:4]
    records = int(sys.argv[4]) if len(sys.argv) > 4 else 20_000
    if sys.argv[1] == "librdkafka" and not importlib.util.find_spec("confluent_kafka"):
        print("skipped: python3-confluent-kafka is not installed")
        return 0
    with Broker(binary, {"num.partitions": str(PARTITIONS)}) as broker:
        topic = "kill"
        progress = Progress()
        producer = producer_class(kill_client, broker.bootstrap, topic, records, progress)
        kills = 0
        for kill in range(KILLS):
            if not progress.wait_for((kill + 1) * records // (KILLS + 2)):
                break
            broker.kill()
            broker.start()
            kills += 1
        acked = producer.finish()
        if kills < KILLS:
            raise RuntimeError(f"the producer was done after {kills} kills: give it more records")
        check(kill_client, broker.bootstrap, topic, acked)
        print(f"{sys.argv[1]}: {len(acked)} acknowledged records are there once and in order after {kills} kills")
    return 0


if __name__ == "__main__":
    sys.exit(main())
