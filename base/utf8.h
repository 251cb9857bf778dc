// Writing code points as UTF-8.
#pragma once

#include <cstdint>
#include <string>

namespace millrace {

/// Appends a code point (0 to 0x10FFFF). A lone surrogate becomes three bytes that are no valid
/// UTF-8: whoever must not write such looks for them before.
inline void appendUtf8(std::string& out, std::uint32_t point) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  const auto putRest = [&](unsigned shift) { put(0x80 | (point >> shift & 0x3F)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    putRest(0);
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    putRest(6);
    putRest(0);
  } else {
    put(0xF0 | point >> 18);
    putRest(12);
    putRest(6);
    putRest(0);
  }
}

}  // namespace millrace
