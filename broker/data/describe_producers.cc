#include "broker/data/describe_producers.h"

#include "broker/data/partition_work.h"
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

void refuse(PartitionAnswer& answer, Errc code) {
  answer.error_code = static_cast<std::int16_t>(toWire(code));
}
void refuseSaying(PartitionAnswer& answer, Errc code, std::string_view message) {
  refuse(answer, code);
  answer.error_message = Text(Bytes(message));
}

void planTopic(const MetadataImage& image, const Request::TopicRequest& topic,
               Response::TopicResponse& answer, PartitionWork<Work>& work) {
  const Status legal = validateTopicName(topic.name.view());
  const TopicPtr found = image.topic(topic.name.view());
  planEach(topic.partition_indexes, answer.partitions, [&](std::int32_t index, auto& partition) {
    partition.partition_index = index;
    if (!legal) return refuseSaying(partition, legal.error().code, legal.error().detail);
    constexpr Errc kMissing = Errc::kUnknownTopicOrPartition;
    if (found == nullptr) return refuseSaying(partition, kMissing, errorMessage(kMissing));
    const auto id = partitionOf(found.get(), index);
    if (!id) return refuse(partition, kMissing);
    work.add(*id, {*id, &partition});
  });
}

void describe(const Partition& partition, const Work& work) {
  for (const log::ProducerInfo& producer : partition.log().producers()) {
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
  planEach(request.topics, response.topics, [&](auto& topic, auto& answer) {
    planTopic(*image, topic, answer, work);
    answer.name = std::move(topic.name);
  });
  co_await onEachPartition(services, work, refuse, describe);
  co_return response;
}

}  // namespace millrace::broker
