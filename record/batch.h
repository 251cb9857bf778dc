// Record batch v2 (KIP-98) as it stands on the wire and on disk: a zero-copy view whose every
// access is within bounds.
#pragma once

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/varint.h"
#include "record/compression.h"

#include <cstdint>
#include <limits>
#include <optional>

namespace millrace::record {

enum class TimestampType : std::uint8_t { kCreateTime = 0, kLogAppendTime = 1 };

inline constexpr std::int64_t kNoTimestamp = -1;
inline constexpr std::int32_t kNoSequence = -1;
inline constexpr std::int16_t kNoProducerEpoch = -1;
inline constexpr ProducerId kNoProducerId{-1};
inline constexpr LeaderEpoch kNoLeaderEpoch{-1};

/// Byte positions in a batch. The CRC covers everything from kAttributes on.
namespace layout {
inline constexpr std::size_t kBaseOffset = 0, kLength = 8, kLeaderEpoch = 12, kMagic = 16,
                             kCrc = 17, kAttributes = 21, kLastOffsetDelta = 23,
                             kBaseTimestamp = 27, kMaxTimestamp = 35, kProducerId = 43,
                             kProducerEpoch = 51, kBaseSequence = 53, kRecordCount = 57;
}  // namespace layout
/// Base offset and length: what stands before the bytes that `length` counts.
inline constexpr std::size_t kBatchOverhead = 12;
/// A batch's header; the records follow.
inline constexpr std::size_t kBatchHeaderSize = 61;
inline constexpr std::int16_t kTimestampTypeBit = 0x08, kTransactionalBit = 0x10,
                              kControlBit = 0x20, kDeleteHorizonBit = 0x40;

/// `sequence + n`, wrapping from 2^31-1 to 0 as Kafka's DefaultRecordBatch.incrementSequence; also
/// in what it makes of an `n` below 0, which only a damaged header has.
[[nodiscard]] constexpr std::int32_t addToSequence(std::int32_t sequence, std::int32_t n) {
  constexpr std::uint32_t kMax = std::numeric_limits<std::int32_t>::max();
  const std::uint32_t sum = static_cast<std::uint32_t>(sequence) + static_cast<std::uint32_t>(n);
  const auto last = static_cast<std::int32_t>(kMax - static_cast<std::uint32_t>(n));
  return static_cast<std::int32_t>(sequence > last ? sum - kMax - 1 : sum);
}

/// The offset `n` behind `base`; wraps where none exists, as Java's does: a header may say
/// anything.
[[nodiscard]] constexpr Offset offsetBehind(Offset base, std::int64_t n) {
  return Offset{static_cast<std::int64_t>(static_cast<std::uint64_t>(base.value()) +
                                          static_cast<std::uint64_t>(n))};
}

/// Whether a batch from `base` to `last_delta` behind it, and one more record, have offsets.
[[nodiscard]] constexpr bool offsetsExist(Offset base, std::int32_t last_delta) {
  return base >= Offset{0} && last_delta >= 0 &&
         base.value() < std::numeric_limits<std::int64_t>::max() - last_delta;
}

/// A view of one whole batch of magic 2. The bytes belong to whoever was parsed. parse() has
/// checked that the header is there and that the length is the bytes' own; CRC, codec and records
/// are checked when asked for.
class BatchView {
 public:
  BatchView() = default;
  /// `bytes` is exactly one batch. Errors: kCorruptMessage where it is too small or its length
  /// field differs, kUnsupportedForMessageFormat for the formats 0 and 1.
  [[nodiscard]] static Result<BatchView> parse(BytesView bytes);

