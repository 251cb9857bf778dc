"""kcat: one process that produces, one for each member of the group."""
import re
import shutil
import signal
import subprocess
import threading

from harness import Member, value_of

NAME = "kcat"


def missing():
    return None if shutil.which("kcat") else "kcat is not installed"


def missing_codec(_codec):
    return None


def produce(bootstrap, topic, codec, first, count):
    lines = "".join(f"{n};{value_of(n)}\n" for n in range(first, first + count))
    subprocess.run(["kcat", "-P", "-b", bootstrap, "-t", topic, "-K", ";", "-z", codec, "-X", "linger.ms=20",
                    "-X", "acks=all", "-X", "enable.idempotence=true"],
                   input=lines.encode(), check=True, timeout=120)


class Consumer(Member):
    def __init__(self, bootstrap, group, topic):
        super().__init__()
        self.process = subprocess.Popen(
            ["kcat", "-G", group, "-b", bootstrap, "-X", "auto.offset.reset=earliest", "-X",
             "heartbeat.interval.ms=200", "-u", "-f", "%s\\n", topic],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.threads = [threading.Thread(target=self.read_records), threading.Thread(target=self.read_notes)]
        for thread in self.threads:
            thread.start()

    def read_records(self):
        for line in self.process.stdout:
            self.saw([line.decode().rstrip("\n")])

    def read_notes(self):
        notes = []
        for line in self.process.stderr:
            text = line.decode()
            notes.append(text)
            if "assigned:" in text:
                self.assigned(int(p) for p in re.findall(r"\[(\d+)\]", text.split("assigned:", 1)[1]))
            elif "revoked" in text:
                self.assigned([])
        if self.process.wait() not in (0, -signal.SIGTERM, -signal.SIGINT):
            self.failed("".join(notes[-5:]))

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        for thread in self.threads:
            thread.join(timeout=30)


def member(bootstrap, group, topic):
    return Consumer(bootstrap, group, topic)
