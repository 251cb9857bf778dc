"""confluent-kafka (Debian's python3-confluent-kafka, which is librdkafka)."""
import importlib.util

from harness import ThreadMember, value_of

NAME = "confluent-kafka"


def missing():
    return None if importlib.util.find_spec("confluent_kafka") else "python3-confluent-kafka is not installed"


def missing_codec(_codec):
    return None


def produce(bootstrap, topic, codec, first, count):
    from confluent_kafka import Producer
    failures = []

    def delivered(error, _message):
        if error is not None:
            failures.append(error)

    producer = Producer({"bootstrap.servers": bootstrap, "compression.codec": codec, "linger.ms": 20,
                         "enable.idempotence": True, "queue.buffering.max.messages": 1_000_000})
    for number in range(first, first + count):
        producer.produce(topic, key=str(number), value=value_of(number), on_delivery=delivered)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(60)
    if left or failures:
        raise RuntimeError(f"{left} records left, {len(failures)} failed: {failures[:1]}")


class Consumer(ThreadMember):
    def run(self, bootstrap, group, topic):
        from confluent_kafka import Consumer as RdConsumer
        consumer = RdConsumer({"bootstrap.servers": bootstrap, "group.id": group, "auto.offset.reset": "earliest",
                               "heartbeat.interval.ms": 200, "enable.auto.offset.store": True,
                               "fetch.wait.max.ms": 100})
        consumer.subscribe([topic], on_assign=lambda _c, parts: self.assigned(p.partition for p in parts),
                           on_revoke=lambda c, _parts: self.revoked(c))
        while not self.ending.is_set():
            messages = consumer.consume(5000, timeout=0.1)
            for message in messages:
                if message.error():
                    raise RuntimeError(message.error())
            self.saw(message.value().decode() for message in messages)
        consumer.close()

    def revoked(self, _consumer):
        self.assigned([])


def member(bootstrap, group, topic):
    return Consumer(bootstrap, group, topic)
