// The own client's part of the kill -9 tests: produces numbered records through broker restarts,
// and reads topics back.
//   e2e_kill_client produce BOOTSTRAP TOPIC COUNT [KEY=VALUE...]
//     COUNT records, and further ones until its standard input ends; prints "acked NUMBER" or
//     "failed NUMBER" for each as it comes to know, and last "produced COUNT"
//   e2e_kill_client read BOOTSTRAP TOPIC
//     prints "PARTITION NUMBER" for each record, by offset
#include "client/consumer.h"
#include "client/producer.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <mutex>
#include <span>

namespace {

using namespace millrace;

/// Prints fates; its callbacks come on the producer's thread.
class Fates {
 public:
  void add(int number, const Result<RecordMetadata>& outcome) {
    const std::lock_guard lock(mutex_);
    fmt::print("{} {}\n", outcome ? "acked" : "failed", number);
    if (++count_ % 100 == 0) std::fflush(stdout);
  }
  /// After a flush of the producer.
  [[nodiscard]] int count() {
    const std::lock_guard lock(mutex_);
    std::fflush(stdout);
    return count_;
  }

 private:
  std::mutex mutex_;
  int count_ = 0;
};

bool inputHasEnded() {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) != 0;  // nothing is ever written to it
}

int produce(const std::string& bootstrap, const std::string& topic, int count,
            std::span<char*> settings) {
  ProducerOptions options{
      .bootstrapServers = bootstrap, .linger = std::chrono::milliseconds(1), .batchSize = 2'000};
  for (const std::string_view setting : settings) {
    const std::size_t equals = setting.find('=');
    options.properties.emplace(setting.substr(0, equals), setting.substr(equals + 1));
  }
  Fates fates;
  Producer producer(std::move(options));
  const auto partitions = producer.partitionsFor(topic);
  if (!partitions) {
    fmt::print(stderr, "{}\n", partitions.error().toString());
    return 1;
  }
  int number = 0;
  for (; number < count || !inputHasEnded(); ++number) {
    producer.send(
        {.topic = topic, .partition = number % *partitions, .value = std::to_string(number)},
        [&fates, number](const auto& outcome) { fates.add(number, outcome); });
    // Where batches may fail, those that did are in the fates already.
    if (number % 100 == 0) (void)producer.flush();
  }
  (void)producer.flush();
  const bool all_known = fates.count() == number;
  fmt::print("produced {}\n", number);
  return all_known ? 0 : 1;
}

int read(const std::string& bootstrap, const std::string& topic) {
  Consumer consumer({.bootstrapServers = bootstrap, .autoOffsetReset = "earliest"});
  const auto partitions = consumer.partitionsFor(topic);
  if (!partitions || partitions->empty()) return 1;
  std::vector<TopicPartition> all;
  for (const PartitionInfo& info : *partitions) all.push_back(info.partition);
  const auto ends = consumer.endOffsets(all);
  if (!ends || !consumer.assign(all)) return 1;
  std::size_t left = 0;
  for (const auto& [tp, end] : *ends) left += static_cast<std::size_t>(end);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (left > 0 && std::chrono::steady_clock::now() < deadline) {
    const ConsumerRecords records = consumer.poll(std::chrono::milliseconds(500));
    if (!records.ok()) {
      fmt::print(stderr, "{}\n", records.error().toString());
      return 1;
    }
    for (const Record& record : records) {
      fmt::print("{} {}\n", record.partition(), record.value());
      --left;
    }
  }
  return left == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string mode = argc > 3 ? argv[1] : "";
  if (mode == "read") return read(argv[2], argv[3]);
  int count = 0;
  if (mode == "produce" && argc > 4) {
    const std::string_view text(argv[4]);
    std::from_chars(text.data(), text.data() + text.size(), count);
    return produce(argv[2], argv[3], count, std::span(argv + 5, argv + argc));
  }
  fmt::print(stderr,
             "usage: {} produce BOOTSTRAP TOPIC COUNT [KEY=VALUE...] | read BOOTSTRAP TOPIC\n",
             argv[0]);
  return 2;
}