  [[nodiscard]] BytesView bytes() const { return {data_, size_}; }
  [[nodiscard]] std::size_t sizeInBytes() const { return size_; }
  [[nodiscard]] Offset baseOffset() const {
    return Offset{load<std::int64_t>(layout::kBaseOffset)};
  }
  [[nodiscard]] std::int32_t batchLength() const { return load<std::int32_t>(layout::kLength); }
  [[nodiscard]] LeaderEpoch leaderEpoch() const {
    return LeaderEpoch{load<std::int32_t>(layout::kLeaderEpoch)};
  }
  [[nodiscard]] std::int8_t magic() const { return load<std::int8_t>(layout::kMagic); }
  [[nodiscard]] std::uint32_t crc() const { return load<std::uint32_t>(layout::kCrc); }
  [[nodiscard]] std::int16_t attributes() const { return load<std::int16_t>(layout::kAttributes); }
  [[nodiscard]] std::int32_t lastOffsetDelta() const {
    return load<std::int32_t>(layout::kLastOffsetDelta);
  }
  /// The first record's timestamp; the delete horizon where hasDeleteHorizon().
  [[nodiscard]] std::int64_t baseTimestamp() const {
    return load<std::int64_t>(layout::kBaseTimestamp);
  }
  [[nodiscard]] std::int64_t maxTimestamp() const {
    return load<std::int64_t>(layout::kMaxTimestamp);
  }
  [[nodiscard]] ProducerId producerId() const {
    return ProducerId{load<std::int64_t>(layout::kProducerId)};
  }
  [[nodiscard]] std::int16_t producerEpoch() const {
    return load<std::int16_t>(layout::kProducerEpoch);
  }
  [[nodiscard]] std::int32_t baseSequence() const {
    return load<std::int32_t>(layout::kBaseSequence);
  }
  [[nodiscard]] std::int32_t recordCount() const {
    return load<std::int32_t>(layout::kRecordCount);
  }

  [[nodiscard]] Offset lastOffset() const { return offsetBehind(baseOffset(), lastOffsetDelta()); }
  [[nodiscard]] Offset nextOffset() const { return offsetBehind(lastOffset(), 1); }
  /// See record::offsetsExist.
  [[nodiscard]] bool offsetsExist() const {
    return record::offsetsExist(baseOffset(), lastOffsetDelta());
  }
  /// kNoSequence without a base sequence.
  [[nodiscard]] std::int32_t lastSequence() const {
    return baseSequence() == kNoSequence ? kNoSequence
                                         : addToSequence(baseSequence(), lastOffsetDelta());
  }
  [[nodiscard]] bool hasProducerId() const { return producerId() > kNoProducerId; }
  /// Errors: kMalformed for codec bits 5 to 7.
  [[nodiscard]] Result<Codec> codec() const { return codecFromId(attributes() & 0x07); }
  [[nodiscard]] TimestampType timestampType() const {
    return (attributes() & kTimestampTypeBit) != 0 ? TimestampType::kLogAppendTime
                                                   : TimestampType::kCreateTime;
  }
  [[nodiscard]] bool isTransactional() const { return (attributes() & kTransactionalBit) != 0; }
  [[nodiscard]] bool isControl() const { return (attributes() & kControlBit) != 0; }
  [[nodiscard]] bool hasDeleteHorizon() const { return (attributes() & kDeleteHorizonBit) != 0; }
  /// Milliseconds after which tombstones of this batch may go (KIP-534).
  [[nodiscard]] std::optional<std::int64_t> deleteHorizonMs() const {
    return hasDeleteHorizon() ? std::optional(baseTimestamp()) : std::nullopt;
  }

  /// The CRC-32C of the bytes as they are.
  [[nodiscard]] std::uint32_t computedCrc() const;
  /// Errors: kCorruptMessage where the CRC differs.
  [[nodiscard]] Status checkCrc() const;
  /// What follows the header: the records, compressed as codec() says.
  [[nodiscard]] BytesView payload() const {
    return {data_ + kBatchHeaderSize, size_ - kBatchHeaderSize};
  }

 private:
  BatchView(const char* data, std::size_t size) : data_(data), size_(size) {}
  template <class T>
  [[nodiscard]] T load(std::size_t at) const {
    return loadBe<T>(data_ + at);
  }

  const char* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Walks the batches of a buffer. A torn tail (a batch that is not all there) ends the walk without
/// an error.
class BatchIterator {
 public:
  explicit BatchIterator(BytesView buffer) : buffer_(buffer) {}

  /// The next batch of magic 2; false at the end, at a torn tail and on an error (see status()).
  bool next(BatchView& out);
  /// The next batch of any magic as bytes: at least 26 of them, the magic 0, 1 or 2.
  bool nextFrame(BytesView& out);
  /// Errors: kCorruptMessage for an impossible length or magic, kMalformed for one that overflows,
  /// and what BatchView::parse says. The walk stands before the faulty batch.
  [[nodiscard]] const Status& status() const { return status_; }
  /// Bytes of the whole batches found so far.
  [[nodiscard]] std::size_t position() const { return position_; }

 private:
  BytesView buffer_;
  std::size_t position_ = 0;
  Status status_;
};

/// The size of the batch at the start of `buffer`, which may hold less than all of it; nothing when
/// fewer than 17 bytes are there. Errors as BatchIterator::status().
[[nodiscard]] Result<std::optional<std::size_t>> frameSize(BytesView buffer);

}  // namespace millrace::record
