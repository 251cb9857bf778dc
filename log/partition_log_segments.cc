// Segments come and go: roll, retention, truncation, flush.
#include "log/partition_log_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {

std::size_t PartitionLog::State::indexFor(Offset offset) const {
  const auto above =
      std::ranges::upper_bound(segments, offset, {}, [](const auto& s) { return s->base(); });
  return above == segments.begin() ? 0 : static_cast<std::size_t>(above - segments.begin() - 1);
}

Offset PartitionLog::State::endOf(std::size_t index) const {
  return index + 1 < segments.size() ? segments[index + 1]->base() : log.endOffset();
}

Status PartitionLog::State::rollTo(Offset base) {
  if (active().base() == base && active().size() == 0) return {};
  MILLRACE_CHECK_OK(makeDirectory());
  MILLRACE_CHECK_OK(active().seal());
  MILLRACE_CHECK_OK(takeSnapshot(base));
  MILLRACE_CHECK_OK(epochs.save());
  segments.push_back(std::make_unique<Segment>(files, base));
  MILLRACE_CHECK_OK(active().file());
  names_changed = true;
  return {};
}

Status PartitionLog::State::takeSnapshot(Offset offset) {
  if (!snapshots.empty() && snapshots.back() == offset) return {};
  MILLRACE_CHECK_OK(replaceFile(files.system, files.path(offset, FileKind::kSnapshot),
                                producers.encodeSnapshot()));
  snapshots.push_back(offset);
  names_changed = true;
  // Kafka keeps one per segment and the newest.
  const auto needless = [&](Offset at) {
    return at != offset &&
           std::ranges::none_of(segments, [at](const auto& s) { return s->base() == at; });
  };
  for (const Offset at : snapshots)
    if (needless(at)) MILLRACE_CHECK_OK(files.system.remove(files.path(at, FileKind::kSnapshot)));
  std::erase_if(snapshots, needless);
  return {};
}

Status PartitionLog::State::dropSnapshots(Offset from, Offset to) {
  for (const Offset at : snapshots)
    if (at >= from && at < to)
      MILLRACE_CHECK_OK(files.system.remove(files.path(at, FileKind::kSnapshot)));
  std::erase_if(snapshots, [=](Offset at) { return at >= from && at < to; });
  return {};
}

Status PartitionLog::State::doom(Segment& segment, Millis due_ms) {
  for (const FileKind kind :
       {FileKind::kLog, FileKind::kOffsetIndex, FileKind::kTimeIndex, FileKind::kTxnIndex}) {
    const std::string path = files.path(segment.base(), kind);
    const std::string away = path + std::string(kDeletedSuffix);
    const Status renamed = files.system.rename(path, away);
    // Compacted twice, a segment's name is there already; the later of the two takes it over.
    if (renamed) {
      std::erase_if(doomed, [&](const Doomed& d) { return d.path == away; });
      doomed.push_back({away, due_ms});
    }
    if (!renamed && renamed.error().code != Errc::kNotFound) return renamed;
  }
  names_changed = true;
  return {};
}

Status PartitionLog::State::removeFiles(Offset base) {
  for (const FileKind kind :
       {FileKind::kLog, FileKind::kOffsetIndex, FileKind::kTimeIndex, FileKind::kTxnIndex}) {
    const Status removed = files.system.remove(files.path(base, kind));
    if (!removed && removed.error().code != Errc::kNotFound) return removed;
  }
  names_changed = true;
  return {};
}

Status PartitionLog::State::dropFirst(std::size_t n, Millis now_ms) {
  for (std::size_t i = 0; i < n; ++i)
    MILLRACE_CHECK_OK(doom(*segments[i], now_ms + log.config_.file_delete_delay_ms));
  segments.erase(segments.begin(), segments.begin() + static_cast<std::ptrdiff_t>(n));
  const Offset first = segments.front()->base();
  MILLRACE_CHECK_OK(dropSnapshots(Offset{0}, first));
  if (first > log.startOffset()) {
    log.log_start_offset_.store(first.value(), std::memory_order_release);
    producers.onLogStart(first);
    epochs.truncateFromStart(first);
  }
  publish(log.endOffset());
  publishStable();
  return epochs.save();
}

