// What many partitions cost a broker process: to create, to start with (after a clean stop and
// after kill -9), in memory, and while nothing happens. Once without records, once with five in
// each. On ext4 nothing large should have been removed in the minutes before, not by an earlier run
// either: the kernel looks at the inodes of files that are gone since a short time, one by one, for
// every file that is made. TMPDIR says where the data lie.
#include "bench/suite/process.h"
#include "client/admin.h"
#include "client/producer.h"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace millrace::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPartitionsPerTopic = 10;
constexpr int kRecords = 5;
/// Kafka takes so many partitions in one CreateTopics request.
constexpr int kPartitionsPerRequest = 10'000;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().toString());
  return std::move(*result);
}

std::string topicName(int i) { return fmt::format("scale.{:05}", i); }

class Run {
 public:
  Run(const std::string& millrace, int partitions)
      : broker_(millrace), partitions_(partitions), topics_(partitions / kPartitionsPerTopic) {}

  void measure(int idle_seconds) {
    empty_rss_ = broker_.process().residentBytes();
    create();
    memory("no records");
    idle(idle_seconds, "no records");
    restart("no records", true);
    restart("no records", false);
    fill();
    memory("five records each");
    idle(idle_seconds, "five records each");
    restart("five records each", true);
    memory("five records each, just started");
    restart("five records each", false);
  }

 private:
  void say(const std::string& what, double value, const std::string& unit) const {
    fmt::print("{:>6} partitions  {:<58} {:>10.2f} {}\n", partitions_, what, value, unit);
    std::fflush(stdout);
  }

  Admin admin() const { return Admin({.bootstrapServers = broker_.bootstrap()}); }

  void create() {
    Admin client = admin();
    const double cpu = broker_.process().cpuSeconds();
    const auto start = Clock::now();
    const int per_request = kPartitionsPerRequest / kPartitionsPerTopic;
    for (int first = 0; first < topics_; first += per_request) {
      std::vector<NewTopic> topics;
      for (int i = first; i < std::min(first + per_request, topics_); ++i)
        topics.push_back({.name = topicName(i), .partitions = kPartitionsPerTopic});
      for (const auto& [name, made] : must(client.createTopics(topics)))
        if (!made) throw std::runtime_error(name + ": " + made.error().toString());
    }
    say("created, all requests", secondsSince(start), "s");
    say("created, CPU of the broker", broker_.process().cpuSeconds() - cpu, "s");
  }

  void fill() {
    Producer producer({.bootstrapServers = broker_.bootstrap(), .acks = "all"});
    const auto start = Clock::now();
    for (records_ = 0; records_ < kRecords; ++records_) {
      for (int i = 0; i < topics_; ++i)
        for (int p = 0; p < kPartitionsPerTopic; ++p)
          producer.send({.topic = topicName(i), .partition = p, .value = "x"});
      if (const Status flushed = producer.flush(); !flushed)
        throw std::runtime_error(flushed.error().toString());
      if (records_ == 0) say("first record of each, acks=all", secondsSince(start), "s");
    }
    say("five records of each, one batch each, acks=all", secondsSince(start), "s");
  }

  void memory(const std::string& state) {
    const auto rss = static_cast<double>(broker_.process().residentBytes());
    say(fmt::format("resident memory, {}", state), rss / (1 << 20), "MiB");
    say(fmt::format("per partition over an empty broker, {}", state),
        (rss - static_cast<double>(empty_rss_)) / 1024 / partitions_, "KiB");
  }

  void idle(int seconds, const std::string& state) {
    std::this_thread::sleep_for(std::chrono::seconds(2));
    const double cpu = broker_.process().cpuSeconds();
    std::this_thread::sleep_for(std::chrono::seconds(seconds));
    say(fmt::format("CPU of {} idle s, {}", seconds, state),
        (broker_.process().cpuSeconds() - cpu) * 1000, "ms");
  }

  void restart(const std::string& state, bool crash) {
    const std::string how = crash ? "kill -9" : "a clean stop";
    auto start = Clock::now();
    if (crash) {
      broker_.process().kill();
    } else {
      broker_.stop();
      say(fmt::format("clean stop, {}", state), secondsSince(start), "s");
    }
    start = Clock::now();
    broker_.start();
    broker_.waitUntilListening();
    check();
    say(fmt::format("back after {}, {}", how, state), secondsSince(start), "s");
    say(fmt::format("CPU until then, {}", state), broker_.process().cpuSeconds(), "s");
  }

  /// All topics are there, and a sample of their partitions holds what was written.
  void check() {
    Admin client = admin();
    if (must(client.listTopics()).size() != static_cast<std::size_t>(topics_))
      throw std::runtime_error("topics are missing");
    std::map<TopicPartition, std::int64_t> specs;
    for (int i = 0; i < topics_; i += 100)
      for (int p = 0; p < kPartitionsPerTopic; ++p) specs[{topicName(i), p}] = OffsetSpec::kLatest;
    for (const auto& [tp, end] : must(client.listOffsets(specs)))
      if (must(end).offset != records_) throw std::runtime_error("records are missing");
  }

  BrokerProcess broker_;
  int partitions_;
  int topics_;
  std::int64_t records_ = 0;
  std::uint64_t empty_rss_ = 0;
};

int numberOf(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw std::runtime_error(fmt::format("'{}' is no number", text));
  return value;
}

int run(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_partitions MILLRACE [IDLE_SECONDS] [PARTITIONS...]\n");
    return 2;
  }
  const int idle_seconds = argc > 2 ? numberOf(argv[2]) : 10;
  std::vector<int> counts;
  for (int i = 3; i < argc; ++i) counts.push_back(numberOf(argv[i]));
  if (counts.empty()) counts = {1000, 10'000, 20'000};
  for (const int count : counts) Run(argv[1], count).measure(idle_seconds);
  return 0;
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  try {
    return millrace::bench::run(argc, argv);
  } catch (const std::exception& e) {
    fmt::print(stderr, "bench_partitions: {}\n", e.what());
    return 1;
  }
}
