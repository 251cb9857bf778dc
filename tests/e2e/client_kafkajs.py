"""kafkajs on Node.js; its packages are installed by ./dev deps into build/node where npm is present."""
import json
import os
import shutil
import signal
import subprocess
import threading

from harness import Member

NAME = "kafkajs"
HERE = os.path.dirname(os.path.abspath(__file__))
MODULES = os.environ.get("MILLRACE_NODE_MODULES", os.path.join(HERE, "..", "..", "build", "node", "node_modules"))


def missing():
    if not shutil.which("node"):
        return "node is not installed"
    if not os.path.isdir(os.path.join(MODULES, "kafkajs")):
        return "the npm package kafkajs is not installed (./dev deps installs it where npm is present)"
    return None


def missing_codec(codec):
    package = {"snappy": "kafkajs-snappy", "lz4": "lz4-napi", "zstd": "@bokuweb/zstd-wasm"}.get(codec)
    if package and not os.path.isdir(os.path.join(MODULES, package)):
        return f"the npm package {package} is not installed"
    return None


def command(*arguments):
    return ["node", os.path.join(HERE, "node", "kafkajs_client.js"), *map(str, arguments)]


def environment():
    return dict(os.environ, NODE_PATH=MODULES, KAFKAJS_NO_PARTITIONER_WARNING="1")


def produce(bootstrap, topic, codec, first, count):
    subprocess.run(command("produce", bootstrap, topic, codec, first, count), env=environment(), check=True, timeout=120)


class Consumer(Member):
    def __init__(self, bootstrap, group, topic):
        super().__init__()
        self.process = subprocess.Popen(command("member", bootstrap, topic, group), env=environment(),
                                        stdout=subprocess.PIPE)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            if "assigned" in event:
                self.assigned(event["assigned"])
            else:
                self.saw(event["values"])
        if self.process.wait() != 0:
            self.failed(f"node ended with {self.process.returncode}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.thread.join(timeout=30)


def member(bootstrap, group, topic):
    return Consumer(bootstrap, group, topic)
