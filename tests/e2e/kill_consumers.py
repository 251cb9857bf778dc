"""kill -9 of consumers in mid-fetch: the broker goes on.

kcat reads a topic of large batches and is killed as soon as it has printed something, while the
broker still sends. Afterwards a consumer that is left alone gets all records.

usage: kill_consumers.py MILLRACE_BINARY
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, create_topic  # noqa: E402

RECORDS = 30_000
KILLS = 100


def consumer(bootstrap):
    command = ["kcat", "-C", "-q", "-e", "-b", bootstrap, "-t", "topic", "-f", "%o\\n"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def main():
    binary = sys.argv[1]
    with Broker(binary, {}) as broker:
        create_topic(binary, broker, "topic", 1)
        records = (b"x" * 1000 + b"\n") * RECORDS
        subprocess.run(["kcat", "-P", "-b", broker.bootstrap, "-t", "topic"], input=records,
                       check=True)
        for number in range(KILLS):
            victim = consumer(broker.bootstrap)
            victim.stdout.read(1)
            victim.kill()
            victim.communicate()
            if broker.process.poll() is not None:
                raise RuntimeError(f"the broker ended ({broker.process.returncode}) after "
                                   f"{number + 1} consumers were killed")
        seen = consumer(broker.bootstrap).communicate()[0].splitlines()
        if seen != [b"%d" % offset for offset in range(RECORDS)]:
            raise RuntimeError(f"{len(seen)} of {RECORDS} records were read afterwards")
    print(f"the broker outlived {KILLS} consumers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
