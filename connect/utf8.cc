#include "connect/utf8.h"

#include <algorithm>

namespace millrace::connect {

namespace {

bool isAscii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= 0; });
}

/// Length that a lead byte announces; 0 where it leads nothing.
std::uint32_t announced(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 0;
}

/// Whether `second` may follow `lead`: no overlong forms, no surrogates, nothing above U+10FFFF.
bool mayFollow(unsigned char lead, unsigned char second) {
  if ((second & 0xC0) != 0x80) return false;
  if (lead == 0xE0) return second >= 0xA0;
  if (lead == 0xED) return second < 0xA0;
  if (lead == 0xF0) return second >= 0x90;
  if (lead == 0xF4) return second < 0x90;
  return true;
}

}  // namespace

Utf8Step utf8Step(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const std::uint32_t length = announced(lead);
  if (length == 1) return {1, 1, true};
  if (length == 0) return {1, 1, false};
  for (std::uint32_t i = 1; i < length; ++i) {
    if (i >= text.size()) return {0, 0, false};
    const auto next = static_cast<unsigned char>(text[i]);
    const bool fits = i == 1 ? mayFollow(lead, next) : (next & 0xC0) == 0x80;
    // A surrogate (ED A0..BF xx) is one broken sequence of three bytes for Java.
    if (!fits && i == 1 && lead == 0xED && (next & 0xC0) == 0x80) {
      if (text.size() < 3) return {0, 0, false};
      return {(static_cast<unsigned char>(text[2]) & 0xC0) == 0x80 ? 3U : 1U, 1, false};
    }
    if (!fits) return {i, 1, false};
  }
  return {length, length == 4 ? 2U : 1U, true};
}

std::uint64_t utf16Units(std::string_view text) {
  if (isAscii(text)) return text.size();
  std::uint64_t units = 0;
  while (!text.empty()) {
    const Utf8Step step = utf8Step(text);
    units += step.bytes == 0 ? 1 : step.units;
    text.remove_prefix(step.bytes == 0 ? text.size() : step.bytes);
  }
  return units;
}

std::string repairUtf8(std::string_view text) {
  if (isAscii(text)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Step step = utf8Step(text);
    const std::size_t size = step.bytes == 0 ? text.size() : step.bytes;
    if (step.valid) {
      out += text.substr(0, size);
    } else {
      out += "\xEF\xBF\xBD";
    }
    text.remove_prefix(size);
  }
  return out;
}

}  // namespace millrace::connect
