"""One scenario for every foreign client and codec:

half of the records are produced; member A of a group reads them; member B joins, which makes a rebalance; the other
half is produced and both read it; both leave with commits; more records are produced; a new member of the group
gets exactly those.

usage: scenario.py CLIENT MILLRACE_BINARY [RECORDS]
Prints what it did, and "skipped: why" where the client is not installed (still exit 0: a user's machine may lack it).
"""
import importlib
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, wait_until  # noqa: E402

PARTITIONS = 4
EXTRA = 1000


def run(client, broker, codec, records):
    topic = f"{client.NAME}-{codec}"
    group = f"group-{topic}"
    half = records // 2
    started = time.monotonic()
    client.produce(broker.bootstrap, topic, codec, 0, half)
    produced = time.monotonic()

    first = client.member(broker.bootstrap, group, topic)
    wait_until([first], lambda: len(first.numbers) >= half, "first half at the first member")
    second = client.member(broker.bootstrap, group, topic)
    both = [first, second]
    wait_until(both, lambda: all(len(m.assignment) == PARTITIONS // 2 for m in both), "rebalance")
    if first.assignment & second.assignment:
        raise RuntimeError(f"both members hold {first.assignment & second.assignment}")

    client.produce(broker.bootstrap, topic, codec, half, records - half)
    wait_until(both, lambda: len(set(first.numbers) | set(second.numbers)) >= records, "second half")
    if len(first.numbers) <= half or not second.numbers:
        raise RuntimeError("one member read nothing after the rebalance")
    first.stop()
    second.stop()
    numbers = first.numbers + second.numbers
    if sorted(set(numbers)) != list(range(records)) or first.wrong or second.wrong:
        raise RuntimeError(f"records differ: {len(set(numbers))} of {records}, wrong {(first.wrong + second.wrong)[:3]}")
    if len(numbers) != records:
        raise RuntimeError(f"{len(numbers) - records} records came twice, although every member left with commits")

    client.produce(broker.bootstrap, topic, codec, records, EXTRA)
    restarted = client.member(broker.bootstrap, group, topic)
    wait_until([restarted], lambda: len(restarted.numbers) >= EXTRA, "records after the restart")
    restarted.stop()
    if sorted(restarted.numbers) != list(range(records, records + EXTRA)):
        raise RuntimeError(f"the restart read {len(restarted.numbers)} records, the first is {min(restarted.numbers)}")
    print(f"{client.NAME} {codec}: {records} + {EXTRA} records, rebalance and resume in "
          f"{time.monotonic() - started:.1f} s (first half produced in {produced - started:.1f} s)", flush=True)


def main():
    name, binary = sys.argv[1:3]
    records = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    client = importlib.import_module(f"client_{name}")
    reason = client.missing()
    if reason:
        print(f"skipped: {reason}")
        return 0
    with Broker(binary) as broker:
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            reason = client.missing_codec(codec)
            if reason:
                print(f"{client.NAME} {codec}: skipped: {reason}")
                continue
            run(client, broker, codec, records)
        stopped = broker.stop()
        if stopped != 0:
            raise RuntimeError(f"the broker ended with {stopped}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
