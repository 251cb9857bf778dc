#include "connect/base64.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace millrace::connect {

namespace {
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> makeDecodeTable() {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    table[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return table;
}
constexpr std::array<std::int8_t, 256> kDecode = makeDecodeTable();

void negate(std::vector<std::uint8_t>& bytes) {
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(~byte);
  for (std::size_t i = bytes.size(); i-- > 0;) {
    if (++bytes[i] != 0) break;
  }
}
}  // namespace

std::string toBase64(BytesView bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < left ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      text += k <= left ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return text;
}

std::optional<Bytes> fromBase64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  Bytes bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const std::int8_t digit = kDecode[static_cast<unsigned char>(c)];
    if (digit < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count >= 8) {
      count -= 8;
      bytes.push_back(static_cast<char>(bits >> count & 0xFF));
    }
  }
  return bytes;
}

Bytes integerToBytes(std::string_view decimal) {
  const bool negative = decimal.starts_with('-');
  if (negative) decimal.remove_prefix(1);
  std::vector<std::uint8_t> bytes{0};  // big endian magnitude with a leading zero for the sign
  for (const char c : decimal) {
    unsigned carry = static_cast<unsigned>(c - '0');
    for (std::size_t i = bytes.size(); i-- > 0;) {
      carry += bytes[i] * 10U;
      bytes[i] = static_cast<std::uint8_t>(carry);
      carry >>= 8;
    }
    if (carry != 0) bytes.insert(bytes.begin(), static_cast<std::uint8_t>(carry));
  }
  if ((bytes.front() & 0x80) != 0) bytes.insert(bytes.begin(), 0);
  if (negative) negate(bytes);
  // A leading byte that only repeats the sign says nothing.
  std::size_t skip = 0;
  while (skip + 1 < bytes.size()) {
    const bool next_sign = (bytes[skip + 1] & 0x80) != 0;
    if (bytes[skip] != (next_sign ? 0xFF : 0x00)) break;
    ++skip;
  }
  return {bytes.begin() + static_cast<std::ptrdiff_t>(skip), bytes.end()};
}

std::string bytesToInteger(BytesView input) {
  std::vector<std::uint8_t> bytes(input.begin(), input.end());
  const bool negative = !bytes.empty() && (bytes.front() & 0x80) != 0;
  if (negative) negate(bytes);
  std::string digits;  // last digit first
  while (std::ranges::any_of(bytes, [](std::uint8_t b) { return b != 0; })) {
    unsigned rest = 0;
    for (auto& byte : bytes) {
      rest = rest << 8 | byte;
      byte = static_cast<std::uint8_t>(rest / 10);
      rest %= 10;
    }
    digits.push_back(static_cast<char>('0' + rest));
  }
  if (digits.empty()) return "0";
  if (negative) digits.push_back('-');
  std::ranges::reverse(digits);
  return digits;
}

}  // namespace millrace::connect
