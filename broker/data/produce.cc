#include "broker/data/produce.h"

#include "base/clock.h"
#include "broker/fan_out.h"
#include "broker/group_commit.h"
#include "broker/held_work.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "broker/services.h"
#include "record/validator.h"

#include <fmt/format.h>

#include <set>
#include <vector>

namespace millrace::broker {

namespace {

using Response = protocol::ProduceResponse;
using PartitionAnswer = Response::PartitionProduceResponse;

/// One partition of the request that is worth a visit to its shard.
struct Work {
  TopicIdPartition id;
  const protocol::Records* records = nullptr;
  PartitionAnswer* answer = nullptr;
  int shard = 0;
  bool flush_due = false;
  CommitTicket ticket = {};
};

std::int16_t wire(Errc code) { return static_cast<std::int16_t>(toWire(code)); }

void refuse(PartitionAnswer& answer, Errc code) {
  answer.error_code = wire(code);
  answer.base_offset = -1;
}

/// Kafka's texts for refused records; other refusals carry no text.
void explain(PartitionAnswer& answer, const log::AppendFailure& failure) {
  if (failure.record_errors.empty()) return;
  const std::size_t shown = std::min<std::size_t>(failure.record_errors.size(), 3);
  std::string list;
  for (std::size_t i = 0; i < failure.record_errors.size(); ++i) {
    const auto& e = failure.record_errors[i];
    PartitionAnswer* const to = &answer;
    to->record_errors.emplace_back();
    to->record_errors.back().batch_index = e.batch_index;
    to->record_errors.back().batch_index_error_message = Text(e.message);
    if (i >= shown) continue;
    list += fmt::format("{}RecordError(batchIndex={}, message='{}')", i == 0 ? "" : ", ",
                        e.batch_index, e.message);
  }
  if (failure.error.code == Errc::kInvalidTimestamp) {
    answer.error_message = Text("One or more records have been rejected due to invalid timestamp");
  } else {
    answer.error_message =
        Text(fmt::format("One or more records have been rejected due to {} record errors in total, "
                         "and only showing the first three "
                         "errors at most: [{}]",
                         failure.record_errors.size(), list));
  }
}

/// Errors that Kafka finds before it looks at the log: its answer then has no log start offset.
bool isFoundBeforeTheLog(Errc code) {
  return code == Errc::kCorruptMessage || code == Errc::kMessageTooLarge ||
         code == Errc::kKafkaStorageError;
}

class ProduceJob {
 public:
  ProduceJob(Services& services, const RequestContext& context, protocol::ProduceRequest& request)
      : services_(services), version_(context.version), acks_(static_cast<Acks>(request.acks)) {
    plan(request);
  }

  [[nodiscard]] const std::set<int>& shards() const { return shards_; }
  /// Appends what belongs to this shard.
  void run(int shard);
  /// What waits for its log to change its place.
  [[nodiscard]] HeldWork& held() { return held_; }
  [[nodiscard]] std::vector<TopicIdPartition> flushesDue() const;
  void failFlushed(const Error& error);
  [[nodiscard]] std::vector<CommitTicket> tickets() const;
  void failCommits(const Error& error);
  [[nodiscard]] bool hasErrors() const;
  [[nodiscard]] Response take() { return std::move(response_); }

 private:
  void plan(protocol::ProduceRequest& request);
  void planPartition(const TopicImage* topic,
                     const protocol::ProduceRequest::PartitionProduceData& data,
                     PartitionAnswer& answer, Errc missing);
  void append(Work& work);

