#include "record/builder.h"

#include "base/assert.h"
#include "base/checksum.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace millrace::record {
namespace {

/// Most bytes that a record takes besides key, value and headers: length 5, attributes 1, timestamp
/// 10, offset 5, key and value lengths 5 each, header count 5.
constexpr std::size_t kMaxRecordOverhead = 36;

std::size_t zigzagSize(std::int32_t v) { return varintSize(zigzag(v)); }

char* putInt(char* p, std::int32_t v) { return putVarint(p, zigzag(v)); }

char* putBytes(char* p, BytesView bytes) {
  // An empty view may point nowhere, which memcpy does not allow.
  if (!bytes.empty()) std::memcpy(p, bytes.data(), bytes.size());
  return p + bytes.size();
}

std::int32_t sizeOrNull(const std::optional<BytesView>& bytes) {
  return bytes ? static_cast<std::int32_t>(bytes->size()) : -1;
}

std::size_t encodedSize(std::span<const HeaderView> headers) {
  std::size_t size = 0;
  for (const HeaderView& h : headers) {
    const std::int32_t value = sizeOrNull(h.value);
    size += zigzagSize(static_cast<std::int32_t>(h.key.size())) + h.key.size() + zigzagSize(value) +
            static_cast<std::size_t>(std::max(value, 0));
  }
  return size;
}

char* putHeaders(char* p, std::span<const HeaderView> headers) {
  for (const HeaderView& h : headers) {
    p = putBytes(putInt(p, static_cast<std::int32_t>(h.key.size())), h.key);
    p = putInt(p, sizeOrNull(h.value));
    if (h.value) p = putBytes(p, *h.value);
  }
  return p;
}

std::int16_t attributesOf(const BatchOptions& o) {
  int bits = static_cast<int>(o.codec);
  if (o.timestamp_type == TimestampType::kLogAppendTime) bits |= kTimestampTypeBit;
  if (o.transactional) bits |= kTransactionalBit;
  if (o.control) bits |= kControlBit;
  if (o.delete_horizon_ms) bits |= kDeleteHorizonBit;
  return static_cast<std::int16_t>(bits);
}

}  // namespace

BatchBuilder::BatchBuilder(BatchOptions options, std::size_t capacity)
    : options_(options), capacity_(std::max(capacity, kBatchHeaderSize)) {
  grow(capacity_);
}

void BatchBuilder::grow(std::size_t needed) {
  const std::size_t size = std::max(needed, buffer_.size() * 2);
  buffer_.resize_and_overwrite(size, [](char*, std::size_t n) { return n; });
}

char* BatchBuilder::beginRecord(std::int64_t timestamp, std::int32_t offset_delta,
                                std::int32_t key_size, std::int32_t value_size,
                                std::size_t headers_size) {
  const std::size_t key_bytes = static_cast<std::size_t>(std::max(key_size, 0));
  const std::size_t value_bytes = static_cast<std::size_t>(std::max(value_size, 0));
  const std::size_t bound = size_ + kMaxRecordOverhead + key_bytes + value_bytes + headers_size;
  if (bound > buffer_.size()) [[unlikely]]
    grow(bound);
  if (count_ == 0) {
    base_timestamp_ = options_.delete_horizon_ms.value_or(timestamp);
    max_timestamp_ = timestamp;
  }
  max_timestamp_ = std::max(max_timestamp_, timestamp);
  const std::uint64_t delta = zigzag(static_cast<std::int64_t>(
      static_cast<std::uint64_t>(timestamp) - static_cast<std::uint64_t>(base_timestamp_)));
  const std::size_t body = 1 + varintSize(delta) + zigzagSize(offset_delta) + zigzagSize(key_size) +
                           key_bytes + zigzagSize(value_size) + value_bytes + headers_size;
  char* p = putInt(buffer_.data() + size_, static_cast<std::int32_t>(body));
  *p++ = 0;
  p = putVarint(p, delta);
  p = putInt(p, offset_delta);
  ++count_;
  last_offset_delta_ = offset_delta;
  return putInt(p, key_size);
}

void BatchBuilder::append(std::int64_t timestamp, std::optional<BytesView> key,
                          std::optional<BytesView> value, std::span<const HeaderView> headers) {
  const auto header_count = static_cast<std::int32_t>(headers.size());
  const std::size_t headers_size =
      headers.empty() ? 1 : zigzagSize(header_count) + encodedSize(headers);
  char* p = beginRecord(timestamp, last_offset_delta_ + 1, sizeOrNull(key), sizeOrNull(value),
                        headers_size);
  if (key) p = putBytes(p, *key);
  p = putInt(p, sizeOrNull(value));
  if (value) p = putBytes(p, *value);
  p = putHeaders(putInt(p, header_count), headers);
  size_ = static_cast<std::size_t>(p - buffer_.data());
}

void BatchBuilder::appendAt(Offset offset, std::int64_t timestamp, std::optional<BytesView> key,
                            std::optional<BytesView> value, const HeadersView& headers) {
  const std::int64_t delta = offset - options_.base_offset;
  MILLRACE_ASSERT(delta > last_offset_delta_ && delta <= std::numeric_limits<std::int32_t>::max(),
                  fmt::format("offset {} behind {}", offset.value(), last_offset_delta_));
  const std::size_t headers_size = zigzagSize(headers.size()) + headers.encoded().size();
  char* p = beginRecord(timestamp, static_cast<std::int32_t>(delta), sizeOrNull(key),
                        sizeOrNull(value), headers_size);
  if (key) p = putBytes(p, *key);
  p = putInt(p, sizeOrNull(value));
  if (value) p = putBytes(p, *value);
  p = putBytes(putInt(p, headers.size()), headers.encoded());
  size_ = static_cast<std::size_t>(p - buffer_.data());
}

