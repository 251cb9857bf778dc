#include "record/validator.h"

#include "base/checksum.h"
#include "record/builder.h"
#include "record/records.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace millrace::record {
namespace {

/// What a producer is told: bytes that do not parse or unpack are a corrupt message.
Error asAnswer(Error error) {
  if (error.code == Errc::kMalformed || error.code == Errc::kCorruptData)
    error.code = Errc::kCorruptMessage;
  return error;
}

Status asAnswer(const Status& status) {
  if (status) return status;
  return std::unexpected(asAnswer(status.error()));
}

std::unexpected<ValidationFailure> refuse(Error error) {
  error = asAnswer(std::move(error));
  return std::unexpected(ValidationFailure{std::move(error), {}});
}

/// What only clients are held to (LogValidator.validateBatch).
Status checkClientHeader(const BatchView& batch) {
  const std::int64_t span = std::int64_t{batch.lastOffsetDelta()} + 1;
  if (batch.baseOffset() != Offset{0})
    return fail(Errc::kInvalidRecord,
                fmt::format("base offset {}, not 0", batch.baseOffset().value()));
  if (span <= 0 || batch.recordCount() <= 0 || span != batch.recordCount())
    return fail(Errc::kInvalidRecord,
                fmt::format("{} records over {} offsets", batch.recordCount(), span));
  if (batch.isControl()) return fail(Errc::kInvalidRecord, "clients may not write control batches");
  if (batch.hasProducerId() && batch.baseSequence() < 0)
    return fail(Errc::kInvalidRecord,
                fmt::format("producer {} without a sequence: {}", batch.producerId().value(),
                            batch.baseSequence()));
  return {};
}

/// Frame, size, CRC and header, in Kafka's order of complaint.
Status checkHeader(const BatchView& batch, const ValidationRules& rules) {
  const bool client = rules.origin == AppendOrigin::kClient;
  if (client && batch.baseOffset() != Offset{0})
    return fail(Errc::kInvalidRecord,
                fmt::format("base offset {}, not 0", batch.baseOffset().value()));
  if (batch.sizeInBytes() > rules.max_message_bytes)
    return fail(Errc::kMessageTooLarge, fmt::format("a batch of {} bytes; at most {} are allowed",
                                                    batch.sizeInBytes(), rules.max_message_bytes));
  MILLRACE_CHECK_OK(batch.checkCrc());
  if (const auto codec = batch.codec(); !codec) return std::unexpected(codec.error());
  return client ? checkClientHeader(batch) : Status{};
}

/// The difference a - b as Java computes it: wrapping.
std::int64_t wrappingDifference(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}

/// Looks at every record of one batch, remembers what was found.
class RecordCheck {
 public:
  RecordCheck(const BatchView& batch, const ValidationRules& rules, Millis now_ms)
      : rules_(rules),
        now_ms_(now_ms),
        claims_append_time_(batch.timestampType() == TimestampType::kLogAppendTime),
        next_offset_(batch.baseOffset()) {}

  void look(const RecordView& record) {
    max_timestamp_ = std::max(max_timestamp_, record.timestamp);
    offsets_run_ = offsets_run_ && record.offset == next_offset_;
    ++next_offset_;
    if (rules_.compacted && !record.key) {
      note(Errc::kInvalidRecord, "a compacted topic takes no record without a key");
    } else if (rules_.timestamp_type == TimestampType::kCreateTime &&
               record.timestamp != kNoTimestamp) {
      checkTimestamp(record.timestamp);
    } else if (claims_append_time_) {
      note(Errc::kInvalidTimestamp, "a producer does not set the timestamp type LogAppendTime");
    }
    ++index_;
  }

  [[nodiscard]] std::int64_t maxTimestamp() const { return max_timestamp_; }
  /// Every record's offset is one above the last one's.
  [[nodiscard]] bool offsetsRun() const { return offsets_run_; }
  [[nodiscard]] bool clean() const { return errors_.empty(); }

