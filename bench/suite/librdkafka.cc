// The same load through librdkafka's C interface: a foreign client's view of the broker.
#include "bench/suite/parts.h"
#include "bench/suite/process.h"

#include <fmt/format.h>

#ifdef MILLRACE_HAVE_RDKAFKA
#include <algorithm>
#include <chrono>
#include <librdkafka/rdkafka.h>
#include <memory>
#include <stdexcept>
#include <string>
#endif

namespace millrace::bench {

#ifndef MILLRACE_HAVE_RDKAFKA

void measureLibrdkafka(BrokerProcess&, std::uint64_t, std::size_t, Report& report) {
  report.skip("throughput with librdkafka", "librdkafka-dev was not installed when this was built");
}

#else

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int32_t kPartitions = 4;

struct Close {
  void operator()(rd_kafka_t* handle) const { rd_kafka_destroy(handle); }
};
using Handle = std::unique_ptr<rd_kafka_t, Close>;

void set(rd_kafka_conf_t* conf, const char* key, const char* value) {
  char error[256];
  if (rd_kafka_conf_set(conf, key, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
    throw std::runtime_error(error);
}

Handle open(rd_kafka_type_t type, rd_kafka_conf_t* conf, const std::string& bootstrap) {
  set(conf, "bootstrap.servers", bootstrap.c_str());
  char error[256];
  Handle handle(rd_kafka_new(type, conf, error, sizeof(error)));
  if (!handle) throw std::runtime_error(error);
  return handle;
}

std::uint64_t failed_deliveries = 0;

void onDelivery(rd_kafka_t*, const rd_kafka_message_t* message, void*) {
  if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) ++failed_deliveries;
}

double produce(const std::string& bootstrap, const std::string& topic, std::uint64_t records,
               std::size_t size) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "linger.ms", "5");
  set(conf, "batch.size", "1000000");
  set(conf, "queue.buffering.max.messages", "1000000");
  rd_kafka_conf_set_dr_msg_cb(conf, onDelivery);
  const Handle producer = open(RD_KAFKA_PRODUCER, conf, bootstrap);
  const std::string value(size, 'v');
  failed_deliveries = 0;
  const auto start = Clock::now();
  for (std::uint64_t i = 0; i < records;) {
    const auto partition = static_cast<std::int32_t>(i / 1000 % kPartitions);
#pragma GCC diagnostic push  // librdkafka's macros cast in C's way
#pragma GCC diagnostic ignored "-Wold-style-cast"
    const auto outcome = rd_kafka_producev(
        producer.get(), RD_KAFKA_V_TOPIC(topic.c_str()), RD_KAFKA_V_PARTITION(partition),
        RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
#pragma GCC diagnostic pop
    if (outcome == RD_KAFKA_RESP_ERR_NO_ERROR)
      ++i;
    else if (outcome != RD_KAFKA_RESP_ERR__QUEUE_FULL)
      throw std::runtime_error(rd_kafka_err2str(outcome));
    if (outcome != RD_KAFKA_RESP_ERR_NO_ERROR || i % 10'000 == 0)
      rd_kafka_poll(producer.get(), i % 10'000 == 0 ? 0 : 1);
  }
  if (rd_kafka_flush(producer.get(), 60'000) != RD_KAFKA_RESP_ERR_NO_ERROR ||
      failed_deliveries > 0) {
    throw std::runtime_error(fmt::format("{} records were not delivered", failed_deliveries));
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double fetch(const std::string& bootstrap, const std::string& topic, std::uint64_t records) {
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  set(conf, "group.id", "bench");
  set(conf, "enable.auto.commit", "false");
  set(conf, "queued.min.messages", "1000000");
  const Handle consumer = open(RD_KAFKA_CONSUMER, conf, bootstrap);
  rd_kafka_poll_set_consumer(consumer.get());
  rd_kafka_topic_partition_list_t* all = rd_kafka_topic_partition_list_new(kPartitions);
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    rd_kafka_topic_partition_list_add(all, topic.c_str(), p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(consumer.get(), all);
  rd_kafka_topic_partition_list_destroy(all);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer.get());
  std::vector<rd_kafka_message_t*> messages(10'000);
  const auto start = Clock::now();
  for (std::uint64_t seen = 0; seen < records;) {
    // It waits until the whole batch is there: ask for no more than there is.
    const std::size_t wanted = std::min<std::uint64_t>(messages.size(), records - seen);
    const ssize_t n = rd_kafka_consume_batch_queue(queue, 5'000, messages.data(), wanted);
    if (n <= 0) throw std::runtime_error("librdkafka's fetch stands still");
    for (ssize_t i = 0; i < n; ++i) {
      if (messages[static_cast<std::size_t>(i)]->err == RD_KAFKA_RESP_ERR_NO_ERROR) ++seen;
      rd_kafka_message_destroy(messages[static_cast<std::size_t>(i)]);
    }
  }
  const double wall = std::chrono::duration<double>(Clock::now() - start).count();
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(consumer.get());
  return wall;
}

void add(Report& report, const std::string& what, std::size_t size, std::uint64_t records,
         double wall, double cpu) {
  const double megabytes = static_cast<double>(records * size) / 1e6;
  const std::string name = fmt::format("{} {} B, librdkafka", what, size);
  report.add({"throughput", name, megabytes / wall, "MB/s", ""});
  report.add({"throughput", name, static_cast<double>(records) / wall, "records/s", ""});
  report.add({"throughput", name + ", broker", cpu / (megabytes / 1000), "CPU s/GB", ""});
}

}  // namespace

void measureLibrdkafka(BrokerProcess& broker, std::uint64_t bytes, std::size_t value_size,
                       Report& report) {
  const std::string topic = fmt::format("rdkafka-{}", value_size);
  makeTopic(broker.bootstrap(), topic, kPartitions);
  const std::uint64_t records = bytes / value_size;
  double cpu = broker.process().cpuSeconds();
  double wall = produce(broker.bootstrap(), topic, records, value_size);
  add(report, "produce", value_size, records, wall, broker.process().cpuSeconds() - cpu);
  cpu = broker.process().cpuSeconds();
  wall = fetch(broker.bootstrap(), topic, records);
  add(report, "fetch", value_size, records, wall, broker.process().cpuSeconds() - cpu);
}

#endif

}  // namespace millrace::bench
