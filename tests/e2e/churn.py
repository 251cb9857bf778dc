"""Everything at once, with kills in between: logs roll and are compacted, topics come and go, two
data directories, group commit. Afterwards each promise is held against what was acknowledged.

Idempotent producers write to three topics: `kept` by default settings, `synced` with flush.on.ack,
`compact` with keys, deletions and a cleaner that never rests. The broker is killed (now and then
stopped cleanly) each time after some more records were acknowledged. Then
  - every acknowledged record of `kept` and `synced` is at its offset, none is there twice, each
    producer's are in order, and no offset is missing;
  - `compact` has for every key its newest acknowledged record or a later one, no deletion is
    undone;
  - `millrace check-log` finds nothing wrong in either directory.

usage: churn.py MILLRACE_BINARY [KILLS [SEED]]
"""
import collections
import importlib.util
import itertools
import os
import random
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker  # noqa: E402
from kill import Progress  # noqa: E402

PARTITIONS = 4
ACKED_BETWEEN_KILLS = 15_000
KEYS = 300
BROKER = {
    "log.segment.bytes": str(1 << 20),
    "log.roll.ms": "2000",
    "log.retention.check.interval.ms": "300",
    "log.cleaner.backoff.ms": "200",
    "log.flush.offset.checkpoint.interval.ms": "500",
    "file.delete.delay.ms": "200",
}
TOPICS = {
    "kept": {},
    "synced": {"flush.on.ack": "true"},
    "compact": {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.05",
                "max.compaction.lag.ms": "1000", "segment.ms": "1000",
                "delete.retention.ms": "1500"},
}
QUIET = {"log_level": 0, "reconnect.backoff.max.ms": 200}


class Acknowledged:
    """What the producers of all threads were promised."""

    def __init__(self):
        self.progress = Progress()
        self.lock = threading.Lock()
        self.records = collections.defaultdict(list)  # (topic, partition) -> (offset, key, value)
        self.count = 0
        self.failed = collections.Counter()

    def delivered(self, error, message):
        with self.lock:
            if error is not None:
                self.failed[f"{message.topic()}: {error}"] += 1
                return
            self.count += 1
            self.records[message.topic(), message.partition()].append(
                (message.offset(), message.key(), message.value()))
        if self.count % 100 == 0:
            self.progress.report(self.count)


def produce(bootstrap, topic, name, seed, acknowledged, ending):
    from confluent_kafka import KafkaException, Producer
    choose = random.Random(seed)
    codec = choose.choice(["none", "gzip", "snappy", "lz4", "zstd"])
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True,
                         "linger.ms": choose.choice([0, 1, 5]), "compression.type": codec,
                         "queue.buffering.max.messages": 5_000, **QUIET})
    number = 0
    while not ending.is_set():
        size = choose.choice([10, 100, 1000, 5000])
        value = f"{name}:{number}:".encode() + choose.randbytes(size)
        where = {"partition": choose.randrange(PARTITIONS)}
        if topic == "compact":
            where = {"key": f"{name}-{choose.randrange(KEYS)}".encode()}
            value = None if choose.random() < 0.1 else value
        try:
            producer.produce(topic, value=value, on_delivery=acknowledged.delivered, **where)
            number += 1
            producer.poll(0)
        except BufferError:
            producer.poll(0.05)
        except KafkaException as error:  # fatal: the broker broke the producer's sequence
            acknowledged.failed[f"{topic}: {error}"] += 1
            return
    left = producer.flush(120)
    if left:
        acknowledged.failed[f"{topic}: not delivered"] += left


