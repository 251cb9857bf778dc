#include "broker/data/delete_records.h"

#include "broker/data/partition_work.h"
#include "broker/fan_out.h"
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

class DeleteRecordsJob {
 public:
  DeleteRecordsJob(Services& services, Request& request)
      : services_(services), work_(*services.partitions) {
    plan(request);
  }
  [[nodiscard]] std::vector<int> shards() const { return work_.shards(); }
  void run(int shard) {
    work_.run(shard, [this](const Work& work) { remove(work); });
  }
  [[nodiscard]] Response take() { return std::move(response_); }

 private:
  static void refuse(PartitionAnswer& answer, Errc code) {
    answer.error_code = static_cast<std::int16_t>(toWire(code));
    answer.low_watermark = kInvalidLowWatermark;
  }
  void plan(Request& request);
  void remove(const Work& work);

  Services& services_;
  Response response_;
  PartitionWork<Work> work_;
};

void DeleteRecordsJob::plan(Request& request) {
  const ImagePtr image = services_.image->current();
  response_.topics.resize(request.topics.size());
  for (std::size_t t = 0; t < request.topics.size(); ++t) {
    auto& topic = request.topics[t];
    auto& answer = response_.topics[t];
    const TopicPtr found = image->topic(topic.name.view());
    const bool internal = isInternalTopic(topic.name.view());
    answer.name = std::move(topic.name);
    answer.partitions.resize(topic.partitions.size());
    for (std::size_t p = 0; p < topic.partitions.size(); ++p) {
      const auto& want = topic.partitions[p];
      auto& partition = answer.partitions[p];
      partition.partition_index = want.partition_index;
      const auto id = partitionOf(found.get(), want.partition_index);
      if (!id) {
        refuse(partition, Errc::kUnknownTopicOrPartition);
      } else if (internal) {
        refuse(partition, Errc::kInvalidTopicException);
      } else {
        work_.add(*id, {*id, want.offset, &partition});
      }
    }
  }
}

void DeleteRecordsJob::remove(const Work& work) {
  PartitionAnswer& answer = *work.answer;
  Partition* partition = services_.partitions->find(work.id);
  if (partition == nullptr) return refuse(answer, services_.partitions->whyMissing(work.id));
  log::PartitionLog& log = partition->log();
  // A compacted topic's records are its state: Kafka refuses, too.
  if (!log.config().cleanup_delete) return refuse(answer, Errc::kPolicyViolation);
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
  DeleteRecordsJob job(services, request);
  auto run = [&job](int shard) { job.run(shard); };
  const std::vector<int> shards = job.shards();
  co_await onShards(*services.shards, shards, std::ref(run));
  co_return job.take();
}

}  // namespace millrace::broker
