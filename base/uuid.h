// Kafka's uuid: 128 bits, text form is URL-safe base64 without padding (22 characters).
#pragma once

#include "base/result.h"

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace millrace {

struct Uuid {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  [[nodiscard]] bool isZero() const { return high == 0 && low == 0; }
  /// 22 characters of URL-safe base64.
  [[nodiscard]] std::string toString() const;
  /// Kafka's order: two signed 64-bit numbers, high half first.
  friend std::strong_ordering operator<=>(const Uuid& a, const Uuid& b) {
    if (a.high != b.high)
      return static_cast<std::int64_t>(a.high) <=> static_cast<std::int64_t>(b.high);
    return static_cast<std::int64_t>(a.low) <=> static_cast<std::int64_t>(b.low);
  }
  friend bool operator==(const Uuid&, const Uuid&) = default;
};

/// Errors: kMalformed unless `text` is 22 characters (or 24 with padding) of base64.
[[nodiscard]] Result<Uuid> parseUuid(std::string_view text);
/// A version 4 uuid from 128 random bits.
[[nodiscard]] Uuid makeUuid(std::uint64_t random_high, std::uint64_t random_low);
/// A version 4 uuid from the system's random source, never one that starts with '-' in text (as
/// Kafka's).
[[nodiscard]] Uuid randomUuid();

}  // namespace millrace

template <>
struct std::hash<millrace::Uuid> {
  std::size_t operator()(const millrace::Uuid& u) const noexcept {
    return u.high ^ (u.low * 0x9E3779B97F4A7C15ULL);
  }
};
