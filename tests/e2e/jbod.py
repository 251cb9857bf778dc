"""Three log directories, one of which is renamed away under load, and starts with something wrong.

A producer goes on while the directory goes: its partitions go offline, with few words in the log,
the others serve on, a new topic avoids it, and nothing is made where it was. When it is back and
the broker was killed and started, every acknowledged record is there, once and in order
(flush.on.ack). Then starts that must be refused: each says why, and none harms the records.

usage: jbod.py MILLRACE_BINARY KILL_CLIENT_BINARY
"""
import os
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, create_topic, expect  # noqa: E402
from kill import PLAIN, OwnProducer, Progress, check, read_partitions  # noqa: E402

RECORDS = 20_000
BEFORE = 2_000
# What goes to partitions without a leader is given up soon.
SETTINGS = {**PLAIN, "retries": "0", "request.timeout.ms": "400", "delivery.timeout.ms": "500"}
MOST_LINES = 4


def wait_for_words(broker, words):
    deadline = time.monotonic() + 60
    while words not in broker.log():
        expect(time.monotonic() < deadline, f"the log does not say '{words}'")
        threading.Event().wait(0.01)


def lose_one(binary, kill_client, broker, lost):
    """The producer that went on meanwhile."""
    create_topic(binary, broker, "jbod", 6)
    progress = Progress()
    producer = OwnProducer(kill_client, broker.bootstrap, "jbod", RECORDS, SETTINGS, progress)
    expect(progress.wait_for(BEFORE), "the producer ended too soon")
    os.rename(lost, lost + ".away")
    wait_for_words(broker, f"{lost} is offline: 2 partitions cannot be served")
    expect(progress.wait_for(progress.acked + BEFORE), "the other directories do not serve on")
    producer.finish()
    expect(producer.failed, "nothing was refused")
    lines = [line for line in broker.log().splitlines() if lost in line]
    expect(any("is not there any more" in line for line in lines), "the log does not say why")
    expect(len(lines) <= MOST_LINES, "too many words:\n" + "\n".join(lines))
    create_topic(binary, broker, "after", 4)
    other = OwnProducer(kill_client, broker.bootstrap, "after", 400, PLAIN, Progress())
    other.finish()
    expect(not other.failed, f"{len(other.failed)} records of the new topic were refused")
    expect(not os.path.exists(lost), f"{lost} was made anew")
    return producer


def refused(binary, broker, words, dirs=None):
    """Starts with other log.dirs; it must end by itself and say these words."""
    settings = ["--set", "log.dirs=" + ",".join(dirs)] if dirs else []
    ended = subprocess.run([binary, "broker", broker.config, *settings], check=False, timeout=60,
                           capture_output=True, text=True)
    expect(ended.returncode > 0 and words in ended.stderr,
           f"expected '{words}', but {ended.returncode}: {ended.stderr}")


def refusals(binary, broker):
    first, second, third = broker.data
    os.rename(first, first + ".away")
    refused(binary, broker, "is to hold the metadata log")
    expect(not os.path.exists(first), f"{first} was made anew")
    os.rename(first + ".away", first)
    refused(binary, broker, "the metadata log lies in " + first, [second, first, third])
    refused(binary, broker, "are the same directory", [*broker.data, second + "/"])
    link = os.path.join(broker.directory, "link")
    os.symlink(second, link)
    refused(binary, broker, "are the same directory", [*broker.data, link])
    copy = os.path.join(broker.directory, "copy")
    shutil.copytree(second, copy)
    refused(binary, broker, "directory.id", [*broker.data, copy])
    os.remove(os.path.join(copy, "meta.properties"))
    refused(binary, broker, "stands in two data directories", [*broker.data, copy])


def main():
    binary, kill_client = sys.argv[1:3]
    broker = Broker(binary, {"flush.on.ack": "true"}, data=("a", "b", "c"))
    with broker:
        lost = broker.data[1]
        producer = lose_one(binary, kill_client, broker, lost)
        broker.kill()
        os.rename(lost + ".away", lost)
        broker.start()
        check(read_partitions(kill_client, broker.bootstrap, "jbod"), producer, "once")
        broker.stop()
        refusals(binary, broker)
        broker.start()
        check(read_partitions(kill_client, broker.bootstrap, "jbod"), producer, "once")
        print(f"{len(producer.acked)} records acknowledged, all there, in order; "
              f"{len(producer.failed)} refused while the directory was away")
    return 0


if __name__ == "__main__":
    sys.exit(main())
