#include "broker/data/fetch_job.h"

#include "broker/metadata/metadata_cache.h"
#include "broker/services.h"
#include "log/file_slot.h"

#include <algorithm>

namespace millrace::broker {

FetchJob::FetchJob(Services& services, FetchContext context, FetchOptions options)
    : services_(services), context_(std::move(context)), options_(options) {
  reset();
}

void FetchJob::reset() {
  const ImagePtr image = services_.image->current();
  slots_.assign(context_.partitions.size(), Slot{});
  shards_.clear();
  const FetchTopic* named = nullptr;
  TopicPtr topic;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const FetchPartition& want = context_.partitions[i];
    if (want.topic.get() != named) {  // neighbours are mostly of one topic: look it up once
      named = want.topic.get();
      topic = options_.by_topic_id ? image->topic(named->id) : image->topic(named->name);
    }
    resolve(slots_[i], want, topic.get());
  }
}

void FetchJob::resolve(Slot& slot, const FetchPartition& want, const TopicImage* topic) {
  if (topic == nullptr) {
    slot.error = options_.by_topic_id ? Errc::kUnknownTopicId : Errc::kUnknownTopicOrPartition;
    return;
  }
  if (topic->partition(want.partition) == nullptr) {
    slot.error = Errc::kUnknownTopicOrPartition;
    return;
  }
  slot.id = {topic->id, want.partition};
  slot.shard = services_.partitions->shardOf(slot.id).index();
  shards_.insert(slot.shard);
}

FetchJob::Found FetchJob::read(int shard) {
  Found found;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (slot.shard != shard) continue;
    // An answer holds the files of its records until it is sent.
    const bool enough = found.bytes > 0 && log::FileSlot::runningLow();
    read(slot, context_.partitions[i], enough ? Take::kPositions : Take::kRecords);
    slot.left_out = enough;
    found.bytes += static_cast<std::int64_t>(slot.read.size);
    found.must_answer |= slot.mustAnswer();
  }
  return found;
}

void FetchJob::watch(int shard, const std::shared_ptr<GrowthWatcher>& watcher) {
  for (const Slot& slot : slots_) {
    if (slot.shard != shard) continue;
    Partition* partition = services_.partitions->find(slot.id);
    if (partition != nullptr) partition->watch(watcher);
  }
}

bool FetchJob::readsOneOn(int shard) const {
  int count = 0;
  for (auto slot = slots_.begin(); slot != slots_.end() && count < 2; ++slot)
    count += slot->shard == shard ? 1 : 0;
  return count == 1;
}

void FetchJob::read(Slot& slot, const FetchPartition& want, Take take) {
  slot.error = Errc::kNone;
  slot.diverging = false;
  slot.read = {};
  Partition* partition = services_.partitions->find(slot.id);
  if (partition == nullptr) {
    slot.error = services_.partitions->whyMissing(slot.id);
    return;
  }
  slot.reached_partition = true;
  // No other broker holds a replica yet: whoever claims to be one is wrong.
  slot.error = options_.as_replica ? Errc::kNotLeaderOrFollower
                                   : partition->checkEpoch(want.current_leader_epoch);
  if (slot.error != Errc::kNone || diverges(slot, *partition, want)) return;
  const auto isolation =
      options_.committed_only ? log::Isolation::kCommitted : log::Isolation::kHighWatermark;
  const bool records = take == Take::kRecords;
  const std::int64_t most = std::min<std::int64_t>(want.max_bytes, options_.max_bytes);
  const auto limit = static_cast<std::uint64_t>(records ? std::max<std::int64_t>(most, 0) : 0);
  auto result = partition->log().read(Offset(want.fetch_offset), limit, isolation, records);
  if (result) {
    slot.read = std::move(*result);
  } else {
    slot.error = toWire(result.error().code);
  }
}

