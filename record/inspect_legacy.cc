// Message formats 0 and 1: offset i64, size i32, CRC-32 u32, magic i8, attributes i8, [timestamp
// i64 in format 1], key and value with i32 lengths. A compressed message holds others in its value.
// Only read, never written.
#include "record/inspect.h"

#include <fmt/format.h>
#include <zlib.h>

namespace millrace::record {
namespace {

constexpr std::size_t kCrcAt = 12, kMagicAt = 16, kAttributesAt = 17, kBodyAt = 18;

struct Message {
  std::int64_t offset = 0;
  std::int8_t magic = 0;
  std::int8_t attributes = 0;
  std::int64_t timestamp = kNoTimestamp;
  std::optional<BytesView> key;
  std::optional<BytesView> value;
};

Result<std::optional<BytesView>> takeBytes(BytesView& rest) {
  if (rest.size() < 4) return fail(Errc::kInvalidRecord, "a message that ends early");
  const auto size = loadBe<std::int32_t>(rest.data());
  rest.remove_prefix(4);
  if (size < 0) return std::nullopt;
  if (static_cast<std::size_t>(size) > rest.size())
    return fail(Errc::kInvalidRecord, "a message's field is longer than the message");
  const BytesView bytes = rest.substr(0, static_cast<std::size_t>(size));
  rest.remove_prefix(bytes.size());
  return bytes;
}

Status checkCrc(BytesView frame) {
  const BytesView covered = frame.substr(kMagicAt);
  const auto computed = static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(covered.data()), static_cast<uInt>(covered.size())));
  const auto stored = loadBe<std::uint32_t>(frame.data() + kCrcAt);
  if (computed == stored) return {};
  return fail(Errc::kCorruptMessage,
              fmt::format("a message's CRC is {:08x}, stored {:08x}", computed, stored));
}

/// `frame` has at least 26 bytes: BatchIterator's least.
Result<Message> parseMessage(BytesView frame) {
  Message m;
  m.offset = loadBe<std::int64_t>(frame.data());
  m.magic = static_cast<std::int8_t>(frame[kMagicAt]);
  m.attributes = static_cast<std::int8_t>(frame[kAttributesAt]);
  BytesView rest = frame.substr(kBodyAt);
  if (m.magic == 1) {
    if (rest.size() < 8) return fail(Errc::kInvalidRecord, "a message that ends early");
    m.timestamp = loadBe<std::int64_t>(rest.data());
    rest.remove_prefix(8);
  }
  MILLRACE_TRY(m.key, takeBytes(rest));
  MILLRACE_TRY(m.value, takeBytes(rest));
  return m;
}

OwnedRecord recordOf(const Message& m) {
  OwnedRecord out;
  out.offset = m.offset;
  out.timestamp = m.timestamp;
  if (m.key) out.key = Bytes(*m.key);
  if (m.value) out.value = Bytes(*m.value);
  return out;
}

/// The messages inside a wrapper, with their absolute offsets (format 1 numbers them from 0; the
/// wrapper has the last's).
Status unwrap(const Message& wrapper, Codec codec, std::size_t max_uncompressed,
              InspectedBatch& out) {
  if (!wrapper.value) return fail(Errc::kInvalidRecord, "a compressed message without a value");
  MILLRACE_CHECK_OK(decompress(codec, *wrapper.value, out.uncompressed, max_uncompressed));
  BatchIterator inner(out.uncompressed);
  for (BytesView frame; inner.nextFrame(frame);) {
    MILLRACE_TRY(const Message m, parseMessage(frame));
    if (m.magic != wrapper.magic)
      return fail(Errc::kInvalidRecord, "a message of another format inside");
    if ((m.attributes & 0x07) != 0)
      return fail(Errc::kInvalidRecord, "a compressed message inside another");
    out.records.push_back(recordOf(m));
    if (wrapper.magic == 1 && (wrapper.attributes & kTimestampTypeBit) != 0)
      out.records.back().timestamp = wrapper.timestamp;
  }
  MILLRACE_CHECK_OK(inner.status());
  if (out.records.empty())
    return fail(Errc::kInvalidRecord, "a compressed message that holds none");
  const std::int64_t shift = wrapper.magic == 1 ? wrapper.offset - out.records.back().offset : 0;
  for (OwnedRecord& record : out.records) record.offset += shift;
  return {};
}

std::string timestampTypeOf(const Message& m) {
  if (m.magic == 0) return "NoTimestampType";
  return (m.attributes & kTimestampTypeBit) != 0 ? "LogAppendTime" : "CreateTime";
}

}  // namespace

Result<InspectedBatch> inspectLegacy(BytesView frame, std::size_t max_uncompressed,
                                     ReadStage& stage) {
  stage = ReadStage::kCrc;
  MILLRACE_CHECK_OK(checkCrc(frame));
  stage = ReadStage::kHeader;
  MILLRACE_TRY(const Codec codec, codecFromId(frame[kAttributesAt] & 0x07));
  stage = ReadStage::kRecords;
  MILLRACE_TRY(const Message m, parseMessage(frame));
  InspectedBatch out;
  out.magic = m.magic;
  out.size_in_bytes = frame.size();
  out.last_offset = Offset{m.offset};
  out.max_timestamp = m.timestamp;
  out.crc = loadBe<std::uint32_t>(frame.data() + kCrcAt);
  out.compression = codecName(codec);
  out.timestamp_type = timestampTypeOf(m);
  if (codec == Codec::kNone) {
    out.records.push_back(recordOf(m));
  } else {
    MILLRACE_CHECK_OK(unwrap(m, codec, max_uncompressed, out));
  }
  out.base_offset = Offset{out.records.front().offset};
  return out;
}

}  // namespace millrace::record