BatchBuilder::Slots BatchBuilder::appendInPlace(std::int64_t timestamp, std::int32_t key_size,
                                                std::int32_t value_size) {
  key_size = std::max(key_size, -1);
  value_size = std::max(value_size, -1);
  Slots slots;
  slots.key = beginRecord(timestamp, last_offset_delta_ + 1, key_size, value_size, 1);
  slots.value = putInt(slots.key + std::max(key_size, 0), value_size);
  char* p = slots.value + std::max(value_size, 0);
  *p++ = 0;  // no headers
  size_ = static_cast<std::size_t>(p - buffer_.data());
  return slots;
}

void BatchBuilder::setProducer(ProducerId id, std::int16_t epoch, std::int32_t base_sequence) {
  options_.producer_id = id;
  options_.producer_epoch = epoch;
  options_.base_sequence = base_sequence;
}

void BatchBuilder::setCodec(Codec codec, int level) {
  options_.codec = codec;
  options_.level = level;
}

void BatchBuilder::writeHeader(Bytes& batch) const {
  char* p = batch.data();
  storeBe(p + layout::kBaseOffset, options_.base_offset.value());
  storeBe(p + layout::kLength, static_cast<std::int32_t>(batch.size() - kBatchOverhead));
  storeBe(p + layout::kLeaderEpoch, options_.leader_epoch.value());
  p[layout::kMagic] = 2;
  storeBe(p + layout::kAttributes, attributesOf(options_));
  const std::int64_t last =
      last_offset_override_ ? *last_offset_override_ - options_.base_offset : last_offset_delta_;
  storeBe(p + layout::kLastOffsetDelta, static_cast<std::int32_t>(last));
  storeBe(p + layout::kBaseTimestamp, base_timestamp_);
  storeBe(p + layout::kMaxTimestamp, max_timestamp_);
  storeBe(p + layout::kProducerId, options_.producer_id.value());
  storeBe(p + layout::kProducerEpoch, options_.producer_epoch);
  storeBe(p + layout::kBaseSequence, options_.base_sequence);
  storeBe(p + layout::kRecordCount, count_);
  patchCrc(batch);
}

Result<Bytes> BatchBuilder::build() {
  Bytes batch;
  if (options_.codec == Codec::kNone) {
    buffer_.resize(size_);
    batch.swap(buffer_);
  } else {
    batch.resize(kBatchHeaderSize);
    const BytesView records(buffer_.data() + kBatchHeaderSize, size_ - kBatchHeaderSize);
    MILLRACE_CHECK_OK(compress(options_.codec, records, batch, options_.level));
  }
  writeHeader(batch);
  reset();
  return batch;
}

void BatchBuilder::reset() {
  if (buffer_.size() < kBatchHeaderSize) grow(capacity_);
  size_ = kBatchHeaderSize;
  count_ = 0;
  last_offset_delta_ = -1;
  base_timestamp_ = kNoTimestamp;
  max_timestamp_ = kNoTimestamp;
  last_offset_override_.reset();
}

Bytes buildEndTxnMarker(ProducerId producer, std::int16_t producer_epoch,
                        const EndTxnMarker& marker, std::int64_t timestamp) {
  char key[4];
  storeBe(key, std::int16_t{0});
  storeBe(key + 2, static_cast<std::int16_t>(marker.type));
  char value[6];
  storeBe(value, std::int16_t{0});
  storeBe(value + 2, marker.coordinator_epoch);
  BatchBuilder builder({.producer_id = producer,
                        .producer_epoch = producer_epoch,
                        .transactional = true,
                        .control = true},
                       kBatchHeaderSize + 64);
  builder.append(timestamp, BytesView(key, sizeof key), BytesView(value, sizeof value));
  return *builder.build();  // cannot fail: nothing is compressed
}

Bytes buildControlBatch(ControlType type, BytesView value, std::int64_t timestamp,
                        LeaderEpoch epoch, Offset base_offset) {
  char key[4];
  storeBe(key, std::int16_t{0});
  storeBe(key + 2, static_cast<std::int16_t>(type));
  BatchBuilder builder({.base_offset = base_offset, .leader_epoch = epoch, .control = true},
                       kBatchHeaderSize + 64 + value.size());
  builder.append(timestamp, BytesView(key, sizeof key), value);
  return *builder.build();  // cannot fail: nothing is compressed
}

void patchBaseOffset(char* batch, Offset offset) {
  storeBe(batch + layout::kBaseOffset, offset.value());
}

void patchLeaderEpoch(char* batch, LeaderEpoch epoch) {
  storeBe(batch + layout::kLeaderEpoch, epoch.value());
}

void patchMaxTimestamp(std::span<char> batch, std::int64_t max_timestamp, TimestampType type) {
  char* p = batch.data();
  const auto old_bits = loadBe<std::int16_t>(p + layout::kAttributes);
  const auto bits = static_cast<std::int16_t>(type == TimestampType::kLogAppendTime
                                                  ? old_bits | kTimestampTypeBit
                                                  : old_bits & ~kTimestampTypeBit);
  if (bits == old_bits && loadBe<std::int64_t>(p + layout::kMaxTimestamp) == max_timestamp) return;
  storeBe(p + layout::kAttributes, bits);
  storeBe(p + layout::kMaxTimestamp, max_timestamp);
  patchCrc(batch);
}

void patchCrc(std::span<char> batch) {
  const BytesView covered(batch.data() + layout::kAttributes, batch.size() - layout::kAttributes);
  storeBe(batch.data() + layout::kCrc, crc32c(covered));
}

}  // namespace millrace::record
