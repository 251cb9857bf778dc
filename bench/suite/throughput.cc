// Produce and fetch, as fast as one client goes: own client over TCP and in process.
#include "bench/suite/parts.h"
#include "bench/suite/process.h"
#include "bench/suite/raw_limit.h"
#include "broker/broker.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "client/transport.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <stdexcept>

namespace millrace::bench {

namespace {

using Clock = std::chrono::steady_clock;
constexpr int kPartitions = 4;

double secondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void check(const Status& status) {
  if (!status) throw std::runtime_error(status.error().toString());
}

/// What moves: `records` values of `value_size` bytes over `kPartitions` partitions.
struct Load {
  std::uint64_t records;
  std::size_t value_size;
  [[nodiscard]] double megabytes() const { return static_cast<double>(records * value_size) / 1e6; }
};

/// A way to the broker, and how to read the CPU it uses (empty: in process, not separable).
struct Target {
  std::string name;
  std::string bootstrap;
  std::shared_ptr<client::Transport> transport;
  std::function<double()> broker_cpu;
};

ProducerOptions producerOptions(const Target& target) {
  ProducerOptions options;
  options.bootstrapServers = target.bootstrap;
  options.transport = target.transport;
  options.acks = "all";
  options.linger = std::chrono::milliseconds(5);
  options.batchSize = 1'000'000;
  options.properties["max.request.size"] = "10000000";
  return options;
}

void report(Report& to, const Target& target, const std::string& what, const Load& load,
            double wall, double cpu, double raw) {
  const std::string section = "throughput";
  const std::string name = fmt::format("{} {} B, {}", what, load.value_size, target.name);
  to.add({section, name, load.megabytes() / wall, "MB/s", ""});
  to.add({section, name, static_cast<double>(load.records) / wall, "records/s", ""});
  if (!target.broker_cpu) return;
  const double per_gb = cpu / (load.megabytes() / 1000);
  to.add({section, name + ", broker", per_gb, "CPU s/GB", ""});
  const bool aimed = load.value_size >= 1000;
  const std::string aim = !aimed ? "" : what == "produce" ? "<= 1.5" : "<= 2";
  to.add({section, name + ", broker against the raw limit", per_gb / raw, "x", aim});
}

void produce(const Target& target, const std::string& topic, const Load& load, double raw,
             Report& to) {
  Producer producer(producerOptions(target));
  auto handle = producer.topic(topic);
  if (!handle) throw std::runtime_error(handle.error().toString());
  const std::string value(load.value_size, 'v');
  const double cpu = target.broker_cpu ? target.broker_cpu() : 0;
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < load.records; ++i) {
    check(producer.append(*handle, static_cast<std::int32_t>(i / 1000 % kPartitions), std::nullopt,
                          value, static_cast<Millis>(1'700'000'000'000 + i / 1000)));
  }
  check(producer.flush());
  const double wall = secondsSince(start);
  report(to, target, "produce", load, wall, target.broker_cpu ? target.broker_cpu() - cpu : 0, raw);
}

void fetch(const Target& target, const std::string& topic, const Load& load, double raw,
           Report& to) {
  ConsumerOptions options;
  options.bootstrapServers = target.bootstrap;
  options.transport = target.transport;
  options.maxPollRecords = 100'000;
  options.properties["max.partition.fetch.bytes"] = "4000000";
  Consumer consumer(options);
  std::vector<TopicPartition> all;
  for (int p = 0; p < kPartitions; ++p) all.push_back({topic, p});
  check(consumer.assign(all));
  check(consumer.seekToBeginning());
  const double cpu = target.broker_cpu ? target.broker_cpu() : 0;
  const auto start = Clock::now();
  std::uint64_t seen = 0;
  std::uint64_t bytes = 0;
  while (seen < load.records) {
    const ConsumerRecords records = consumer.poll(std::chrono::seconds(5));
    if (!records.ok()) throw std::runtime_error(records.error().toString());
    if (records.empty()) throw std::runtime_error("fetch stands still");
    for (const Record& record : records) bytes += record.value().size();
    seen += records.count();
  }
  const double wall = secondsSince(start);
  if (bytes != load.records * load.value_size)
    throw std::runtime_error("fetched other bytes than produced");
  report(to, target, "fetch", load, wall, target.broker_cpu ? target.broker_cpu() - cpu : 0, raw);
}

void measure(const Target& target, const SuiteOptions& options, double raw_produce,
             double raw_fetch, Report& to) {
  for (const std::size_t size : {std::size_t{1024}, std::size_t{100}}) {
    // Small records: the client is the limit, a tenth of the bytes is as good.
    const std::uint64_t bytes = options.megabytes * 1'000'000 / (size < 1000 ? 4 : 1);
    const Load load{bytes / size, size};
    const std::string topic = fmt::format("bench-{}", size);
    Admin admin({.bootstrapServers = target.bootstrap, .transport = target.transport});
    check(admin.createTopic({.name = topic, .partitions = kPartitions}));
    produce(target, topic, load, raw_produce, to);
    fetch(target, topic, load, raw_fetch, to);
  }
}

}  // namespace

void makeTopic(const std::string& bootstrap, const std::string& name, int partitions) {
  Admin admin({.bootstrapServers = bootstrap});
  check(admin.createTopic({.name = name, .partitions = partitions}));
}

void measureThroughput(const SuiteOptions& options, Report& to) {
  const std::uint64_t bytes = options.megabytes * 1'000'000;
  const RawLimit written = receiveAndWrite(bytes);
  const RawLimit sent = sendFile(bytes);
  to.add({"throughput", "raw limit: receive + CRC + page cache", written.cpu_seconds_per_gb,
          "CPU s/GB", ""});
  to.add(
      {"throughput", "raw limit: receive + CRC + page cache", written.mb_per_second, "MB/s", ""});
  to.add({"throughput", "raw limit: sendfile", sent.cpu_seconds_per_gb, "CPU s/GB", ""});
  to.add({"throughput", "raw limit: sendfile", sent.mb_per_second, "MB/s", ""});
  {
    BrokerProcess broker(options.millrace);
    const Target target{"own client, TCP", broker.bootstrap(), nullptr,
                        [&broker] { return broker.process().cpuSeconds(); }};
    measure(target, options, written.cpu_seconds_per_gb, sent.cpu_seconds_per_gb, to);
  }
  for (const std::size_t size : {std::size_t{1024}, std::size_t{100}}) {
    BrokerProcess broker(options.millrace);
    measureLibrdkafka(broker, bytes / (size < 1000 ? 4 : 1), size, to);
  }
  const auto directory =
      std::filesystem::temp_directory_path() / fmt::format("millrace-inprocess-{}", ::getpid());
  {
    Broker broker =
        Broker::open({.directory = directory.string(), .properties = {{"listeners", ""}}});
    const Target target{"own client, in process", "", broker.transport(), {}};
    measure(target, options, 0, 0, to);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace millrace::bench
