#include "base/base64.h"

#include <cstdint>

namespace millrace {

namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

}  // namespace

std::string toBase64(BytesView bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < n ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += k <= n ? kAlphabet[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

Result<Bytes> fromBase64(std::string_view text) {
  if (text.size() % 4 != 0)
    return fail(Errc::kMalformed, "base64 whose length is no multiple of 4");
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  Bytes out;
  out.reserve(text.size() / 4 * 3);
  std::uint32_t group = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool pad = i + padding >= text.size();
    const std::size_t digit = pad ? 0 : kAlphabet.find(text[i]);
    if (digit == std::string_view::npos)
      return fail(Errc::kMalformed, "a character that is not base64");
    group = group << 6 | static_cast<std::uint32_t>(digit);
    if (i % 4 != 3) continue;
    for (int k = 16; k >= 0; k -= 8) out += static_cast<char>(group >> k & 0xFF);
    group = 0;
  }
  for (std::size_t k = 0; k < padding; ++k) {
    if (out.back() != 0) return fail(Errc::kMalformed, "base64 with bits left over");
    out.pop_back();
  }
  return out;
}

}  // namespace millrace
