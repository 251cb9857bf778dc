// Compaction as the log sees it: which part may be compacted, and putting the outcome in place.
//
// The new files are complete and synced under .cleaned. Putting one segment in place: indexes
// .cleaned -> .swap, then the log file (from here on the new segment counts), old segments ->
// .deleted, .swap -> plain, the log file last. A crash in between is finished or undone by
// PartitionLog::open.
#include "log/file_slot.h"
#include "log/partition_log_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace millrace::log {
namespace {

/// Renames where there is something to rename.
Status renameIfThere(FileSystem& system, const std::string& from, const std::string& to) {
  const Status renamed = system.rename(from, to);
  if (!renamed && renamed.error().code != Errc::kNotFound) return renamed;
  return {};
}

}  // namespace

Result<Offset> PartitionLog::State::cleanableEnd(Millis now_ms) const {
  // Only what is on disk: an older record must not go for a newer one that a crash may take.
  const Offset stable = flushed_stable.stable(log.lastStableOffset(), log.recoveryPoint());
  const Offset synced = segments[indexFor(log.recoveryPoint())]->base();
  Offset end = std::min({segments.back()->base(), stable, synced});
  if (log.config_.min_compaction_lag_ms <= 0) return end;
  // What is compacted already does not hold back what lies behind it, however young it says it is.
  for (std::size_t i = indexFor(log.cleanedTo()); i < segments.size(); ++i) {
    Segment& segment = *segments[i];
    if (segment.base() >= end) break;
    MILLRACE_TRY(const Millis newest_ms, segment.newestMs());
    if (newest_ms > now_ms - log.config_.min_compaction_lag_ms)
      return std::min(end, segment.base());
  }
  return end;
}

Result<CompactionNeed> PartitionLog::compactionNeed(Millis now_ms) const {
  State& s = *state_;
  const FilesInUse use(s);
  if (!s.health) return std::unexpected(s.health.error());
  CompactionNeed need;
  if (!config_.cleanup_compact) return need;
  MILLRACE_TRY(const Offset end, s.cleanableEnd(now_ms));
  const Offset dirty_from = std::max(cleanedTo(), s.segments.front()->base());
  if (dirty_from >= end) return need;
  std::uint64_t clean = 0;
  std::uint64_t dirty = 0;
  Millis oldest_dirty = now_ms;
  for (std::size_t i = 0; i < s.segments.size() && s.segments[i]->base() < end; ++i) {
    Segment& segment = *s.segments[i];
    if (s.endOf(i) <= dirty_from) {
      clean += segment.size();
      continue;
    }
    MILLRACE_TRY(const auto first, segment.firstTimestamp());
    if (first.value_or(-1) > 0) oldest_dirty = std::min(oldest_dirty, *first);
    dirty += segment.size();
  }
  if (dirty == 0) return need;
  need.dirty_ratio = static_cast<double>(dirty) / static_cast<double>(clean + dirty);
  need.due = need.dirty_ratio > config_.min_cleanable_dirty_ratio ||
             now_ms - oldest_dirty > config_.max_compaction_lag_ms;
  return need;
}

Result<CompactionPlan> PartitionLog::prepareCompaction(Millis now_ms) {
  State& s = *state_;
  const FilesInUse use(s);
  if (!s.health) return std::unexpected(s.health.error());
  CompactionPlan plan{.system = &s.files.system,
                      .directory = directory_,
                      .config = config_,
                      .first_dirty = std::max(cleanedTo(), s.segments.front()->base()),
                      .now_ms = now_ms};
  MILLRACE_TRY(plan.end, s.cleanableEnd(now_ms));
  for (const auto& segment : s.segments) {
    if (segment->base() >= plan.end) break;
    MILLRACE_CHECK_OK(s.finish(s.checkTxnIndex(s.indexFor(segment->base()))));
    MILLRACE_TRY(auto file, segment->file());
    MILLRACE_TRY(auto txns, segment->txnIndex().all());
    MILLRACE_TRY(const std::uint32_t offsets, segment->offsetIndex().entries().count());
    MILLRACE_TRY(const std::uint32_t times, segment->timeIndex().entries().count());
    const std::uint64_t index_bytes =
        std::max<std::uint64_t>(std::uint64_t{offsets} * OffsetIndex::kEntrySize,
                                std::uint64_t{times} * TimeIndex::kEntrySize);
    plan.sources.push_back(
        {segment->base(), segment->size(), std::move(file), !txns.empty(), index_bytes});
  }
  // Also what a marker behind these segments aborts: none of its records counts as a key's newest.
  const Offset to = plan.sources.empty() ? plan.end : s.endOf(plan.sources.size() - 1);
  MILLRACE_TRY(plan.aborted, abortedTransactions(s.segments.front()->base(), to));
  for (const ProducerInfo& p : s.producers.list())
    plan.producers[p.producer_id] = {p.epoch, p.last_offset};
  return plan;
}

Status PartitionLog::State::putInPlace(const CompactedSegment& made) {
  const LogFiles cleaned{files.system, files.directory, std::string(kCleanedSuffix)};
  const LogFiles swap{files.system, files.directory, std::string(kSwapSuffix)};
  for (const FileKind kind : kIndexKinds)
    MILLRACE_CHECK_OK(
        renameIfThere(files.system, cleaned.path(made.base, kind), swap.path(made.base, kind)));
  MILLRACE_CHECK_OK(files.system.rename(cleaned.path(made.base, FileKind::kLog),
                                        swap.path(made.base, FileKind::kLog)));
  MILLRACE_CHECK_OK(files.system.syncDirectory(files.directory));

  auto at = std::ranges::find_if(segments, [&](const auto& s) { return s->base() == made.base; });
  const auto first = at - segments.begin();
  const auto count = static_cast<std::ptrdiff_t>(made.replaces.size());
  for (auto i = first; i < first + count; ++i)
    MILLRACE_CHECK_OK(doom(*segments[static_cast<std::size_t>(i)], 0));
  for (const FileKind kind : kIndexKinds)
    MILLRACE_CHECK_OK(
        renameIfThere(files.system, swap.path(made.base, kind), files.path(made.base, kind)));
  MILLRACE_CHECK_OK(files.system.rename(swap.path(made.base, FileKind::kLog),
                                        files.path(made.base, FileKind::kLog)));
  unsynced.change();
  auto segment = std::make_unique<Segment>(files, made.base);
  segment->setSize(made.size);
  segments[static_cast<std::size_t>(first)] = std::move(segment);
  segments.erase(segments.begin() + first + 1, segments.begin() + first + count);
  return {};
}

