#include "dsl/serde.h"

#include <charconv>

namespace millrace::dsl {
namespace {

constexpr std::size_t kUuidTextSize = 36;

void hex(std::uint64_t bits, int digits, Bytes& out) {
  for (int shift = (digits - 1) * 4; shift >= 0; shift -= 4)
    out.push_back("0123456789abcdef"[(bits >> shift) & 15U]);
}

bool unhex(BytesView text, std::uint64_t& bits) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), bits, 16);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size();
}

}  // namespace

std::unexpected<Error> wrongSize(BytesView bytes, std::size_t expected) {
  return fail(Errc::kMalformed, "size of the data is " + std::to_string(bytes.size()) +
                                    ", expected " + std::to_string(expected));
}

void serializeUuid(const Uuid& uuid, Bytes& out) {
  hex(uuid.high >> 32, 8, out);
  out.push_back('-');
  hex((uuid.high >> 16) & 0xFFFF, 4, out);
  out.push_back('-');
  hex(uuid.high & 0xFFFF, 4, out);
  out.push_back('-');
  hex(uuid.low >> 48, 4, out);
  out.push_back('-');
  hex(uuid.low & 0xFFFF'FFFF'FFFF, 12, out);
}

Status deserializeUuid(BytesView bytes, Uuid& out) {
  std::uint64_t a = 0;
  std::uint64_t b = 0;
  std::uint64_t c = 0;
  std::uint64_t d = 0;
  std::uint64_t e = 0;
  if (bytes.size() != kUuidTextSize) return wrongSize(bytes, kUuidTextSize);
  const bool ok = unhex(bytes.substr(0, 8), a) && unhex(bytes.substr(9, 4), b) &&
                  unhex(bytes.substr(14, 4), c) && unhex(bytes.substr(19, 4), d) &&
                  unhex(bytes.substr(24, 12), e);
  if (!ok) return fail(Errc::kMalformed, "not a uuid: " + std::string(bytes));
  out = {.high = (a << 32) | (b << 16) | c, .low = (d << 48) | e};
  return {};
}

}  // namespace millrace::dsl
