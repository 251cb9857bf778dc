#include "connect/big_integer.h"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace millrace::connect {

namespace {
void negate(std::vector<std::uint8_t>& bytes) {
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(~byte);
  for (std::size_t i = bytes.size(); i-- > 0;) {
    if (++bytes[i] != 0) break;
  }
}
}  // namespace

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