bool PartitionLog::State::stillFits(const CompactionPlan& plan) const {
  std::size_t i = 0;
  for (const auto& source : plan.sources) {
    while (i < segments.size() && segments[i]->base() < source.base) ++i;
    if (i == segments.size() || segments[i]->base() != source.base ||
        segments[i]->size() != source.size)
      return false;
  }
  return plan.end <= log.endOffset();
}

Status PartitionLog::compacted(const CompactionPlan& plan, const CompactionOutcome& outcome) {
  State& s = *state_;
  const FilesInUse use(s);
  if (!s.health) return s.health;
  const bool moved = plan.directory != directory_;
  if (moved || !s.stillFits(plan) || !config_.cleanup_compact) {
    // Truncated, deleted or no longer to be compacted: what was written is of no use.
    const LogFiles cleaned{s.files.system, plan.directory, std::string(kCleanedSuffix)};
    for (const auto& made : outcome.segments)
      for (const FileKind kind : kSegmentKinds)
        (void)s.files.system.remove(
            cleaned.path(made.base, kind));  // the next open does what is left
    return {};
  }
  // Markers go with the records they decide about: replayed from an earlier snapshot on, a
  // transaction would stay open for ever. Without one the log tells it all.
  if (!plan.sources.empty()) {
    const Offset end = s.endOf(s.indexFor(plan.sources.back().base));
    MILLRACE_CHECK_OK(s.finish(s.dropSnapshots(Offset{0}, end)));
  }
  for (const CompactedSegment& made : outcome.segments)
    MILLRACE_CHECK_OK(s.finish(s.putInPlace(made)));
  cleaned_to_.store(outcome.cleaned_to.value(), std::memory_order_release);
  s.publish(endOffset());
  return {};
}

void PartitionLog::workFailed(const Error& cause) {
  if (cause.code == Errc::kIo || cause.code == Errc::kNotFound)
    (void)state_->goOffline(cause);  // it is the caller's error already
}

Status PartitionLog::State::removeReplaced(Offset base, const std::vector<Offset>& old) {
  const LogFiles swap{files.system, files.directory, std::string(kSwapSuffix)};
  MILLRACE_TRY(const auto file,
               files.system.open(swap.path(base, FileKind::kLog), OpenMode::kRead));
  MILLRACE_TRY(const std::uint64_t size, file->size());
  BatchReader reader(*file, 0, size, 64 << 10);
  record::BatchView batch;
  Offset end = base + 1;
  for (;;) {
    // What was compacted is on disk; what was appended behind it since may be torn.
    const auto more = reader.next(batch);
    if (!more && more.error().code != Errc::kCorruptData) return std::unexpected(more.error());
    if (!more || !*more || !batch.checkCrc()) break;
    end = batch.nextOffset();
  }
  for (const Offset one : old)
    if (one >= base && one < end) MILLRACE_CHECK_OK(removeFiles(one));
  // The checkpoint file may not know of this run: the gaps it made are no crash's.
  options.cleaned_to = std::max(options.cleaned_to, std::min(end, options.recovery_point));
  return {};
}

/// Undoes or finishes what a crash left of putInPlace(). `names` are the directory's; returns those
/// that hold afterwards.
Result<std::vector<std::string>> PartitionLog::State::finishSwaps(std::vector<std::string> names) {
  std::set<Offset> unfinished;
  std::set<Offset> swapped;
  std::vector<Offset> plain;
  for (const std::string& name : names) {
    const auto parsed = parseFileName(name);
    if (!parsed || parsed->kind != FileKind::kLog) continue;
    if (parsed->extra == kCleanedSuffix) unfinished.insert(parsed->base);
    if (parsed->extra == kSwapSuffix) swapped.insert(parsed->base);
    if (parsed->extra.empty()) plain.push_back(parsed->base);
  }
  if (swapped.empty() &&
      std::ranges::none_of(names, [](const auto& n) { return n.ends_with(kSwapSuffix); }))
    return names;
  const LogFiles swap{files.system, files.directory, std::string(kSwapSuffix)};
  for (const Offset base : swapped) MILLRACE_CHECK_OK(removeReplaced(base, plain));
  for (const std::string& name : names) {
    const auto parsed = parseFileName(name);
    if (!parsed || parsed->extra != kSwapSuffix || parsed->kind == FileKind::kLog) continue;
    if (unfinished.contains(parsed->base)) {
      MILLRACE_CHECK_OK(files.system.remove(files.path(name)));
    } else {
      MILLRACE_CHECK_OK(
          files.system.rename(files.path(name), files.path(parsed->base, parsed->kind)));
    }
  }
  for (const Offset base : swapped)
    MILLRACE_CHECK_OK(
        files.system.rename(swap.path(base, FileKind::kLog), files.path(base, FileKind::kLog)));
  MILLRACE_CHECK_OK(files.system.syncDirectory(files.directory));
  return files.system.list(files.directory);
}

}  // namespace millrace::log
