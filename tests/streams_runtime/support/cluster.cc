#include "tests/streams_runtime/support/cluster.h"

#include "client/consumer.h"
#include "client/producer.h"
#include "client/transport.h"

#include <gmock/gmock.h>

namespace millrace::testing {
namespace {

BrokerOptions brokerOptions(const std::string& directory, Properties properties) {
  properties["listeners"] = "PLAINTEXT://127.0.0.1:0";
  properties.try_emplace("group.initial.rebalance.delay.ms", "0");
  return {.directory = directory, .properties = std::move(properties)};
}

}  // namespace

Cluster::Cluster(Properties properties)
    : broker_(Broker::open(brokerOptions(directory_.path(), std::move(properties)))),
      admin_(AdminOptions{.transport = broker_.transport()}) {}

void Cluster::createTopic(const std::string& name, std::int32_t partitions) {
  const Status status = admin_.createTopic({.name = name, .partitions = partitions});
  EXPECT_TRUE(status) << status.error().toString();
}

void Cluster::produce(const std::string& topic,
                      const std::vector<std::pair<std::string, std::string>>& records) {
  Producer producer({.transport = broker_.transport()});
  for (const auto& [key, value] : records)
    producer.send({.topic = topic, .key = key, .value = value});
  const Status status = producer.flush();
  EXPECT_TRUE(status) << status.error().toString();
}

std::int32_t Cluster::partitions(const std::string& topic) {
  const auto described = admin_.describeTopics({topic});
  if (!described || !described->at(topic)) return 0;
  return static_cast<std::int32_t>(described->at(topic)->partitions.size());
}

std::string Cluster::topicConfig(const std::string& topic, const std::string& key) {
  const ConfigResource resource{ConfigResourceType::kTopic, topic};
  const auto configs = admin_.describeConfigs({resource});
  if (!configs || !configs->at(resource)) return "(none)";
  for (const ConfigEntry& entry : *configs->at(resource)) {
    if (entry.name == key) return entry.value.value_or("(null)");
  }
  return "(none)";
}

std::int64_t Cluster::sumOffsets(const std::string& topic, std::int64_t spec) {
  std::map<TopicPartition, std::int64_t> specs;
  for (std::int32_t p = 0; p < partitions(topic); ++p) specs[{topic, p}] = spec;
  const auto offsets = admin_.listOffsets(specs);
  std::int64_t sum = 0;
  if (!offsets) return -1;
  for (const auto& [partition, offset] : *offsets) sum += offset ? offset->offset : 0;
  return sum;
}

std::int64_t Cluster::beginning(const std::string& topic) {
  return sumOffsets(topic, OffsetSpec::kEarliest);
}
std::int64_t Cluster::end(const std::string& topic) {
  return sumOffsets(topic, OffsetSpec::kLatest);
}

std::map<std::string, std::string> Cluster::lastBytes(const std::string& topic) {
  Consumer consumer({.transport = broker_.transport()});
  std::vector<TopicPartition> all;
  for (std::int32_t p = 0; p < partitions(topic); ++p) all.push_back({topic, p});
  EXPECT_TRUE(consumer.assign(all));
  EXPECT_TRUE(consumer.seekToBeginning());
  const auto ends = consumer.endOffsets(all);
  std::map<std::string, std::string> out;
  EXPECT_TRUE(ends);
  const auto done = [&] {
    for (const auto& [partition, end] : *ends) {
      const auto position = consumer.position(partition);
      if (position && *position < end) return false;
    }
    return true;
  };
  while (ends && !done()) {
    const auto records = consumer.poll(std::chrono::milliseconds(100));
    if (!records.ok()) {
      ADD_FAILURE() << records.error().toString();
      break;
    }
    for (const Record& record : records) {
      if (record.hasValue())
        out[std::string(record.key())] = std::string(record.value());
      else
        out.erase(std::string(record.key()));
    }
  }
  return out;
}

}  // namespace millrace::testing
