// Reading by offset and looking up by timestamp.
#include "log/file_slot.h"
#include "log/partition_log_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {
namespace {

/// The first record at or after `timestamp` and `from` in the segment, by its time index. A
/// function, because PartitionLog::State is nobody else's business.
Result<TimestampOffset> searchSegment(Segment& segment, std::int64_t timestamp, Offset from) {
  MILLRACE_TRY(const TimeEntry entry, segment.timeIndex().floor(timestamp));
  MILLRACE_TRY(const bool sound, segment.believes(entry));
  MILLRACE_TRY(const std::uint64_t start,
               segment.locate(sound ? std::max(entry.offset, from) : from));
  MILLRACE_TRY(const auto file, segment.file());
  BatchReader reader(*file, start, segment.size(), 64 << 10);
  record::BatchView batch;
  Bytes scratch;
  for (;;) {
    MILLRACE_TRY(const bool more, reader.next(batch));
    if (!more) return TimestampOffset{};
    if (batch.maxTimestamp() < timestamp) continue;
    MILLRACE_TRY(record::RecordCursor records, record::openRecords(batch, scratch));
    record::RecordView record;
    while (records.next(record))
      if (record.timestamp >= timestamp && record.offset >= from)
        return TimestampOffset{record.timestamp, record.offset, batch.leaderEpoch()};
    MILLRACE_CHECK_OK(records.status());
  }
}

/// The greatest timestamp of the segment's records from `from` on; -1 where none has one.
Result<std::int64_t> newestFrom(Segment& segment, Offset from) {
  MILLRACE_TRY(const TimeEntry newest, segment.maxTimestamp());
  MILLRACE_TRY(const std::uint64_t start, segment.locate(from));
  if (start == 0 && segment.base() >= from) return newest.timestamp;
  MILLRACE_TRY(const auto file, segment.file());
  BatchReader reader(*file, start, segment.size(), 64 << 10);
  record::BatchView batch;
  Bytes scratch;
  std::int64_t found = -1;
  while (found < newest.timestamp) {
    MILLRACE_TRY(const bool more, reader.next(batch));
    if (!more) break;
    if (batch.maxTimestamp() <= found) continue;
    if (batch.baseOffset() >= from) {
      found = batch.maxTimestamp();
      continue;
    }
    MILLRACE_TRY(record::RecordCursor records, record::openRecords(batch, scratch));
    record::RecordView record;
    while (records.next(record))
      if (record.offset >= from) found = std::max(found, record.timestamp);
    MILLRACE_CHECK_OK(records.status());
  }
  return found;
}

}  // namespace

Result<bool> PartitionLog::State::readSegment(std::size_t index, Offset end, std::uint64_t& left,
                                              bool at_least_one, ReadResult& out) {
  Segment& segment = *segments[index];
  if (segment.size() == 0) return true;
  if (index + 1 < segments.size() || segment.indexesDistrusted()) {
    MILLRACE_TRY(const bool rebuilt, segment.checkIndexes(log.config_));
    if (rebuilt) ++recovery.rebuilt_indexes;
  }
  MILLRACE_TRY(const Segment::Place found, segment.find(out.next_offset));
  const std::uint64_t start = found.position;
  const bool gap =
      start >= segment.size() || (found.head && found.head->base_offset > out.next_offset);
  if (gap) MILLRACE_CHECK_OK(segment.checkGap(start));
  if (start >= segment.size()) {
    out.next_offset = std::min(endOf(index), end);
    return true;
  }
  std::uint64_t limit = segment.size();
  if (endOf(index) > end) {
    MILLRACE_TRY(limit, segment.locate(end));
  }
  if (limit <= start) return false;
  Segment::Boundary stop{limit, std::min(endOf(index), end)};
  if (limit - start > left) {
    MILLRACE_TRY(const Segment::Boundary fits,
                 segment.boundary(found, start + left, at_least_one && out.size == 0));
    if (fits.position < limit) stop = fits;
  }
  if (stop.position <= start) return false;
  MILLRACE_CHECK_OK(segment.checkSound(start, stop.position));
  const std::uint64_t size = stop.position - start;
  MILLRACE_TRY(auto file, segment.file());
  out.slices.push_back({std::move(file), start, static_cast<std::uint32_t>(size)});
  out.size += size;
  left -= std::min(left, size);
  out.next_offset = stop.next;
  return stop.position == limit && left > 0;
}

