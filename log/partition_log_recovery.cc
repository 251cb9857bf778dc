// Recovery after an unclean stop: what was not flushed is scanned batch by batch, and the log ends
// at the first that is not sound. Damage of what was flushed is an error.
#include "log/partition_log_state.h"
#include "log/segment_rescan.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::log {

Result<Segment::Boundary> PartitionLog::State::flushedPart(Segment& segment) {
  const Offset flushed = options.recovery_point;
  const Segment::Boundary nothing{0, segment.base()};
  if (segment.indexesDistrusted()) return nothing;
  MILLRACE_TRY(const auto entry, segment.offsetIndex().floor(flushed - 1));
  MILLRACE_TRY(const auto believed, segment.believe(entry));
  if (entry && !believed) return nothing;
  const auto behind = segment.locate(flushed);
  const auto end =
      behind ? segment.endAt(*behind) : Result<Offset>(std::unexpected(behind.error()));
  if (!end && end.error().code != Errc::kCorruptData) return std::unexpected(end.error());
  Segment::Boundary known = nothing;
  if (end && *end == flushed) {
    known = {*behind, flushed};
  } else if (believed) {
    // Compaction left nothing there; or a header in between is damaged: the scan is to say which.
    known = {believed->position, believed->base_offset};
  }
  MILLRACE_TRY(const bool fit, segment.indexesFit(known));
  if (fit) return known;
  segment.distrustIndexes();
  return nothing;
}

