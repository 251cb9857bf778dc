// End-to-end latency: a record is due at a fixed time, whatever happened to those before it; its
// latency is counted from then until a consumer has it. Beside it stands what the machine itself
// takes for the hops on a record's way.
#include "base/varint.h"
#include "bench/suite/machine_latency.h"
#include "bench/suite/parts.h"
#include "bench/suite/process.h"
#include "client/consumer.h"
#include "client/producer.h"

#include <fmt/format.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace millrace::bench {

namespace {

std::vector<std::int64_t> consume(Consumer& consumer, std::size_t count) {
  std::vector<std::int64_t> latencies;
  latencies.reserve(count);
  while (latencies.size() < count) {
    const ConsumerRecords records = consumer.poll(std::chrono::seconds(10));
    if (!records.ok()) throw std::runtime_error(records.error().toString());
    if (records.empty()) throw std::runtime_error("no record for 10 s");
    const std::int64_t now = nowNanos();
    for (const Record& record : records)
      latencies.push_back(now - loadBe<std::int64_t>(record.value().data()));
  }
  return latencies;
}

/// Returns how late each record was handed to the producer.
std::vector<std::int64_t> produce(Producer& producer, TopicHandle topic, const OpenLoop& load) {
  std::string value(100, 'v');
  return load.run([&](std::int64_t due) {
    storeBe<std::int64_t>(value.data(), due);
    const Status sent = producer.append(topic, 0, std::nullopt, value, 1'700'000'000'000);
    if (!sent) throw std::runtime_error(sent.error().toString());
  });
}

void addPercentiles(Report& report, const std::string& name,
                    const std::vector<std::int64_t>& sorted, const std::string& aim) {
  const char* const section = "end-to-end latency";
  report.add({section, name + ", p50", percentile(sorted, 0.5), "ms", ""});
  report.add({section, name + ", p99", percentile(sorted, 0.99), "ms", aim});
  report.add({section, name + ", p99.9", percentile(sorted, 0.999), "ms", ""});
}

void measureRate(const std::string& bootstrap, const OpenLoop& load, Report& report) {
  const std::string topic = fmt::format("latency-{}", load.rate);
  makeTopic(bootstrap, topic, 1);
  Consumer consumer({.bootstrapServers = bootstrap, .properties = {{"fetch.min.bytes", "1"}}});
  if (const Status s = consumer.assign({{topic, 0}}); !s)
    throw std::runtime_error(s.error().toString());
  if (const Status s = consumer.seekToBeginning(); !s)
    throw std::runtime_error(s.error().toString());
  Producer producer(
      {.bootstrapServers = bootstrap, .acks = "all", .linger = std::chrono::milliseconds(0)});
  const auto handle = producer.topic(topic);
  if (!handle) throw std::runtime_error(handle.error().toString());

  std::vector<std::int64_t> lateness;
  std::thread sender([&] { lateness = produce(producer, *handle, load); });
  std::vector<std::int64_t> latencies = consume(consumer, load.count());
  sender.join();
  addPercentiles(report, fmt::format("{} records/s, 100 B, acks=all, linger 0", load.rate),
                 load.sorted(std::move(latencies)), load.rate == 10'000 ? "<= 0.3" : "");
  report.add({"end-to-end latency", "  of it the generator's lateness, p99",
              percentile(load.sorted(std::move(lateness)), 0.99), "ms", ""});
  addPercentiles(report, "  machine: the same over two sockets and a thread", relayed(load), "");
}

}  // namespace

void measureLatency(const SuiteOptions& options, Report& report) {
  const std::vector<std::int64_t> wake_ups = threadWakeUps();
  report.add({"end-to-end latency", "machine: one thread wakes another, p50",
              percentile(wake_ups, 0.5), "ms", ""});
  report.add({"end-to-end latency", "machine: one thread wakes another, p99",
              percentile(wake_ups, 0.99), "ms", ""});
  BrokerProcess broker(options.millrace);
  for (const int rate : {1'000, 10'000})
    measureRate(broker.bootstrap(), {.rate = rate, .seconds = options.latency_seconds}, report);
}

}  // namespace millrace::bench
