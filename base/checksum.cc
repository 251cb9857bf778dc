#include "base/checksum.h"

#include "base/assert.h"
#include "base/varint.h"

#include <isa-l/crc.h>

#include <algorithm>

namespace millrace {

namespace {

// ISA-L takes its length as int: longer input goes in pieces.
constexpr std::size_t kPiece = 1U << 30;

template <class T>
T loadLe(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof(T));
  return v;
}

}  // namespace

std::uint32_t crc32c(std::uint32_t crc, BytesView data) {
  std::uint32_t state = ~crc;
  while (!data.empty()) {
    const std::size_t size = std::min(data.size(), kPiece);
    // The function reads only; its signature in this version of the library lacks the const.
    auto* bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(data.data()));
    state = crc32_iscsi(bytes, static_cast<int>(size), state);
    data.remove_prefix(size);
  }
  return ~state;
}

std::uint32_t crc32c(BytesView data) { return crc32c(0, data); }

std::int32_t murmur2(BytesView data) {
  constexpr std::uint32_t kSeed = 0x9747b28c;
  constexpr std::uint32_t kMultiplier = 0x5bd1e995;
  constexpr int kShift = 24;
  const std::size_t size = data.size();
  const char* p = data.data();
  std::uint32_t h = kSeed ^ static_cast<std::uint32_t>(size);
  for (std::size_t i = 0; i + 4 <= size; i += 4) {
    std::uint32_t k = loadLe<std::uint32_t>(p + i) * kMultiplier;
    k = (k ^ (k >> kShift)) * kMultiplier;
    h = h * kMultiplier ^ k;
  }
  const std::size_t rest = size % 4;
  const char* tail = p + (size - rest);
  for (std::size_t i = rest; i > 0; --i) {
    h ^= static_cast<std::uint32_t>(static_cast<unsigned char>(tail[i - 1])) << (8 * (i - 1));
  }
  if (rest != 0) h *= kMultiplier;
  h = (h ^ (h >> 13)) * kMultiplier;
  h ^= h >> 15;
  return static_cast<std::int32_t>(h);
}

std::int32_t partitionForKey(BytesView key, std::int32_t partitions) {
  MILLRACE_ASSERT(partitions > 0, "partitions " + std::to_string(partitions));
  return (murmur2(key) & 0x7FFFFFFF) % partitions;
}

std::int32_t javaStringHash(std::string_view utf8) {
  std::uint32_t hash = 0;
  const auto unit = [&hash](std::uint32_t u) { hash = hash * 31 + u; };
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    std::uint32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t k = 1; k < length && i + k < utf8.size(); ++k) {
      point = point << 6 | (static_cast<unsigned char>(utf8[i + k]) & 0x3FU);
    }
    i += length;
    if (point < 0x10000) {
      unit(point);
    } else {  // a surrogate pair in UTF-16
      unit(0xD800 + ((point - 0x10000) >> 10));
      unit(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  return static_cast<std::int32_t>(hash);
}

}  // namespace millrace
