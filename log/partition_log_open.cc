// Opening: find the files, trust or recover them, restore producers and epochs.
#include "log/partition_log_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace millrace::log {

Status PartitionLog::State::open() {
  auto names = files.system.list(files.directory);
  absent = !names && names.error().code == Errc::kNotFound;
  if (absent) return openAbsent();
  if (!names) return std::unexpected(names.error());
  MILLRACE_TRY(const auto settled, finishSwaps(std::move(*names)));
  MILLRACE_CHECK_OK(findFiles(settled));
  log.cleaned_to_.store(options.cleaned_to.value());
  MILLRACE_CHECK_OK(loadTopicId());
  if (const Status loaded = epochs.load(); !loaded) {
    if (loaded.error().code != Errc::kCorruptData) return loaded;
    epochs.clear();
    MILLRACE_CHECK_OK(rebuildEpochs());
  }
  return trustOrRecover();
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
  fresh = true;
  names_changed = true;
  return {};
}

Status PartitionLog::State::loadTopicId() {
  auto id = readPartitionMetadata(files);
  // The first flush puts this file on disk together with the records. Before it, a crash of the
  // machine may leave the name without its content.
  const bool flushed = options.clean_shutdown || options.recovery_point > segments.front()->base();
  if (!id && id.error().code == Errc::kCorruptData && !flushed) id = std::nullopt;
  if (!id) return std::unexpected(id.error());
  topic_id = id->value_or(options.topic_id);
  if (*id || topic_id.isZero()) return {};
  fresh = true;
  names_changed = true;
  return writePartitionMetadata(files, topic_id);
}

Status PartitionLog::State::findFiles(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const auto parsed = parseFileName(name);
    const bool temporary = name.ends_with(kTemporarySuffix);
    if (temporary ||
        (parsed && (parsed->extra == kDeletedSuffix || parsed->extra == kCleanedSuffix))) {
      MILLRACE_CHECK_OK(files.system.remove(files.path(name)));
      continue;
    }
    if (!parsed || !parsed->extra.empty()) continue;
    if (parsed->kind == FileKind::kSnapshot) snapshots.push_back(parsed->base);
    if (parsed->kind != FileKind::kLog) continue;
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
  publish(*end);
  if (log.startOffset() > *end) return truncateFully(log.startOffset());

  epochs.truncateFromStart(log.startOffset());
  epochs.truncateFromEnd(*end);
  MILLRACE_CHECK_OK(epochs.save());
  MILLRACE_CHECK_OK(dropSnapshots(*end + 1, Offset{std::numeric_limits<std::int64_t>::max()}));
  MILLRACE_CHECK_OK(loadProducers(*end, !recovery.clean));
  const Offset synced = recovery.clean ? *end : std::min(options.recovery_point, *end);
  log.recovery_point_.store(std::max(synced, first).value());
  log.high_watermark_.store(std::clamp(options.high_watermark, log.startOffset(), *end).value());
  unflushed_bytes = recovery.clean ? 0 : recovery.scanned_bytes;
  producers.onHighWatermark(log.highWatermark());
  publishStable();
  for (const auto& segment : segments) {
    MILLRACE_CHECK_OK(segment->release());
  }
  return {};
}

Result<Offset> PartitionLog::State::readEnd() {
  Segment& last = active();
  if (last.size() == 0) return last.base();
  MILLRACE_TRY(const bool rebuilt, last.checkIndexes(log.config_));
  if (rebuilt) ++recovery.rebuilt_indexes;
  MILLRACE_TRY(const auto entry, last.offsetIndex().last());
  MILLRACE_TRY(const auto file, last.file());
  BatchReader reader(*file, entry ? entry->position : 0, last.size());
  BatchReader::Head head;
  Offset end = last.base();
  for (;;) {
    MILLRACE_TRY(const bool more, reader.nextHead(head));
    if (!more) return end;
    end = head.last_offset + 1;
  }
}

