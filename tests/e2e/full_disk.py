"""A file system that is really full: one of two log directories lies on a tmpfs with little room.

A producer goes on while it fills up. The directory goes offline, the other one serves on. When
there is room again and the broker was killed and started, every acknowledged record is there, once
and in order, and all partitions take records.

The tmpfs is mounted in a mount namespace of the test's own; exit code 77 where that is not allowed.

usage: full_disk.py MILLRACE_BINARY KILL_CLIENT_BINARY
"""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, create_topic  # noqa: E402
from kill import PLAIN, OwnProducer, Progress, check, read_partitions  # noqa: E402

RECORDS = 6_000
ROOM = 32 << 10
# What goes to partitions without a leader is given up soon.
SETTINGS = {**PLAIN, "retries": "0", "request.timeout.ms": "400", "delivery.timeout.ms": "500"}
INSIDE = "--inside"
SKIPPED = 77


def produce(kill_client, broker, records):
    producer = OwnProducer(kill_client, broker.bootstrap, "full", records, SETTINGS, Progress())
    producer.finish()
    return producer


def scenario(binary, kill_client, small):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small], check=True)
    other = tempfile.mkdtemp(prefix="millrace-e2e-", dir=os.path.dirname(small))
    directories = f"{other}/data,{small}/data"
    settings = {"log.dirs": directories, "log.segment.bytes": str(1 << 20)}
    with Broker(binary, settings) as broker:
        create_topic(binary, broker, "full", 4)
        filler = os.path.join(small, "filler")
        with open(filler, "wb") as file:
            free = os.statvfs(small).f_bavail * os.statvfs(small).f_bsize
            file.write(b"x" * (free - ROOM))
        producer = produce(kill_client, broker, RECORDS)
        if not producer.failed:
            raise RuntimeError("the disk did not fill up")
        if max(producer.acked) < RECORDS - 4:
            raise RuntimeError(f"the other directory's last record is {max(producer.acked)}")
        if f"{small}/data is offline" not in broker.log():
            raise RuntimeError("the log does not say that the directory is offline")
        os.remove(filler)
        broker.kill()
        broker.start()
        check(read_partitions(kill_client, broker.bootstrap, "full"), producer, "once")
        again = produce(kill_client, broker, 400)
        if again.failed:
            raise RuntimeError(f"{len(again.failed)} records were refused afterwards")
        print(f"{len(producer.acked)} records acknowledged, all there, in order; "
              f"{len(producer.failed)} refused while the disk was full")


def main():
    if sys.argv[1] == INSIDE:
        scenario(*sys.argv[2:5])
        return 0
    isolate = ["unshare", "--user", "--map-root-user", "--mount"]
    probe = subprocess.run([*isolate, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False,
                           capture_output=True, text=True)
    if probe.returncode != 0:
        print(f"skipped: no tmpfs can be mounted here: {probe.stderr.strip()}")
        return SKIPPED
    directory = tempfile.mkdtemp(prefix="millrace-e2e-")
    try:
        small = os.path.join(directory, "small")
        os.mkdir(small)
        inside = [sys.executable, os.path.abspath(__file__), INSIDE, *sys.argv[1:3], small]
        return subprocess.run([*isolate, *inside], check=False).returncode
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
