// Reads any batch bytes, sound or corrupt, old formats included, and tells what is in them: for
// dump-log, check-log and tests.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "record/batch.h"
#include "record/records.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace millrace::record {

/// Where reading failed: finding the next batch, its CRC, its header, its records.
enum class ReadStage : std::uint8_t { kBatches, kCrc, kHeader, kRecords };
/// "batches", "crc", "header", "records".
[[nodiscard]] std::string_view readStageName(ReadStage stage);
/// The simple name of the exception that Kafka's Java reader throws for an error of this room:
/// CorruptRecordException (kCorruptMessage), InvalidRecordException (kInvalidRecord),
/// IllegalArgumentException (kMalformed), KafkaException (kCorruptData).
[[nodiscard]] std::string_view javaExceptionName(Errc code);

struct OwnedHeader {
  Bytes key;
  std::optional<Bytes> value;
};

struct OwnedRecord {
  std::int64_t offset = 0;
  std::int64_t timestamp = kNoTimestamp;
  std::int32_t sequence = kNoSequence;
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  std::vector<OwnedHeader> headers;
  /// In a control batch only.
  std::optional<ControlType> control;
  /// Of ABORT and COMMIT.
  std::optional<std::int32_t> coordinator_epoch;
};

/// Legacy message sets of a wrapper (magic 0 and 1) appear as one batch.
struct InspectedBatch {
  std::int8_t magic = 2;
  std::size_t size_in_bytes = 0;
  Offset base_offset;
  Offset last_offset;
  std::int64_t max_timestamp = kNoTimestamp;
  std::uint32_t crc = 0;
  std::string compression;
  /// "CreateTime", "LogAppendTime"; "NoTimestampType" in magic 0.
  std::string timestamp_type;
  /// The header of magic 2; points into the inspected bytes.
  std::optional<BatchView> view;
  std::vector<OwnedRecord> records;
  /// What the records section unpacks to (magic 2).
  Bytes uncompressed;
};

struct Inspection {
  /// Empty where anything failed.
  std::vector<InspectedBatch> batches;
  /// Bytes of the whole batches found.
  std::size_t bytes_parsed = 0;
  std::optional<Error> error;
  ReadStage stage = ReadStage::kBatches;
};

/// Reads everything in `bytes`; the first error stops it.
[[nodiscard]] Inspection inspect(BytesView bytes,
                                 std::size_t max_uncompressed = kDefaultMaxUncompressedBytes);

/// Reads one message or wrapper of magic 0 or 1; `frame` as BatchIterator::nextFrame gives it.
/// `stage` tells where an error arose.
[[nodiscard]] Result<InspectedBatch> inspectLegacy(BytesView frame, std::size_t max_uncompressed,
                                                   ReadStage& stage);

}  // namespace millrace::record
