"""kafka-python (Debian's python3-kafka)."""
import importlib.util

from harness import ThreadMember, value_of

NAME = "kafka-python"
MODULES = {"snappy": "snappy", "lz4": "lz4", "zstd": "zstandard"}


def missing():
    return None if importlib.util.find_spec("kafka") else "python3-kafka is not installed"


def missing_codec(codec):
    module = MODULES.get(codec)
    return None if module is None or importlib.util.find_spec(module) else f"python's {module} is not installed"


def produce(bootstrap, topic, codec, first, count):
    from kafka import KafkaProducer
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=20, batch_size=200_000,
                             compression_type=None if codec == "none" else codec)
    sent = [producer.send(topic, key=str(n).encode(), value=value_of(n).encode())
            for n in range(first, first + count)]
    producer.flush()
    for future in sent:
        future.get(timeout=30)
    producer.close()


class Consumer(ThreadMember):
    def run(self, bootstrap, group, topic):
        from kafka import ConsumerRebalanceListener, KafkaConsumer
        member = self

        class Listener(ConsumerRebalanceListener):
            def on_partitions_revoked(self, revoked):
                member.assigned([])

            def on_partitions_assigned(self, assigned):
                member.assigned(p.partition for p in assigned)

        consumer = KafkaConsumer(bootstrap_servers=bootstrap, group_id=group, auto_offset_reset="earliest",
                                 heartbeat_interval_ms=200, max_poll_records=5000)
        consumer.subscribe([topic], listener=Listener())
        while not self.ending.is_set():
            for records in consumer.poll(timeout_ms=100).values():
                self.saw(record.value.decode() for record in records)
        consumer.commit()
        consumer.close()


def member(bootstrap, group, topic):
    return Consumer(bootstrap, group, topic)
