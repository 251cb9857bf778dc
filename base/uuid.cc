#include "base/uuid.h"

#include "base/random.h"

namespace millrace {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The six bits of a digit; 64 for other characters. Kafka's tools write only the URL-safe
/// alphabet.
unsigned digitValue(char c) {
  const std::size_t position = kAlphabet.find(c);
  return position == std::string_view::npos ? 64 : static_cast<unsigned>(position);
}

}  // namespace

std::string Uuid::toString() const {
  // 128 bits as 21 digits of six bits and a last one of two bits, padded with zero bits.
  std::string text(22, 'A');
  for (std::size_t i = 0; i < 22; ++i) {
    unsigned digit = 0;
    for (std::size_t bit = i * 6; bit < i * 6 + 6; ++bit) {
      const std::uint64_t half = bit < 64 ? high : low;
      const unsigned value = bit < 128 ? static_cast<unsigned>(half >> (63 - bit % 64)) & 1U : 0;
      digit = digit << 1 | value;
    }
    text[i] = kAlphabet[digit];
  }
  return text;
}

Result<Uuid> parseUuid(std::string_view text) {
  std::string_view digits = text;
  if (digits.size() == 24 && digits.ends_with("==")) digits.remove_suffix(2);
  const auto refuse = [text] {
    return fail(Errc::kMalformed,
                "'" + std::string(text.substr(0, 64)) + "' is not a uuid of 22 base64 characters");
  };
  if (digits.size() != 22) return refuse();
  Uuid uuid;
  for (std::size_t i = 0; i < 22; ++i) {
    const unsigned digit = digitValue(digits[i]);
    if (digit > 63) return refuse();
    const std::size_t bits = i == 21 ? 2 : 6;
    if (i == 21 && (digit & 15U) != 0) return refuse();
    for (std::size_t bit = 0; bit < bits; ++bit) {
      uuid.high = uuid.high << 1 | uuid.low >> 63;
      uuid.low = uuid.low << 1 | ((digit >> (5 - bit)) & 1U);
    }
  }
  return uuid;
}

Uuid makeUuid(std::uint64_t random_high, std::uint64_t random_low) {
  return {.high = (random_high & 0xFFFFFFFFFFFF0FFFULL) | 0x4000ULL,
          .low = (random_low & 0x3FFFFFFFFFFFFFFFULL) | 0x8000000000000000ULL};
}

Uuid randomUuid() {
  for (;;) {
    const std::uint64_t high = systemRandom().next();
    const Uuid uuid = makeUuid(high, systemRandom().next());
    if (uuid.high >> 58 != 62) return uuid;  // digit 62 is '-'
  }
}

}  // namespace millrace
