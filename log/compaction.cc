#include "log/compaction.h"

#include "base/uuid.h"
#include "log/compaction_map.h"
#include "log/compaction_rules.h"
#include "log/segment.h"
#include "record/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace millrace::log {
namespace {

/// Writes one compacted segment.
class Writer {
 public:
  Writer(const LogFiles& files, Offset base, const LogConfig& config, std::size_t buffer_bytes)
      : config_(config), buffer_bytes_(buffer_bytes), segment_(files, base) {}

  Status add(BytesView batch) {
    const record::BatchView view = *record::BatchView::parse(batch);
    written_.push_back({view.baseOffset(), view.lastOffset(), view.maxTimestamp(),
                        static_cast<std::uint32_t>(batch.size())});
    buffer_.append(batch);
    return buffer_.size() < buffer_bytes_ ? Status{} : flush();
  }
  Status noteAborted(const AbortedTransaction& txn) { return segment_.txnIndex().append(txn); }

  /// Everything on disk. An empty transaction index is written, too, where `txn_index`: it must
  /// replace the old one.
  Status finish(bool txn_index) {
    MILLRACE_CHECK_OK(flush());
    MILLRACE_CHECK_OK(segment_.file());
    MILLRACE_CHECK_OK(segment_.seal());
    if (txn_index) MILLRACE_CHECK_OK(segment_.txnIndex().entries().save(true));
    std::vector<std::shared_ptr<File>> files;
    MILLRACE_CHECK_OK(segment_.collectFiles(files));
    for (const auto& file : files) MILLRACE_CHECK_OK(file->sync());
    return {};
  }
  [[nodiscard]] std::uint64_t size() const { return segment_.size(); }

 private:
  Status flush() {
    if (buffer_.empty()) return {};
    const BytesView bytes = buffer_;
    MILLRACE_CHECK_OK(segment_.append(std::span(&bytes, 1), written_, config_));
    buffer_.clear();
    written_.clear();
    return {};
  }

  const LogConfig& config_;
  std::size_t buffer_bytes_;
  Segment segment_;
  Bytes buffer_;
  std::vector<Segment::Written> written_;
};

/// Second pass: copies what the rules keep, group by group.
class CopyPass {
 public:
  CopyPass(const CompactionPlan& plan, const CompactionLimits& limits, CompactionRules& rules,
           CompactionMeter& meter, CompactionOutcome& outcome)
      : plan_(plan),
        limits_(limits),
        rules_(rules),
        meter_(meter),
        outcome_(outcome),
        files_{*plan.system, plan.directory, std::string(kCleanedSuffix)} {}

  Status run() {
    std::size_t next = 0;
    while (next < plan_.sources.size() && plan_.sources[next].base < outcome_.cleaned_to) {
      const std::size_t first = next;
      next = groupEnd(first);
      MILLRACE_CHECK_OK(copyGroup(first, next));
    }
    return {};
  }

  /// After an error: nothing may stay behind.
  void removeWritten() const {
    for (const auto& source : plan_.sources)
      for (const FileKind kind : kSegmentKinds)
        (void)files_.system.remove(files_.path(source.base, kind));  // most were never made
  }

 private:
  /// Segments that fit one segment together, by size, indexes and offsets (Kafka's
  /// groupSegmentsBySize).
  std::size_t groupEnd(std::size_t first) const {
    const Offset base = plan_.sources[first].base;
    std::uint64_t size = plan_.sources[first].size;
    std::uint64_t index = plan_.sources[first].index_bytes;
    std::size_t i = first + 1;
    for (; i < plan_.sources.size() && plan_.sources[i].base < outcome_.cleaned_to; ++i) {
      size += plan_.sources[i].size;
      index += plan_.sources[i].index_bytes;
      const Offset end = i + 1 < plan_.sources.size() ? plan_.sources[i + 1].base : plan_.end;
      if (size > static_cast<std::uint64_t>(plan_.config.segment_bytes)) break;
      if (index > static_cast<std::uint64_t>(plan_.config.segment_index_bytes)) break;
      if (end - base > std::numeric_limits<std::int32_t>::max()) break;
    }
    return i;
  }

  Status copyGroup(std::size_t first, std::size_t end) {
    CompactedSegment made{.base = plan_.sources[first].base, .replaces = {}};
    Writer writer(files_, made.base, plan_.config, limits_.buffer_bytes);
    for (std::size_t i = first; i < end; ++i) {
      const auto& source = plan_.sources[i];
      made.replaces.push_back(source.base);
      made.has_txn_index = made.has_txn_index || source.has_txn_index;
      BatchReader reader(*source.file, 0, source.size, limits_.buffer_bytes);
      record::BatchView batch;
      for (;;) {
        MILLRACE_TRY(const bool more, reader.next(batch));
        if (!more) break;
        if (const Status sound = batch.checkCrc(); !sound)
          return fail(Errc::kCorruptData,
                      fmt::format("{} at position {}: {}", source.file->path(),
                                  reader.position() - batch.sizeInBytes(), sound.error().detail));
        outcome_.bytes_read += batch.sizeInBytes();
        MILLRACE_CHECK_OK(meter_.add(batch.sizeInBytes()));
        MILLRACE_CHECK_OK(copyBatch(batch, writer));
      }
    }
    MILLRACE_CHECK_OK(writer.finish(made.has_txn_index));
    made.size = writer.size();
    outcome_.segments.push_back(std::move(made));
    return {};
  }