Result<Offset> PartitionLog::State::recover() {
  const std::size_t first = indexFor(options.recovery_point);
  Offset next = segments[first]->base();
  for (std::size_t i = first; i < segments.size(); ++i) {
    std::uint64_t from = 0;
    Segment& segment = *segments[i];
    if (i == first && options.recovery_point > segment.base()) {
      // What was flushed is sound, index included: begin at the last entry below the recovery
      // point.
      const auto entry = segment.offsetIndex().floor(options.recovery_point);
      if (entry && entry->position < segment.size()) from = entry->position;
    }
    MILLRACE_TRY(next, recoverSegment(i, from, std::max(next, segment.base())));
  }
  return next;
}

namespace {

/// Judges one segment's batches while they are scanned. Base offsets stand outside of the CRC, so a
/// damaged one shows only as a gap that what follows contradicts: such a gap is where the sound
/// part ends.
class OffsetCheck {
 public:
  OffsetCheck(Offset base, Offset next) : base_(base), next_(next) {}

  Status look(const record::BatchView& batch, std::uint64_t position) {
    const std::int64_t span = batch.lastOffset() - base_;
    if (batch.baseOffset() < next_ || batch.lastOffset() < batch.baseOffset() ||
        span > std::numeric_limits<std::int32_t>::max())
      return fail(Errc::kCorruptData,
                  fmt::format("offset {} behind {}", batch.baseOffset().value(), next_.value()));
    doubt_.reset();
    if (batch.baseOffset() > next_) doubt_ = Doubt{position, next_};
    next_ = batch.nextOffset();
    return {};
  }

  [[nodiscard]] Offset next() const { return next_; }

  struct Doubt {
    std::uint64_t position;
    Offset next;
  };
  /// The gap in front of the last batch, if there is one.
  [[nodiscard]] const std::optional<Doubt>& doubt() const { return doubt_; }

 private:
  Offset base_;
  Offset next_;
  std::optional<Doubt> doubt_;
};

}  // namespace

Result<Offset> PartitionLog::State::recoverSegment(std::size_t index, std::uint64_t from,
                                                   Offset next) {
  Segment& segment = *segments[index];
  const bool last = index + 1 == segments.size();
  const std::uint64_t file_size = segment.size();
  recovery.scanned_bytes += file_size - from;
  OffsetCheck check(segment.base(), next);
  const auto visit = [&](const record::BatchView& batch, std::uint64_t position) -> Status {
    MILLRACE_CHECK_OK(check.look(batch, position));
    epochs.assign(batch.leaderEpoch(), batch.baseOffset());
    return {};
  };
  Status scanned = segment.rescan(from, file_size, log.config_, visit);
  if (!scanned && scanned.error().code == Errc::kCorruptData && from > 0) {
    // The index may have pointed between batches; the log itself decides, from its beginning.
    check = OffsetCheck(segment.base(), segment.base());
    scanned = segment.rescan(0, file_size, log.config_, visit);
  }
  if (!scanned && scanned.error().code != Errc::kCorruptData)
    return std::unexpected(scanned.error());
  next = check.next();
  std::uint64_t sound = segment.size();
  const bool contradicted = last || !scanned || next > segments[index + 1]->base();
  if (check.doubt() && contradicted && check.doubt()->next >= options.recovery_point) {
    sound = check.doubt()->position;
    next = check.doubt()->next;
    if (scanned)
      scanned =
          fail(Errc::kCorruptData, fmt::format("{} at position {}: a gap in front of offset {}",
                                               segment.path(), sound, check.next().value()));
  }
  if (!scanned && next < options.recovery_point)
    return fail(Errc::kCorruptData,
                fmt::format("{}; it was on disk: records up to {} were flushed",
                            scanned.error().detail, options.recovery_point.value()));
  if (!scanned) MILLRACE_CHECK_OK(cutBehind(index, sound, file_size, next, scanned.error()));
  if (index + 1 < segments.size()) {
    MILLRACE_CHECK_OK(segment.seal());
  } else {
    MILLRACE_CHECK_OK(segment.saveIndexes(false));
  }
  return next;
}

