// The own client's part of the kill -9 tests: produces numbered records through broker restarts,
// and reads topics back.
//   e2e_kill_client produce BOOTSTRAP TOPIC COUNT   prints "acked N" as it goes on, at last "done
//   ACKED FAILED" e2e_kill_client read BOOTSTRAP TOPIC            prints "PARTITION NUMBER" for
//   each record, by offset
#include "client/consumer.h"
#include "client/producer.h"

#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <cstdio>

namespace {

using namespace millrace;

int produce(const std::string& bootstrap, const std::string& topic, int count) {
  std::atomic<int> acked{0};
  std::atomic<int> failed{0};
  Producer producer({.bootstrapServers = bootstrap,
                     .linger = std::chrono::milliseconds(1),
                     .batchSize = 2'000,
                     .onDelivery = [&](const DeliveryReport& report) {
                       auto& counter = report.status ? acked : failed;
                       counter += report.record_count;
                       if (!report.status) {
                         fmt::print(stderr, "{}\n", report.status.error().toString());
                       }
                     }});
  const auto handle = producer.topic(topic);
  if (!handle) {
    fmt::print(stderr, "{}\n", handle.error().toString());
    return 1;
  }
  int shown = 0;
  for (int number = 0; number < count; ++number) {
    const std::string value = std::to_string(number);
    const Status status = producer.append(*handle, number % handle->partitionCount(), std::nullopt,
                                          BytesView(value), number);
    if (!status) {
      fmt::print(stderr, "{}\n", status.error().toString());
      return 1;
    }
    if (number % 100 == 0 && !producer.flush().has_value()) break;
    if (acked - shown >= 500) {
      shown = acked;
      fmt::print("acked {}\n", shown);
      std::fflush(stdout);
    }
  }
  const Status flushed = producer.flush();
  if (!flushed) fmt::print(stderr, "{}\n", flushed.error().toString());
  fmt::print("done {} {}\n", acked.load(), failed.load());
  return failed == 0 ? 0 : 1;
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
    return produce(argv[2], argv[3], count);
  }
  fmt::print(stderr, "usage: {} produce BOOTSTRAP TOPIC COUNT | read BOOTSTRAP TOPIC\n", argv[0]);
  return 2;
}