namespace {

/// Why a segment may go: the answer of one retention rule.
enum class Verdict { kKeep, kGo };

}  // namespace

Result<std::int32_t> PartitionLog::runRetention(Millis now_ms) {
  State& s = *state_;
  if (!s.health) return std::unexpected(s.health.error());
  const auto expired = [&](Segment& segment) -> Result<Verdict> {
    if (!config_.cleanup_delete || config_.retention_ms < 0) return Verdict::kKeep;
    MILLRACE_TRY(const TimeEntry newest, segment.maxTimestamp());
    Millis newest_ms = newest.timestamp;
    if (newest_ms < 0) {
      MILLRACE_TRY(newest_ms, segment.lastModifiedMs());
    }
    return newest_ms < now_ms - config_.retention_ms ? Verdict::kGo : Verdict::kKeep;
  };
  std::int64_t excess = 0;
  if (config_.cleanup_delete && config_.retention_bytes >= 0)
    excess = static_cast<std::int64_t>(sizeInBytes()) - config_.retention_bytes;

  std::size_t going = 0;
  for (; going < s.segments.size(); ++going) {
    Segment& segment = *s.segments[going];
    const bool last = going + 1 == s.segments.size();
    if (segment.size() == 0 && last) break;
    const Offset end = s.endOf(going);
    if (end > highWatermark()) break;
    const auto size = static_cast<std::int64_t>(segment.size());
    bool gone = end <= startOffset() && !last;
    if (!gone && excess >= size) gone = true;
    if (!gone) {
      const auto verdict = expired(segment);
      if (!verdict) return s.goOffline(verdict.error());
      gone = *verdict == Verdict::kGo;
    }
    if (!gone) break;
    excess -= size;
  }
  if (going == 0) return 0;
  if (going == s.segments.size()) MILLRACE_CHECK_OK(s.finish(s.rollTo(endOffset())));
  MILLRACE_CHECK_OK(s.finish(s.dropFirst(going, now_ms)));
  return static_cast<std::int32_t>(going);
}

Status PartitionLog::runUpkeep(Millis now_ms) {
  State& s = *state_;
  if (!s.health) return s.health;
  s.producers.expire(now_ms, config_.producer_id_expiration_ms);
  for (const auto& doomed : s.doomed)
    if (doomed.due_ms <= now_ms) MILLRACE_CHECK_OK(s.finish(s.files.system.remove(doomed.path)));
  std::erase_if(s.doomed, [now_ms](const auto& d) { return d.due_ms <= now_ms; });
  for (const auto& segment : s.segments) MILLRACE_CHECK_OK(s.finish(segment->releaseUnused()));
  return {};
}

Status PartitionLog::roll() {
  State& s = *state_;
  if (!s.health) return s.health;
  MILLRACE_CHECK_OK(s.finish(s.rollTo(endOffset())));
  s.publish(endOffset());
  return {};
}

bool PartitionLog::hasUnflushedSegments() const {
  return recoveryPoint() < state_->segments.back()->base();
}

bool PartitionLog::State::collectNewDirectory(FlushJob& job) {
  job.directories.push_back(files.directory.substr(0, files.directory.rfind('/')));
  auto metadata = files.system.open(files.path(kPartitionMetadata), OpenMode::kRead);
  if (metadata) job.files.push_back(std::move(*metadata));
  if (metadata || metadata.error().code == Errc::kNotFound) return true;
  (void)goOffline(metadata.error());
  return false;
}

std::uint64_t PartitionLog::unflushedBytes() const { return state_->unflushed_bytes; }

FlushJob PartitionLog::prepareFlush(FlushScope scope) {
  State& s = *state_;
  const bool sealed = scope == FlushScope::kSealed;
  FlushJob job;
  job.up_to = sealed ? s.active().base() : endOffset();
  if (!s.health || (job.up_to <= recoveryPoint() && !s.names_changed)) return job;
  if (scope == FlushScope::kCheckpoint && !s.finish(s.takeSnapshot(endOffset()))) return {};
  job.bytes = s.unflushed_bytes;
  if (sealed) job.bytes -= std::min(job.bytes, s.active().size());
  const std::size_t end = s.segments.size() - (sealed ? 1 : 0);
  for (std::size_t i = s.indexFor(recoveryPoint()); i < end; ++i) {
    if (s.segments[i]->size() == 0) continue;
    const Status collected = s.segments[i]->collectFiles(job.files);
    if (!collected) {
      (void)s.goOffline(collected.error());
      return {};
    }
  }
  if (s.names_changed) {
    job.system = &s.files.system;
    job.directories.push_back(directory_);
    s.names_changed = false;
    if (s.fresh && !s.collectNewDirectory(job)) return {};
    s.fresh = false;
  }
  return job;
}

