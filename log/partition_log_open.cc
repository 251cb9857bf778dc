// Opening: find the files, trust or recover them, restore epochs.
#include "log/partition_log_state.h"
#include "log/segment_rescan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>

namespace millrace::log {

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
  return cut_found ? finishCut() : Status{};
}

Status PartitionLog::State::finishCut() {
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
  MILLRACE_CHECK_OK(epochs.save());
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
    if (rebuilt) ++recovery.rebuilt_indexes;
    MILLRACE_TRY(end, last.endAt(last.size()));
  }
  // A clean stop flushes everything: a header that says otherwise is damaged, and recovery tells
  // where.
  const Offset flushed = options.recovery_point;
  if (flushed == Offset{0} || end == flushed || log.startOffset() >= flushed) return end;
  return fail(Errc::kCorruptData, fmt::format("{} ends at offset {}, but the log was stopped at {}",
                                              last.path(), end.value(), flushed.value()));
}

Result<Offset> PartitionLog::State::recover() {
  const std::size_t first = indexFor(options.recovery_point);
  Offset next = segments[first]->base();
  bool sparse = false;
  // What was not flushed is taken from the batches alone.
  epochs.truncateFromEnd(options.recovery_point);
  for (std::size_t i = first; i < segments.size(); ++i) {
    std::uint64_t from = 0;
    Segment& segment = *segments[i];
    MILLRACE_TRY(const bool hole_before, isHole(next, i));
    if (i > first && !sparse && hole_before) {
      const std::uint64_t size = segments[i - 1]->size();
      const Error hole{Errc::kCorruptData,
                       fmt::format("{} begins at offset {}, the segment before ends at {}",
                                   segment.path(), segment.base().value(), next.value())};
      MILLRACE_CHECK_OK(cutBehind(i - 1, size, size, next, hole));
      return next;
    }
    if (i == first && options.recovery_point > segment.base() && !segment.indexesDistrusted()) {
      // What was flushed is sound, index included: begin at the last entry below the recovery
      // point, whose batch ends there.
      MILLRACE_TRY(const auto entry, segment.offsetIndex().floor(options.recovery_point - 1));
      MILLRACE_TRY(const auto believed, segment.believe(entry));
      from = believed ? believed->position : 0;
    }
    MILLRACE_TRY(next, recoverSegment(i, from, std::max(next, segment.base()), sparse));
  }
  return next;
}

namespace {

/// Whether offsets are missing between the sound batches of a segment.
Result<bool> isSparse(Segment& segment) {
  MILLRACE_TRY(const auto file, segment.file());
  BatchReader reader(*file, 0, segment.size(), 64 << 10);
  record::BatchView batch;
  Offset next = segment.base();
  for (;;) {
    const auto more = reader.next(batch);
    if (!more && more.error().code != Errc::kCorruptData) return std::unexpected(more.error());
    if (!more || !*more || !batch.checkCrc()) return false;
    if (batch.baseOffset() > next || batch.recordCount() != batch.lastOffsetDelta() + 1)
      return true;
    next = batch.nextOffset();
  }
}

}  // namespace

Result<bool> PartitionLog::State::isHole(Offset next, std::size_t index) const {
  if (next >= segments[index]->base() || next < options.recovery_point) return false;
  for (std::size_t i = index; i < segments.size(); ++i) {
    MILLRACE_TRY(const bool sparse, isSparse(*segments[i]));
    if (sparse) return false;
  }
  return true;
}

namespace {

/// Judges one segment's batches while they are scanned. Base offsets stand outside of the CRC, so a
/// damaged one shows only as a gap that what follows contradicts: such a gap is where the sound
/// part ends.
class OffsetCheck {
 public:
  /// `next` is the offset expected first; not below it where the scan begins inside the segment.
  /// Records below `compacted` may be missing.
  OffsetCheck(Offset base, Offset compacted, Offset next, bool inside = false)
      : base_(base), compacted_(compacted), next_(next), inside_(inside) {}

  Status look(const record::BatchView& batch, std::uint64_t position) {
    const std::int64_t span = batch.lastOffset() - base_;
    if (batch.baseOffset() < next_ || span > std::numeric_limits<std::int32_t>::max())
      return fail(Errc::kCorruptData,
                  fmt::format("offset {} behind {}", batch.baseOffset().value(), next_.value()));
    doubt_.reset();
    const bool gap = batch.baseOffset() > next_ && !inside_;
    inside_ = false;
    const bool sparse = gap || batch.recordCount() != batch.lastOffsetDelta() + 1;
    sparse_ = sparse_ || (sparse && batch.baseOffset() >= compacted_);
    if (gap && batch.baseOffset() >= compacted_) doubt_ = Doubt{position, next_};
    next_ = batch.nextOffset();
    return {};
  }

  [[nodiscard]] Offset next() const { return next_; }
  /// Whether records are missing behind what this log has flushed or compacted: Kafka compacts
  /// there.
  [[nodiscard]] bool sparse() const { return sparse_; }

