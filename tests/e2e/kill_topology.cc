// The application's part of the kill -9 test of topologies: one subtopology with a key-value store
// and a window store, both on RocksDB.
//   e2e_kill_topology feed BOOTSTRAP TOPIC COUNT SEED
//     produces keyed records with event times, a thousand for each line of its input
//   e2e_kill_topology run BOOTSTRAP TOPIC ID STATE_DIRECTORY
//     the application ID, until it is killed; prints "seen" for every hundredth record. Results go
//     to ID-sums and ID-windows
//   e2e_kill_topology dump BOOTSTRAP TOPIC ID STATE_DIRECTORY
//     the same until everything in TOPIC is committed; then prints every row of the stores and the
//     last value of every key of the result topics
//   e2e_kill_topology history BOOTSTRAP TOPIC KEY...
//     every record of TOPIC whose key, in hexadecimal, begins with one of KEYs: key, value,
//     partition, offset
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "tests/support/eventually.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdio>
#include <functional>
#include <iostream>
#include <millrace/streams.h>
#include <random>

namespace {

using namespace millrace;
using namespace std::chrono_literals;

/// 2020-01-01: the records are older than any clock says.
constexpr Millis kFirstTime = 1'577'836'800'000;
/// A record is at most this much older than one before it: less than the windows' grace.
constexpr int kJitterMs = 8'000;

bool report(const Error& error) {
  fmt::print(stderr, "{}\n", error.toString());
  return false;
}

bool feed(const std::string& bootstrap, const std::string& topic, int count, unsigned seed) {
  std::mt19937 random(seed);
  std::atomic<bool> failed{false};
  Producer producer({.bootstrapServers = bootstrap, .linger = 1ms, .batchSize = 2'000});
  for (int number = 0; number < count; ++number) {
    std::string go;
    if (number % 1'000 == 0 && !std::getline(std::cin, go)) return false;
    producer.send({.topic = topic,
                   .key = fmt::format("key-{}", random() % 200),
                   .value = std::to_string(number),
                   .timestamp = kFirstTime + number * 100 + static_cast<int>(random() % kJitterMs)},
                  [&failed](const auto& outcome) { failed = failed || !outcome; });
    if (number % 200 != 199) continue;
    if (const Status flushed = producer.flush(); !flushed) return report(flushed.error());
  }
  const Status flushed = producer.flush();
  return flushed ? !failed : report(flushed.error());
}

/// Repeated, lost and swapped records all change the result, unlike a count's.
void mix(const std::string& number, std::int64_t& sum) {
  const auto factor = static_cast<std::uint64_t>(sum) * 1'000'003U;
  sum = static_cast<std::int64_t>(factor + std::stoull(number) + 1);
}

Topology topology(const std::string& topic, const std::string& id, std::atomic<int>& seen) {
  StreamsBuilder builder;
  const auto mixed = [](const std::string&, const std::string& number, std::int64_t& sum) {
    mix(number, sum);
  };
  auto input = builder.stream<std::string, std::string>(topic).peek(
      [&seen](const std::string&, const std::string&) {
        if (++seen % 100 != 0) return;
        fmt::print("seen\n");
        std::fflush(stdout);
      });
  input.groupByKey()
      .aggregate(std::int64_t{0}, mixed, {.store = "sums"})
      .toStream()
      .to(id + "-sums");
  input.groupByKey()
      .windowedBy(tumbling(1min, {.grace = 30s}))
      .aggregate(std::int64_t{0}, mixed, {.store = "windows", .retention = 24h})
      .toStream()
      .to(id + "-windows");
  return builder.build();
}

Streams application(const std::vector<std::string>& where, std::atomic<int>& seen) {
  return Streams(topology(where[1], where[2], seen),
                 {.applicationId = where[2],
                  .bootstrapServers = where[0],
                  .stateDir = where[3],
                  .properties = {{"commit.interval.ms", "100"},
                                 {"statestore.cache.max.bytes", "20000"},
                                 {"producer.linger.ms", "0"},
                                 {"consumer.session.timeout.ms", "2000"},
                                 {"consumer.heartbeat.interval.ms", "200"}}});
}

std::vector<TopicPartition> partitionsOf(Consumer& consumer, const std::string& topic) {
  std::vector<TopicPartition> partitions;
  const auto infos = consumer.partitionsFor(topic);
  if (infos) {
    for (const PartitionInfo& info : *infos) partitions.push_back(info.partition);
  }
  return partitions;
}

bool allCommitted(Admin& admin, Consumer& consumer, const std::string& topic,
                  const std::string& id) {
  const auto ends = consumer.endOffsets(partitionsOf(consumer, topic));
  const auto committed = admin.listGroupOffsets(id);
  if (!ends || ends->empty() || !committed) return false;
  for (const auto& [partition, end] : *ends) {
    const auto found = committed->find(partition);
    if (found == committed->end() || found->second.offset != end) return false;
  }
  return true;
}

std::string hex(BytesView bytes) {
  std::string out;
  for (const char byte : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

bool forEachRecord(Consumer& consumer, const std::string& topic,
                   const std::function<void(const Record&)>& each) {
  const auto partitions = partitionsOf(consumer, topic);
  const auto ends = consumer.endOffsets(partitions);
  if (!ends) return report(ends.error());
  if (const Status assigned = consumer.assign(partitions); !assigned)
    return report(assigned.error());
  std::int64_t left = 0;
  for (const auto& [partition, end] : *ends) left += end;
  while (left > 0) {
    const ConsumerRecords records = consumer.poll(60s);
    if (!records.ok()) return report(records.error());
    if (records.empty()) return report({Errc::kTimeout, topic + " ends early"});
    left -= static_cast<std::int64_t>(records.count());
    for (const Record& record : records) each(record);
  }
  return true;
}

bool printLastValues(Consumer& consumer, const std::string& topic, const std::string& label) {
  std::map<std::string, std::string> last;
  const bool read = forEachRecord(consumer, topic, [&](const Record& record) {
    last[hex(record.key())] = hex(record.value());
  });
  for (const auto& [key, value] : last) fmt::print("{} {} {}\n", label, key, value);
  return read;
}

bool printHistory(const std::string& bootstrap, const std::string& topic,
                  const std::vector<std::string>& prefixes) {
  Consumer consumer({.bootstrapServers = bootstrap, .autoOffsetReset = "earliest"});
  return forEachRecord(consumer, topic, [&](const Record& record) {
    const std::string key = hex(record.key());
    const auto begins = [&](const std::string& prefix) { return key.starts_with(prefix); };
    if (std::ranges::none_of(prefixes, begins)) return;
    fmt::print("{} {} {} {}\n", key, hex(record.value()), record.partition(), record.offset());
  });
}

bool printStores(const Streams& streams) {
  const auto sums = streams.store<std::string, std::int64_t>("sums").all();
  if (!sums) return report(sums.error());
  for (const auto& [key, sum] : *sums) fmt::print("sum {} {}\n", key, sum);
  const auto windows = streams.store<Windowed<std::string>, std::int64_t>("windows").all();
  if (!windows) return report(windows.error());
  for (const auto& [key, sum] : *windows)
    fmt::print("window {}@{} {}\n", key.key, key.window.start, sum);
  return true;
}

bool run(const std::vector<std::string>& where) {
  std::atomic<int> seen{0};
  Streams streams = application(where, seen);
  if (const Status started = streams.start(); !started) return report(started.error());
  return streams.waitFor([](StreamsState state) { return state == StreamsState::kError; },
                         std::chrono::hours(1));
}

bool dump(const std::vector<std::string>& where) {
  std::atomic<int> seen{0};
  Streams streams = application(where, seen);
  if (const Status started = streams.start(); !started) return report(started.error());
  Admin admin({.bootstrapServers = where[0]});
  Consumer consumer({.bootstrapServers = where[0], .autoOffsetReset = "earliest"});
  const auto committed = [&] { return allCommitted(admin, consumer, where[1], where[2]); };
  if (!millrace::testing::eventually(committed, 120s))
    return report({Errc::kTimeout, "the application did not come to the end"});
  if (!streams.waitUntilRunning() || !printStores(streams)) return false;
  if (!streams.close(30s)) return report({Errc::kTimeout, "the application did not close"});
  return printLastValues(consumer, where[2] + "-sums", "last-sum") &&
         printLastValues(consumer, where[2] + "-windows", "last-window");
}

unsigned number(std::string_view text) {
  unsigned value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() > 3 && words[0] == "history")
    return printHistory(words[1], words[2], {words.begin() + 3, words.end()}) ? 0 : 1;
  if (words.size() == 5) {
    const std::vector<std::string> where(words.begin() + 1, words.end());
    if (words[0] == "run") return run(where) ? 0 : 1;
    if (words[0] == "dump") return dump(where) ? 0 : 1;
    if (words[0] == "feed")
      return feed(where[0], where[1], static_cast<int>(number(where[2])), number(where[3])) ? 0 : 1;
  }
  fmt::print(stderr,
             "usage: {} feed BOOTSTRAP TOPIC COUNT SEED | run|dump BOOTSTRAP TOPIC ID DIR |\n"
             "  history BOOTSTRAP TOPIC KEY...\n",
             argv[0]);
  return 2;
}