Result<ReadResult> PartitionLog::read(Offset from, std::uint64_t max_bytes, Isolation isolation,
                                      bool at_least_one) const {
  State& s = *state_;
  const FilesInUse use(s);
  if (!s.health) return std::unexpected(s.health.error());
  if (from < startOffset() || from > endOffset())
    return fail(Errc::kOffsetOutOfRange,
                fmt::format("{}: offset {} is outside of {} to {}", directory_, from.value(),
                            startOffset().value(), endOffset().value()));
  ReadResult out{.next_offset = from,
                 .log_start_offset = startOffset(),
                 .high_watermark = highWatermark(),
                 .last_stable_offset = lastStableOffset()};
  const Offset end = endFor(isolation);
  std::uint64_t left = max_bytes;
  for (std::size_t i = s.indexFor(from); i < s.segments.size() && out.next_offset < end; ++i) {
    MILLRACE_TRY(const bool more, s.checked(s.readSegment(i, end, left, at_least_one, out)));
    if (!more) break;
  }
  if (isolation == Isolation::kCommitted && out.size > 0) {
    MILLRACE_TRY(out.aborted, abortedTransactions(from, out.next_offset));
  }
  return out;
}

Result<std::vector<AbortedTransaction>> PartitionLog::abortedTransactions(Offset from,
                                                                          Offset to) const {
  State& s = *state_;
  if (!s.health) return std::unexpected(s.health.error());
  std::vector<AbortedTransaction> found;
  for (std::size_t i = s.indexFor(from); i < s.segments.size(); ++i) {
    if (const Status fits = s.checkTxnIndex(i); !fits) return s.goOffline(fits.error());
    MILLRACE_TRY(const auto all, s.checked(s.segments[i]->txnIndex().all()));
    bool complete = false;
    for (const AbortedTransaction& txn : all) {
      if (txn.last_offset >= from && txn.first_offset < to) found.push_back(txn);
      // Later entries end above the stable offset of this one: none of them can begin below it.
      if (txn.last_stable_offset >= to) complete = true;
    }
    if (complete) break;
  }
  return found;
}

Result<TimestampOffset> PartitionLog::offsetForTimestamp(std::int64_t timestamp,
                                                         Isolation isolation) const {
  State& s = *state_;
  const FilesInUse use(s);
  if (!s.health) return std::unexpected(s.health.error());
  const auto epochAt = [&](Offset offset) {
    return s.epochs.epochOf(offset).value_or(LeaderEpoch{-1});
  };
  if (timestamp == kEarliestTimestamp || timestamp == kEarliestLocalTimestamp)
    return TimestampOffset{-1, startOffset(), epochAt(startOffset())};
  if (timestamp == kLatestTimestamp)
    return TimestampOffset{-1, endFor(isolation), s.epochs.latest().value_or(LeaderEpoch{-1})};
  if (timestamp == kLatestTieredTimestamp || timestamp == kEarliestPendingUploadTimestamp)
    return TimestampOffset{};  // nothing is tiered

  std::int64_t wanted = timestamp;
  if (timestamp == kMaxTimestamp) {
    for (std::size_t i = 0; i < s.segments.size(); ++i) {
      if (s.segments[i]->size() == 0 || s.endOf(i) <= startOffset()) continue;
      MILLRACE_TRY(const std::int64_t newest, s.checked(newestFrom(*s.segments[i], startOffset())));
      wanted = std::max(wanted, newest);
    }
    if (wanted < 0) return TimestampOffset{};
  }
  if (wanted < 0) return fail(Errc::kInvalidRequest, fmt::format("timestamp {}", timestamp));
  for (std::size_t i = 0; i < s.segments.size(); ++i) {
    Segment& segment = *s.segments[i];
    if (segment.size() == 0 || s.endOf(i) <= startOffset()) continue;
    MILLRACE_TRY(const TimeEntry newest, s.checked(segment.maxTimestamp()));
    if (newest.timestamp < wanted) continue;
    if (segment.indexesDistrusted()) {
      MILLRACE_TRY(const bool rebuilt, s.checked(segment.checkIndexes(config_)));
      if (rebuilt) ++s.recovery.rebuilt_indexes;
    }
    MILLRACE_TRY(const auto found, s.checked(searchSegment(segment, wanted, startOffset())));
    if (found.offset < Offset{0}) continue;
    return found.offset < endFor(isolation) ? found : TimestampOffset{};
  }
  return TimestampOffset{};
}

}  // namespace millrace::log
