// Requests that component tests send again and again.
#pragma once

#include "base/clock.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/init_producer_id_request.h"
#include "protocol/messages/init_producer_id_response.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"
#include "record/builder.h"
#include "record/records.h"
#include "tests/broker/support/wire_client.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::broker::testing {

inline constexpr std::int16_t kProduceVersion = 9;
inline constexpr std::int16_t kFetchVersion = 12;

/// The topic's error code.
inline std::int16_t createTopic(WireClient& client, const std::string& name,
                                std::int32_t partitions = 1,
                                const std::map<std::string, std::string>& configs = {}) {
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = Text(name);
  topic.num_partitions = partitions;
  topic.replication_factor = 1;
  for (const auto& [key, value] : configs) {
    auto& config = topic.configs.emplace_back();
    config.name = Text(key);
    config.value = Text(value);
  }
  request.timeout_ms = 10'000;
  return client.call(request, 7).topics.at(0).error_code;
}

/// One batch with these values.
inline Bytes batchOf(const std::vector<std::string>& values, record::BatchOptions options = {}) {
  record::BatchBuilder builder(options);
  for (const auto& value : values) builder.append(systemClock().wallMs(), std::nullopt, value);
  return *builder.build();
}

/// The batch is borrowed.
inline protocol::ProduceRequest produceRequest(const std::string& topic, std::int32_t partition,
                                               const Bytes& batch, std::int16_t acks = 1) {
  protocol::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = 10'000;
  auto& t = request.topic_data.emplace_back();
  t.name = Text(topic);
  auto& p = t.partition_data.emplace_back();
  p.index = partition;
  p.records = protocol::Records::borrow(batch);
  return request;
}

inline protocol::ProduceResponse::PartitionProduceResponse produce(
    WireClient& client, const std::string& topic, std::int32_t partition,
    const std::vector<std::string>& values) {
  const Bytes batch = batchOf(values);
  return client.call(produceRequest(topic, partition, batch), kProduceVersion)
      .responses.at(0)
      .partition_responses.at(0);
}

inline protocol::FetchRequest fetchRequest(const std::string& topic,
                                           std::vector<std::int32_t> partitions,
                                           std::int64_t offset, std::int32_t max_wait_ms = 0,
                                           std::int32_t min_bytes = 1) {
  protocol::FetchRequest request;
  request.max_wait_ms = max_wait_ms;
  request.min_bytes = min_bytes;
  request.max_bytes = 50 << 20;
  auto& t = request.topics.emplace_back();
  t.topic = Text(topic);
  for (const std::int32_t index : partitions) {
    auto& p = t.partitions.emplace_back();
    p.partition = index;
    p.fetch_offset = offset;
    p.partition_max_bytes = 1 << 20;
  }
  return request;
}

struct ReadRecord {
  std::int64_t offset;
  std::string value;
};

/// The records of a fetched partition, in order.
inline std::vector<ReadRecord> recordsOf(const protocol::FetchResponse::PartitionData& partition) {
  std::vector<ReadRecord> out;
  record::BatchIterator batches(partition.records.bytes());
  record::BatchView batch;
  while (batches.next(batch)) {
    Bytes scratch;
    auto cursor = record::openRecords(batch, scratch);
    record::RecordView r;
    while (cursor && cursor->next(r))
      out.push_back({r.offset.value(), std::string(r.value.value_or(""))});
  }
  return out;
}

/// Everything in a partition from its first offset on.
inline std::vector<ReadRecord> readAll(WireClient& client, const std::string& topic,
                                       std::int32_t partition) {
  std::vector<ReadRecord> all;
  for (;;) {
    const std::int64_t next = all.empty() ? 0 : all.back().offset + 1;
    const auto answer = client.call(fetchRequest(topic, {partition}, next), kFetchVersion);
    const auto records = recordsOf(answer.responses.at(0).partitions.at(0));
    for (const auto& r : records) {
      if (r.offset >= next) all.push_back(r);
    }
    if (records.empty()) return all;
  }
}

}  // namespace millrace::broker::testing
