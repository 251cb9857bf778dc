#!/usr/bin/env python3
"""The millrace binary as a user runs it: end_to_end.py PATH_OF_MILLRACE [unittest arguments]."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

MILLRACE = None
TIMEOUT = 60


class Broker:
    """`millrace broker` on a free port in a directory."""

    def __init__(self, directory, *arguments):
        # A file, not a pipe: nobody reads while it runs, and a full pipe would stop it.
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = subprocess.Popen(
            [MILLRACE, "broker", "-d", directory, "-l", "127.0.0.1:0", "-o", "json", *arguments],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the broker did not start: " + self.messages())
        self.ready = json.loads(line)
        self.bootstrap = self.ready["bootstrap"]

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, self.messages()

    def messages(self):
        """What the broker has logged; closes the file."""
        with self.log:
            self.log.seek(0)
            return self.log.read()


class CliTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="millrace-cli-")
        cls.broker = Broker(os.path.join(cls.directory.name, "data"))

    @classmethod
    def tearDownClass(cls):
        code, errors = cls.broker.stop()
        cls.directory.cleanup()
        assert code == 0, errors

    def run_cli(self, *arguments, stdin="", code=0, bootstrap=True):
        """Runs a command; returns (stdout, stderr)."""
        command = [MILLRACE, *arguments]
        if bootstrap:
            command += ["-b", self.broker.bootstrap]
        done = subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=TIMEOUT)
        out, err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, code, f"{command}\n{out}\n{err}")
        return out, err

    def lines(self, *arguments, **rest):
        return self.run_cli(*arguments, **rest)[0].splitlines()

    def json_lines(self, *arguments, **rest):
        return [json.loads(line) for line in self.lines(*arguments, "-o", "json", **rest)]

    # Help and the command line itself.

    def test_help_of_every_command(self):
        for command in ([], ["broker"], ["topic"], ["topic", "create"], ["produce"], ["consume"], ["group"],
                        ["group", "reset-offsets"], ["config"], ["connect"], ["connect", "run"]):
            out, _ = self.run_cli(*command, "--help", bootstrap=False)
            self.assertIn("--help", out)
        self.assertIn("A first run", self.run_cli("--help", bootstrap=False)[0])
        self.assertRegex(self.run_cli("--version", bootstrap=False)[0], r"^millrace \d+\.\d+\.\d+\n$")

    def test_wrong_command_lines_end_with_2(self):
        for command in ([], ["topci"], ["topic"], ["topic", "create"], ["consume"], ["produce", "a", "--acks", "7"]):
            _, err = self.run_cli(*command, bootstrap=False, code=2)
            self.assertTrue(err)
        for command in (["topci"], ["topic", "topci"]):
            self.assertIn("no command 'topci'", self.run_cli(*command, bootstrap=False, code=2)[1])
        for number in ("0", "-3", "many", "1.5"):
            _, err = self.run_cli("topic", "create", "t", f"--partitions={number}", code=2)
            self.assertIn(f"{number} is not a whole number of at least 1\n", err)
        _, err = self.run_cli("consume", "t", "--from", "yesterday", code=2)
        self.assertIn("yesterday", err)
        _, err = self.run_cli("consume", "t", "--format", "%q", code=2)
        self.assertIn("tokens", err)

    def test_dump_log_in_both_forms(self):
        self.run_cli("topic", "create", "dumped")
        self.run_cli("produce", "dumped", stdin="one\ntwo\n")
        file = os.path.join(self.directory.name, "data", "dumped-0", "0" * 20 + ".log")
        ours, _ = self.run_cli("dump-log", "-r", file, bootstrap=False)
        self.assertIn("one", ours)
        kafkas, _ = self.run_cli("dump-log", "--print-data-log", "--files", file, bootstrap=False)
        self.assertIn("Log starting offset: 0", kafkas)
        self.assertIn("payload: two", kafkas)
        kafka = ["--files", file]
        for mixed in ([file, *kafka], ["-r", *kafka], ["--decode", "none", *kafka],
                      ["-o", "json", *kafka], ["--print-data-log", file]):
            out, err = self.run_cli("dump-log", *mixed, bootstrap=False, code=2)
            self.assertEqual(out, "")
            self.assertIn("--files", err)

    def test_no_broker_is_said_plainly(self):
        done = subprocess.run([MILLRACE, "topic", "list", "-b", "127.0.0.1:1", "-X", "default.api.timeout.ms=1500",
                               "-X", "request.timeout.ms=1000"], capture_output=True, timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn("Is a broker running there?", done.stderr.decode())

    # Topics.

    def test_topic_life(self):
        self.assertEqual(self.lines("topic", "create", "life", "-p", "3", "--set", "retention.ms=60000"), ["created life"])
        _, err = self.run_cli("topic", "create", "life", code=1)
        self.assertIn("TOPIC_ALREADY_EXISTS", err)
        self.assertEqual(self.lines("topic", "create", "life", "--if-not-exists"), ["unchanged life"])
        listed = self.json_lines("topic", "list")[0]
        self.assertIn(("life", 3), [(t["topic"], t["partitions"]) for t in listed])
        described = self.json_lines("topic", "describe", "life")[0]
        self.assertEqual(described["configs"], {"retention.ms": "60000"})
        self.assertEqual([p["partition"] for p in described["partitions"]], [0, 1, 2])
        self.assertTrue(all(p["begin"] == 0 and p["end"] == 0 for p in described["partitions"]))
        self.run_cli("topic", "alter", "life", "-p", "5", "--set", "retention.ms=70000")
        described = self.json_lines("topic", "describe", "life")[0]
        self.assertEqual(len(described["partitions"]), 5)
        self.assertEqual(described["configs"], {"retention.ms": "70000"})
        self.run_cli("topic", "alter", "life", "--unset", "retention.ms")
        self.assertEqual(self.json_lines("topic", "describe", "life")[0]["configs"], {})
        self.assertIn("PARTITION", self.run_cli("topic", "describe", "life")[0])
        _, err = self.run_cli("topic", "alter", "life", "-p", "2", code=1)
        self.assertIn("INVALID_PARTITIONS", err)
        self.assertEqual(self.lines("topic", "delete", "life"), ["deleted life"])
        _, err = self.run_cli("topic", "describe", "life", code=1)
        self.assertIn("UNKNOWN_TOPIC_OR_PARTITION", err)
        self.assertEqual(self.lines("topic", "delete", "life", "--if-exists"), ["unchanged life"])
        failure = json.loads(self.run_cli("topic", "delete", "life", "-o", "json", code=1)[1])
        self.assertEqual(failure["error"], "UNKNOWN_TOPIC_OR_PARTITION")

    def test_config(self):
        self.run_cli("topic", "create", "configured")
        shown = self.json_lines("config", "describe", "topic", "configured")[0]
        self.assertEqual([e for e in shown if e["source"] == "topic"], [])
        self.run_cli("config", "alter", "topic", "configured", "--set", "cleanup.policy=compact")
        shown = self.json_lines("config", "describe", "topic", "configured")[0]
        self.assertIn(("cleanup.policy", "compact", "topic"), [(e["key"], e["value"], e["source"]) for e in shown])
        everything = self.json_lines("config", "describe", "topic", "configured", "--all")[0]
        self.assertGreater(len(everything), 20)
        _, err = self.run_cli("config", "alter", "topic", "configured", "--set", "cleanup.policy=sometimes", code=1)
        self.assertIn("INVALID_CONFIG", err)

    # Records.

    def test_lines_go_in_and_come_out(self):
        self.run_cli("topic", "create", "lines", "-p", "1")
        text = "".join(f"line {i}\n" for i in range(1000))
        summary = self.json_lines("produce", "lines", stdin=text)[0]
        self.assertEqual((summary["delivered"], summary["failed"]), (1000, 0))
        out, _ = self.run_cli("consume", "lines", "--from", "beginning", "--until-end")
        self.assertEqual(out, text)
        self.assertEqual(self.lines("consume", "lines", "--from", "998", "--until-end"), ["line 998", "line 999"])
        self.assertEqual(self.lines("consume", "lines", "--from", "beginning", "--count", "2"), ["line 0", "line 1"])
        self.assertEqual(self.lines("consume", "lines", "--from", "end", "--until-end"), [])

    def test_every_codec(self):
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            topic = "codec-" + codec
            self.run_cli("topic", "create", topic, "-p", "2")
            text = [f"{codec} {i} " + "x" * 100 for i in range(500)]
            self.run_cli("produce", topic, "-z", codec, stdin="\n".join(text) + "\n")
            self.assertEqual(sorted(self.lines("consume", topic, "--from", "beginning", "-e")), sorted(text))

    def test_keys_headers_nulls_and_formats(self):
        self.run_cli("topic", "create", "keyed", "-p", "4")
        self.run_cli("produce", "keyed", "-K", ":", "--null", "NIL", "-H", "trace=1", "-H", "who=gr\u00f6\u00dfe",
                     stdin="a:1\nb:2:3\na:NIL\n")
        rows = self.lines("consume", "keyed", "--from", "beginning", "-e", "--null", "(null)",
                          "--format", r"%t|%k|%v|%K|%V|%h|%%\n")
        self.assertEqual(sorted(rows), ["keyed|a|(null)|1|-1|trace=1,who=gr\u00f6\u00dfe|%", "keyed|a|1|1|1|trace=1,who=gr\u00f6\u00dfe|%",
                                        "keyed|b|2:3|1|3|trace=1,who=gr\u00f6\u00dfe|%"])
        records = self.json_lines("consume", "keyed", "--from", "beginning", "-e")
        self.assertEqual(len({r["partition"] for r in records if r["key"] == "a"}), 1)
        self.assertEqual(records[0]["headers"][1], {"key": "who", "value": "gr\u00f6\u00dfe"})
        self.assertIn(None, [r["value"] for r in records])
        _, err = self.run_cli("produce", "keyed", "-K", ":", stdin="no separator\n", code=1)
        self.assertIn("stdin:1", err)

    def test_whole_files_and_one_partition(self):
        self.run_cli("topic", "create", "whole", "-p", "3")
        path = os.path.join(self.directory.name, "order.json")
        with open(path, "w", encoding="utf-8") as f:
            f.write('{\n  "id": 1\n}\n')
        self.run_cli("produce", "whole", "--whole", "--key", "o1", "-p", "2", path)
        self.run_cli("produce", "whole", "-p", "1", stdin="one\n")
        records = self.json_lines("consume", "whole:2", "--from", "beginning", "-e")
        self.assertEqual([(r["partition"], r["key"], r["value"]) for r in records], [(2, "o1", '{\n  "id": 1\n}\n')])
        _, err = self.run_cli("produce", "whole", "-p", "3", stdin="x\n", code=1)
        self.assertIn("3 partitions", err)

    def test_a_topic_that_is_not_there(self):
        _, err = self.run_cli("consume", "nowhere", "-e", code=1)
        self.assertIn("nowhere", err)
        self.assertIn("millrace topic create", err)

    # Groups.

    def test_group_life(self):
        self.run_cli("topic", "create", "billed", "-p", "2")
        self.run_cli("produce", "billed", "-K", ":", stdin="".join(f"key{i}:{i}\n" for i in range(100)))
        first = self.lines("consume", "billed", "--group", "billing", "--from", "beginning", "--count", "30")
        self.assertEqual(len(first), 30)
        rest = self.lines("consume", "billed", "--group", "billing", "--until-end")
        self.assertEqual(sorted(map(int, first + rest)), list(range(100)), "each record once, from what was committed")
        self.assertIn("billing", [g["group"] for g in self.json_lines("group", "list")[0]])
        group = self.json_lines("group", "describe", "billing")[0]
        self.assertEqual((group["state"], [o["lag"] for o in group["offsets"]]), ("Empty", [0, 0]))
        plan = self.json_lines("group", "reset-offsets", "billing", "--to", "beginning", "--dry-run")
        self.assertEqual([p["offset"] for p in plan], [0, 0])
        self.assertEqual(sum(o["lag"] for o in self.json_lines("group", "describe", "billing")[0]["offsets"]), 0)
        self.run_cli("group", "reset-offsets", "billing", "--to", "beginning")
        self.assertEqual(sum(o["lag"] for o in self.json_lines("group", "describe", "billing")[0]["offsets"]), 100)
        self.assertEqual(len(self.lines("consume", "billed", "--group", "billing", "--until-end")), 100)
        self.run_cli("group", "reset-offsets", "billing", "--topic", "billed:1", "--to", "0")
        self.assertEqual(self.lines("group", "delete", "billing"), ["deleted billing"])
        _, err = self.run_cli("group", "describe", "billing", code=1)
        self.assertIn("billing", err)

    def test_ctrl_c_ends_a_consumer_cleanly(self):
        self.run_cli("topic", "create", "endless", "-p", "1")
        self.run_cli("produce", "endless", stdin="first\n")
        consumer = subprocess.Popen([MILLRACE, "consume", "endless", "--from", "beginning", "-b", self.broker.bootstrap],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(consumer.stdout.readline(), "first\n")
        consumer.send_signal(signal.SIGINT)
        _, err = consumer.communicate(timeout=TIMEOUT)
        self.assertEqual((consumer.returncode, err), (0, ""))


class BrokerTest(unittest.TestCase):
    def test_data_survives_a_restart(self):
        with tempfile.TemporaryDirectory(prefix="millrace-cli-") as directory:
            for how in (signal.SIGTERM, signal.SIGINT):
                broker = Broker(os.path.join(directory, "data"))
                if how == signal.SIGTERM:
                    subprocess.run([MILLRACE, "topic", "create", "kept", "-b", broker.bootstrap], check=True,
                                   stdout=subprocess.DEVNULL, timeout=TIMEOUT)
                    subprocess.run([MILLRACE, "produce", "kept", "-b", broker.bootstrap], input=b"kept\n", check=True,
                                   timeout=TIMEOUT)
                else:
                    out = subprocess.run([MILLRACE, "consume", "kept", "-f", "beginning", "-e", "-b", broker.bootstrap],
                                         check=True, capture_output=True, timeout=TIMEOUT).stdout
                    self.assertEqual(out, b"kept\n")
                code, errors = broker.stop(how)
                self.assertEqual(code, 0, errors)

    def test_server_properties(self):
        with tempfile.TemporaryDirectory(prefix="millrace-cli-") as directory:
            path = os.path.join(directory, "server.properties")
            with open(path, "w", encoding="ascii") as f:
                f.write(f"log.dirs={directory}/logs\nnum.partitions=4\n")
            process = subprocess.Popen([MILLRACE, "broker", path, "-l", "127.0.0.1:0", "--set", "num.partitions=7",
                                        "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            ready = json.loads(process.stdout.readline())
            self.assertEqual(ready["directory"], f"{directory}/logs")
            subprocess.run([MILLRACE, "topic", "create", "seven", "-b", ready["bootstrap"]], check=True,
                           stdout=subprocess.DEVNULL, timeout=TIMEOUT)
            out = subprocess.run([MILLRACE, "topic", "describe", "seven", "-o", "json", "-b", ready["bootstrap"]],
                                 check=True, capture_output=True, timeout=TIMEOUT).stdout
            self.assertEqual(len(json.loads(out)["partitions"]), 7)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=TIMEOUT)
            self.assertEqual(process.returncode, 0)

    def test_what_is_wrong_with_a_configuration_is_named(self):
        with tempfile.TemporaryDirectory(prefix="millrace-cli-") as directory:
            done = subprocess.run([MILLRACE, "broker", "-d", directory, "-l", "127.0.0.1:0", "--set", "num.partitions=many"],
                                  capture_output=True, timeout=TIMEOUT)
            self.assertIn(done.returncode, (1, 2))
            self.assertIn(b"num.partitions", done.stderr)


class ConnectTest(unittest.TestCase):
    """`millrace connect run`, as a worker in a process of its own."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="millrace-cli-")
        self.broker = Broker(self.path("data"))

    def tearDown(self):
        code, errors = self.broker.stop()
        self.directory.cleanup()
        self.assertEqual(code, 0, errors)

    def path(self, name):
        return os.path.join(self.directory.name, name)

    def write(self, name, *lines, how="w"):
        with open(self.path(name), how, encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines)
        return self.path(name)

    def read(self, name):
        if not os.path.exists(self.path(name)):
            return ""
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def connect(self, *files):
        command = [MILLRACE, "connect", "run", *files, "-b", self.broker.bootstrap, "-o", "json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, cwd=self.directory.name)
        ready = process.stdout.readline()
        if not ready:
            raise AssertionError(process.communicate(timeout=TIMEOUT)[1])
        self.assertEqual(json.loads(ready)["event"], "ready")
        return process

    def stop(self, process, code=0):
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, code, errors)
        stopped = json.loads(out.splitlines()[-1])
        return {connector["name"]: sum(task["records"] for task in connector["tasks"])
                for connector in stopped["connectors"]}

    def ask(self, *arguments):
        return subprocess.run([MILLRACE, *arguments, "-b", self.broker.bootstrap],
                              capture_output=True, check=True, timeout=TIMEOUT).stdout.decode()

    def eventually(self, condition, what):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), deadline, what)
            threading.Event().wait(0.01)

    def values(self, topic, count):
        """The first values of a topic, as soon as they are there. Does not make the topic."""
        self.eventually(lambda: topic in self.ask("topic", "list").split(), "the topic")
        return self.ask("consume", topic, "--from", "beginning", "-c", str(count)).splitlines()

    def source(self, *more):
        return self.write("lines.properties", "name=lines", "connector.class=FileStreamSource",
                          f"file={self.path('in.txt')}", "topic=lines", *more)

    def test_one_file_runs_until_ctrl_c_and_goes_on_where_it_was(self):
        self.write("in.txt", "one", "two")
        source = self.source("topic.creation.default.partitions=3",
                             "topic.creation.default.replication.factor=1",
                             "topic.creation.default.compression.type=lz4")
        first = self.connect(source)
        self.assertCountEqual(self.values("lines", 2), ["one", "two"])
        self.assertEqual(self.stop(first), {"lines": 2})
        described = json.loads(self.ask("topic", "describe", "lines", "-o", "json"))
        self.assertEqual(len(described["partitions"]), 3)
        self.assertIn("lz4", self.ask("config", "describe", "topic", "lines"))
        self.write("in.txt", "three", how="a")
        second = self.connect(source)
        self.assertCountEqual(self.values("lines", 3), ["one", "two", "three"])
        self.assertEqual(self.stop(second), {"lines": 1})

    def test_worker_file_source_and_sink(self):
        self.write("in.txt", "one", "two")
        worker = self.write("worker.properties", "key.converter=StringConverter",
                            "value.converter=StringConverter", "offset.flush.interval.ms=50",
                            f"offset.storage.file.filename={self.path('offsets')}",
                            "consumer.fetch.max.wait.ms=50")
        sink = self.write("sink.properties", "name=copy", "connector.class=FileStreamSink",
                          f"file={self.path('out.txt')}", "topics=lines")
        process = self.connect(worker, self.source(), sink)
        self.assertEqual(self.values("lines", 2), ["one", "two"])
        self.eventually(lambda: self.read("out.txt") == "one\ntwo\n", "both lines in the copy")
        self.assertEqual(self.stop(process), {"lines": 2, "copy": 2})

    def test_finished_sources_end_it(self):
        self.write("in.txt", "one")
        process = self.connect(self.source("tail=false"))
        out, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 0, errors)
        task = json.loads(out.splitlines()[-1])["connectors"][0]["tasks"][0]
        self.assertEqual(task["state"], "FINISHED")

    def test_a_failed_task_is_told_and_ends_it_with_1(self):
        self.write("in.txt", "a,b", "1,2")
        process = self.connect(self.source("format=csv", "tail=false", "csv.key.column=missing"))
        _, errors = process.communicate(timeout=TIMEOUT)
        self.assertEqual(process.returncode, 1)
        self.assertIn("missing", errors)

    def test_what_is_wrong_is_named(self):
        worker = self.write("worker.properties", "key.converter=StringConverter")
        half = self.source("topic.creation.default.partitions=3")
        what = self.write("what.properties", "name=a", "connector.class=What")
        for files, message in (([worker], "connector.class"), ([worker, worker], "only one file"),
                               ([half], "replication.factor"), ([what], "What")):
            done = subprocess.run([MILLRACE, "connect", "run", *files, "-b", self.broker.bootstrap],
                                  capture_output=True, timeout=TIMEOUT, cwd=self.directory.name)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(message, done.stderr.decode())


if __name__ == "__main__":
    MILLRACE = os.path.abspath(sys.argv.pop(1))
    os.environ.pop("MILLRACE_BOOTSTRAP", None)
    unittest.main()
