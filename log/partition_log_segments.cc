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
  unsynced.change();
  return {};
}

Status PartitionLog::State::takeSnapshot(Offset offset) {
  if (!snapshots.empty() && snapshots.back() == offset) return {};
  MILLRACE_CHECK_OK(replaceFile(files.system, files.path(offset, FileKind::kSnapshot),
                                producers.encodeSnapshot()));
  snapshots.push_back(offset);
  unsynced.changeSnapshot();
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
      std::erase_if(doomed, [&](const DoomedFile& d) { return d.path == away; });
      doomed.push_back({away, due_ms});
    }
    if (!renamed && renamed.error().code != Errc::kNotFound) return renamed;
  }
  unsynced.change();
  return {};
}

Status PartitionLog::State::removeFiles(Offset base) {
  for (const FileKind kind :
       {FileKind::kLog, FileKind::kOffsetIndex, FileKind::kTimeIndex, FileKind::kTxnIndex}) {
    const Status removed = files.system.remove(files.path(base, kind));
    if (!removed && removed.error().code != Errc::kNotFound) return removed;
  }
  if (journaled != nullptr) options.journal->noteRemoved(*journaled);
  unsynced.change();
  return {};
}

Status PartitionLog::State::dropBehind(std::size_t index) {
  if (index + 1 >= segments.size()) return {};
  while (segments.size() > index + 1) {
    MILLRACE_CHECK_OK(removeFiles(active().base()));
    segments.pop_back();
  }
  return files.system.syncDirectory(files.directory);
}

Status PartitionLog::State::truncateAndSync(Segment& segment, std::uint64_t position, Offset next) {
  MILLRACE_CHECK_OK(segment.truncate(position, next));
  std::vector<std::shared_ptr<File>> cut;
  MILLRACE_CHECK_OK(segment.collectFiles(cut));
  for (const auto& file : cut) MILLRACE_CHECK_OK(file->sync());
  return {};
}

Status PartitionLog::State::beginCut() {
  MILLRACE_TRY(const auto marker, files.system.open(files.path(kCutMarker), OpenMode::kCreate));
  return {};
}

Status PartitionLog::State::endCut() {
  unsynced.change();
  const Status removed = files.system.remove(files.path(kCutMarker));
  return !removed && removed.error().code == Errc::kNotFound ? Status{} : removed;
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
    MILLRACE_TRY(const Millis newest_ms, segment.newestMs());
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

Status PartitionLog::forgetFlushed(Offset offset) {
  State& s = *state_;
  if (!s.health) return s.health;
  if (recoveryPoint() <= offset) return {};
  MILLRACE_TRY(const Offset end, s.checked(s.endBelow(offset)));
  ++s.cuts;
  // What is missing below the old recovery point, compaction took. Should the cut not take place, a
  // recovery must not think that anything may be missing up there.
  if (config_.cleanup_compact || cleanedTo() > Offset{0}) {
    if (!s.cleaned_before_cut) s.cleaned_before_cut = cleanedTo();
    cleaned_to_.store(std::max(cleanedTo(), recoveryPoint()).value(), std::memory_order_release);
  }
  recovery_point_.store(std::min(offset, end).value(), std::memory_order_release);
  return {};
}

std::size_t PartitionLog::State::lastBelow(Offset offset) const {
  const std::size_t last = indexFor(offset);
  return last > 0 && segments[last]->base() == offset ? last - 1 : last;
}

Result<Offset> PartitionLog::State::endBelow(Offset offset) const {
  Segment& last = *segments[lastBelow(offset)];
  MILLRACE_TRY(const std::uint64_t position, last.locate(offset));
  return last.endAt(position);
}

Status PartitionLog::State::checkNotFlushed(Offset from) const {
  if (log.recoveryPoint() <= from) return {};
  return fail(Errc::kState,
              fmt::format("{}: records from {} up to {} were flushed", files.directory,
                          from.value(), log.recoveryPoint().value()));
}

Status PartitionLog::State::truncateFully(Offset start) {
  MILLRACE_CHECK_OK(makeDirectory());
  MILLRACE_CHECK_OK(cutJournal(Offset{0}));
  MILLRACE_CHECK_OK(beginCut());
  ++cuts;
  for (; !segments.empty(); segments.pop_back()) MILLRACE_CHECK_OK(removeFiles(active().base()));
  MILLRACE_CHECK_OK(dropSnapshots(Offset{0}, Offset{std::numeric_limits<std::int64_t>::max()}));
  segments.push_back(std::make_unique<Segment>(files, start));
  MILLRACE_CHECK_OK(active().file());
  producers.clear();
  flushed_stable = {};
  cleaned_before_cut.reset();
  epochs.clear();
  log.log_start_offset_.store(start.value(), std::memory_order_release);
  log.recovery_point_.store(start.value(), std::memory_order_release);
  log.cleaned_to_.store(start.value(), std::memory_order_release);
  log.high_watermark_.store(start.value(), std::memory_order_release);
  publish(start);
  publishStable();
  MILLRACE_CHECK_OK(epochs.save());
  // An empty log knows from its segment's name alone where it begins.
  unsynced.change();
  MILLRACE_CHECK_OK(syncNames());
  return endCut();
}

Status PartitionLog::truncateFullyAndStartAt(Offset offset) {
  State& s = *state_;
  if (!s.health) return s.health;
  MILLRACE_CHECK_OK(s.checkNotFlushed(s.segments.front()->base()));
  return s.finish(s.truncateFully(offset));
}

Status PartitionLog::truncateTo(Offset offset) {
  State& s = *state_;
  if (!s.health) return s.health;
  if (offset >= endOffset()) return {};
  MILLRACE_CHECK_OK(s.checkNotFlushed(std::max(offset, s.segments.front()->base())));
  if (offset < s.segments.front()->base()) return s.finish(s.truncateFully(offset));
  const auto cut = [&]() -> Status {
    ++s.cuts;
    MILLRACE_CHECK_OK(s.checkTxnIndex(s.lastBelow(offset)));
    MILLRACE_TRY(const Offset kept, s.endBelow(offset));
    MILLRACE_CHECK_OK(s.cutJournal(kept));
    MILLRACE_CHECK_OK(s.beginCut());
    MILLRACE_CHECK_OK(s.dropBehind(s.lastBelow(offset)));
    MILLRACE_TRY(const std::uint64_t position, s.active().locate(offset));
    MILLRACE_TRY(const Offset end, s.active().endAt(position));
    if (position < s.active().size())
      MILLRACE_CHECK_OK(s.truncateAndSync(s.active(), position, end));
    MILLRACE_CHECK_OK(s.endCut());
    s.epochs.truncateFromEnd(end);
    MILLRACE_CHECK_OK(s.epochs.save());
    log_end_offset_.store(end.value(), std::memory_order_release);
    MILLRACE_CHECK_OK(s.dropSnapshots(end + 1, Offset{std::numeric_limits<std::int64_t>::max()}));
    return s.loadProducers(end, std::nullopt);
  };
  MILLRACE_CHECK_OK(s.finish(cut()));
  const Offset end = endOffset();
  const Offset cleaned = std::exchange(s.cleaned_before_cut, {}).value_or(cleanedTo());
  cleaned_to_.store(std::min(cleaned, end).value(), std::memory_order_release);
  if (startOffset() > end) log_start_offset_.store(end.value(), std::memory_order_release);
  s.publish(end);
  setHighWatermark(std::min(highWatermark(), end));
  return {};
}

}  // namespace millrace::log
