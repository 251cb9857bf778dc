// Producers and transactions, from snapshots and batches.
#include "log/partition_log_state.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

namespace millrace::log {
namespace {

/// How far in front of a snapshot its producers' earlier batches are looked for. What a producer
/// may send again is what it had under way when the process ended: five requests at most, of a
/// mebibyte by default.
constexpr std::uint64_t kRecalledBytes = 16 << 20;

}  // namespace

template <class Visit>
Status PartitionLog::State::walk(Offset from, Offset end, Visit visit) {
  for (std::size_t i = indexFor(from); i < segments.size() && segments[i]->base() < end; ++i) {
    Segment& segment = *segments[i];
    if (segment.size() == 0) continue;
    MILLRACE_TRY(const std::uint64_t start, segment.locate(from));
    MILLRACE_TRY(const auto file, segment.file());
    BatchReader heads(*file, start, segment.size(), 64 << 10);
    BatchReader::Head head;
    for (;;) {
      MILLRACE_TRY(const bool more, heads.nextHead(head));
      if (!more || head.base_offset >= end) break;
      MILLRACE_CHECK_OK(visit(segment, *file, head));
    }
  }
  return {};
}

Status PartitionLog::State::loadProducers(Offset end, std::optional<Offset> rebuild_from) {
  producers.clear();
  producers_snapshot.reset();
  producers.setNow(options.now_ms);
  Offset from = log.startOffset();
  for (std::size_t i = snapshots.size(); i-- > 0;) {
    const Offset at = snapshots[i];
    // It does not tell of transactions that have ended, but are undecided until the high watermark
    // is above their end: the last stable offset waits for them.
    if (at > log.highWatermark() && at <= end) continue;
    const auto bytes = files.system.readAll(files.path(at, FileKind::kSnapshot));
    if (!bytes && bytes.error().code != Errc::kNotFound) return std::unexpected(bytes.error());
    if (bytes && at <= end && at >= segments.front()->base() && producers.loadSnapshot(*bytes)) {
      // Also below the log start offset: a transaction that is open in the snapshot may end there.
      from = at;
      producers_snapshot = at;
      if (options.now_ms > 0)
        producers.expire(options.now_ms, log.config_.producer_id_expiration_ms);
      break;
    }
    MILLRACE_CHECK_OK(dropSnapshots(at, at + 1));
  }
  flushed_stable.cut(end, from);
  producers.onLogStart(log.startOffset());
  MILLRACE_CHECK_OK(replayProducers(from, end, rebuild_from));
  return {};
}

namespace {

/// Takes one batch of a producer into the state. Returns the transaction that it aborts, if any;
/// `ended`, where not null, is set where it ends one. `bytes` is room for the batch.
Result<std::optional<AbortedTransaction>> replay(ProducerState& producers, const Segment& segment,
                                                 const File& file, const BatchReader::Head& head,
                                                 Bytes& bytes, bool* ended) {
  bytes.resize(head.size);
  MILLRACE_TRY(const std::size_t got, file.read(head.position, bytes.data(), bytes.size()));
  if (got != bytes.size()) return fail(Errc::kCorruptData, segment.path() + " ends inside a batch");
  MILLRACE_TRY(const auto batch, record::BatchView::parse(bytes));
  if (const Status sound = batch.checkCrc(); !sound)
    return fail(Errc::kCorruptData, segment.path() + " at position " +
                                        std::to_string(head.position) + ": " +
                                        sound.error().detail);
  if (!head.isControl()) {
    producers.addData(batch, head.base_offset, head.last_offset, head.max_timestamp);
    return std::nullopt;
  }
  Bytes scratch;
  MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
  record::RecordView record;
  if (!cursor.next(record)) return std::nullopt;
  const auto marker = record::parseEndTxnMarker(record);
  if (!marker) return std::nullopt;  // another control record: no transaction's end
  if (ended != nullptr) *ended = true;
  return producers.addMarker(batch, head.last_offset, *marker);
}

/// Whether a marker of the producer stands in [from, to).
Result<bool> hasMarker(Segment& segment, std::uint64_t position, ProducerId producer, Offset to) {
  MILLRACE_TRY(const auto file, segment.file());
  BatchReader heads(*file, position, segment.size(), 64 << 10);
  BatchReader::Head head;
  for (;;) {
    MILLRACE_TRY(const bool more, heads.nextHead(head));
    if (!more || head.base_offset >= to) return false;
    if (head.isControl() && head.producer_id == producer) return true;
  }
}

/// Whether an entry of the index can be that of a transaction in the log.
Result<bool> fitsLog(Segment& segment, const AbortedTransaction& txn) {
  // Compaction keeps the marker of every transaction that it notes.
  MILLRACE_TRY(const std::uint64_t end, segment.locate(txn.last_offset));
  if (end >= segment.size()) return false;
  MILLRACE_TRY(const auto marker, segment.headAt(end));
  if (marker.last_offset != txn.last_offset || !marker.isControl() ||
      marker.producer_id != txn.producer_id)
    return false;
  MILLRACE_TRY(const std::uint64_t begin,
               segment.locate(std::max(txn.first_offset, segment.base())));
  if (txn.first_offset >= segment.base()) {
    MILLRACE_TRY(const auto first, segment.headAt(begin));
    // Compaction may have taken the batch, not its beginning.
    if (first.base_offset < txn.first_offset) return false;
    if (first.base_offset == txn.first_offset &&
        (first.producer_id != txn.producer_id || first.isControl()))
      return false;
  }
  // No other transaction of the producer ended in between: that one's records would be hidden.
  MILLRACE_TRY(const bool other, hasMarker(segment, begin, txn.producer_id, txn.last_offset));
  return !other;
}

/// Nothing in a transaction index guards its bytes: each entry must be that of batches in the log.
Result<bool> txnIndexFits(Segment& segment) {
  const auto all = segment.txnIndex().all();
  if (!all && all.error().code != Errc::kCorruptData) return std::unexpected(all.error());
  if (!all || segment.txnIndex().entries().torn()) return false;
  Offset last = segment.base() - 1;
  for (const AbortedTransaction& txn : *all) {
    if (!mayFollow(txn, last)) return false;
    last = txn.last_offset;
    MILLRACE_TRY(const bool fits, fitsLog(segment, txn));
    if (!fits) return false;
  }
  return true;
}

}  // namespace

Status PartitionLog::State::replayProducers(Offset from, Offset end,
                                            std::optional<Offset> rebuild_from) {
  std::map<const Segment*, std::vector<AbortedTransaction>> made;
  Bytes room;
  if (from < end) {
    MILLRACE_CHECK_OK(walk(
        from, end,
        [&](Segment& segment, const File& file, const BatchReader::Head& head) -> Status {
          if (head.producer_id <= record::kNoProducerId) return {};
          bool ended = false;
          MILLRACE_TRY(const auto aborted, replay(producers, segment, file, head, room, &ended));
          if (ended) flushed_stable.noteMarker(head.last_offset);
          if (aborted && rebuild_from && head.base_offset >= *rebuild_from)
            made[&segment].push_back(*aborted);
          return {};
        }));
  }
  if (!rebuild_from) return {};
  for (std::size_t i = indexFor(*rebuild_from); i < segments.size(); ++i)
    MILLRACE_CHECK_OK(renewTxnIndex(i, *rebuild_from, made[segments[i].get()]));
  return {};
}

namespace {

/// The start of a batch about so many bytes in front of an offset, or the first one. `segments` end
/// with the one that the offset lies in.
Result<Offset> offsetBefore(std::span<const std::unique_ptr<Segment>> segments, Offset offset,
                            std::uint64_t bytes) {
  MILLRACE_TRY(std::uint64_t end, segments.back()->locate(offset));
  while (end <= bytes) {
    if (segments.size() == 1) return segments.front()->base();
    bytes -= end;
    segments = segments.first(segments.size() - 1);
    end = segments.back()->size();
  }
  MILLRACE_TRY(const auto found, segments.back()->boundary({}, end - bytes, false));
  return found.next;
}

}  // namespace

Status PartitionLog::State::recallBatches() {
  const Offset end = *std::exchange(producers_snapshot, std::nullopt);
  if (end <= segments.front()->base()) return {};
  MILLRACE_TRY(const Offset from,
               offsetBefore(std::span(segments).first(indexFor(end) + 1), end, kRecalledBytes));
  ProducerState before;
  Bytes room;
  MILLRACE_CHECK_OK(walk(
      from, end, [&](Segment& segment, const File& file, const BatchReader::Head& head) -> Status {
        if (head.producer_id <= record::kNoProducerId || head.isControl()) return {};
        const auto taken = replay(before, segment, file, head, room, nullptr);
        return taken ? Status{} : std::unexpected(taken.error());
      }));
  producers.recall(before);
  return {};
}

Status PartitionLog::State::renewTxnIndex(std::size_t index, Offset from,
                                          const std::vector<AbortedTransaction>& made) {
  Segment& segment = *segments[index];
  MILLRACE_TRY(const TxnIndex::Split split, segment.txnIndex().split(from));
  if (split.rest == made) return {};
  // What did not come again is lost with its marker, or was damaged since it was on disk.
  const bool explained = std::ranges::all_of(
      split.rest, [&made](const auto& txn) { return std::ranges::find(made, txn) != made.end(); });
  if (!explained) return rebuildTxnIndex(index);
  TxnIndex& entries = segment.txnIndex();
  MILLRACE_CHECK_OK(entries.entries().truncate(static_cast<std::uint32_t>(split.sound.size())));
  for (const AbortedTransaction& txn : made) MILLRACE_CHECK_OK(entries.append(txn));
  return entries.entries().save();
}

Status PartitionLog::State::checkTxnIndex(std::size_t index) {
  Segment& segment = *segments[index];
  if (segment.takeTxnTrust() == Segment::TxnTrust::kChecked) return {};
  MILLRACE_TRY(const bool fits, txnIndexFits(segment));
  return fits ? Status{} : rebuildTxnIndex(index);
}

Status PartitionLog::State::rebuildTxnIndex(std::size_t index) {
  Segment& segment = *segments[index];
  ++recovery.rebuilt_indexes;
  // What began before the segment: a snapshot tells, or the log from its beginning.
  ProducerState known;
  Offset from = segments.front()->base();
  const auto bytes = files.system.readAll(files.path(segment.base(), FileKind::kSnapshot));
  if (bytes && known.loadSnapshot(*bytes)) from = segment.base();
  std::vector<AbortedTransaction> all;
  Bytes room;
  MILLRACE_CHECK_OK(
      walk(from, endOf(index),
           [&](Segment& in, const File& file, const BatchReader::Head& head) -> Status {
             if (head.producer_id <= record::kNoProducerId) return {};
             MILLRACE_TRY(const auto aborted, replay(known, in, file, head, room, nullptr));
             if (aborted && &in == &segment) all.push_back(*aborted);
             return {};
           }));
  return segment.replaceTxnIndex(all);
}

}  // namespace millrace::log
