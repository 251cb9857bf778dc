"""kill -9 of the broker in mid-produce: what was acknowledged is there afterwards.

The producer (our own client, or librdkafka) goes on by itself when the broker is back. The broker
is killed three times, each time after some more records were acknowledged; only then the producer
may end.

  idempotent  the default: all records are acknowledged; each is there once and in order
  once        acks=1, no idempotence, no retries: what was in flight fails; each acknowledged record
              is there once, in order
  retries     acks=1, no idempotence, retries, one request in flight: all records are acknowledged
              and there; some may be there again, but the first occurrences are in order

usage: kill.py own|librdkafka idempotent|once|retries MILLRACE_BINARY KILL_CLIENT_BINARY [RECORDS]
"""
import importlib.util
import itertools
import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker  # noqa: E402

KILLS = 3
PARTITIONS = 4

PLAIN = {"acks": "1", "enable.idempotence": "false"}
SETTINGS = {
    "idempotent": {"enable.idempotence": "true"},
    "once": {**PLAIN, "retries": "0"},
    "retries": {**PLAIN, "retries": "2147483647", "max.in.flight.requests.per.connection": "1"},
}


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
    """Our client in a process of its own, which says what is acknowledged."""

    def __init__(self, kill_client, bootstrap, topic, records, settings, progress):
        given = [f"{key}={value}" for key, value in settings.items()]
        command = [kill_client, "produce", bootstrap, topic, str(records), *given]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.progress = progress
        self.produced = 0
        self.acked = set()
        self.failed = []
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            outcome, number = line.split()
            if outcome == "produced":
                self.produced = int(number)
            elif outcome == "acked":
                self.acked.add(int(number))
                if len(self.acked) % 100 == 0:
                    self.progress.report(len(self.acked))
            else:
                self.failed.append(int(number))
        self.progress.report(len(self.acked), ended=True)

    def let_end(self):
        """Once it has produced `records`."""
        self.process.stdin.close()

    def finish(self):
        self.let_end()
        self.thread.join(timeout=120)
        if self.process.wait(timeout=10) != 0:
            raise RuntimeError("our producer ended early")


class RdProducer:
    """librdkafka by confluent-kafka, on a thread."""

    def __init__(self, _kill_client, bootstrap, topic, records, settings, progress):
        self.progress = progress
        self.produced = 0
        self.acked = set()
        self.failed = []
        self.may_end = threading.Event()
        arguments = (bootstrap, topic, records, settings)
        self.thread = threading.Thread(target=self.run, args=arguments)
        self.thread.start()

    def run(self, bootstrap, topic, records, settings):
        from confluent_kafka import Producer
        producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 1,
                             "batch.num.messages": 100, "reconnect.backoff.max.ms": 200,
                             "log_level": 0, **settings})

        def delivered(error, message):
            if error is None:
                self.acked.add(int(message.value()))
            else:
                self.failed.append(int(message.value()))

        for number in itertools.count():
            if number >= records and self.may_end.is_set():
                break
            self.produced = number + 1
            producer.produce(topic, value=str(number), partition=number % PARTITIONS,
                             on_delivery=delivered)
            producer.poll(0)
            if number % 100 == 0:
                producer.flush(60)
                self.progress.report(len(self.acked))
        producer.flush(60)
        self.progress.report(len(self.acked), ended=True)

    def let_end(self):
        self.may_end.set()

    def finish(self):
        self.let_end()
        self.thread.join(timeout=120)


def read_partitions(kill_client, bootstrap, topic):
    lines = subprocess.run([kill_client, "read", bootstrap, topic], stdout=subprocess.PIPE,
                           text=True, check=True, timeout=120).stdout.split("\n")
    partitions = {}
    for line in filter(None, lines):
        partition, number = line.split()
        partitions.setdefault(partition, []).append(int(number))
    return partitions


def check(partitions, producer, mode):
    """How many records stand there again."""
    found = set()
    repeated = 0
    for partition, numbers in sorted(partitions.items()):
        in_order = numbers
        if mode == "retries":
            in_order = list(dict.fromkeys(numbers))  # the first occurrence of each
            repeated += len(numbers) - len(in_order)
        for before, after in zip(in_order, in_order[1:]):
            if after <= before:
                raise RuntimeError(f"partition {partition}: {after} follows {before}")
        found.update(numbers)
    if producer.acked - found:
        lost = producer.acked - found
        raise RuntimeError(f"{len(lost)} acknowledged records are lost, e.g. {min(lost)}")
    if mode != "once" and len(producer.acked) != producer.produced:
        given_up = producer.produced - len(producer.acked)
        raise RuntimeError(f"{given_up} records were given up, e.g. {producer.failed[:3]}")
    if len(producer.acked) + len(producer.failed) != producer.produced:
        raise RuntimeError("some records were neither acknowledged nor refused")
    return repeated


def main():
    producer_class = {"own": OwnProducer, "librdkafka": RdProducer}[sys.argv[1]]
    mode, binary, kill_client = sys.argv[2:5]
    records = int(sys.argv[5]) if len(sys.argv) > 5 else 20_000
    if sys.argv[1] == "librdkafka" and not importlib.util.find_spec("confluent_kafka"):
        print("skipped: python3-confluent-kafka is not installed")
        return 0
    with Broker(binary, {"num.partitions": str(PARTITIONS)}) as broker:
        topic = "kill"
        progress = Progress()
        producer = producer_class(kill_client, broker.bootstrap, topic, records, SETTINGS[mode],
                                  progress)
        try:
            for kill in range(KILLS):
                if not progress.wait_for((kill + 1) * records // (KILLS + 2)):
                    raise RuntimeError("the producer ended early")
                broker.kill()
                broker.start()
        finally:
            producer.let_end()
        producer.finish()
        partitions = read_partitions(kill_client, broker.bootstrap, topic)
        repeated = check(partitions, producer, mode)
        print(f"{sys.argv[1]}, {mode}, {KILLS} kills: {len(producer.acked)} records acknowledged, "
              f"all there, in order; {len(producer.failed)} failed, {repeated} repeated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