  Status copyBatch(const record::BatchView& batch, Writer& writer) {
    MILLRACE_TRY(const BatchVerdict verdict, rules_.judge(batch));
    if (verdict.aborted) MILLRACE_CHECK_OK(writer.noteAborted(*verdict.aborted));
    kept_.clear();
    bool tombstones = false;
    bool in_order = true;
    if (!verdict.drop_records) {
      MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch_));
      record::RecordView record;
      Offset last = batch.baseOffset() - 1;
      while (cursor.next(record)) {
        in_order = in_order && record.offset > last && record.offset <= batch.lastOffset();
        last = record.offset;
        kept_.push_back(record);
      }
      MILLRACE_CHECK_OK(cursor.status());
      rules_.keepOnly(batch, kept_);
      tombstones = !batch.isControl() &&
                   std::ranges::any_of(kept_, [](const auto& r) { return !r.value.has_value(); });
    }
    const auto count = static_cast<std::int64_t>(kept_.size());
    const bool horizon = !batch.hasDeleteHorizon() && (tombstones || verdict.needs_horizon);
    const bool whole = count == batch.recordCount();
    // Offsets that do not rise (a producer's own making) cannot be written anew: such a batch stays
    // as it is.
    if ((whole && !horizon && count > 0) || !in_order)
      return keep(batch.bytes(), batch.recordCount(), 0, writer);
    outcome_.records_dropped += batch.recordCount() - count;
    if (count == 0 && !verdict.keep_empty) return {};
    MILLRACE_TRY(const Bytes bytes, rewrite(batch, horizon));
    return keep(bytes, count, 0, writer);
  }

  Status keep(BytesView batch, std::int64_t records, std::int64_t dropped, Writer& writer) {
    outcome_.bytes_written += batch.size();
    outcome_.records_kept += records;
    outcome_.records_dropped += dropped;
    MILLRACE_CHECK_OK(meter_.add(batch.size()));
    return writer.add(batch);
  }

  /// The batch with the kept records only, and everything else as it was.
  Result<Bytes> rewrite(const record::BatchView& batch, bool new_horizon) {
    MILLRACE_TRY(const record::Codec codec, batch.codec());
    std::optional<std::int64_t> horizon = batch.deleteHorizonMs();
    if (new_horizon) horizon = laterBy(plan_.now_ms, plan_.config.delete_retention_ms);
    if (kept_.empty()) horizon.reset();
    record::BatchBuilder builder({.codec = kept_.empty() ? record::Codec::kNone : codec,
                                  .base_offset = batch.baseOffset(),
                                  .leader_epoch = batch.leaderEpoch(),
                                  .producer_id = batch.producerId(),
                                  .producer_epoch = batch.producerEpoch(),
                                  .base_sequence = batch.baseSequence(),
                                  .transactional = batch.isTransactional(),
                                  .control = batch.isControl(),
                                  .delete_horizon_ms = horizon},
                                 batch.sizeInBytes() + 64);
    for (const record::RecordView& r : kept_)
      builder.appendAt(r.offset, r.timestamp, r.key, r.value, r.headers);
    builder.setLastOffset(batch.lastOffset());
    const std::int64_t newest = builder.maxTimestamp();
    MILLRACE_TRY(Bytes bytes, builder.build());
    const bool stamped = batch.timestampType() == record::TimestampType::kLogAppendTime;
    record::patchMaxTimestamp(bytes, kept_.empty() || stamped ? batch.maxTimestamp() : newest,
                              batch.timestampType());
    return bytes;
  }

  const CompactionPlan& plan_;
  const CompactionLimits& limits_;
  CompactionRules& rules_;
  CompactionMeter& meter_;
  CompactionOutcome& outcome_;
  LogFiles files_;
  Bytes scratch_;
  std::vector<record::RecordView> kept_;
};

/// No more memory than allowed, and than the dirty part can need: it has no more keys than offsets.
/// A small map stays in the processor's caches.
std::size_t mapBytes(const CompactionPlan& plan, const CompactionLimits& limits) {
  const double offsets =
      static_cast<double>(std::max<std::int64_t>(plan.end - plan.first_dirty, 0));
  const double slots = (offsets + 1) / limits.load_factor + 16;
  const double bytes = slots * static_cast<double>(KeyOffsetMap::kBytesPerKey);
  return static_cast<std::size_t>(std::min(bytes, static_cast<double>(limits.map_bytes)));
}

}  // namespace

Result<CompactionOutcome> runCompaction(const CompactionPlan& plan,
                                        const CompactionLimits& limits) {
  KeyOffsetMap map(mapBytes(plan, limits), randomUuid().low, limits.load_factor);
  CompactionMeter meter(limits);
  CompactionOutcome outcome;
  MILLRACE_TRY(outcome.cleaned_to, buildCompactionMap(plan, limits, map, meter));
  CompactionRules rules(plan, map, outcome.cleaned_to);
  CopyPass copy(plan, limits, rules, meter, outcome);
  if (const Status done = copy.run(); !done) {
    copy.removeWritten();
    return std::unexpected(done.error());
  }
  return outcome;
}

}  // namespace millrace::log
