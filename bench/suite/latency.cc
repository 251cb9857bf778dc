// End-to-end latency: a record is due at a fixed time, whatever happened to those before it; its latency is
// counted from then until a consumer has it.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/varint.h"
#include "bench/suite/parts.h"
#include "bench/suite/process.h"
#include "client/consumer.h"
#include "client/producer.h"

namespace millrace::bench {

namespace {

using Clock = std::chrono::steady_clock;

std::int64_t nowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch()).count();
}

double percentile(std::vector<std::int64_t>& sorted, double p) {
  const auto index = static_cast<std::size_t>(p * static_cast<double>(sorted.size() - 1));
  return static_cast<double>(sorted[index]) / 1e6;
}

std::vector<std::int64_t> consume(Consumer& consumer, std::size_t count) {
  std::vector<std::int64_t> latencies;
  latencies.reserve(count);
  while (latencies.size() < count) {
    const ConsumerRecords records = consumer.poll(std::chrono::seconds(10));
    if (!records.ok()) throw std::runtime_error(records.error().toString());
    if (records.empty()) throw std::runtime_error("no record for 10 s");
    const std::int64_t now = nowNanos();
    for (const Record& record : records) latencies.push_back(now - loadBe<std::int64_t>(record.value().data()));
  }
  return latencies;
}

void produce(Producer& producer, TopicHandle topic, std::int64_t first_due, int rate, std::size_t count) {
  std::string value(100, 'v');
  const std::int64_t period = 1'000'000'000 / rate;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t due = first_due + static_cast<std::int64_t>(i) * period;
    const std::int64_t wait = due - nowNanos();
    if (wait > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
    storeBe<std::int64_t>(value.data(), due);
    const Status sent = producer.append(topic, 0, std::nullopt, value, 1'700'000'000'000);
    if (!sent) throw std::runtime_error(sent.error().toString());
  }
}

void measureRate(const std::string& bootstrap, int rate, int seconds, Report& report) {
  const std::string topic = fmt::format("latency-{}", rate);
  makeTopic(bootstrap, topic, 1);
  Consumer consumer({.bootstrapServers = bootstrap, .properties = {{"fetch.min.bytes", "1"}}});
  if (const Status s = consumer.assign({{topic, 0}}); !s) throw std::runtime_error(s.error().toString());
  if (const Status s = consumer.seekToBeginning(); !s) throw std::runtime_error(s.error().toString());
  Producer producer({.bootstrapServers = bootstrap, .acks = "all", .linger = std::chrono::milliseconds(0)});
  const auto handle = producer.topic(topic);
  if (!handle) throw std::runtime_error(handle.error().toString());

  const std::size_t warm_up = static_cast<std::size_t>(rate);
  const std::size_t count = static_cast<std::size_t>(rate) * static_cast<std::size_t>(seconds) + warm_up;
  const std::int64_t start = nowNanos() + 50'000'000;
  std::thread sender([&] { produce(producer, *handle, start, rate, count); });
  std::vector<std::int64_t> latencies = consume(consumer, count);
  sender.join();
  latencies.erase(latencies.begin(), latencies.begin() + static_cast<std::ptrdiff_t>(warm_up));
  std::sort(latencies.begin(), latencies.end());
  const std::string name = fmt::format("{} records/s, 100 B, acks=all, linger 0", rate);
  report.add({"end-to-end latency", name + ", p50", percentile(latencies, 0.5), "ms", ""});
  report.add({"end-to-end latency", name + ", p99", percentile(latencies, 0.99), "ms", rate == 10'000 ? "<= 0.3" : ""});
  report.add({"end-to-end latency", name + ", p99.9", percentile(latencies, 0.999), "ms", ""});
}

}  // namespace

void measureLatency(const SuiteOptions& options, Report& report) {
  BrokerProcess broker(options.millrace);
  for (const int rate : {1'000, 10'000}) measureRate(broker.bootstrap(), rate, options.latency_seconds, report);
}

}  // namespace millrace::bench