Result<Offset> PartitionLog::State::recover() {
  const std::size_t first = indexFor(options.recovery_point);
  Offset next = segments[first]->base();
  bool sparse = false;
  // What was not flushed is taken from the batches alone.
  epochs.truncateFromEnd(options.recovery_point);
  for (std::size_t i = first; i < segments.size(); ++i) {
    Segment& segment = *segments[i];
    Segment::Boundary from{0, std::max(next, segment.base())};
    bool hole_before = false;
    if (i > first) {
      MILLRACE_TRY(hole_before, isHole(next, i, sparse));
    }
    if (hole_before) {
      const std::uint64_t size = segments[i - 1]->size();
      const Error hole{Errc::kCorruptData,
                       fmt::format("{} begins at offset {}, the segment before ends at {}",
                                   segment.path(), segment.base().value(), next.value())};
      MILLRACE_CHECK_OK(cutBehind(i - 1, size, size, next, hole));
      return next;
    }
    if (i == first && options.recovery_point > segment.base()) {
      MILLRACE_TRY(from, flushedPart(segment));
    }
    MILLRACE_TRY(next, recoverSegment(i, from, sparse));
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

Result<bool> PartitionLog::State::isHole(Offset next, std::size_t index, bool sparse) const {
  const Offset base = segments[index]->base();
  if (next >= base || next < options.recovery_point) return false;
  // More than a segment's end: a leader's compaction (see rollIfNeeded).
  const bool wide = base - next > std::numeric_limits<std::int32_t>::max();
  if (wide && segments[index]->size() > 0) return false;
  if (own_from && next >= *own_from) return true;
  if (sparse) return false;
  for (std::size_t i = index; i < segments.size(); ++i) {
    MILLRACE_TRY(const bool gaps, isSparse(*segments[i]));
    if (gaps) return false;
  }
  return true;
}

namespace {

/// One scan of a segment: judges its batches. Base offsets stand outside of the CRC, so a damaged
/// one shows only as a gap that what follows contradicts: such a gap is where the sound part ends.
/// A compacted topic's last batch may have one in front all the same.
class SegmentScan {
 public:
  struct Bounds {
    Offset base;
    /// Records below may be missing.
    Offset compacted;
    /// Above, too: batches may come from a leader that compacts.
    bool gaps;
    /// The log is to be cut there.
    std::optional<Offset> cut_to;
  };
  /// `next` is the offset expected first.
  SegmentScan(const Bounds& bounds, Offset next) : bounds_(bounds), next_(next) {}

  Status look(const record::BatchView& batch, std::uint64_t position) {
    const Offset first = batch.baseOffset();
    if (bounds_.cut_to && first >= *bounds_.cut_to)
      return fail(Errc::kCorruptData,
                  fmt::format("the log was to be cut at offset {}", bounds_.cut_to->value()));
    const std::int64_t span = batch.lastOffset() - bounds_.base;
    if (first < next_ || span > std::numeric_limits<std::int32_t>::max())
      return fail(Errc::kCorruptData,
                  fmt::format("offset {} behind {}", first.value(), next_.value()));
    doubt_.reset();
    const bool gap = first > next_;
    const bool sparse = gap || batch.recordCount() != batch.lastOffsetDelta() + 1;
    sparse_ = sparse_ || (sparse && first >= bounds_.compacted);
    if (gap && first >= bounds_.compacted && !bounds_.gaps) doubt_ = Doubt{position, next_};
    next_ = batch.nextOffset();
    if (epochs_.empty() || epochs_.back().epoch != batch.leaderEpoch())
      epochs_.push_back({batch.leaderEpoch(), first});
    return {};
  }

  [[nodiscard]] Offset next() const { return next_; }
  /// Whether records are missing behind what this log has flushed or compacted: Kafka compacts
  /// there.
  [[nodiscard]] bool sparse() const { return sparse_; }
  [[nodiscard]] const std::vector<EpochEntry>& epochs() const { return epochs_; }

  struct Doubt {
    std::uint64_t position;
    Offset next;
  };
  /// The gap in front of the last batch, if there is one that compaction cannot have left.
  [[nodiscard]] const std::optional<Doubt>& doubt() const { return doubt_; }

 private:
  Bounds bounds_;
  Offset next_;
  bool sparse_ = false;
  std::optional<Doubt> doubt_;
  std::vector<EpochEntry> epochs_;
};

struct Scanned {
  SegmentScan scan;
  Status status;
  /// The indexes were begun anew.
  bool anew = false;
};

/// Scans from `from` on; all of it where that is not sure to be a boundary, and meets damage. Where
/// something was flushed, indexes are not written over: nobody would sync them again.
Result<Scanned> scanSegment(Segment& segment, Segment::Boundary from, Offset flushed,
                            const SegmentScan::Bounds& bounds, const LogConfig& config) {
  const std::uint64_t file_size = segment.size();
  for (;;) {
    const bool anew = from.position == 0 && segment.base() < flushed;
    if (anew) MILLRACE_CHECK_OK(segment.beginIndexes());
    const Status prepared = segment.cutIndexes(from);
    if (!prepared && (prepared.error().code != Errc::kCorruptData || from.position == 0))
      return std::unexpected(prepared.error());
    if (!prepared) {
      // In front of `from`: the scan from the beginning tells what it is.
      from = {0, segment.base()};
      continue;
    }
    SegmentScan scan(bounds, from.next);
    Status done = segment.rescan(
        from, file_size, config,
        [&](const record::BatchView& batch, std::uint64_t at) { return scan.look(batch, at); });
    if (!done && done.error().code != Errc::kCorruptData) return std::unexpected(done.error());
    if (done || from.position == 0 || from.next >= flushed)
      return Scanned{std::move(scan), std::move(done), anew};
    from = {0, segment.base()};
  }
}

}  // namespace

Result<Offset> PartitionLog::State::recoverSegment(std::size_t index, Segment::Boundary from,
                                                   bool& sparse) {
  Segment& segment = *segments[index];
  const bool last = index + 1 == segments.size();
  const std::uint64_t file_size = segment.size();
  recovery.scanned_bytes += file_size - from.position;
  const Offset flushed = options.recovery_point;
  MILLRACE_TRY(auto outcome, scanSegment(segment, from, flushed,
                                         {.base = segment.base(),
                                          .compacted = std::max(flushed, options.cleaned_to),
                                          .gaps = log.config_.cleanup_compact,
                                          .cut_to = cut_to},
                                         log.config_));
  auto& [scan, scanned, anew] = outcome;
  for (const EpochEntry& e : scan.epochs()) epochs.assign(e.epoch, e.start_offset);
  Offset next = scan.next();
  sparse = sparse || scan.sparse();
  std::uint64_t sound = segment.size();
  const bool contradicted = last || !scanned || next > segments[index + 1]->base();
  if (scan.doubt() && contradicted && scan.doubt()->next >= flushed) {
    sound = scan.doubt()->position;
    next = scan.doubt()->next;
    if (scanned)
      scanned =
          fail(Errc::kCorruptData, fmt::format("{} at position {}: a gap in front of offset {}",
                                               segment.path(), sound, scan.next().value()));
  }
  if (!scanned && next < flushed)
    return fail(Errc::kCorruptData, fmt::format("{}; it was on disk: records up to {} were flushed",
                                                scanned.error().detail, flushed.value()));
  if (!scanned) MILLRACE_CHECK_OK(cutBehind(index, sound, file_size, next, scanned.error()));
  const bool sealed = index + 1 < segments.size();
  MILLRACE_CHECK_OK(sealed ? segment.seal() : segment.saveIndexes(false));
  if (anew) MILLRACE_CHECK_OK(segment.settleIndexes());
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

namespace {

/// The batch of a header that decides where others stop to look: damage in it must not.
Status checkWhole(Segment& segment, const BatchReader::Head& head) {
  MILLRACE_TRY(const auto file, segment.file());
  BatchReader reader(*file, head.position, head.position + head.size, head.size);
  record::BatchView batch;
  MILLRACE_TRY(const bool more, reader.next(batch));
  const Status sound = more ? batch.checkCrc() : Status{};
  if (sound) return {};
  return fail(Errc::kCorruptData, fmt::format("{} at position {}: {}", segment.path(),
                                              head.position, sound.error().detail));
}

}  // namespace

Status PartitionLog::State::rebuildEpochs() {
  // What was not flushed is recovery's to judge: a torn header may say anything.
  const Offset flushed = options.clean_shutdown ? Offset{std::numeric_limits<std::int64_t>::max()}
                                                : options.recovery_point;
  for (const auto& segment : segments) {
    if (segment->base() >= flushed) return {};
    if (segment->size() == 0) continue;
    MILLRACE_TRY(const auto file, segment->file());
    BatchReader reader(*file, 0, segment->size(), 64 << 10);
    BatchReader::Head head;
    Offset next = segment->base();
    for (;;) {
      MILLRACE_TRY(const bool more, reader.nextHead(head));
      if (!more) break;
      if (head.base_offset >= flushed) return {};
      // Epochs that miss what comes behind must not be written down.
      if (head.base_offset < next)
        return fail(Errc::kCorruptData,
                    fmt::format("{} at position {}: offset {} behind {}", segment->path(),
                                head.position, head.base_offset.value(), next.value()));
      epochs.assign(head.leader_epoch, head.base_offset);
      next = head.last_offset + 1;
      if (next >= flushed) return checkWhole(*segment, head);
    }
  }
  return {};
}

}  // namespace millrace::log
