#include "connect/text_encoding.h"

#include "base/utf8.h"
#include "connect/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace millrace::connect {

namespace {

constexpr std::uint32_t kReplacement = 0xFFFD;

/// The code point of a valid sequence.
std::uint32_t pointOf(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence.front());
  std::uint32_t point = sequence.size() == 1 ? lead : lead & (0xFFU >> (sequence.size() + 1));
  for (const char c : sequence.substr(1)) point = point << 6 | (static_cast<unsigned>(c) & 0x3F);
  return point;
}

void appendUnit(std::uint32_t unit, Bytes& out) {
  out += static_cast<char>(unit >> 8);
  out += static_cast<char>(unit & 0xFF);
}

void encodePoint(std::uint32_t point, TextEncoding encoding, Bytes& out) {
  if (encoding == TextEncoding::kUtf16) {
    if (point < 0x10000) {
      appendUnit(point, out);
    } else {
      appendUnit(0xD800 + ((point - 0x10000) >> 10), out);
      appendUnit(0xDC00 + ((point - 0x10000) & 0x3FF), out);
    }
    return;
  }
  const std::uint32_t limit = encoding == TextEncoding::kLatin1 ? 0x100 : 0x80;
  out += point < limit ? static_cast<char>(point) : '?';
}

std::string decodeUtf16(BytesView bytes) {
  bool little = false;
  if (bytes.starts_with("\xFE\xFF")) bytes.remove_prefix(2);
  if (bytes.starts_with("\xFF\xFE")) {
    little = true;
    bytes.remove_prefix(2);
  }
  const auto unit = [&](std::size_t at) {
    const auto first = static_cast<unsigned char>(bytes[at]);
    const auto second = static_cast<unsigned char>(bytes[at + 1]);
    return little ? static_cast<std::uint32_t>(second << 8 | first)
                  : static_cast<std::uint32_t>(first << 8 | second);
  };
  std::string text;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    std::uint32_t point = unit(i);
    if (point >= 0xD800 && point < 0xE000) {
      const std::uint32_t low = i + 3 < bytes.size() ? unit(i + 2) : 0;
      const bool pair = point < 0xDC00 && low >= 0xDC00 && low < 0xE000;
      point = pair ? 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00) : kReplacement;
      if (pair) i += 2;
    }
    appendUtf8(text, point);
  }
  if (bytes.size() % 2 != 0) appendUtf8(text, kReplacement);
  return text;
}

}  // namespace

std::optional<TextEncoding> textEncoding(std::string_view name) {
  std::string upper(name);
  std::ranges::transform(upper, upper.begin(), [](char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  });
  if (upper == "UTF-8" || upper == "UTF8") return TextEncoding::kUtf8;
  if (upper == "UTF-16") return TextEncoding::kUtf16;
  if (upper == "ISO-8859-1" || upper == "LATIN1") return TextEncoding::kLatin1;
  if (upper == "US-ASCII" || upper == "ASCII") return TextEncoding::kAscii;
  return std::nullopt;
}

Bytes encodeText(std::string_view utf8, TextEncoding encoding) {
  if (encoding == TextEncoding::kUtf8) return Bytes(utf8);
  Bytes out;
  if (encoding == TextEncoding::kUtf16 && !utf8.empty()) out = "\xFE\xFF";
  while (!utf8.empty()) {
    const Utf8Step step = utf8Step(utf8);
    const std::size_t size = step.bytes == 0 ? utf8.size() : step.bytes;
    encodePoint(step.valid ? pointOf(utf8.substr(0, size)) : kReplacement, encoding, out);
    utf8.remove_prefix(size);
  }
  return out;
}

std::string decodeText(BytesView bytes, TextEncoding encoding) {
  if (encoding == TextEncoding::kUtf8) return repairUtf8(bytes);
  if (encoding == TextEncoding::kUtf16) return decodeUtf16(bytes);
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    appendUtf8(text, byte >= 0x80 && encoding == TextEncoding::kAscii ? kReplacement : byte);
  }
  return text;
}

}  // namespace millrace::connect
