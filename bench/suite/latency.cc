// End-to-end latency: a record is due at a fixed time, whatever happened to those before it; its
// latency is counted from then until a consumer has it. Beside it stands what the machine itself
// takes to wake a thread: for the generator, and for each of the hops on a record's way.
#include "base/varint.h"
#include "bench/suite/parts.h"
#include "bench/suite/process.h"
#include "client/consumer.h"
#include "client/producer.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace millrace::bench {

namespace {

using Clock = std::chrono::steady_clock;

std::int64_t nowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
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
    for (const Record& record : records)
      latencies.push_back(now - loadBe<std::int64_t>(record.value().data()));
  }
  return latencies;
}

/// Returns how late each record was handed to the producer.
std::vector<std::int64_t> produce(Producer& producer, TopicHandle topic, std::int64_t first_due,
                                  int rate, std::size_t count) {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // the default lets every sleep end 50 us late
  std::vector<std::int64_t> lateness;
  lateness.reserve(count);
  std::string value(100, 'v');
  const std::int64_t period = 1'000'000'000 / rate;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t due = first_due + static_cast<std::int64_t>(i) * period;
    const std::int64_t wait = due - nowNanos();
    if (wait > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
    lateness.push_back(nowNanos() - due);
    storeBe<std::int64_t>(value.data(), due);
    const Status sent = producer.append(topic, 0, std::nullopt, value, 1'700'000'000'000);
    if (!sent) throw std::runtime_error(sent.error().toString());
  }
  return lateness;
}

class EventCounter {
 public:
  EventCounter() : fd_(::eventfd(0, EFD_CLOEXEC)) {
    if (fd_ < 0) throw std::runtime_error("no eventfd");
  }
  ~EventCounter() { ::close(fd_); }
  EventCounter(const EventCounter&) = delete;
  EventCounter& operator=(const EventCounter&) = delete;
  void signal() { ok_ = ::eventfd_write(fd_, 1) == 0 && ok_; }
  void wait() {
    eventfd_t value = 0;
    ok_ = ::eventfd_read(fd_, &value) == 0 && ok_;
  }
  [[nodiscard]] bool ok() const { return ok_; }

 private:
  int fd_;
  bool ok_ = true;
};

/// Nanoseconds for two threads to wake each other once: half of a round trip, sorted.
std::vector<std::int64_t> threadWakeUps() {
  constexpr std::size_t kRounds = 20'000;
  EventCounter there;
  EventCounter back;
  std::thread echo([&] {
    for (std::size_t i = 0; i < kRounds; ++i) {
      there.wait();
      back.signal();
    }
  });
  std::vector<std::int64_t> taken;
  taken.reserve(kRounds);
  for (std::size_t i = 0; i < kRounds; ++i) {
    const std::int64_t begin = nowNanos();
    there.signal();
    back.wait();
    taken.push_back((nowNanos() - begin) / 2);
  }
  echo.join();
  if (!there.ok() || !back.ok()) throw std::runtime_error("an eventfd failed");
  std::sort(taken.begin(), taken.end());
  return taken;
}

void measureRate(const std::string& bootstrap, int rate, int seconds, Report& report) {
  const std::string topic = fmt::format("latency-{}", rate);
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

  const std::size_t warm_up = static_cast<std::size_t>(rate);
  const std::size_t count =
      static_cast<std::size_t>(rate) * static_cast<std::size_t>(seconds) + warm_up;
  const std::int64_t start = nowNanos() + 50'000'000;
  std::vector<std::int64_t> lateness;
  std::thread sender([&] { lateness = produce(producer, *handle, start, rate, count); });
  std::vector<std::int64_t> latencies = consume(consumer, count);
  sender.join();
  for (auto* series : {&latencies, &lateness}) {
    series->erase(series->begin(), series->begin() + static_cast<std::ptrdiff_t>(warm_up));
    std::sort(series->begin(), series->end());
  }
  const std::string name = fmt::format("{} records/s, 100 B, acks=all, linger 0", rate);
  report.add({"end-to-end latency", name + ", p50", percentile(latencies, 0.5), "ms", ""});
  report.add({"end-to-end latency", name + ", p99", percentile(latencies, 0.99), "ms",
              rate == 10'000 ? "<= 0.3" : ""});
  report.add({"end-to-end latency", name + ", p99.9", percentile(latencies, 0.999), "ms", ""});
  report.add({"end-to-end latency", "  of it the generator's lateness, p99",
              percentile(lateness, 0.99), "ms", ""});
}

}  // namespace

void measureLatency(const SuiteOptions& options, Report& report) {
  std::vector<std::int64_t> wake_ups = threadWakeUps();
  report.add({"end-to-end latency", "machine: one thread wakes another, p50",
              percentile(wake_ups, 0.5), "ms", ""});
  report.add({"end-to-end latency", "machine: one thread wakes another, p99",
              percentile(wake_ups, 0.99), "ms", ""});
  BrokerProcess broker(options.millrace);
  for (const int rate : {1'000, 10'000})
    measureRate(broker.bootstrap(), rate, options.latency_seconds, report);
}

}  // namespace millrace::bench
