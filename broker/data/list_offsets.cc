#include "broker/data/list_offsets.h"

#include "broker/data/partition_work.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "broker/services.h"

#include <set>
#include <utility>

namespace millrace::broker {

namespace {

using Request = protocol::ListOffsetsRequest;
using Response = protocol::ListOffsetsResponse;
using PartitionAnswer = Response::ListOffsetsPartitionResponse;

/// -2: a consumer that debugs; other replica ids are brokers.
constexpr std::int32_t kConsumer = -1;
constexpr std::int16_t kFirstWithLeaderEpoch = 4;

/// The request version that brought a special timestamp.
std::int16_t versionOf(std::int64_t timestamp) {
  switch (timestamp) {
    case log::kMaxTimestamp: return 7;
    case log::kEarliestLocalTimestamp: return 8;
    case log::kLatestTieredTimestamp: return 9;
    case log::kEarliestPendingUploadTimestamp: return 11;
    default:
      return timestamp < log::kEarliestPendingUploadTimestamp ? std::int16_t{32767}
                                                              : std::int16_t{0};
  }
}

struct Work {
  TopicIdPartition id;
  std::int32_t current_leader_epoch = -1;
  std::int64_t timestamp = 0;
  PartitionAnswer* answer = nullptr;
};

class ListOffsetsJob {
 public:
  ListOffsetsJob(Services& services, std::int16_t version, Request& request)
      : services_(services),
        version_(version),
        isolation_(isolationOf(request)),
        work_(*services.partitions) {
    plan(request);
  }
  [[nodiscard]] PartitionWork<Work>& work() { return work_; }
  [[nodiscard]] Response take() { return std::move(response_); }
  static void refuse(PartitionAnswer& answer, Errc code) {
    answer.error_code = static_cast<std::int16_t>(toWire(code));
    answer.timestamp = -1;
    answer.offset = -1;
  }
  void lookUp(Partition& partition, const Work& work) const;

 private:
  static log::Isolation isolationOf(const Request& request) {
    if (request.replica_id > kConsumer) return log::Isolation::kLogEnd;
    return request.isolation_level == 1 ? log::Isolation::kCommitted
                                        : log::Isolation::kHighWatermark;
  }
  void plan(Request& request);
  void planPartition(const TopicImage* topic, const Request::ListOffsetsPartition& want, bool twice,
                     PartitionAnswer& answer);

  Services& services_;
  std::int16_t version_;
  log::Isolation isolation_;
  Response response_;
  PartitionWork<Work> work_;
};

void ListOffsetsJob::plan(Request& request) {
  const ImagePtr image = services_.image->current();
  planEach(request.topics, response_.topics, [&](auto& topic, auto& answer) {
    const TopicPtr found = image->topic(topic.name.view());
    answer.name = std::move(topic.name);
    std::set<std::int32_t> seen;
    std::set<std::int32_t> twice;
    for (const auto& want : topic.partitions) {
      if (!seen.insert(want.partition_index).second) twice.insert(want.partition_index);
    }
    answer.partitions.reserve(seen.size());
    for (const auto& want : topic.partitions) {
      // A partition asked for twice is answered once, as an error.
      if (seen.erase(want.partition_index) == 0) continue;
      auto& partition = answer.partitions.emplace_back();
      planPartition(found.get(), want, twice.contains(want.partition_index), partition);
    }
  });
}

void ListOffsetsJob::planPartition(const TopicImage* topic,
                                   const Request::ListOffsetsPartition& want, bool twice,
                                   PartitionAnswer& answer) {
  answer.partition_index = want.partition_index;
  if (twice) return refuse(answer, Errc::kInvalidRequest);
  if (version_ < versionOf(want.timestamp)) return refuse(answer, Errc::kUnsupportedVersion);
  const auto id = partitionOf(topic, want.partition_index);
  if (!id) return refuse(answer, Errc::kUnknownTopicOrPartition);
  work_.add(*id, {*id, want.current_leader_epoch, want.timestamp, &answer});
}

void ListOffsetsJob::lookUp(Partition& partition, const Work& work) const {
  PartitionAnswer& answer = *work.answer;
  const Errc epoch = partition.checkEpoch(work.current_leader_epoch);
  if (epoch != Errc::kNone) return refuse(answer, epoch);
  const auto found = partition.log().offsetForTimestamp(work.timestamp, isolation_);
  if (!found) return refuse(answer, found.error().code);
  answer.timestamp = found->timestamp;
  answer.offset = found->offset.value();
  if (version_ >= kFirstWithLeaderEpoch) answer.leader_epoch = found->leader_epoch.value();
}

}  // namespace

Task<Response> handleListOffsets(Services& services, RequestContext context, Request request) {
  ListOffsetsJob job(services, context.version, request);
  auto look_up = [&job](Partition& partition, const Work& work) { job.lookUp(partition, work); };
  co_await onEachPartition(services, job.work(), ListOffsetsJob::refuse, look_up);
  co_return job.take();
}

}  // namespace millrace::broker
