"""Runs the demo with --once and computes its answer a second time from the CSV files, in plain Python.

usage: expected_test.py DEMO_BINARY DATA_DIRECTORY
Every row of both result files must be equal, floating-point numbers included.
"""
import csv
import json
import os
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta, timezone

GRACE = timedelta(hours=24)


def parse_time(text):
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def iso(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def number(text):
    return None if text == "NA" else float(text)


def read(directory, name):
    with open(os.path.join(directory, name), newline="") as file:
        return list(csv.DictReader(file))


class Windows:
    """Tumbling windows with grace over one stream time, as the topology has them."""

    def __init__(self, size):
        self.size = size
        self.stream_time = None
        self.rows = {}
        self.late = 0

    def add(self, key, time, delay):
        self.stream_time = max(self.stream_time or time, time)
        epoch = datetime(1970, 1, 1, tzinfo=timezone.utc)
        start = epoch + (time - epoch) // self.size * self.size
        if start + self.size <= self.stream_time - GRACE:
            self.late += 1
            return
        self.rows.setdefault((key, start), []).append(delay)


def summary(delays):
    known = [d for d in delays if d is not None]
    mean = sum(known) / len(known) if known else None
    worst = max(known) if known else None
    return len(delays), len(delays) - len(known), mean, worst


def is_bad(weather):
    visib, precip, wind = (number(weather[f]) for f in ("visib", "precip", "wind_speed"))
    return (visib is not None and visib < 3) or (precip is not None and precip >= 0.05) or (
        wind is not None and wind >= 25)


def expected(directory):
    airlines = {row["carrier"]: row["name"] for row in read(directory, "airlines.csv")}
    weather = {(row["origin"], row["time_hour"]): row for row in read(directory, "weather-2013-01.csv")}
    hourly, daily = Windows(timedelta(hours=1)), Windows(timedelta(days=1))
    for flight in read(directory, "flights-2013-01.csv"):
        time = parse_time(flight["time_hour"]) + timedelta(minutes=int(flight["minute"]))
        delay = None if flight["dep_delay"] == "NA" else int(flight["dep_delay"])
        if flight["carrier"] in airlines:
            hourly.add(airlines[flight["carrier"]], time, delay)
        there = weather.get((flight["origin"], flight["time_hour"]))
        if there is not None and is_bad(there):
            daily.add(flight["origin"], time, delay)
    airline_rows, weather_rows = {}, {}
    for (airline, start), delays in hourly.rows.items():
        flights, cancelled, mean, worst = summary(delays)
        airline_rows[airline, iso(start)] = {
            "airline": airline, "start": iso(start), "flights": flights, "cancelled": cancelled,
            "mean_delay": mean, "worst_delay": worst}
    for (origin, start), delays in daily.rows.items():
        flights, cancelled, mean, _ = summary(delays)
        weather_rows[origin, iso(start)] = {
            "origin": origin, "start": iso(start), "flights": flights, "cancelled": cancelled, "mean_delay": mean}
    return airline_rows, weather_rows, hourly.late + daily.late


def compare(name, path, key_field, want):
    with open(path) as file:
        rows = [json.loads(line) for line in file]
    got = {(row[key_field], row["start"]): row for row in rows}
    wrong = 0
    if len(got) != len(rows):
        print(f"{name}: {len(rows) - len(got)} rows stand twice")
        wrong += 1
    for key in sorted(want.keys() | got.keys()):
        if want.get(key) != got.get(key) or list(want[key]) != list(got[key]):
            print(f"{name}: expected {want.get(key)}, got {got.get(key)}")
            wrong += 1
    print(f"{name}: {len(want)} rows compared, {wrong} wrong")
    return wrong


def main():
    binary, data = sys.argv[1:3]
    airline_rows, weather_rows, late = expected(data)
    print(f"expected: {len(airline_rows)} airline hours, {len(weather_rows)} airport days, {late} late flights")
    with tempfile.TemporaryDirectory() as directory:
        for attempt in ("first run", "second run, from a directory that holds the first one's data"):
            subprocess.run([binary, "--data", data, "--directory", directory, "--once"], check=True, timeout=300,
                           stdout=subprocess.DEVNULL)
            print(attempt)
            wrong = compare("airline-delays-hourly", os.path.join(directory, "airline-delays-hourly.jsonl"),
                            "airline", airline_rows)
            wrong += compare("bad-weather-daily", os.path.join(directory, "bad-weather-daily.jsonl"), "origin",
                             weather_rows)
            if wrong:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
