#include "broker/data/delete_records.h"

#include "broker/data/partition_work.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "broker/services.h"

#include <utility>

namespace millrace::broker {

namespace {

using Request = protocol::DeleteRecordsRequest;
using Response = protocol::DeleteRecordsResponse;
using PartitionAnswer = Response::DeleteRecordsPartitionResult;

constexpr std::int64_t kToHighWatermark = -1;
constexpr std::int64_t kInvalidLowWatermark = -1;

struct Work {
  TopicIdPartition id;
  std::int64_t offset = 0;
  PartitionAnswer* answer = nullptr;
};

void refuse(PartitionAnswer& answer, Errc code) {
  answer.error_code = static_cast<std::int16_t>(toWire(code));
  answer.low_watermark = kInvalidLowWatermark;
}

Response plan(Services& services, Request& request, PartitionWork<Work>& work) {
  Response response;
  const ImagePtr image = services.image->current();
  planEach(request.topics, response.topics, [&](auto& topic, auto& answer) {
    const TopicPtr found = image->topic(topic.name.view());
    const bool internal = isInternalTopic(topic.name.view());
    answer.name = std::move(topic.name);
    planEach(topic.partitions, answer.partitions, [&](const auto& want, auto& partition) {
      partition.partition_index = want.partition_index;
      const auto id = partitionOf(found.get(), want.partition_index);
      if (!id) return refuse(partition, Errc::kUnknownTopicOrPartition);
      if (internal) return refuse(partition, Errc::kInvalidTopicException);
      work.add(*id, {*id, want.offset, &partition});
    });
  });
  return response;
}

void remove(Partition& partition, const Work& work) {
  PartitionAnswer& answer = *work.answer;
  log::PartitionLog& log = partition.log();
  // A compacted topic's records are its state: Kafka refuses, too, but with no policy at all.
  if (log.config().cleanup_compact && !log.config().cleanup_delete)
    return refuse(answer, Errc::kPolicyViolation);
  const Offset end = work.offset == kToHighWatermark ? log.highWatermark() : Offset(work.offset);
  if (work.offset < kToHighWatermark || end > log.highWatermark()) {
    return refuse(answer, Errc::kOffsetOutOfRange);
  }
  if (end > log.startOffset()) {
    const Status raised = log.setStartOffset(end);
    if (!raised) return refuse(answer, raised.error().code);
  }
  answer.low_watermark = log.startOffset().value();
}

}  // namespace

Task<Response> handleDeleteRecords(Services& services, RequestContext, Request request) {
  PartitionWork<Work> work(*services.partitions);
  Response response = plan(services, request, work);
  co_await changeEachPartition(services, work, refuse, remove);
  co_return response;
}

}  // namespace millrace::broker
