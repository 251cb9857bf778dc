#include "streams/runtime/offset_metadata.h"

#include "base/base64.h"
#include "base/bytes.h"
#include "base/varint.h"

namespace millrace::streams {
namespace {

template <class T>
void append(Bytes& out, T value) {
  char buffer[sizeof(T)];
  storeBe(buffer, value);
  out.append(buffer, sizeof(T));
}

template <class T>
bool take(BytesView& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  value = loadBe<T>(in.data());
  in.remove_prefix(sizeof(T));
  return true;
}

bool takeValues(BytesView& in, std::map<std::string, std::int64_t>& values) {
  std::int32_t count = 0;
  if (!take(in, count)) return false;
  for (std::int32_t i = 0; i < count; ++i) {
    std::int32_t size = 0;
    if (!take(in, size) || size < 0 || static_cast<std::size_t>(size) > in.size()) return false;
    const std::string key(in.substr(0, static_cast<std::size_t>(size)));
    in.remove_prefix(static_cast<std::size_t>(size));
    if (!take(in, values[key])) return false;
  }
  return true;
}

}  // namespace

std::string encodeOffsetMetadata(const OffsetMetadata& metadata, std::size_t max_size) {
  Bytes bytes(1, '\2');
  append(bytes, metadata.partition_time);
  append(bytes, static_cast<std::int32_t>(metadata.values.size()));
  for (const auto& [key, value] : metadata.values) {
    append(bytes, static_cast<std::int32_t>(key.size()));
    bytes += key;
    append(bytes, value);
  }
  if ((bytes.size() + 2) / 3 * 4 <= max_size || metadata.values.empty()) return toBase64(bytes);
  return encodeOffsetMetadata({metadata.partition_time, {}}, max_size);
}

OffsetMetadata decodeOffsetMetadata(std::string_view text) {
  const auto bytes = fromBase64(text);
  if (!bytes || bytes->empty()) return {};
  const char version = bytes->front();
  BytesView in = BytesView(*bytes).substr(1);
  OffsetMetadata metadata;
  if ((version != 1 && version != 2) || !take(in, metadata.partition_time)) return {};
  if (version == 2 && !takeValues(in, metadata.values)) return {};
  return metadata;
}

}  // namespace millrace::streams
