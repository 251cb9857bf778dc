// What a broker checks before it appends (Kafka's ProduceRequest.validateRecords and LogValidator).
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/batch.h"

#include <array>
#include <cstdint>
#include <expected>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::record {

/// Who appends. Clients are trusted least; a replica's batches are taken as they are.
enum class AppendOrigin : std::uint8_t { kClient, kCoordinator, kRaftLeader, kReplication };

/// The single batch of a produce request's partition, without a torn tail behind it.
/// `produce_version` is the request's. Errors: kInvalidRecord for none, several or one of an old
/// format; kCorruptMessage for a broken frame; kUnsupportedCompressionType for zstd
/// before Produce 7.
[[nodiscard]] Result<BatchView> singleBatch(BytesView records, std::int16_t produce_version);

/// True where the first batch in `records` is transactional, however damaged it is otherwise
/// (Kafka's RequestUtils.hasTransactionalRecords): a request with one is refused before anything is
/// checked.
[[nodiscard]] bool hasTransactionalBatch(BytesView records);

/// A topic's rules for what may be appended.
struct ValidationRules {
  AppendOrigin origin = AppendOrigin::kClient;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  /// How far a record's timestamp may lie before and after now, in ms.
  std::int64_t timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t timestamp_after_max_ms = 3'600'000;
  /// Compacted topics take no null keys.
  bool compacted = false;
  /// Nothing: as the producer sent it (compression.type=producer).
  std::optional<Codec> target_codec;
  int target_level = kDefaultLevel;
  std::size_t max_message_bytes = 1'048'588;
  std::size_t max_uncompressed_bytes = kDefaultMaxUncompressedBytes;
};

/// A record that was refused, for ProduceResponse's RecordErrors.
struct RecordError {
  std::int32_t batch_index = 0;
  std::string message;
};

struct ValidationFailure {
  Error error;
  std::vector<RecordError> record_errors;
};

/// A batch as it will be appended: a header of its own with offsets and epoch filled in, and the
/// records, which stay where the request has them unless they had to be written anew.
struct ValidBatch {
  std::array<char, kBatchHeaderSize> header;
  BytesView payload;
  /// The records where they had to be recompressed or renumbered; payload points into it.
  std::unique_ptr<Bytes> rewritten;
  Offset last_offset;
  std::int64_t max_timestamp = kNoTimestamp;
  std::int32_t record_count = 0;

  [[nodiscard]] std::size_t sizeInBytes() const { return header.size() + payload.size(); }
};

/// Checks a batch and gives it its offsets. Nothing of the input is changed. CRC first, then
/// header, then every record. Errors: kInvalidRecord, kCorruptMessage, kInvalidTimestamp,
/// kMessageTooLarge.
[[nodiscard]] std::expected<ValidBatch, ValidationFailure> validateBatch(
    const BatchView& batch, Offset base_offset, LeaderEpoch epoch, Millis now_ms,
    const ValidationRules& rules);

}  // namespace millrace::record