void PartitionLog::flushed(const FlushJob& job, const Status& outcome) {
  if (!outcome) {
    (void)state_->goOffline(outcome.error());
    return;
  }
  // A truncation may have happened while the flush ran.
  const Offset reached = std::min(job.up_to, endOffset());
  state_->unflushed_bytes -= std::min(state_->unflushed_bytes, job.bytes);
  state_->tellJournal(reached);
  if (reached > recoveryPoint()) recovery_point_.store(reached.value(), std::memory_order_release);
}

Status PartitionLog::flush() {
  const FlushJob job = prepareFlush();
  if (!state_->health) return state_->health;
  if (job.empty()) return {};
  const Status outcome = job.run();
  flushed(job, outcome);
  return outcome;
}

Status PartitionLog::State::truncateFully(Offset start) {
  MILLRACE_CHECK_OK(makeDirectory());
  for (const auto& segment : segments) MILLRACE_CHECK_OK(removeFiles(segment->base()));
  segments.clear();
  MILLRACE_CHECK_OK(dropSnapshots(Offset{0}, Offset{std::numeric_limits<std::int64_t>::max()}));
  segments.push_back(std::make_unique<Segment>(files, start));
  MILLRACE_CHECK_OK(active().file());
  producers.clear();
  epochs.clear();
  log.log_start_offset_.store(start.value(), std::memory_order_release);
  log.recovery_point_.store(start.value(), std::memory_order_release);
  log.cleaned_to_.store(start.value(), std::memory_order_release);
  log.high_watermark_.store(start.value(), std::memory_order_release);
  publish(start);
  publishStable();
  names_changed = true;
  MILLRACE_CHECK_OK(epochs.save());
  return cutJournal(start);
}

Status PartitionLog::truncateFullyAndStartAt(Offset offset) {
  State& s = *state_;
  if (!s.health) return s.health;
  return s.finish(s.truncateFully(offset));
}

Status PartitionLog::truncateTo(Offset offset) {
  State& s = *state_;
  if (!s.health) return s.health;
  if (offset >= endOffset()) return {};
  if (offset < s.segments.front()->base()) return s.finish(s.truncateFully(offset));
  const auto cut = [&]() -> Status {
    while (s.active().base() > offset || (s.active().base() == offset && s.segments.size() > 1)) {
      MILLRACE_CHECK_OK(s.removeFiles(s.active().base()));
      s.segments.pop_back();
    }
    Offset end = s.active().base();
    MILLRACE_TRY(const std::uint64_t position, s.active().locate(offset));
    if (position < s.active().size()) {
      MILLRACE_TRY(const auto head, s.active().headAt(position));
      end = std::max(end, std::min(offset, head.base_offset));
      MILLRACE_CHECK_OK(s.active().truncate(position, end));
    } else {
      end = offset;
    }
    s.epochs.truncateFromEnd(end);
    MILLRACE_CHECK_OK(s.epochs.save());
    log_end_offset_.store(end.value(), std::memory_order_release);
    MILLRACE_CHECK_OK(s.dropSnapshots(end + 1, Offset{std::numeric_limits<std::int64_t>::max()}));
    return s.loadProducers(end, false);
  };
  MILLRACE_CHECK_OK(s.finish(cut()));
  const Offset end = endOffset();
  if (cleanedTo() > end) cleaned_to_.store(end.value(), std::memory_order_release);
  if (recoveryPoint() > end) recovery_point_.store(end.value(), std::memory_order_release);
  if (startOffset() > end) log_start_offset_.store(end.value(), std::memory_order_release);
  s.publish(end);
  setHighWatermark(std::min(highWatermark(), end));
  return s.finish(s.cutJournal(end));
}

}  // namespace millrace::log
