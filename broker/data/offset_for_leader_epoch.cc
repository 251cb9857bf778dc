#include "broker/data/offset_for_leader_epoch.h"

#include "broker/data/partition_work.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "broker/services.h"

#include <utility>

namespace millrace::broker {

namespace {

using Request = protocol::OffsetForLeaderEpochRequest;
using Response = protocol::OffsetForLeaderEpochResponse;
using PartitionAnswer = Response::EpochEndOffset;

struct Work {
  TopicIdPartition id;
  std::int32_t current_leader_epoch = -1;
  std::int32_t leader_epoch = -1;
  PartitionAnswer* answer = nullptr;
};

void refuse(PartitionAnswer& answer, Errc code) {
  answer.error_code = static_cast<std::int16_t>(toWire(code));
}

Response plan(Services& services, Request& request, PartitionWork<Work>& work) {
  Response response;
  const ImagePtr image = services.image->current();
  planEach(request.topics, response.topics, [&](auto& topic, auto& answer) {
    const TopicPtr found = image->topic(topic.topic.view());
    answer.topic = std::move(topic.topic);
    planEach(topic.partitions, answer.partitions, [&](const auto& want, auto& partition) {
      partition.partition = want.partition;
      const auto id = partitionOf(found.get(), want.partition);
      if (!id) return refuse(partition, Errc::kUnknownTopicOrPartition);
      work.add(*id, {*id, want.current_leader_epoch, want.leader_epoch, &partition});
    });
  });
  return response;
}

void lookUp(Partition& partition, const Work& work) {
  PartitionAnswer& answer = *work.answer;
  const Errc epoch = partition.checkEpoch(work.current_leader_epoch);
  if (epoch != Errc::kNone) return refuse(answer, epoch);
  const log::EpochEnd end = partition.log().endOfEpoch(LeaderEpoch(work.leader_epoch));
  answer.leader_epoch = end.epoch.value();
  answer.end_offset = end.end_offset.value();
}

}  // namespace

Task<Response> handleOffsetForLeaderEpoch(Services& services, RequestContext, Request request) {
  PartitionWork<Work> work(*services.partitions);
  Response response = plan(services, request, work);
  co_await onEachPartition(services, work, refuse, lookUp);
  co_return response;
}

}  // namespace millrace::broker
