// Cold start and what a broker costs while nothing happens.
#include "bench/suite/parts.h"
#include "bench/suite/process.h"
#include "client/producer.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

namespace millrace::bench {

namespace {

using Clock = std::chrono::steady_clock;

void sendOne(const std::string& bootstrap) {
  Producer producer(
      {.bootstrapServers = bootstrap, .acks = "all", .linger = std::chrono::milliseconds(0)});
  const auto acknowledged = producer.send({.topic = "start", .value = "first"}).get();
  if (!acknowledged) throw std::runtime_error(acknowledged.error().toString());
}

double milliseconds(Clock::time_point since) {
  return std::chrono::duration<double, std::milli>(Clock::now() - since).count();
}

double startAndSend(BrokerProcess& broker) {
  broker.stop();
  const auto start = Clock::now();
  broker.start();
  broker.waitUntilListening();
  sendOne(broker.bootstrap());
  return milliseconds(start);
}

}  // namespace

void measureStart(const SuiteOptions& options, Report& report) {
  const auto fresh = Clock::now();
  BrokerProcess broker(options.millrace);
  sendOne(broker.bootstrap());
  report.add({"start", "empty directory to first acknowledged record (format, topic creation)",
              milliseconds(fresh), "ms", ""});
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) times.push_back(startAndSend(broker));
  std::sort(times.begin(), times.end());
  report.add({"start", "formatted directory to first acknowledged record, median of 9", times[4],
              "ms", "<= 50"});
  report.add({"start", "the same, worst of 9", times.back(), "ms", ""});

  std::this_thread::sleep_for(std::chrono::seconds(1));
  const double cpu = broker.process().cpuSeconds();
  std::this_thread::sleep_for(std::chrono::seconds(5));
  report.add({"idle", "resident memory",
              static_cast<double>(broker.process().residentBytes()) / (1 << 20), "MiB", "<= 20"});
  report.add({"idle", "CPU", (broker.process().cpuSeconds() - cpu) / 5, "cores", ""});
}

}  // namespace millrace::bench
