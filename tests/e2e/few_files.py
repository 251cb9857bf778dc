"""A broker that may have 256 files open serves 300 partitions, and more clients connect than fit.

Everything that is acknowledged is there, no directory goes offline, and who is one too many is sent
away without harm to the others.

usage: few_files.py MILLRACE_BINARY KILL_CLIENT_BINARY
"""
import os
import socket
import stat
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, create_topic, expect  # noqa: E402
from kill import OwnProducer, Progress, check, read_partitions  # noqa: E402

LIMIT = 256
PARTITIONS = 300
CROWD = 400
RECORDS = 20_000
SETTINGS = {"enable.idempotence": "true"}
# All logs are flushed, rolled and looked through often.
OFTEN = {"log.flush.interval.ms": "100", "log.flush.offset.checkpoint.interval.ms": "1000",
         "log.roll.ms": "500", "log.initial.task.delay.ms": "1",
         "log.retention.check.interval.ms": "100"}


def limited(directory, binary):
    """The binary with fewer file descriptors."""
    script = os.path.join(directory, "millrace")
    with open(script, "w") as file:
        file.write(f'#!/bin/sh\nulimit -n {LIMIT} && exec "{binary}" "$@"\n')
    os.chmod(script, stat.S_IRWXU)
    return script


def scenario(broker, binary, kill_client):
    create_topic(binary, broker, "many", PARTITIONS)
    progress = Progress()
    producer = OwnProducer(kill_client, broker.bootstrap, "many", RECORDS, SETTINGS, progress)
    progress.wait_for(RECORDS // 10)
    crowd = [socket.create_connection(("127.0.0.1", broker.port), timeout=60) for _ in range(CROWD)]
    progress.wait_for(RECORDS // 2)
    for one in crowd:
        one.close()
    progress.wait_for(RECORDS)
    producer.finish()
    expect(not producer.failed, f"{len(producer.failed)} records were refused")
    expect("has room for" in broker.log(), "nobody was sent away")
    expect("is offline" not in broker.log(), "a directory went offline")
    check(read_partitions(kill_client, broker.bootstrap, "many"), producer, "idempotent")
    broker.kill()
    broker.start()
    check(read_partitions(kill_client, broker.bootstrap, "many"), producer, "idempotent")
    print(f"{len(producer.acked)} records acknowledged in {PARTITIONS} partitions, all there")


def main():
    binary, kill_client = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="millrace-e2e-") as directory:
        with Broker(limited(directory, binary), OFTEN) as broker:
            scenario(broker, binary, kill_client)
    return 0


if __name__ == "__main__":
    sys.exit(main())
