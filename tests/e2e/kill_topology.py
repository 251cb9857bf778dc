"""kill -9 of a topology in mid-run: it ends up with the state and the results of a run without.

Two applications with the same topology (one subtopology; a key-value and a window store on RocksDB)
read the same topic. One is killed with -9 while the topic is being written, alone or together with
the broker, or the broker alone, in random order, its state deleted now and then. The other
runs undisturbed when all that is over. Every row of both stores and the last value of every key of
the result topics must be equal.

usage: kill_topology.py MILLRACE_BINARY KILL_TOPOLOGY_BINARY [SEED]
"""
import os
import random
import shutil
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Broker, create_topic  # noqa: E402

RECORDS = 20_000
STEP = 1_000  # the feeder waits after each of these
PARTITIONS = 2
# broker, app or both die; "lost": the application's local state, too.
KILLS = ["app", "broker", "both", "app lost", "broker", "both lost"]


class Application:
    """The topology in a process of its own, which tells of its progress, a line at a time."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.changed = threading.Condition()
        self.lines = 0
        self.ended = False
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for _ in self.process.stdout:
            with self.changed:
                self.lines += 1
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, lines, what):
        with self.changed:
            if not self.changed.wait_for(lambda: self.ended or self.lines >= lines, timeout=90):
                raise RuntimeError(f"{what}: {self.lines} of {lines} steps within 90 s")
            if self.ended and self.lines < lines:
                raise RuntimeError(f"{what} ended after {self.lines} of {lines} steps")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()


class Feeder:
    """Writes the input step by step, through all kills of the broker."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)

    def go(self, steps):
        self.process.stdin.write("\n" * steps)
        self.process.stdin.flush()

    def finish(self):
        self.process.stdin.close()
        if self.process.wait(timeout=120) != 0:
            raise RuntimeError("the feeder failed")


def disturb(broker, feeder, start_application, state, chance):
    """Kills in an order of their own, each after some more hundreds of records."""
    steps = RECORDS // STEP
    application = start_application()
    for kill in chance.sample(KILLS, len(KILLS)):
        seen = application.lines
        feeder.go(steps // (len(KILLS) + 1))
        application.wait_for(seen + chance.randint(1, 15), "the application to be killed")
        if kill.startswith("broker"):
            broker.kill()
            broker.start()
            continue
        application.kill()
        if kill.startswith("both"):
            broker.kill()
            broker.start()
        if kill.endswith("lost"):
            shutil.rmtree(state)
        application = start_application()
    seen = application.lines
    feeder.go(steps - len(KILLS) * (steps // (len(KILLS) + 1)))
    application.wait_for(seen + 1, "the application after the kills")
    application.kill()


def dump(program, bootstrap, topic, application, state):
    command = [program, "dump", bootstrap, topic, application, state]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True,
                           timeout=180).stdout.splitlines()
    return {tuple(line.split()[:2]): line.split()[2] for line in lines if line != "seen"}


def show(program, bootstrap, wrong, calm, killed):
    """What the result topics and the changelogs hold for the first of the wrong keys, in order."""
    for kind, key in wrong[:4]:
        print(f"{kind} {key}: {calm.get((kind, key))} became {killed.get((kind, key))}")
        if not kind.startswith("last-"):
            continue
        store = kind.removeprefix("last-") + "s"
        for name in ["calm", "killed"]:
            for topic in [f"{name}-{store}", f"{name}-{store}-changelog"]:
                print(f"--- {topic}", flush=True)
                subprocess.run([program, "history", bootstrap, topic, key], timeout=60)


def main():
    binary, program = sys.argv[1:3]
    seed = sys.argv[3] if len(sys.argv) > 3 else str(random.randrange(1 << 31))
    print(f"seed {seed}", flush=True)
    chance = random.Random(int(seed))
    settings = {"num.partitions": str(PARTITIONS), "group.min.session.timeout.ms": "100",
                "group.initial.rebalance.delay.ms": "0"}
    with Broker(binary, settings) as broker:
        for topic in ["input", "calm-sums", "calm-windows", "killed-sums", "killed-windows"]:
            create_topic(binary, broker, topic, PARTITIONS)
        state = {name: os.path.join(broker.directory, name) for name in ["calm", "killed"]}
        feeder = Feeder(program, "feed", broker.bootstrap, "input", str(RECORDS), seed)

        def start_application():
            return Application(program, "run", broker.bootstrap, "input", "killed", state["killed"])

        disturb(broker, feeder, start_application, state["killed"], chance)
        feeder.finish()
        killed = dump(program, broker.bootstrap, "input", "killed", state["killed"])
        calm = dump(program, broker.bootstrap, "input", "calm", state["calm"])
        wrong = sorted(key for key in calm.keys() | killed.keys()
                       if calm.get(key) != killed.get(key))
        if wrong:
            show(program, broker.bootstrap, wrong, calm, killed)
            raise RuntimeError(f"{len(wrong)} of {len(calm)} rows differ")
    kinds = sorted({kind for kind, _ in calm})
    counts = ", ".join(f"{sum(kind == k for k, _ in calm)} {kind}" for kind in kinds)
    print(f"{len(KILLS)} kills: equal to a run without them ({counts} rows)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
