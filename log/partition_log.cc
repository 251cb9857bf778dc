#include "log/partition_log.h"

#include "log/partition_log_state.h"

#include <algorithm>

namespace millrace::log {

PartitionLog::State::State(PartitionLog& owner, OpenOptions&& given)
    : log(owner),
      options(std::move(given)),
      files{options.files != nullptr ? *options.files : systemFiles(), options.directory},
      epochs(files) {
  // Any spread will do; the name makes it the same after every start.
  jitter = static_cast<double>(std::hash<std::string>{}(options.directory) % 1024) / 1024;
}

PartitionLog::PartitionLog(OpenOptions options)
    : directory_(options.directory), config_(options.config) {
  state_ = std::make_unique<State>(*this, std::move(options));
}

PartitionLog::~PartitionLog() = default;

Result<std::unique_ptr<PartitionLog>> PartitionLog::open(OpenOptions options) {
  std::unique_ptr<PartitionLog> log(new PartitionLog(std::move(options)));
  MILLRACE_CHECK_OK(log->state_->open());
  return log;
}

Uuid PartitionLog::topicId() const { return state_->topic_id; }

Status PartitionLog::adopt(const Uuid& topic_id) {
  State& s = *state_;
  if (!s.health) return s.health;
  s.topic_id = topic_id;
  if (s.absent) return {};
  // At once on disk: beside flushed records, a torn one is damage.
  s.unsynced.changeDirectory();
  return s.finish(s.files.system.writeAtomically(s.files.path(kPartitionMetadata),
                                                 partitionMetadata(topic_id)));
}

bool PartitionLog::hasDirectory() const { return !state_->absent; }

const RecoveryInfo& PartitionLog::recovery() const { return state_->recovery; }

std::size_t PartitionLog::segmentCount() const { return state_->segments.size(); }

const Status& PartitionLog::health() const { return state_->health; }

Offset PartitionLog::endFor(Isolation isolation) const {
  switch (isolation) {
    case Isolation::kLogEnd: return endOffset();
    case Isolation::kHighWatermark: return highWatermark();
    case Isolation::kCommitted: return lastStableOffset();
  }
  return endOffset();
}

void PartitionLog::State::publish(Offset end) {
  std::uint64_t bytes = 0;
  for (const auto& segment : segments) bytes += segment->size();
  log.size_.store(bytes, std::memory_order_relaxed);
  log.log_end_offset_.store(end.value(), std::memory_order_release);
}

void PartitionLog::State::publishStable() {
  const Offset high = log.highWatermark();
  const Offset stable = std::min(producers.firstUnstableOffset().value_or(high), high);
  log.last_stable_offset_.store(std::max(stable, log.startOffset()).value(),
                                std::memory_order_release);
}

std::unexpected<Error> PartitionLog::State::goOffline(Error error) {
  const Error cause = error;
  const bool missing = error.code == Errc::kNotFound;
  if (missing) error.code = Errc::kIo;  // a file that must be there cannot be read
  if (health) {
    health = std::unexpected(error);
    const bool disk = missing || error.code == Errc::kIo || error.code == Errc::kDiskFull;
    if (disk && options.on_disk_failure) options.on_disk_failure(cause);
  }
  return std::unexpected(std::move(error));
}

Status PartitionLog::State::finish(Status status) {
  if (status) return status;
  return goOffline(status.error());
}

Millis PartitionLog::State::maxAgeMs() const {
  const LogConfig& config = log.config_;
  // What must be compacted in time must leave the active segment in time (LogConfig.maxSegmentMs).
  const Millis age = config.cleanup_compact
                         ? std::min(config.segment_ms, config.max_compaction_lag_ms)
                         : config.segment_ms;
  const Millis spread = std::min(config.segment_jitter_ms, age);
  return age - static_cast<Millis>(jitter * static_cast<double>(spread));
}

void PartitionLog::State::releaseIfLow() {
  if (!FileSlot::gettingLow()) return;
  if (!FileSlot::runningLow()) return active().closeIndexes();
  for (const auto& segment : segments)
    if (const Status released = segment->release(); !released) (void)goOffline(released.error());
}

Offset PartitionLog::setHighWatermark(Offset offset) {
  const Offset kept = std::clamp(offset, startOffset(), endOffset());
  high_watermark_.store(kept.value(), std::memory_order_release);
  state_->producers.onHighWatermark(kept);
  state_->publishStable();
  return kept;
}

Status PartitionLog::setStartOffset(Offset offset) {
  if (!state_->health) return state_->health;
  if (offset > highWatermark())
    return fail(Errc::kOffsetOutOfRange, "records above the high watermark cannot be deleted");
  if (offset <= startOffset()) return {};
  log_start_offset_.store(offset.value(), std::memory_order_release);
  state_->producers.onLogStart(offset);
  state_->epochs.truncateFromStart(offset);
  state_->publishStable();
  return state_->finish(state_->epochs.save());
}

Status PartitionLog::startEpoch(LeaderEpoch epoch) {
  if (!state_->health) return state_->health;
  state_->epochs.assign(epoch, endOffset());
  return {};
}

std::optional<LeaderEpoch> PartitionLog::latestEpoch() const { return state_->epochs.latest(); }

EpochEnd PartitionLog::endOfEpoch(LeaderEpoch epoch) const {
  return state_->epochs.endOf(epoch, endOffset());
}

std::vector<EpochEntry> PartitionLog::epochs() const { return state_->epochs.entries(); }

std::vector<ProducerInfo> PartitionLog::producers() const { return state_->producers.list(); }

Status PartitionLog::State::prepareClose() {
  if (!health) return health;
  if (log.endOffset() > log.startOffset() || !producers.empty())
    MILLRACE_CHECK_OK(finish(takeSnapshot(log.endOffset())));
  if (absent) return {};
  // Also of an empty log: Apache Kafka takes missing indexes for damage.
  if (!active().sealed()) {
    MILLRACE_CHECK_OK(finish(active().seal()));
    if (active().size() > 0) unsynced.change();
  }
  return finish(epochs.saveBelow(log.endOffset()));
}

Status PartitionLog::State::closeFiles() {
  for (const auto& gone : doomed) {
    const Status removed = files.system.remove(gone.path);
    if (!removed && removed.error().code != Errc::kNotFound) return removed;
  }
  doomed.clear();
  // Others are to be closed, too, and the process has only so many file descriptors.
  for (const auto& segment : segments) MILLRACE_CHECK_OK(finish(segment->release()));
  return {};
}

Status PartitionLog::close() {
  MILLRACE_CHECK_OK(state_->prepareClose());
  MILLRACE_CHECK_OK(flush());
  return state_->closeFiles();
}

Result<FlushJob> PartitionLog::writeOut() {
  MILLRACE_CHECK_OK(state_->prepareClose());
  FlushJob job = prepareFlush(FlushScope::kWhole);
  if (!state_->health) return std::unexpected(state_->health.error());
  for (const auto& segment : state_->segments)
    MILLRACE_CHECK_OK(state_->finish(segment->release()));
  return job;
}

Status PartitionLog::closed(const FlushJob& written, const Status& outcome) {
  flushed(written, outcome);
  if (!state_->health) return state_->health;
  return state_->closeFiles();
}

}  // namespace millrace::log