def come_and_go(bootstrap, seed, ending):
    """Topics that are created and deleted all the time; the broker may be down."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient, NewTopic
    choose = random.Random(seed)
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    for number in itertools.count():
        name = f"short-lived-{number % 3}"
        for change in (lambda: admin.create_topics([NewTopic(name, 3, 1)], request_timeout=5),
                       lambda: admin.delete_topics([name], request_timeout=5)):
            try:
                for outcome in change().values():
                    outcome.result(10)
            except KafkaException:
                pass  # it exists from before a kill, or the broker is down
            if ending.wait(choose.random() * 0.3):
                return


def make_topics(bootstrap):
    from confluent_kafka.admin import AdminClient, NewTopic
    admin = AdminClient({"bootstrap.servers": bootstrap, **QUIET})
    topics = [NewTopic(name, PARTITIONS, 1, config=config) for name, config in TOPICS.items()]
    for outcome in admin.create_topics(topics).values():
        outcome.result(30)


def read(bootstrap, topic, partition):
    """First offset, end, and (offset, key, value) of what is there."""
    from confluent_kafka import Consumer, TopicPartition
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "churn", "check.crcs": True,
                         "enable.auto.commit": False, "enable.partition.eof": True, **QUIET})
    start, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), 30)
    consumer.assign([TopicPartition(topic, partition, start)])
    records = []
    while True:
        message = consumer.poll(30)
        if message is None:
            raise RuntimeError(f"{topic}-{partition}: no end of partition within 30 s")
        if message.error() is None:
            records.append((message.offset(), message.key(), message.value()))
        elif message.error().name() == "_PARTITION_EOF":
            consumer.close()
            return start, end, records
        else:
            raise RuntimeError(f"{topic}-{partition}: {message.error()}")


def check_kept(name, acknowledged, start, end, records):
    if [offset for offset, _, _ in records] != list(range(start, end)):
        raise RuntimeError(f"{name}: {len(records)} records between {start} and {end}")
    found = {offset: value for offset, _, value in records}
    lost = [offset for offset, _, value in acknowledged if found.get(offset) != value]
    if lost:
        raise RuntimeError(f"{name}: {len(lost)} acknowledged records are lost, e.g. {lost[0]}")
    newest = {}
    for offset, _, value in records:
        producer, number = value.split(b":", 2)[:2]
        if int(number) <= newest.get(producer, -1):
            raise RuntimeError(f"{name}: offset {offset} repeats or precedes one before it")
        newest[producer] = int(number)


def check_compacted(name, acknowledged, records):
    """How many acknowledged records were compacted away."""
    offsets = [offset for offset, _, _ in records]
    if offsets != sorted(set(offsets)):
        raise RuntimeError(f"{name}: offsets are not in order")
    at = {offset: (key, value) for offset, key, value in records}
    newest = {key: (offset, value) for offset, key, value in records}
    for offset, key, value in acknowledged:
        if at.get(offset, (key, value)) != (key, value):
            raise RuntimeError(f"{name}: another record at {offset}")
    promised = {key: (offset, value) for offset, key, value in sorted(acknowledged)}
    for key, (offset, value) in promised.items():
        found = newest.get(key, (-1, None))
        if found[0] < offset and not (value is None and found[0] == -1):
            raise RuntimeError(f"{name}: {key} is at {found[0]}, acknowledged at {offset}")
    return sum(offset not in at for offset, _, _ in acknowledged)


def check_directories(binary, directories):
    for directory in directories:
        done = subprocess.run([binary, "check-log", directory], capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"check-log {directory}:\n{(done.stdout + done.stderr)[-4000:]}")


def under_load(broker, kills, seed):
    """What was acknowledged while the broker was killed so often."""
    choose = random.Random(seed)
    acknowledged = Acknowledged()
    ending = threading.Event()
    threads = [threading.Thread(target=come_and_go, args=(broker.bootstrap, seed, ending))]
    for number, topic in enumerate(list(TOPICS) * 2):
        threads.append(threading.Thread(target=produce, args=(
            broker.bootstrap, topic, f"p{number}", seed + number, acknowledged, ending)))
    for thread in threads:
        thread.start()
    try:
        for _ in range(kills):
            acknowledged.progress.wait_for(
                acknowledged.count + choose.randrange(ACKED_BETWEEN_KILLS))
            if choose.random() < 0.2:
                broker.stop()
            else:
                broker.kill()
            broker.start()
        acknowledged.progress.wait_for(acknowledged.count + ACKED_BETWEEN_KILLS)
    finally:
        ending.set()
        for thread in threads:
            thread.join(timeout=150)
    if any(thread.is_alive() for thread in threads):
        raise RuntimeError("a producer or the admin client does not end")
    if acknowledged.failed:
        raise RuntimeError(f"not delivered: {acknowledged.failed}")
    return acknowledged


def main():
    binary = sys.argv[1]
    kills = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 30)
    if not importlib.util.find_spec("confluent_kafka"):
        print("skipped: python3-confluent-kafka is not installed")
        return 77
    print(f"seed {seed}", flush=True)
    with Broker(binary, BROKER, data=("a", "b")) as broker:
        make_topics(broker.bootstrap)
        acknowledged = under_load(broker, kills, seed)
        compacted = 0
        for (topic, partition), promised in sorted(acknowledged.records.items()):
            start, end, records = read(broker.bootstrap, topic, partition)
            name = f"{topic}-{partition}"
            if topic == "compact":
                compacted += check_compacted(name, promised, records)
            else:
                check_kept(name, promised, start, end, records)
        if compacted == 0:
            raise RuntimeError("nothing was compacted: the test does not show what it says")
        if broker.stop() != 0:
            raise RuntimeError("the broker did not stop cleanly")
        check_directories(binary, broker.data)
    print(f"{kills} kills: {acknowledged.count} records acknowledged, {compacted} of them "
          "compacted away; all promises hold")
    return 0


if __name__ == "__main__":
    sys.exit(main())
