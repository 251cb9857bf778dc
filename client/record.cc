#include "client/record.h"

#include "base/varint.h"

namespace millrace {
namespace {

/// Batches are checked record by record before they are handed out (client/fetch_decoder.cc): no
/// bounds here.
inline const char* readVar(const char* p, std::int32_t& out) {
  std::uint32_t value = static_cast<unsigned char>(*p++);
  if (value >= 0x80) [[unlikely]] {
    value &= 0x7F;
    for (int shift = 7;; shift += 7) {
      const auto byte = static_cast<unsigned char>(*p++);
      value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
  }
  out = unzigzag(value);
  return p;
}

inline const char* readVarLong(const char* p, std::int64_t& out) {
  std::uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const auto byte = static_cast<unsigned char>(*p++);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) break;
  }
  out = unzigzag(value);
  return p;
}

inline const char* readBytes(const char* p, BytesView& out, bool& present) {
  std::int32_t size = 0;
  p = readVar(p, size);
  present = size >= 0;
  if (!present) {
    out = {};
    return p;
  }
  out = BytesView(p, static_cast<std::size_t>(size));
  return p + size;
}

}  // namespace

void RecordIterator::parse() {
  if (left_ <= 0) return;
  std::int32_t length = 0;
  std::int32_t offset_delta = 0;
  std::int64_t timestamp_delta = 0;
  const char* p = readVar(at_, length);
  at_ = p + length;
  ++p;  // attributes
  p = readVarLong(p, timestamp_delta);
  p = readVar(p, offset_delta);
  p = readBytes(p, record_.key_, record_.has_key_);
  p = readBytes(p, record_.value_, record_.has_value_);
  record_.headers_ = readVar(p, record_.header_count_);
  const client::FetchedBatch& batch = *record_.batch_;
  record_.offset_ = batch.base_offset + offset_delta;
  record_.timestamp_ = batch.timestamp_type == TimestampType::kLogAppendTime
                           ? batch.max_timestamp
                           : batch.base_timestamp + timestamp_delta;
}

std::vector<HeaderView> Record::headers() const {
  std::vector<HeaderView> out;
  out.reserve(static_cast<std::size_t>(header_count_));
  const char* p = headers_;
  for (std::int32_t i = 0; i < header_count_; ++i) {
    HeaderView header;
    BytesView value;
    bool present = false;
    p = readBytes(p, header.key, present);
    p = readBytes(p, value, present);
    if (present) header.value = value;
    out.push_back(header);
  }
  return out;
}

std::optional<HeaderView> Record::lastHeader(std::string_view key) const {
  std::optional<HeaderView> found;
  for (const HeaderView& header : headers()) {
    if (header.key == key) found = header;
  }
  return found;
}

ConsumerRecords::ConsumerRecords(std::vector<RecordSlice> slices) : slices_(std::move(slices)) {
  for (const RecordSlice& slice : slices_) count_ += static_cast<std::size_t>(slice.count);
}

}  // namespace millrace
