#include "broker/data/describe_producers.h"

#include "broker/data/partition_work.h"
#include "broker/fan_out.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/topic_names.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "broker/services.h"

#include <utility>

namespace millrace::broker {

namespace {

using Request = protocol::DescribeProducersRequest;
using Response = protocol::DescribeProducersResponse;
using PartitionAnswer = Response::PartitionResponse;

struct Work {
  TopicIdPartition id;
  PartitionAnswer* answer = nullptr;
};

void refuse(PartitionAnswer& answer, Errc code, std::optional<Text> message = std::nullopt) {
  answer.error_code = static_cast<std::int16_t>(toWire(code));
  answer.error_message = std::move(message);
}

void planTopic(const MetadataImage& image, const Request::TopicRequest& topic,
               Response::TopicResponse& answer, PartitionWork<Work>& work) {
  const Status legal = validateTopicName(topic.name.view());
  const TopicPtr found = image.topic(topic.name.view());
  answer.partitions.resize(topic.partition_indexes.size());
  for (std::size_t p = 0; p < answer.partitions.size(); ++p) {
    PartitionAnswer& partition = answer.partitions[p];
    partition.partition_index = topic.partition_indexes[p];
    const auto id = partitionOf(found.get(), partition.partition_index);
    if (!legal) {
      refuse(partition, legal.error().code, Text(legal.error().detail));
    } else if (found == nullptr) {
      const Errc code = Errc::kUnknownTopicOrPartition;
      refuse(partition, code, Text(Bytes(errorMessage(code))));
    } else if (!id) {
      refuse(partition, Errc::kUnknownTopicOrPartition);
    } else {
      work.add(*id, {*id, &partition});
    }
  }
}

void describe(Services& services, const Work& work) {
  const Partition* partition = services.partitions->find(work.id);
  if (partition == nullptr) return refuse(*work.answer, services.partitions->whyMissing(work.id));
  for (const log::ProducerInfo& producer : partition->log().producers()) {
    auto& out = work.answer->active_producers.emplace_back();
    out.producer_id = producer.producer_id.value();
    out.producer_epoch = producer.epoch;
    out.last_sequence = producer.last_sequence;
    out.last_timestamp = producer.last_timestamp;
    out.coordinator_epoch = producer.coordinator_epoch;
    if (producer.current_txn_first_offset) {
      out.current_txn_start_offset = producer.current_txn_first_offset->value();
    }
  }
}

}  // namespace

Task<Response> handleDescribeProducers(Services& services, RequestContext, Request request) {
  PartitionWork<Work> work(*services.partitions);
  const ImagePtr image = services.image->current();
  Response response;
  response.topics.resize(request.topics.size());
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    planTopic(*image, request.topics[t], response.topics[t], work);
    response.topics[t].name = std::move(request.topics[t].name);
  }
  auto run = [&](int shard) { work.run(shard, [&](const Work& w) { describe(services, w); }); };
  const std::vector<int> shards = work.shards();
  co_await onShards(*services.shards, shards, std::ref(run));
  co_return response;
}

}  // namespace millrace::broker
