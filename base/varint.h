// Variable-length integers as in Kafka's records (zigzag) and flexible messages (unsigned), and
// big-endian loads.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace millrace {

template <class T>
[[nodiscard]] inline T byteSwap(T v) {
  if constexpr (sizeof(T) == 1)
    return v;
  else if constexpr (sizeof(T) == 2)
    return static_cast<T>(__builtin_bswap16(static_cast<std::uint16_t>(v)));
  else if constexpr (sizeof(T) == 4)
    return static_cast<T>(__builtin_bswap32(static_cast<std::uint32_t>(v)));
  else
    return static_cast<T>(__builtin_bswap64(static_cast<std::uint64_t>(v)));
}

/// Reads a big-endian integer. `p` has at least sizeof(T) bytes.
template <class T>
[[nodiscard]] inline T loadBe(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof(T));
  return byteSwap(v);
}
/// Writes a big-endian integer. `p` has room for sizeof(T) bytes.
template <class T>
inline void storeBe(char* p, T v) {
  v = byteSwap(v);
  std::memcpy(p, &v, sizeof(T));
}

[[nodiscard]] constexpr std::uint32_t zigzag(std::int32_t v) {
  return (static_cast<std::uint32_t>(v) << 1) ^ static_cast<std::uint32_t>(v >> 31);
}
[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}
[[nodiscard]] constexpr std::int32_t unzigzag(std::uint32_t v) {
  return static_cast<std::int32_t>(v >> 1) ^ -static_cast<std::int32_t>(v & 1);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>(v >> 1) ^ -static_cast<std::int64_t>(v & 1);
}

/// Bytes that an unsigned varint of this value takes: 1..5 (32 bit) or 1..10 (64 bit).
[[nodiscard]] constexpr std::size_t varintSize(std::uint64_t v) {
  return (static_cast<std::size_t>(std::bit_width(v | 1)) + 6) / 7;
}

/// Writes an unsigned varint; returns the position after it. Room for 10 bytes is the caller's
/// duty.
inline char* putVarint(char* p, std::uint64_t v) {
  while (v >= 0x80) {
    *p++ = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  *p++ = static_cast<char>(v);
  return p;
}

/// Reads an unsigned varint of at most 64 bits from [p, end). Returns the position after it, or
/// nullptr where the input ends early or is longer than 10 bytes.
[[nodiscard]] inline const char* getVarint(const char* p, const char* end, std::uint64_t& out) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 70 && p < end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*p++);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << (shift < 64 ? shift : 63);
    if (byte < 0x80) {
      out = value;
      return p;
    }
  }
  return nullptr;
}

/// As getVarint, for 32-bit values: at most 5 bytes.
[[nodiscard]] inline const char* getVarint32(const char* p, const char* end, std::uint32_t& out) {
  std::uint32_t value = 0;
  for (int shift = 0; shift < 35 && p < end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*p++);
    value |= static_cast<std::uint32_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      out = value;
      return p;
    }
  }
  return nullptr;
}

}  // namespace millrace