/// KIP-595: a client whose last epoch ended elsewhere in our log is told where, instead of records.
bool FetchJob::diverges(Slot& slot, const Partition& partition, const FetchPartition& want) const {
  if (want.last_fetched_epoch < 0) return false;
  const log::PartitionLog& log = partition.log();
  slot.epoch_end = log.endOfEpoch(LeaderEpoch(want.last_fetched_epoch));
  if (slot.epoch_end.end_offset < Offset(0) || Offset(want.fetch_offset) < log.startOffset()) {
    slot.error = Errc::kOffsetOutOfRange;
    return true;
  }
  slot.diverging = slot.epoch_end.epoch < LeaderEpoch(want.last_fetched_epoch) ||
                   slot.epoch_end.end_offset < Offset(want.fetch_offset);
  if (slot.diverging) {
    slot.read = {};
    slot.read.high_watermark = log.highWatermark();
    slot.read.last_stable_offset = log.lastStableOffset();
    slot.read.log_start_offset = log.startOffset();
  }
  return slot.diverging;
}

bool FetchJob::isComplete() const {
  if (slots_.empty() || shards_.empty()) return true;
  std::int64_t bytes = 0;
  for (const Slot& slot : slots_) {
    if (slot.mustAnswer()) return true;
    bytes += static_cast<std::int64_t>(slot.read.size);
  }
  return bytes >= options_.min_bytes;
}

/// Each partition was read as if it were alone. Those that do not fit any more are answered without
/// records; only the first with records may be larger than its limits.
void FetchJob::applyMaxBytes() {
  std::int64_t left = options_.max_bytes;
  bool first = true;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    log::ReadResult& read = slots_[i].read;
    const auto size = static_cast<std::int64_t>(read.size);
    if (size == 0) continue;
    const bool fits = size <= left && size <= context_.partitions[i].max_bytes;
    if (fits || first) {
      left = std::max<std::int64_t>(left - size, 0);
      first = false;
    } else {
      read.slices.clear();
      read.size = 0;
      read.aborted.clear();
    }
  }
}

protocol::FetchResponse FetchJob::answer(FetchSessionCache& sessions, Millis now) {
  applyMaxBytes();
  std::vector<FetchSessionResult> results(slots_.size());
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    const bool failed = slot.error != Errc::kNone;
    results[i].has_records = slot.read.size > 0;
    results[i].is_special = failed || slot.diverging;
    results[i].high_watermark = failed ? -1 : slot.read.high_watermark.value();
    results[i].log_start_offset = failed ? -1 : slot.read.log_start_offset.value();
  }
  std::vector<bool> mention;
  protocol::FetchResponse response;
  response.session_id = sessions.finish(context_, results, now, mention);
  // As in Kafka, what was refused without asking any shard comes last.
  for (const bool refused : {false, true}) {
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (mention[i] && (slots_[i].shard < 0) == refused)
        add(response, slots_[i], context_.partitions[i]);
    }
  }
  return response;
}

/// Neighbours of one topic share its entry.
void FetchJob::add(protocol::FetchResponse& response, Slot& slot,
                   const FetchPartition& want) const {
  const bool same = !response.responses.empty() &&
                    response.responses.back().topic_id == want.topic->id &&
                    response.responses.back().topic.view() == want.topic->name;
  if (!same) {
    auto& topic = response.responses.emplace_back();
    topic.topic = Text(want.topic->name);
    topic.topic_id = want.topic->id;
  }
  response.responses.back().partitions.push_back(encode(slot, want));
}

protocol::FetchResponse::PartitionData FetchJob::encode(Slot& slot,
                                                        const FetchPartition& want) const {
  protocol::FetchResponse::PartitionData data;
  data.partition_index = want.partition;
  data.error_code = static_cast<std::int16_t>(slot.error);
  data.high_watermark = -1;
  if (slot.reached_partition && !options_.committed_only) data.aborted_transactions = std::nullopt;
  if (slot.error != Errc::kNone) return data;
  data.high_watermark = slot.read.high_watermark.value();
  data.last_stable_offset = slot.read.last_stable_offset.value();
  data.log_start_offset = slot.read.log_start_offset.value();
  if (slot.diverging) {
    data.diverging_epoch.epoch = slot.epoch_end.epoch.value();
    data.diverging_epoch.end_offset = slot.epoch_end.end_offset.value();
    return data;
  }
  for (const auto& aborted : slot.read.aborted) {
    auto& entry = data.aborted_transactions->emplace_back();
    entry.producer_id = aborted.producer_id.value();
    entry.first_offset = aborted.first_offset.value();
  }
  if (slot.read.size > 0) data.records = protocol::Records::slices(std::move(slot.read.slices));
  return data;
}

}  // namespace millrace::broker
