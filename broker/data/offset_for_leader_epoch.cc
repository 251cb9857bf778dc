#include "broker/data/offset_for_leader_epoch.h"

#include "broker/data/partition_work.h"
#include "broker/fan_out.h"
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
  response.topics.resize(request.topics.size());
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    auto& topic = request.topics[t];
    auto& answer = response.topics[t];
    const TopicPtr found = image->topic(topic.topic.view());
    answer.topic = std::move(topic.topic);
    answer.partitions.resize(topic.partitions.size());
    for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
      const auto& want = topic.partitions[p];
      auto& partition = answer.partitions[p];
      partition.partition = want.partition;
      const auto id = partitionOf(found.get(), want.partition);
      if (id) {
        work.add(*id, {*id, want.current_leader_epoch, want.leader_epoch, &partition});
      } else {
        refuse(partition, Errc::kUnknownTopicOrPartition);
      }
    }
  }
  return response;
}

void lookUp(Services& services, const Work& work) {
  PartitionAnswer& answer = *work.answer;
  Partition* partition = services.partitions->find(work.id);
  if (partition == nullptr) return refuse(answer, services.partitions->whyMissing(work.id));
  const Errc epoch = partition->checkEpoch(work.current_leader_epoch);
  if (epoch != Errc::kNone) return refuse(answer, epoch);
  const log::EpochEnd end = partition->log().endOfEpoch(LeaderEpoch(work.leader_epoch));
  answer.leader_epoch = end.epoch.value();
  answer.end_offset = end.end_offset.value();
}

}  // namespace

Task<Response> handleOffsetForLeaderEpoch(Services& services, RequestContext, Request request) {
  PartitionWork<Work> work(*services.partitions);
  Response response = plan(services, request, work);
  auto run = [&](int shard) { work.run(shard, [&](const Work& w) { lookUp(services, w); }); };
  const std::vector<int> shards = work.shards();
  co_await onShards(*services.shards, shards, std::ref(run));
  co_return response;
}

}  // namespace millrace::broker