  ValidationFailure failure() && {
    const bool time = code_ == Errc::kInvalidTimestamp;
    return {Error{code_, fmt::format("{} records refused{}; the first: {}", errors_.size(),
                                     time ? ", timestamps out of range among them" : "",
                                     errors_.front().message)},
            std::move(errors_)};
  }

 private:
  void checkTimestamp(std::int64_t timestamp) {
    const std::int64_t age = wrappingDifference(now_ms_, timestamp);
    if (age > rules_.timestamp_before_max_ms ||
        wrappingDifference(0, age) > rules_.timestamp_after_max_ms)
      note(Errc::kInvalidTimestamp,
           fmt::format("timestamp {} is out of range at {} (up to {} ms before, {} ms after)",
                       timestamp, now_ms_, rules_.timestamp_before_max_ms,
                       rules_.timestamp_after_max_ms));
  }

  void note(Errc code, std::string message) {
    if (code_ != Errc::kInvalidTimestamp) code_ = code;
    errors_.push_back({index_, std::move(message)});
  }

  const ValidationRules& rules_;
  Millis now_ms_;
  bool claims_append_time_;
  Offset next_offset_;
  std::int64_t max_timestamp_ = kNoTimestamp;
  bool offsets_run_ = true;
  std::int32_t index_ = 0;
  Errc code_ = Errc::kInvalidRecord;
  std::vector<RecordError> errors_;
};

/// Where a batch goes and when.
struct Placement {
  Offset base_offset;
  LeaderEpoch epoch;
  Millis now_ms;
};

/// Writes the batch's records anew: with another codec, or renumbered.
Result<Bytes> rebuild(const BatchView& batch, RecordCursor cursor, Codec codec,
                      const Placement& place, const ValidationRules& rules) {
  BatchBuilder builder({.codec = codec,
                        .level = rules.target_codec ? rules.target_level : kDefaultLevel,
                        .base_offset = place.base_offset,
                        .leader_epoch = place.epoch,
                        .producer_id = batch.producerId(),
                        .producer_epoch = batch.producerEpoch(),
                        .base_sequence = batch.baseSequence(),
                        .transactional = batch.isTransactional(),
                        .control = batch.isControl()},
                       batch.sizeInBytes() + 256);
  RecordView record;
  Offset next = place.base_offset;
  for (; cursor.next(record); ++next)
    builder.appendAt(next, record.timestamp, record.key, record.value, record.headers);
  MILLRACE_CHECK_OK(cursor.status());
  MILLRACE_TRY(Bytes bytes, builder.build());
  if (rules.timestamp_type == TimestampType::kLogAppendTime)
    patchMaxTimestamp(bytes, place.now_ms, TimestampType::kLogAppendTime);
  if (bytes.size() > rules.max_message_bytes)
    return fail(Errc::kMessageTooLarge,
                fmt::format("a batch of {} bytes after recompression; at most {} are allowed",
                            bytes.size(), rules.max_message_bytes));
  return bytes;
}

ValidBatch fromRebuilt(Bytes bytes) {
  ValidBatch valid;
  valid.rewritten = std::make_unique<Bytes>(std::move(bytes));
  std::memcpy(valid.header.data(), valid.rewritten->data(), kBatchHeaderSize);
  valid.payload = BytesView(*valid.rewritten).substr(kBatchHeaderSize);
  return valid;
}

/// Keeps the records where they are and patches a copy of the header.
ValidBatch keepRecords(const BatchView& batch, std::int64_t max_timestamp, TimestampType type,
                       const Placement& place) {
  ValidBatch valid;
  char* header = valid.header.data();
  std::memcpy(header, batch.bytes().data(), kBatchHeaderSize);
  valid.payload = batch.payload();
  patchBaseOffset(header, place.base_offset);
  patchLeaderEpoch(header, place.epoch);
  if (max_timestamp == batch.maxTimestamp() && type == batch.timestampType()) return valid;
  const int bits = batch.attributes();
  storeBe(
      header + layout::kAttributes,
      static_cast<std::int16_t>(type == TimestampType::kLogAppendTime ? bits | kTimestampTypeBit
                                                                      : bits & ~kTimestampTypeBit));
  storeBe(header + layout::kMaxTimestamp, max_timestamp);
  const std::uint32_t crc =
      crc32c(BytesView(header + layout::kAttributes, kBatchHeaderSize - layout::kAttributes));
  storeBe(header + layout::kCrc, crc32c(crc, valid.payload));
  return valid;
}

}  // namespace