  Services& services_;
  std::int16_t version_;
  Acks acks_;
  Response response_;
  std::vector<Work> work_;
  std::set<int> shards_;
  HeldWork held_;
};

/// A transactional batch anywhere refuses the whole request, whatever else is wrong with it.
Errc refuseTransactions(const protocol::ProduceRequest& request) {
  for (const auto& topic : request.topic_data) {
    for (const auto& partition : topic.partition_data) {
      if (!record::hasTransactionalBatch(partition.records.bytes())) continue;
      // No transaction coordinator hands out ids here, so no transaction can be known.
      return request.transactional_id ? Errc::kInvalidProducerIdMapping
                                      : Errc::kTransactionalIdAuthorizationFailed;
    }
  }
  return Errc::kNone;
}

void ProduceJob::plan(protocol::ProduceRequest& request) {
  const ImagePtr image = services_.image->current();
  const bool by_id = version_ >= 13;
  const bool valid_acks = request.acks >= -1 && request.acks <= 1;
  const Errc refused = refuseTransactions(request);
  response_.responses.reserve(request.topic_data.size());
  std::size_t partitions = 0;
  for (const auto& data : request.topic_data) partitions += data.partition_data.size();
  work_.reserve(partitions);
  for (auto& data : request.topic_data) {
    const TopicPtr topic = by_id ? image->topic(data.topic_id) : image->topic(data.name.view());
    auto& answer = response_.responses.emplace_back();
    answer.name = std::move(data.name);
    answer.topic_id = data.topic_id;
    answer.partition_responses.resize(data.partition_data.size());
    const Errc missing = refused != Errc::kNone ? refused
                         : !valid_acks          ? Errc::kInvalidRequiredAcks
                         : topic != nullptr     ? Errc::kNone
                         : by_id                ? Errc::kUnknownTopicId
                                                : Errc::kUnknownTopicOrPartition;
    for (std::size_t i = 0; i < data.partition_data.size(); ++i) {
      planPartition(topic.get(), data.partition_data[i], answer.partition_responses[i], missing);
    }
  }
}

void ProduceJob::planPartition(const TopicImage* topic,
                               const protocol::ProduceRequest::PartitionProduceData& data,
                               PartitionAnswer& answer, Errc missing) {
  answer.index = data.index;
  if (missing != Errc::kNone) return refuse(answer, missing);
  if (topic->partition(data.index) == nullptr) {
    return refuse(answer, Errc::kUnknownTopicOrPartition);
  }
  const TopicIdPartition id{topic->id, data.index};
  const int shard = services_.partitions->shardOf(id).index();
  work_.push_back({id, &data.records, &answer, shard, false});
  shards_.insert(shard);
}

void ProduceJob::run(int shard) {
  for (auto& work : work_) {
    if (work.shard != shard) continue;
    services_.partitions->whenOpen(work.id, held_, [this, &work] { append(work); });
  }
}

void ProduceJob::append(Work& work) {
  PartitionAnswer& answer = *work.answer;
  Partition* partition = services_.partitions->find(work.id);
  if (partition == nullptr) return refuse(answer, services_.partitions->whyMissing(work.id));
  const auto batch = record::singleBatch(work.records->bytes(), version_);
  if (!batch) return refuse(answer, batch.error().code);
  const auto done =
      partition->append(*batch, acks_, record::AppendOrigin::kClient, services_.clock->wallMs());
  if (!done) {
    const Errc code = toWire(done.error().error.code);
    refuse(answer, code);
    if (!isFoundBeforeTheLog(code))
      answer.log_start_offset = partition->log().startOffset().value();
    explain(answer, done.error());
    return;
  }
  answer.base_offset = done->base_offset.value();
  // Kafka answers a duplicate with the time of the batch that is there, whatever the topic's kind
  // of timestamps.
  answer.log_append_time_ms = done->duplicate ? batch->maxTimestamp() : done->log_append_time_ms;
  answer.log_start_offset = done->log_start_offset.value();
  work.flush_due = partition->isFlushDue();
  work.ticket = services_.partitions->commits().note(partition->log().journal(), work.id, *done);
}

std::vector<TopicIdPartition> ProduceJob::flushesDue() const {
  std::vector<TopicIdPartition> due;
  for (const auto& work : work_) {
    if (work.flush_due) due.push_back(work.id);
  }
  return due;
}

void ProduceJob::failFlushed(const Error& error) {
  for (auto& work : work_) {
    if (work.flush_due) refuse(*work.answer, error.code);
  }
}

std::vector<CommitTicket> ProduceJob::tickets() const {
  std::vector<CommitTicket> tickets;
  for (const auto& work : work_)
    if (work.ticket.commit != nullptr) tickets.push_back(work.ticket);
  return tickets;
}

void ProduceJob::failCommits(const Error& error) {
  for (auto& work : work_)
    if (work.ticket.commit != nullptr) refuse(*work.answer, error.code);
}

bool ProduceJob::hasErrors() const {
  for (const auto& topic : response_.responses) {
    for (const auto& partition : topic.partition_responses) {
      if (partition.error_code != 0) return true;
    }
  }
  return false;
}

}  // namespace

Task<Response> handleProduce(Services& services, RequestContext context,
                             protocol::ProduceRequest request) {
  ProduceJob job(services, context, request);
  auto run = [&job](int shard) { job.run(shard); };
  context.reply->shard = ShardAffinity::placeOf(job.shards());
  std::vector<int> shards(job.shards().begin(), job.shards().end());
  co_await onShards(*services.shards, std::move(shards), std::ref(run));
  if (job.held().any()) {
    co_await shielded();
    co_await job.held().wait();
    co_await unshielded();
  }
  std::vector<TopicIdPartition> due = job.flushesDue();
  if (!due.empty()) {
    const Status flushed = co_await services.partitions->flush(std::move(due));
    if (!flushed) job.failFlushed(flushed.error());
  }
  std::vector<CommitTicket> tickets = job.tickets();
  // With acks=0 nobody waits for the disk.
  if (request.acks != 0 && !tickets.empty()) {
    const Status durable = co_await services.partitions->commits().committed(std::move(tickets));
    if (!durable) job.failCommits(durable.error());
  }
  if (request.acks == 0) {
    // Nobody waits for an answer; an error can only be told by closing the connection.
    if (job.hasErrors()) {
      context.reply->close = true;
      context.reply->close_reason = "a Produce request with acks=0 failed";
    } else {
      context.reply->suppressed = true;
    }
  }
  co_return job.take();
}

}  // namespace millrace::broker