Status PartitionLog::State::cutBehind(std::size_t index, std::uint64_t sound,
                                      std::uint64_t file_size, Offset next, const Error& damage) {
  MILLRACE_TRY(const bool blank, segments[index]->isBlankFrom(sound));
  if (!blank || !log.config_.preallocate || index + 1 < segments.size()) {
    recovery.truncated_bytes += file_size - sound;
    recovery.damage = damage.detail;
  }
  MILLRACE_CHECK_OK(segments[index]->truncate(sound, next));
  for (std::size_t i = index + 1; i < segments.size(); ++i) {
    recovery.truncated_bytes += segments[i]->size();
    MILLRACE_CHECK_OK(removeFiles(segments[i]->base()));
  }
  segments.resize(index + 1);
  return {};
}

Status PartitionLog::State::rebuildEpochs() {
  for (const auto& segment : segments) {
    if (segment->size() == 0) continue;
    MILLRACE_TRY(const auto file, segment->file());
    BatchReader reader(*file, 0, segment->size(), 64 << 10);
    BatchReader::Head head;
    for (;;) {
      const auto more = reader.nextHead(head);
      if (!more || !*more) break;  // damage is recovery's to judge
      epochs.assign(head.leader_epoch, head.base_offset);
    }
  }
  return {};
}

Status PartitionLog::State::loadProducers(Offset end, bool rebuild_transactions) {
  producers.clear();
  producers.setNow(options.now_ms);
  Offset from = log.startOffset();
  while (!snapshots.empty()) {
    const Offset at = snapshots.back();
    const auto bytes = files.system.readAll(files.path(at, FileKind::kSnapshot));
    if (!bytes && bytes.error().code != Errc::kNotFound) return std::unexpected(bytes.error());
    if (bytes && at <= end && producers.loadSnapshot(*bytes)) {
      from = std::max(from, at);
      if (options.now_ms > 0)
        producers.expire(options.now_ms, log.config_.producer_id_expiration_ms);
      break;
    }
    MILLRACE_CHECK_OK(dropSnapshots(at, at + 1));
  }
  producers.onLogStart(log.startOffset());
  MILLRACE_CHECK_OK(replayProducers(from, end, rebuild_transactions));
  return {};
}

Status PartitionLog::State::replayProducers(Offset from, Offset end, bool rebuild_transactions) {
  if (from >= end) return {};
  if (rebuild_transactions) {
    for (std::size_t i = indexFor(from); i < segments.size(); ++i)
      MILLRACE_CHECK_OK(segments[i]->txnIndex().truncateToOffset(from));
  }
  Bytes bytes;
  return walk(
      from, end, [&](Segment& segment, const File& file, const BatchReader::Head& head) -> Status {
        if (head.producer_id <= record::kNoProducerId) return {};
        // Data batches need no more than their header, but the view checks its length: read it
        // whole only for markers.
        bytes.resize(head.size);
        MILLRACE_TRY(const std::size_t got, file.read(head.position, bytes.data(), bytes.size()));
        if (got != bytes.size())
          return fail(Errc::kCorruptData, segment.path() + " ends inside a batch");
        MILLRACE_TRY(const auto batch, record::BatchView::parse(bytes));
        if (!head.isControl()) {
          producers.addData(batch, head.base_offset, head.last_offset, head.max_timestamp);
          return {};
        }
        Bytes scratch;
        MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
        record::RecordView record;
        if (!cursor.next(record)) return {};
        const auto marker = record::parseEndTxnMarker(record);
        if (!marker) return {};  // another control record: no transaction's end
        const auto aborted = producers.addMarker(batch, head.last_offset, *marker);
        if (aborted && rebuild_transactions) {
          MILLRACE_CHECK_OK(segment.txnIndex().append(*aborted));
          MILLRACE_CHECK_OK(segment.txnIndex().entries().save());
        }
        return {};
      });
}

}  // namespace millrace::log
