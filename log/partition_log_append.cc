// Appending: as a leader (validated, numbered) and as a follower (taken as it is).
#include "log/own_segments.h"
#include "log/partition_log_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

namespace millrace::log {
namespace {

record::ValidationRules rulesOf(const LogConfig& config, record::AppendOrigin origin) {
  return {.origin = origin,
          .timestamp_type = config.timestamp_type,
          .timestamp_before_max_ms = config.timestamp_before_max_ms,
          .timestamp_after_max_ms = config.timestamp_after_max_ms,
          .compacted = config.cleanup_compact,
          .target_codec = config.compression,
          .target_level = config.compression_level,
          .max_message_bytes = static_cast<std::size_t>(config.max_message_bytes)};
}

std::unexpected<AppendFailure> refuse(Error error) {
  return std::unexpected(AppendFailure{std::move(error), {}});
}

/// The transaction marker in a control batch of a producer; nothing in other batches.
Result<std::optional<record::EndTxnMarker>> markerIn(const record::BatchView& batch) {
  if (!batch.isControl() || !batch.hasProducerId() || batch.recordCount() == 0) return std::nullopt;
  Bytes scratch;
  MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
  record::RecordView record;
  if (!cursor.next(record)) {
    MILLRACE_CHECK_OK(cursor.status());
    return std::nullopt;
  }
  MILLRACE_TRY(const auto type, record::parseControlKey(record.key));
  if (type != record::ControlType::kAbort && type != record::ControlType::kCommit)
    return std::nullopt;
  MILLRACE_TRY(const record::EndTxnMarker marker, record::parseEndTxnMarker(record));
  return marker;
}

/// Whether a segment that begins at `base` can hold what ends with `last`.
bool fitOneSegment(Offset base, Offset last) {
  return last - base <= std::numeric_limits<std::int32_t>::max();
}

}  // namespace

Status PartitionLog::State::rollIfNeeded(std::uint64_t bytes, std::int64_t timestamp, Offset first,
                                         Offset last, Millis now_ms) {
  MILLRACE_TRY(const bool roll,
               active().shouldRoll(bytes, timestamp, last, now_ms, maxAgeMs(), log.config_));
  if (!roll) return {};
  // Where offsets are missing in front of the first batch, they belong to the new segment: between
  // segments only a crash leaves a hole.
  const Offset end = log.endOffset();
  if (fitOneSegment(end, last)) return rollTo(end);
  // Too wide a hole for that: nothing in front of it can be lost, so it is told from a crash's.
  MILLRACE_CHECK_OK(log.flush());
  return rollTo(first);
}

Status PartitionLog::State::noteProducer(const record::BatchView& batch, Offset first, Offset last,
                                         std::int64_t max_timestamp) {
  if (!batch.hasProducerId()) return {};
  MILLRACE_TRY(const auto marker, markerIn(batch));
  if (!marker) {
    if (!batch.isControl()) producers.addData(batch, first, last, max_timestamp);
    return {};
  }
  flushed_stable.noteMarker(last);
  const auto aborted = producers.addMarker(batch, last, *marker);
  if (aborted) {
    MILLRACE_CHECK_OK(active().txnIndex().append(*aborted));
    MILLRACE_CHECK_OK(active().txnIndex().entries().save());
  }
  return {};
}

Result<std::optional<ProducerState::Duplicate>> PartitionLog::State::checkProducer(
    const record::BatchView& batch, record::AppendOrigin origin) {
  if (!batch.hasProducerId()) return std::nullopt;
  if (origin == record::AppendOrigin::kClient) {
    if (const auto known = producers.findDuplicate(batch)) return known;
  }
  MILLRACE_TRY(const auto marker, markerIn(batch));
  if (marker) {
    if (origin != record::AppendOrigin::kReplication)
      MILLRACE_CHECK_OK(producers.checkMarker(batch, *marker));
  } else if (!batch.isControl()) {
    const Status may_follow = producers.checkData(batch, origin);
    if (!may_follow && may_follow.error().code == Errc::kOutOfOrderSequenceNumber &&
        producers_snapshot) {
      MILLRACE_CHECK_OK(finish(recallBatches()));
      if (const auto known = producers.findDuplicate(batch)) return known;
    }
    if (!may_follow) return std::unexpected(may_follow.error());
  }
  return std::nullopt;
}

Status PartitionLog::State::write(const record::BatchView& batch, const record::ValidBatch& valid,
                                  Offset first, const AppendOptions& how) {
  const Segment::Written written{first, valid.last_offset, valid.max_timestamp,
                                 static_cast<std::uint32_t>(valid.sizeInBytes())};
  MILLRACE_CHECK_OK(makeDirectory());
  MILLRACE_CHECK_OK(
      rollIfNeeded(written.size, written.max_timestamp, first, written.last_offset, how.now_ms));
  if (active().size() == 0) unsynced.change();
  epochs.assign(how.leader_epoch, first);
  MILLRACE_CHECK_OK(epochs.save());
  const std::array<BytesView, 2> slices = {BytesView(valid.header.data(), valid.header.size()),
                                           valid.payload};
  MILLRACE_CHECK_OK(
      active().append(slices, std::span(&written, 1), log.config_, lateWrites(first)));
  producers.setNow(how.now_ms);
  MILLRACE_CHECK_OK(addToJournal(slices, first, written.last_offset + 1));
  return noteProducer(batch, first, written.last_offset, written.max_timestamp);
}

std::expected<AppendInfo, AppendFailure> PartitionLog::append(const record::BatchView& batch,
                                                              const AppendOptions& options) {
  State& s = *state_;
  if (!s.health) return refuse(s.health.error());
  const Offset first = endOffset();
  auto valid = record::validateBatch(batch, first, options.leader_epoch, options.now_ms,
                                     rulesOf(config_, options.origin));
  if (!valid) return std::unexpected(std::move(valid).error());
  if (valid->sizeInBytes() > static_cast<std::size_t>(config_.segment_bytes))
    return refuse(
        {Errc::kRecordListTooLarge,
         fmt::format("a batch of {} bytes does not fit a segment", valid->sizeInBytes())});
  const bool stamped = config_.timestamp_type == record::TimestampType::kLogAppendTime;
  AppendInfo info{.base_offset = first,
                  .last_offset = valid->last_offset,
                  .log_append_time_ms = stamped ? options.now_ms : -1,
                  .log_start_offset = startOffset(),
                  .record_count = valid->record_count,
                  .bytes = valid->sizeInBytes()};
  const auto known = s.checkProducer(batch, options.origin);
  if (!known) return refuse(known.error());
  if (*known) {
    info.base_offset = (*known)->first_offset;
    info.last_offset = (*known)->last_offset;
    info.log_append_time_ms = stamped ? (*known)->timestamp : -1;
    info.duplicate = true;
    info.round = s.last_round;
    return info;
  }
  if (const Status done = s.write(batch, *valid, first, options); !done)
    return refuse(s.goOffline(done.error()).error());
  s.unflushed_bytes += info.bytes;
  size_.fetch_add(info.bytes, std::memory_order_relaxed);
  info.round = s.log.config_.flush_on_ack ? s.last_round : 0;
  log_end_offset_.store((info.last_offset + 1).value(), std::memory_order_release);
  s.publishStable();
  s.releaseIfLow();
  return info;
}

namespace {

/// A leader's batches, checked and described.
struct Arrivals {
  std::vector<Segment::Written> written;
  std::vector<record::BatchView> views;
  BytesView bytes;
  AppendInfo info;
};

/// Errors: kCorruptMessage, kOffsetOutOfRange where a batch does not lie behind `next`.
Result<Arrivals> checkArrivals(BytesView batches, Offset next) {
  Arrivals out;
  out.info.base_offset = next;
  record::BatchIterator walk(batches);
  record::BatchView batch;
  while (walk.next(batch)) {
    MILLRACE_CHECK_OK(batch.checkCrc());
    if (batch.baseOffset() < next || !batch.offsetsExist())
      return fail(Errc::kOffsetOutOfRange, fmt::format("a batch at offset {} behind {}",
                                                       batch.baseOffset().value(), next.value()));
    if (out.views.empty()) out.info.base_offset = batch.baseOffset();
    next = batch.nextOffset();
    out.info.record_count += batch.recordCount();
    out.info.bytes += batch.sizeInBytes();
    out.written.push_back({batch.baseOffset(), batch.lastOffset(), batch.maxTimestamp(),
                           static_cast<std::uint32_t>(batch.sizeInBytes())});
    out.views.push_back(batch);
  }
  MILLRACE_CHECK_OK(walk.status());
  out.info.last_offset = next - 1;
  out.bytes = batches.substr(0, walk.position());
  return out;
}

/// Batches that go into one segment.
struct OneWrite {
  std::span<const Segment::Written> written;
  std::span<const record::BatchView> views;
  BytesView bytes;
};

/// Takes as many batches off the front as a segment may hold, one at least.
OneWrite takeSegmentful(OneWrite& left, std::uint64_t segment_bytes) {
  std::size_t n = 0;
  std::uint64_t bytes = 0;
  do {
    bytes += left.written[n++].size;
  } while (n < left.written.size() && bytes + left.written[n].size <= segment_bytes &&
           fitOneSegment(left.written[0].base_offset, left.written[n].last_offset));
  const OneWrite taken{left.written.first(n), left.views.first(n), left.bytes.substr(0, bytes)};
  left = {left.written.subspan(n), left.views.subspan(n), left.bytes.substr(bytes)};
  return taken;
}

/// Whether offsets are missing in or between batches that are to follow `end`.
bool haveGaps(std::span<const record::BatchView> views, Offset end) {
  return std::ranges::any_of(views, [&](const record::BatchView& batch) {
    const bool gap = batch.baseOffset() > end || batch.recordCount() != batch.lastOffsetDelta() + 1;
    end = batch.nextOffset();
    return gap;
  });
}

}  // namespace

Status PartitionLog::State::ownSegments() {
  // What is there already may be another program's.
  MILLRACE_CHECK_OK(log.flush());
  MILLRACE_CHECK_OK(writeOwnSegments(files, log.endOffset()));
  own_from = log.endOffset();
  return {};
}

Status PartitionLog::State::writeArrived(std::span<const Segment::Written> written,
                                         std::span<const record::BatchView> views,
                                         BytesView bytes) {
  const Offset first = written.front().base_offset;
  const Offset last = written.back().last_offset;
  const std::int64_t newest =
      std::ranges::max(written, {}, &Segment::Written::max_timestamp).max_timestamp;
  if (!own_from && haveGaps(views, log.endOffset())) MILLRACE_CHECK_OK(ownSegments());
  MILLRACE_CHECK_OK(rollIfNeeded(bytes.size(), newest, first, last, newest));
  if (active().size() == 0) unsynced.change();
  for (const auto& view : views) epochs.assign(view.leaderEpoch(), view.baseOffset());
  MILLRACE_CHECK_OK(epochs.save());
  MILLRACE_CHECK_OK(active().append(std::span(&bytes, 1), written, log.config_));
  MILLRACE_CHECK_OK(addToJournal(std::span(&bytes, 1), first, last + 1));
  for (const auto& view : views)
    MILLRACE_CHECK_OK(
        noteProducer(view, view.baseOffset(), view.lastOffset(), view.maxTimestamp()));
  return {};
}

Result<AppendInfo> PartitionLog::appendAsFollower(BytesView batches) {
  State& s = *state_;
  if (!s.health) return std::unexpected(s.health.error());
  MILLRACE_TRY(Arrivals arrived, checkArrivals(batches, endOffset()));
  arrived.info.log_start_offset = startOffset();
  if (arrived.views.empty()) return arrived.info;
  MILLRACE_CHECK_OK(s.finish(s.makeDirectory()));
  OneWrite left{arrived.written, arrived.views, arrived.bytes};
  while (!left.written.empty()) {
    const OneWrite next = takeSegmentful(left, static_cast<std::uint64_t>(config_.segment_bytes));
    MILLRACE_CHECK_OK(s.finish(s.writeArrived(next.written, next.views, next.bytes)));
    s.unflushed_bytes += next.bytes.size();
    s.publish(next.written.back().last_offset + 1);
  }
  arrived.info.round = config_.flush_on_ack ? s.last_round : 0;
  s.publishStable();
  s.releaseIfLow();
  return arrived.info;
}

}  // namespace millrace::log
