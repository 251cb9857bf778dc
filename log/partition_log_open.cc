// Opening: find the files, trust or recover them, restore epochs.
#include "log/own_segments.h"
#include "log/partition_log_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

namespace millrace::log {
namespace {

void noteMove(std::string_view name, RecoveryInfo& recovery) {
  recovery.moving = recovery.moving || name == kMovingMarker;
  recovery.moved = recovery.moved || name == kMovedMarker;
}

}  // namespace

Status PartitionLog::State::open() {
  auto names = files.system.list(files.directory);
  absent = !names && names.error().code == Errc::kNotFound;
  if (absent) return openAbsent();
  if (!names) return std::unexpected(names.error());
  MILLRACE_TRY(const auto settled, finishSwaps(std::move(*names)));
  MILLRACE_CHECK_OK(findFiles(settled));
  if (cut_found) MILLRACE_CHECK_OK(loadCut());
  MILLRACE_CHECK_OK(loadTopicId());
  const auto loaded = epochs.load();
  if (!loaded && loaded.error().code != Errc::kCorruptData) return std::unexpected(loaded.error());
  if (!loaded || !*loaded) {
    epochs.clear();
    MILLRACE_CHECK_OK(rebuildEpochs());
  }
  MILLRACE_CHECK_OK(trustOrRecover());
  MILLRACE_CHECK_OK(disownAbove(log.endOffset()));
  if (!cut_found) return {};
  MILLRACE_CHECK_OK(truncateAndSync(active(), active().size(), log.endOffset()));
  unsynced.change();
  MILLRACE_CHECK_OK(syncNames());
  return endCut();
}

Status PartitionLog::State::openAbsent() {
  topic_id = options.topic_id;
  const Offset start = options.log_start_offset;
  segments.push_back(std::make_unique<Segment>(files, start));
  recovery.clean = options.clean_shutdown;
  log.log_start_offset_.store(start.value());
  log.recovery_point_.store(start.value());
  log.high_watermark_.store(start.value());
  publish(start);
  publishStable();
  return {};
}

Status PartitionLog::State::makeDirectory() {
  if (!absent) return {};
  // Never the data directory: where it is gone, the log would end up on another disk.
  MILLRACE_TRY(const bool present, files.system.exists(files.parent()));
  if (!present) return fail(Errc::kNotFound, files.parent() + " is not there any more");
  MILLRACE_CHECK_OK(files.system.createDirectories(files.directory));
  if (!topic_id.isZero()) MILLRACE_CHECK_OK(writePartitionMetadata(files, topic_id));
  absent = false;
  unsynced.changeDirectory();
  return {};
}

Status PartitionLog::State::loadTopicId() {
  auto id = readPartitionMetadata(files);
  // The first flush puts this file on disk together with the records. Before it, a crash of the
  // machine may leave the name without its content.
  const bool flushed =
      options.clean_shutdown || cut_to || options.recovery_point > segments.front()->base();
  if (!id && id.error().code == Errc::kCorruptData && !flushed) {
    MILLRACE_CHECK_OK(files.system.remove(files.path(kPartitionMetadata)));
    id = std::nullopt;
  }
  if (!id) return std::unexpected(id.error());
  topic_id = id->value_or(options.topic_id);
  recovery.ownerless = topic_id.isZero() && !flushed;
  if (*id || topic_id.isZero()) return {};
  unsynced.changeDirectory();
  return flushed ? files.system.writeAtomically(files.path(kPartitionMetadata),
                                                partitionMetadata(topic_id))
                 : writePartitionMetadata(files, topic_id);
}

Status PartitionLog::State::findFiles(const std::vector<std::string>& names) {
  std::set<std::pair<Offset, FileKind>> indexes;
  for (const std::string& name : names) {
    const auto parsed = parseFileName(name);
    const bool temporary = name.ends_with(kTemporarySuffix);
    if (temporary ||
        (parsed && (parsed->extra == kDeletedSuffix || parsed->extra == kCleanedSuffix))) {
      MILLRACE_CHECK_OK(files.system.remove(files.path(name)));
      continue;
    }
    cut_found = cut_found || name == kCutMarker;
    noteMove(name, recovery);
    if (name == kOwnSegments) {
      MILLRACE_TRY(own_from, readOwnSegments(files));
    }
    if (!parsed || !parsed->extra.empty()) continue;
    if (parsed->kind == FileKind::kSnapshot) {
      snapshots.push_back(parsed->base);
      continue;
    }
    if (parsed->kind != FileKind::kLog) {
      indexes.emplace(parsed->base, parsed->kind);
      continue;
    }
    auto segment = std::make_unique<Segment>(files, parsed->base);
    MILLRACE_TRY(const auto file, segment->file());
    MILLRACE_TRY(const std::uint64_t size, file->size());
    if (size > std::numeric_limits<std::int32_t>::max())
      return fail(Errc::kCorruptData, fmt::format("{} has {} bytes", segment->path(), size));
    segment->setSize(size);
    // Most segments are not looked at again while opening.
    MILLRACE_CHECK_OK(segment->release());
    segments.push_back(std::move(segment));
  }
  std::ranges::sort(snapshots);
  std::ranges::sort(segments, {}, [](const auto& s) { return s->base(); });
  if (segments.empty())
    segments.push_back(std::make_unique<Segment>(files, options.log_start_offset));
  return matchIndexes(std::move(indexes));
}

Status PartitionLog::State::matchIndexes(std::set<std::pair<Offset, FileKind>> indexes) {
  for (const auto& segment : segments) {
    const bool offsets = indexes.erase({segment->base(), FileKind::kOffsetIndex}) > 0;
    const bool times = indexes.erase({segment->base(), FileKind::kTimeIndex}) > 0;
    if (!offsets) segment->offsetIndex().entries().knowAbsent();
    if (!times) segment->timeIndex().entries().knowAbsent();
    if (!offsets || !times) segment->distrustIndexes();
    indexes.erase({segment->base(), FileKind::kTxnIndex});
  }
  // A crash between the removal of a log file and of its indexes: a new segment must not find them.
  for (const auto& [base, kind] : indexes)
    MILLRACE_CHECK_OK(files.system.remove(files.path(base, kind)));
  return {};
}

Status PartitionLog::State::trustOrRecover() {
  const Offset first = segments.front()->base();
  log.log_start_offset_.store(std::max(options.log_start_offset, first).value());
  log.recovery_point_.store(options.recovery_point.value());
  recovery.clean = options.clean_shutdown;
  Result<Offset> end = options.clean_shutdown ? readEnd() : recover();
  if (!end && options.clean_shutdown && end.error().code == Errc::kCorruptData) {
    recovery.clean = false;
    end = recover();
  }
  if (!end) return std::unexpected(end.error());
  MILLRACE_CHECK_OK(checkReaches(*end));
  // What a dead process named or wrote may not be on disk.
  if (!recovery.clean) unsynced.changeAll();
  publish(*end);
  log.cleaned_to_.store(std::min(options.cleaned_to, *end).value());
  recovery.ownerless = recovery.ownerless && *end > Offset{0};
  if (log.startOffset() > *end) return truncateFully(log.startOffset());

  epochs.truncateFromStart(log.startOffset());
  epochs.truncateFromEnd(*end);
  MILLRACE_CHECK_OK(epochs.saveBelow(*end));
  // A snapshot above the recovery point says nothing about the transaction index, which is built
  // anew from there on.
  const Offset trusted = recovery.clean ? *end : options.recovery_point;
  MILLRACE_CHECK_OK(dropSnapshots(trusted + 1, Offset{std::numeric_limits<std::int64_t>::max()}));
  MILLRACE_TRY(const Offset high, batchStart(std::min(options.high_watermark, *end)));
  log.high_watermark_.store(std::max(high, log.startOffset()).value());
  MILLRACE_CHECK_OK(loadProducers(*end, recovery.clean ? std::nullopt : std::optional(trusted)));
  // Not more, where the log begins above it: a power failure may bring back what was removed there,
  // and that was never flushed.
  log.recovery_point_.store(trusted.value());
  unflushed_bytes = recovery.clean ? 0 : recovery.scanned_bytes;
  producers.onHighWatermark(log.highWatermark());
  publishStable();
  for (const auto& segment : segments) {
    MILLRACE_CHECK_OK(segment->release());
  }
  return {};
}

Status PartitionLog::State::checkReaches(Offset end) const {
  // Flushed records below the log start offset are not missed: a crash may have ended their
  // removal.
  if (end >= options.recovery_point || log.startOffset() >= options.recovery_point) return {};
  return fail(Errc::kCorruptData,
              fmt::format("{} ends at offset {}, but records up to {} were flushed",
                          segments.back()->path(), end.value(), options.recovery_point.value()));
}

Result<Offset> PartitionLog::State::batchStart(Offset offset) {
  if (offset <= log.startOffset() || offset >= log.endOffset()) return offset;
  Segment& segment = *segments[indexFor(offset)];
  MILLRACE_TRY(const std::uint64_t position, segment.locate(offset));
  if (position >= segment.size()) return offset;
  MILLRACE_TRY(const auto head, segment.headAt(position));
  return std::min(offset, head.base_offset);
}

Result<Offset> PartitionLog::State::readEnd() {
  Segment& last = active();
  Offset end = last.base();
  if (last.size() > 0) {
    MILLRACE_TRY(const bool rebuilt, last.checkIndexes(log.config_));
    if (rebuilt) {
      ++recovery.rebuilt_indexes;
      unsynced.change();
    }
    MILLRACE_TRY(end, last.endAt(last.size()));
  }
  // A clean stop flushes everything: a header that says otherwise is damaged, and recovery tells
  // where.
  const Offset flushed = options.recovery_point;
  if (flushed == Offset{0} || end == flushed || log.startOffset() >= flushed) {
    last.knowSealed();
    return end;
  }
  return fail(Errc::kCorruptData, fmt::format("{} ends at offset {}, but the log was stopped at {}",
                                              last.path(), end.value(), flushed.value()));
}

}  // namespace millrace::log
