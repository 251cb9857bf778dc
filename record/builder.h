// Writes record batches: records go straight into one growing buffer, the header is filled in at
// the end.
#pragma once

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/batch.h"
#include "record/records.h"

#include <cstdint>
#include <optional>
#include <span>

namespace millrace::record {

/// What the header of a batch says besides its records.
struct BatchOptions {
  Codec codec = Codec::kNone;
  int level = kDefaultLevel;
  Offset base_offset{0};
  LeaderEpoch leader_epoch = kNoLeaderEpoch;
  TimestampType timestamp_type = TimestampType::kCreateTime;
  ProducerId producer_id = kNoProducerId;
  std::int16_t producer_epoch = kNoProducerEpoch;
  std::int32_t base_sequence = kNoSequence;
  bool transactional = false;
  bool control = false;
  /// Compaction: when tombstones and markers in the batch may go, in ms since 1970 (KIP-534).
  std::optional<std::int64_t> delete_horizon_ms = std::nullopt;
};

/// Builds one batch. Not thread-safe. append() costs a few nanoseconds: no allocation per record,
/// no copy but the record's own bytes.
class BatchBuilder {
 public:
  explicit BatchBuilder(BatchOptions options = {}, std::size_t capacity = 16 << 10);

  /// Appends a record behind the last one. nullopt is Kafka's null. `timestamp` in ms since 1970.
  void append(std::int64_t timestamp, std::optional<BytesView> key, std::optional<BytesView> value,
              std::span<const HeaderView> headers = {});
  /// Appends at an offset of its own: above the last one and less than 2^31 above the base
  /// (compaction keeps gaps).
  void appendAt(Offset offset, std::int64_t timestamp, std::optional<BytesView> key,
                std::optional<BytesView> value, const HeadersView& headers = {});

  /// Places for a record's bytes, valid until the next call on the builder.
  struct Slots {
    char* key = nullptr;
    char* value = nullptr;
  };
  /// As append(), but the caller writes the bytes into the batch itself. A negative size is null.
  Slots appendInPlace(std::int64_t timestamp, std::int32_t key_size, std::int32_t value_size);

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::int32_t count() const { return count_; }
  /// Bytes of the batch as it stands, header included, before compression.
  [[nodiscard]] std::size_t sizeInBytes() const { return size_; }
  [[nodiscard]] std::int64_t maxTimestamp() const { return max_timestamp_; }
  /// No more than what a record without headers adds to the batch.
  [[nodiscard]] static std::size_t recordSizeBound(std::size_t key_size, std::size_t value_size) {
    return key_size + value_size + 36;
  }

  /// For the sender, who learns these late.
  void setProducer(ProducerId id, std::int16_t epoch, std::int32_t base_sequence);
  void setTransactional(bool transactional) { options_.transactional = transactional; }
  void setCodec(Codec codec, int level = kDefaultLevel);
  void setBaseOffset(Offset offset) { options_.base_offset = offset; }
  /// Keeps an offset range wider than the records (compaction); not below the last record's.
  void setLastOffset(Offset offset) { last_offset_override_ = offset; }
  [[nodiscard]] const BatchOptions& options() const { return options_; }

  /// The finished batch. The builder is empty afterwards and may be used again. Errors: of
  /// compress().
  [[nodiscard]] Result<Bytes> build();
  /// Forgets all records, keeps the buffer.
  void reset();

 private:
  char* beginRecord(std::int64_t timestamp, std::int32_t offset_delta, std::int32_t key_size,
                    std::int32_t value_size, std::size_t headers_size);
  void grow(std::size_t needed);
  void writeHeader(Bytes& batch) const;

  BatchOptions options_;
  Bytes buffer_;
  std::size_t capacity_;
  std::size_t size_ = kBatchHeaderSize;
  std::int32_t count_ = 0;
  std::int32_t last_offset_delta_ = -1;
  std::int64_t base_timestamp_ = kNoTimestamp;
  std::int64_t max_timestamp_ = kNoTimestamp;
  std::optional<Offset> last_offset_override_;
};

/// A batch with one control record: what ends a transaction in a partition.
[[nodiscard]] Bytes buildEndTxnMarker(ProducerId producer, std::int16_t producer_epoch,
                                      const EndTxnMarker& marker, std::int64_t timestamp);
/// A batch with one control record of the metadata log (leader change, snapshot header, ...).
[[nodiscard]] Bytes buildControlBatch(ControlType type, BytesView value, std::int64_t timestamp,
                                      LeaderEpoch epoch, Offset base_offset = Offset{0});

// Patches in a batch that the caller owns. `batch` points to at least a header.
/// Outside the CRC.
void patchBaseOffset(char* batch, Offset offset);
/// Outside the CRC.
void patchLeaderEpoch(char* batch, LeaderEpoch epoch);
/// Rewrites max timestamp and type, and the CRC if anything changed. `batch` is the whole batch.
void patchMaxTimestamp(std::span<char> batch, std::int64_t max_timestamp, TimestampType type);
/// Stores the CRC of the bytes as they are. `batch` is the whole batch.
void patchCrc(std::span<char> batch);

}  // namespace millrace::record
