"""A broker process on a free port, and waiting for what it does. Python's standard library only."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Broker:
    """`millrace broker` with a directory of its own; a context manager that stops it by its own id.

    `data` names its data directories.
    With MILLRACE_E2E_KEEP in the environment the directory outlives a failure.
    """

    def __init__(self, binary, properties=None, data=("data",)):
        self.binary = binary
        self.directory = tempfile.mkdtemp(prefix="millrace-e2e-")
        self.port = free_port()
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.process = None
        self.data = [os.path.join(self.directory, name) for name in data]
        settings = {
            "listeners": f"PLAINTEXT://{self.bootstrap}",
            "log.dirs": ",".join(self.data),
            "num.partitions": "4",
            "group.initial.rebalance.delay.ms": "0",
        }
        settings.update(properties or {})
        self.config = os.path.join(self.directory, "server.properties")
        with open(self.config, "w") as file:
            file.writelines(f"{key}={value}\n" for key, value in settings.items())

    def start(self):
        with open(os.path.join(self.directory, "broker.log"), "ab") as log:
            self.process = subprocess.Popen([self.binary, "broker", self.config], stdout=log, stderr=log)
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the broker does not serve:\n" + self.log()) from None
                threading.Event().wait(0.01)

    def log(self):
        with open(os.path.join(self.directory, "broker.log"), errors="replace") as log:
            return log.read()[-4000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=30)
        return self.process.returncode if self.process else None

    def __enter__(self):
        return self.start()

    def __exit__(self, *failure):
        if failure[0] is not None:
            if self.process and self.process.poll() is not None:
                print(f"--- the broker had ended: {self.process.returncode}")
            print("--- the broker's log ends with\n" + self.log())
        self.stop()
        if failure[0] is not None and "MILLRACE_E2E_KEEP" in os.environ:
            print(f"--- kept: {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


class Member:
    """A consumer in a group as the scenario sees it; subclasses feed it from their client's threads."""

    def __init__(self):
        self.changed = threading.Condition()
        self.numbers = []
        self.wrong = []
        self.assignment = set()
        self.failure = None

    def saw(self, values):
        with self.changed:
            for value in values:
                number = int(value.split(":", 1)[0])
                if value == value_of(number):
                    self.numbers.append(number)
                else:
                    self.wrong.append(value[:60])
            self.changed.notify_all()

    def assigned(self, partitions):
        with self.changed:
            self.assignment = set(partitions)
            self.changed.notify_all()

    def failed(self, error):
        with self.changed:
            self.failure = error
            self.changed.notify_all()


class ThreadMember(Member):
    """A member on its own thread: run(bootstrap, group, topic) polls until self.ending."""

    def __init__(self, bootstrap, group, topic):
        super().__init__()
        self.arguments = (bootstrap, group, topic)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.guarded)
        self.thread.start()

    def guarded(self):
        try:
            self.run(*self.arguments)
        except Exception as error:  # noqa: BLE001: reported to the scenario
            self.failed(error)

    def stop(self):
        self.ending.set()
        self.thread.join(timeout=30)


def expect(true, what):
    """Fails with these words where it is not."""
    if not true:
        raise RuntimeError(what)


def create_topic(binary, broker, topic, partitions):
    command = [binary, "topic", "create", topic, "-p", str(partitions), "-b", broker.bootstrap]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def value_of(number):
    return f"{number}:" + "millrace " * (1 + number % 9)


def wait_until(members, condition, what, timeout=90):
    """Waits until condition() holds; woken by every change of a member."""
    deadline = time.monotonic() + timeout
    while not condition():
        for member in members:
            if member.failure:
                raise RuntimeError(f"waiting for {what}: {member.failure}")
        if time.monotonic() > deadline:
            counts = ", ".join(f"{len(m.numbers)} records of {sorted(m.assignment)}" for m in members)
            raise RuntimeError(f"no {what} within {timeout} s; members have {counts}")
        with members[0].changed:
            members[0].changed.wait(0.02)