  struct Doubt {
    std::uint64_t position;
    Offset next;
  };
  /// The gap in front of the last batch, if there is one that compaction cannot have left.
  [[nodiscard]] const std::optional<Doubt>& doubt() const { return doubt_; }

 private:
  Offset base_;
  Offset compacted_;
  Offset next_;
  bool inside_;
  bool sparse_ = false;
  std::optional<Doubt> doubt_;
};

}  // namespace

Result<Offset> PartitionLog::State::recoverSegment(std::size_t index, std::uint64_t from,
                                                   Offset next, bool& sparse) {
  Segment& segment = *segments[index];
  const bool last = index + 1 == segments.size();
  const std::uint64_t file_size = segment.size();
  recovery.scanned_bytes += file_size - from;
  const Offset flushed = options.recovery_point;
  const Offset compacted = std::max(flushed, options.cleaned_to);
  OffsetCheck check(segment.base(), compacted, next, from > 0);
  // Of the scan that counts.
  std::vector<EpochEntry> found;
  const auto visit = [&](const record::BatchView& batch, std::uint64_t position) -> Status {
    if (cut_to && batch.baseOffset() >= *cut_to)
      return fail(Errc::kCorruptData,
                  fmt::format("the log was to be cut at offset {}", cut_to->value()));
    MILLRACE_CHECK_OK(check.look(batch, position));
    if (found.empty() || found.back().epoch != batch.leaderEpoch())
      found.push_back({batch.leaderEpoch(), batch.baseOffset()});
    return {};
  };
  Status scanned = segment.rescan(from, file_size, log.config_, visit);
  if (!scanned && scanned.error().code == Errc::kCorruptData && from > 0) {
    // The index may have pointed between batches; the log itself decides, from its beginning.
    check = OffsetCheck(segment.base(), compacted, segment.base());
    found.clear();
    scanned = segment.rescan(0, file_size, log.config_, visit);
  }
  if (!scanned && scanned.error().code != Errc::kCorruptData)
    return std::unexpected(scanned.error());
  for (const EpochEntry& e : found) epochs.assign(e.epoch, e.start_offset);
  next = check.next();
  sparse = sparse || check.sparse();
  std::uint64_t sound = segment.size();
  const bool contradicted = last || !scanned || next > segments[index + 1]->base();
  if (check.doubt() && contradicted && check.doubt()->next >= flushed) {
    sound = check.doubt()->position;
    next = check.doubt()->next;
    if (scanned)
      scanned =
          fail(Errc::kCorruptData, fmt::format("{} at position {}: a gap in front of offset {}",
                                               segment.path(), sound, check.next().value()));
  }
  if (!scanned && next < flushed)
    return fail(Errc::kCorruptData, fmt::format("{}; it was on disk: records up to {} were flushed",
                                                scanned.error().detail, flushed.value()));
  if (!scanned) MILLRACE_CHECK_OK(cutBehind(index, sound, file_size, next, scanned.error()));
  const bool sealed = index + 1 < segments.size();
  MILLRACE_CHECK_OK(sealed ? segment.seal() : segment.saveIndexes(false));
  return next;
}

Status PartitionLog::State::cutBehind(std::size_t index, std::uint64_t sound,
                                      std::uint64_t file_size, Offset next, const Error& damage) {
  MILLRACE_TRY(const bool blank, segments[index]->isBlankFrom(sound));
  if (!blank || !log.config_.preallocate || index + 1 < segments.size()) {
    recovery.truncated_bytes += file_size - sound;
    recovery.damage = damage.detail;
  }
  for (std::size_t i = index + 1; i < segments.size(); ++i)
    recovery.truncated_bytes += segments[i]->size();
  // On disk before anything new is written here: after another crash the old bytes must not stand
  // behind new ones.
  MILLRACE_CHECK_OK(beginCut());
  MILLRACE_CHECK_OK(dropBehind(index));
  MILLRACE_CHECK_OK(truncateAndSync(*segments[index], sound, next));
  return cut_found ? Status{} : endCut();
}

Status PartitionLog::State::rebuildEpochs() {
  for (const auto& segment : segments) {
    if (segment->size() == 0) continue;
    MILLRACE_TRY(const auto file, segment->file());
    BatchReader reader(*file, 0, segment->size(), 64 << 10);
    BatchReader::Head head;
    Offset next = segment->base();
    for (;;) {
      // What was not flushed is recovery's to judge: a torn header may say anything.
      if (!options.clean_shutdown && next >= options.recovery_point) return {};
      MILLRACE_TRY(const bool more, reader.nextHead(head));
      if (!more || head.base_offset < next) break;
      if (!options.clean_shutdown && head.base_offset >= options.recovery_point) return {};
      next = head.last_offset + 1;
      epochs.assign(head.leader_epoch, head.base_offset);
    }
  }
  return {};
}

}  // namespace millrace::log
