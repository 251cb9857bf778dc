// Snappy, in two framings: one raw block (librdkafka, Go) and xerial's chunks (Java, Python, Node).
// Readers tell them apart by xerial's magic: 82 'SNAPPY' 00, version int32, compatible version
// int32, then (int32 length, raw block)*.
#include "base/varint.h"
#include "record/compression_detail.h"

#include <snappy.h>

#include <algorithm>

namespace millrace::record::detail {
namespace {

constexpr std::string_view kXerialMagic("\x82SNAPPY\0", 8);
constexpr std::size_t kXerialHeader = 16;
/// What xerial's writer uses; readers take any.
constexpr std::size_t kXerialBlock = 32 << 10;
constexpr std::int32_t kXerialVersion = 1;

Status unpackBlock(BytesView block, UnpackBuffer& out) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(block.data(), block.size(), &size))
    return corrupt("snappy", "a block without a length");
  // A block expands at most about 64-fold (3-byte copies of up to 64 bytes); more is a lie and not
  // worth the memory.
  if (size / 64 > block.size()) return corrupt("snappy", "a block claims an impossible length");
  MILLRACE_CHECK_OK(out.reserve(size));
  if (!snappy::RawUncompress(block.data(), block.size(), out.tail()))
    return corrupt("snappy", "a block does not unpack");
  out.advance(size);
  return {};
}

Status unpackXerial(BytesView rest, UnpackBuffer& out) {
  while (!rest.empty()) {
    // Concatenated streams repeat the header.
    if (rest.starts_with(kXerialMagic)) {
      if (rest.size() < kXerialHeader) return corrupt("snappy", "the xerial header is cut off");
      rest.remove_prefix(kXerialHeader);
      continue;
    }
    // xerial's reader takes a length that is cut off for the end.
    if (rest.size() < 4) return {};
    const auto length = loadBe<std::int32_t>(rest.data());
    rest.remove_prefix(4);
    if (length < 0 || static_cast<std::size_t>(length) > rest.size())
      return corrupt("snappy", "a chunk is cut off");
    MILLRACE_CHECK_OK(unpackBlock(rest.substr(0, static_cast<std::size_t>(length)), out));
    rest.remove_prefix(static_cast<std::size_t>(length));
  }
  return {};
}

}  // namespace

Status snappyDecompress(BytesView input, UnpackBuffer& out) {
  if (input.starts_with(kXerialMagic)) return unpackXerial(input, out);
  return unpackBlock(input, out);
}

Status snappyCompress(BytesView input, Bytes& out) {
  char header[kXerialHeader];
  std::ranges::copy(kXerialMagic, header);
  storeBe(header + 8, kXerialVersion);
  storeBe(header + 12, kXerialVersion);
  out.append(header, sizeof header);
  while (!input.empty()) {
    const BytesView block = input.substr(0, kXerialBlock);
    input.remove_prefix(block.size());
    const std::size_t at = out.size();
    const std::size_t bound = 4 + snappy::MaxCompressedLength(block.size());
    out.resize_and_overwrite(at + bound, [&](char* p, std::size_t) {
      std::size_t size = 0;
      snappy::RawCompress(block.data(), block.size(), p + at + 4, &size);
      storeBe(p + at, static_cast<std::int32_t>(size));
      return at + 4 + size;
    });
  }
  return {};
}

}  // namespace millrace::record::detail