Result<BatchView> singleBatch(BytesView records, std::int16_t produce_version) {
  BatchIterator frames(records);
  BytesView frame;
  if (!frames.nextFrame(frame)) {
    MILLRACE_CHECK_OK(asAnswer(frames.status()));
    return fail(Errc::kInvalidRecord, "a produce request without a batch");
  }
  if (frame[layout::kMagic] != 2)
    return fail(Errc::kInvalidRecord, fmt::format("message format {}", int{frame[layout::kMagic]}));
  constexpr std::int16_t kFirstWithZstd = 7;
  const int codec = frame[layout::kAttributes + 1] & 0x07;
  if (produce_version < kFirstWithZstd && codec == static_cast<int>(Codec::kZstd))
    return fail(Errc::kUnsupportedCompressionType, "zstd needs Produce version 7 or later");
  BytesView second;
  if (frames.nextFrame(second))
    return fail(Errc::kInvalidRecord, "several batches for one partition");
  MILLRACE_CHECK_OK(asAnswer(frames.status()));
  return BatchView::parse(frame);
}

bool hasTransactionalBatch(BytesView records) {
  BatchIterator frames(records);
  BytesView frame;
  if (!frames.nextFrame(frame) || frame[layout::kMagic] != 2) return false;
  return (loadBe<std::int16_t>(frame.data() + layout::kAttributes) & kTransactionalBit) != 0;
}

std::expected<ValidBatch, ValidationFailure> validateBatch(const BatchView& batch,
                                                           Offset base_offset, LeaderEpoch epoch,
                                                           Millis now_ms,
                                                           const ValidationRules& rules) {
  if (const Status header = checkHeader(batch, rules); !header) return refuse(header.error());
  Bytes scratch;
  const auto opened = openRecords(batch, scratch, rules.max_uncompressed_bytes);
  if (!opened) return refuse(opened.error());
  RecordCheck check(batch, rules, now_ms);
  RecordCursor cursor = *opened;
  RecordView record;
  while (cursor.next(record)) check.look(record);
  if (!cursor.status()) return refuse(cursor.status().error());
  if (!check.clean()) return std::unexpected(std::move(check).failure());

  const Codec source = *batch.codec();
  const Codec target = batch.isControl() ? source : rules.target_codec.value_or(source);
  const bool renumber = source != Codec::kNone && !check.offsetsRun();
  const bool stamp = rules.timestamp_type == TimestampType::kLogAppendTime;
  const Placement place{base_offset, epoch, now_ms};
  ValidBatch valid;
  if (source != target || renumber) {
    auto bytes = rebuild(batch, *opened, target, place, rules);
    if (!bytes) return refuse(std::move(bytes).error());
    valid = fromRebuilt(std::move(*bytes));
  } else {
    valid = keepRecords(batch, stamp ? now_ms : check.maxTimestamp(), rules.timestamp_type, place);
  }
  valid.max_timestamp = loadBe<std::int64_t>(valid.header.data() + layout::kMaxTimestamp);
  valid.record_count = batch.recordCount();
  valid.last_offset =
      base_offset + loadBe<std::int32_t>(valid.header.data() + layout::kLastOffsetDelta);
  return valid;
}

}  // namespace millrace::record
