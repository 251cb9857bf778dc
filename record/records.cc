#include "record/records.h"

#include <fmt/format.h>

#include <array>

namespace millrace::record {
namespace {

/// Reads a zigzag varint of 32 bits; nullptr where the input ends or it is too long. One byte is by
/// far the usual case.
inline const char* readInt(const char* p, const char* end, std::int32_t& out) {
  if (p < end && static_cast<unsigned char>(*p) < 0x80) {
    out = unzigzag(std::uint32_t{static_cast<unsigned char>(*p)});
    return p + 1;
  }
  std::uint32_t raw = 0;
  p = getVarint32(p, end, raw);
  if (p != nullptr) out = unzigzag(raw);
  return p;
}

inline const char* readLong(const char* p, const char* end, std::int64_t& out) {
  if (p < end && static_cast<unsigned char>(*p) < 0x80) {
    out = unzigzag(std::uint64_t{static_cast<unsigned char>(*p)});
    return p + 1;
  }
  std::uint64_t raw = 0;
  p = getVarint(p, end, raw);
  if (p != nullptr) out = unzigzag(raw);
  return p;
}

/// Reads a length and as many bytes; a negative length is null (as Kafka's Utils.readBytes takes
/// it).
inline const char* readBytes(const char* p, const char* end, std::optional<BytesView>& out) {
  std::int32_t size = 0;
  p = readInt(p, end, size);
  if (p == nullptr) return nullptr;
  if (size < 0) {
    out.reset();
    return p;
  }
  if (size > end - p) return nullptr;
  out = BytesView(p, static_cast<std::size_t>(size));
  return p + size;
}

inline const char* readHeader(const char* p, const char* end, HeaderView& out) {
  std::optional<BytesView> key;
  p = readBytes(p, end, key);
  if (p == nullptr || !key) return nullptr;
  out.key = *key;
  return readBytes(p, end, out.value);
}

/// True where `n` bytes at `p` stop a varint: it has ended, or is longer than five bytes.
bool varintNeverEnds(const char* p, const char* end) {
  for (int i = 0; i < 5; ++i, ++p)
    if (p == end || static_cast<unsigned char>(*p) < 0x80) return false;
  return true;
}

constexpr std::array<std::string_view, 7> kControlNames = {
    "ABORT",           "COMMIT",        "LEADER_CHANGE", "SNAPSHOT_HEADER",
    "SNAPSHOT_FOOTER", "KRAFT_VERSION", "KRAFT_VOTERS"};

}  // namespace

void HeadersView::Iterator::load() {
  if (left_ <= 0) return;
  const char* p = readHeader(rest_.data(), rest_.data() + rest_.size(), current_);
  rest_.remove_prefix(static_cast<std::size_t>(p - rest_.data()));
}

std::optional<HeaderView> HeadersView::last(BytesView key) const {
  std::optional<HeaderView> found;
  for (const HeaderView& header : *this)
    if (header.key == key) found = header;
  return found;
}

RecordCursor::RecordCursor(const BatchView& batch, BytesView records)
    : p_(records.data()),
      end_(records.data() + records.size()),
      base_offset_(batch.baseOffset().value()),
      base_timestamp_(batch.baseTimestamp()),
      append_timestamp_(batch.maxTimestamp()),
      base_sequence_(batch.baseSequence()),
      count_(batch.recordCount()),
      left_(batch.recordCount()),
      log_append_time_(batch.timestampType() == TimestampType::kLogAppendTime) {}

bool RecordCursor::next(RecordView& out) {
  if (left_ <= 0) return finish();
  std::int32_t size = 0;
  const char* p = readInt(p_, end_, size);
  if (p == nullptr) [[unlikely]] {
    if (varintNeverEnds(p_, end_))
      return failWith(Errc::kMalformed, "a record length that never ends");
    ended_early_ = true;
    return failWith(Errc::kInvalidRecord, "the records end before their count");
  }
  if (size < 0 || size > end_ - p) [[unlikely]] {
    ended_early_ = size > 0;
    return failWith(Errc::kInvalidRecord, "a record length that is too large");
  }
  p_ = p;
  --left_;
  return decodeBody(p + size, out);
}

bool RecordCursor::decodeBody(const char* end, RecordView& out) {
  const char* p = p_;
  std::int64_t timestamp_delta = 0;
  std::int32_t offset_delta = 0;
  std::int32_t header_count = 0;
  // The first byte holds attributes, none of which is in use.
  if (p == end || (p = readLong(p + 1, end, timestamp_delta)) == nullptr ||
      (p = readInt(p, end, offset_delta)) == nullptr ||
      (p = readBytes(p, end, out.key)) == nullptr ||
      (p = readBytes(p, end, out.value)) == nullptr ||
      (p = readInt(p, end, header_count)) == nullptr) [[unlikely]]
    return failWith(Errc::kInvalidRecord, "a record that is malformed");
  if (header_count == 0) [[likely]] {
    out.headers = HeadersView();
  } else {
    if (header_count < 0 || header_count > end - p)
      return failWith(Errc::kInvalidRecord, "an impossible number of headers");
    const char* first = p;
    HeaderView header;
    for (std::int32_t i = 0; i < header_count; ++i)
      if ((p = readHeader(p, end, header)) == nullptr)
        return failWith(Errc::kInvalidRecord, "a header that is malformed");
    out.headers = HeadersView(BytesView(first, static_cast<std::size_t>(p - first)), header_count);
  }
  if (p != end) [[unlikely]]
    return failWith(Errc::kInvalidRecord, "a record longer than its fields");
  p_ = p;
  out.offset = offsetBehind(Offset{base_offset_}, offset_delta);
  // Unsigned: hostile deltas may wrap, as Java's do.
  out.timestamp = log_append_time_
                      ? append_timestamp_
                      : static_cast<std::int64_t>(static_cast<std::uint64_t>(base_timestamp_) +
                                                  static_cast<std::uint64_t>(timestamp_delta));
  out.sequence = base_sequence_ < 0 ? kNoSequence : addToSequence(base_sequence_, offset_delta);
  return true;
}

/// Behind the last record nothing may be left; a batch that counts no records at all is not looked
/// into.
bool RecordCursor::finish() {
  if (count_ > 0 && p_ != end_ && status_)
    return failWith(Errc::kInvalidRecord, "bytes behind the last record");
  return false;
}

bool RecordCursor::failWith(Errc code, const char* what) {
  status_ = fail(
      code, fmt::format("batch at offset {}, record {}: {}", base_offset_, count_ - left_, what));
  left_ = 0;
  return false;
}

namespace {

/// Of a batch whose payload unpacks only to `records`, then to `broken`.
std::unexpected<Error> firstError(const BatchView& batch, BytesView records, Error broken) {
  RecordCursor cursor(batch, records);
  RecordView record;
  while (cursor.next(record)) {
  }
  if (cursor.status() || cursor.endedEarly()) return std::unexpected(std::move(broken));
  return std::unexpected(cursor.status().error());
}

}  // namespace

Result<RecordCursor> openRecords(const BatchView& batch, Bytes& scratch, std::size_t max_size) {
  MILLRACE_TRY(const Codec codec, batch.codec());
  if (batch.recordCount() < 0)
    return fail(Errc::kInvalidRecord, fmt::format("batch at offset {} counts {} records",
                                                  batch.baseOffset().value(), batch.recordCount()));
  if (codec == Codec::kNone || batch.recordCount() == 0)
    return RecordCursor(batch, batch.payload());
  if (Status unpacked = decompress(codec, batch.payload(), scratch, max_size); !unpacked)
    return firstError(batch, scratch, std::move(unpacked).error());
  return RecordCursor(batch, scratch);
}

std::string_view controlTypeName(ControlType type) {
  const auto index = static_cast<std::int16_t>(type);
  return index < 0 ? "UNKNOWN" : kControlNames[static_cast<std::size_t>(index)];
}

Result<ControlType> parseControlKey(std::optional<BytesView> key) {
  if (!key || key->size() < 4)
    return fail(Errc::kInvalidRecord, "a control record's key has fewer than 4 bytes");
  if (loadBe<std::int16_t>(key->data()) < 0)
    return fail(Errc::kInvalidRecord, "a control record's key has a negative version");
  const auto type = loadBe<std::int16_t>(key->data() + 2);
  if (type < 0 || type > static_cast<std::int16_t>(ControlType::kKRaftVoters))
    return ControlType::kUnknown;
  return static_cast<ControlType>(type);
}

Result<EndTxnMarker> parseEndTxnMarker(const RecordView& record) {
  MILLRACE_TRY(const ControlType type, parseControlKey(record.key));
  if (type != ControlType::kAbort && type != ControlType::kCommit)
    return fail(Errc::kInvalidRecord, "not the end of a transaction");
  if (!record.value || record.value->size() < 6 || loadBe<std::int16_t>(record.value->data()) < 0)
    return fail(Errc::kInvalidRecord, "the value of a transaction marker is malformed");
  return EndTxnMarker{type, loadBe<std::int32_t>(record.value->data() + 2)};
}

}  // namespace millrace::record
