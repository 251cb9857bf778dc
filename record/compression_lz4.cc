// LZ4 frames as Kafka's Java reader takes them: version 1, independent blocks, reserved bits zero,
// block checksums checked, content checksum skipped, one frame (what follows its end mark is
// ignored).
#include <lz4.h>
#include <lz4hc.h>
#define XXH_INLINE_ALL
#include "record/compression.h"
#include "record/compression_detail.h"

#include <xxhash.h>

#include <bit>
#include <cstring>

namespace millrace::record::detail {
namespace {

static_assert(std::endian::native == std::endian::little, "lz4 frames are little-endian");

constexpr std::uint32_t kMagic = 0x184D2204;
constexpr std::uint32_t kIncompressible = 0x80000000;
constexpr unsigned kContentChecksum = 0x04, kContentSize = 0x08, kBlockChecksum = 0x10,
                   kIndependent = 0x20, kVersionMask = 0xC0, kVersion1 = 0x40;
/// 64 KiB blocks: the code in the descriptor and the size.
constexpr unsigned char kBlockCode = 0x40;
constexpr std::size_t kBlockSize = 64 << 10;
/// Java's level that stands for the fast compressor (compression.lz4.level's default).
constexpr int kFastLevel = 9;

std::uint32_t load32(const char* p) {
  std::uint32_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return v;
}

void append32(Bytes& out, std::uint32_t v) {
  char bytes[4];
  std::memcpy(bytes, &v, sizeof v);
  out.append(bytes, sizeof bytes);
}

unsigned char headerChecksum(BytesView descriptor) {
  return static_cast<unsigned char>(XXH32(descriptor.data(), descriptor.size(), 0) >> 8);
}

struct Frame {
  unsigned flags = 0;
  std::size_t max_block = 0;
};

/// Takes the frame header off the front of `rest`.
Result<Frame> readHeader(BytesView& rest) {
  if (rest.size() < 7) return corrupt("lz4", "the frame header is cut off");
  if (load32(rest.data()) != kMagic) return corrupt("lz4", "not an lz4 frame");
  Frame frame;
  frame.flags = static_cast<unsigned char>(rest[4]);
  const unsigned block = static_cast<unsigned char>(rest[5]);
  if ((frame.flags & kVersionMask) != kVersion1) return corrupt("lz4", "unknown frame version");
  if ((frame.flags & 0x03) != 0 || (block & 0x8F) != 0)
    return corrupt("lz4", "reserved bits are set");
  if ((frame.flags & kIndependent) == 0)
    return corrupt("lz4", "dependent blocks are not supported");
  const unsigned code = (block >> 4) & 7;
  if (code < 4) return corrupt("lz4", "unknown block size");
  frame.max_block = 1UL << (8 + 2 * code);
  const std::size_t descriptor = (frame.flags & kContentSize) != 0 ? 10 : 2;
  if (rest.size() < 4 + descriptor + 1) return corrupt("lz4", "the frame header is cut off");
  if (static_cast<unsigned char>(rest[4 + descriptor]) !=
      headerChecksum(rest.substr(4, descriptor)))
    return corrupt("lz4", "the frame header's checksum is wrong");
  rest.remove_prefix(4 + descriptor + 1);
  return frame;
}

Status unpackBlock(const Frame& frame, BytesView block, bool compressed, UnpackBuffer& out) {
  if (!compressed) {
    MILLRACE_CHECK_OK(out.reserve(block.size()));
    std::memcpy(out.tail(), block.data(), block.size());
    out.advance(block.size());
    return {};
  }
  // A block unpacks to at most 255 times its size, so small ones need no full block of room.
  const std::size_t room = std::min(frame.max_block, block.size() * 255 + 16);
  MILLRACE_CHECK_OK(out.reserveUpTo(room));
  const int capacity = static_cast<int>(std::min(out.room(), room));
  const int n =
      LZ4_decompress_safe(block.data(), out.tail(), static_cast<int>(block.size()), capacity);
  if (n < 0) return corrupt("lz4", "a block does not unpack");
  out.advance(static_cast<std::size_t>(n));
  return {};
}

}  // namespace

Status lz4Decompress(BytesView input, UnpackBuffer& out) {
  BytesView rest = input;
  MILLRACE_TRY(const Frame frame, readHeader(rest));
  for (;;) {
    if (rest.size() < 4) return corrupt("lz4", "the stream ends early");
    const std::uint32_t word = load32(rest.data());
    rest.remove_prefix(4);
    const std::size_t size = word & ~kIncompressible;
    if (size == 0) {
      if ((frame.flags & kContentChecksum) != 0 && rest.size() < 4)
        return corrupt("lz4", "the content checksum is cut off");
      return {};
    }
    if (size > frame.max_block) return corrupt("lz4", "a block is larger than the frame allows");
    const std::size_t trailer = (frame.flags & kBlockChecksum) != 0 ? 4 : 0;
    if (rest.size() < size + trailer) return corrupt("lz4", "a block is cut off");
    const BytesView block = rest.substr(0, size);
    if (trailer != 0 && XXH32(block.data(), block.size(), 0) != load32(rest.data() + size))
      return corrupt("lz4", "a block's checksum is wrong");
    MILLRACE_CHECK_OK(unpackBlock(frame, block, (word & kIncompressible) == 0, out));
    rest.remove_prefix(size + trailer);
  }
}

Status lz4Compress(BytesView input, Bytes& out, int level) {
  append32(out, kMagic);
  const char descriptor[2] = {static_cast<char>(kVersion1 | kIndependent),
                              static_cast<char>(kBlockCode)};
  out.append(descriptor, 2);
  out.push_back(static_cast<char>(headerChecksum({descriptor, 2})));
  while (!input.empty()) {
    const BytesView block = input.substr(0, kBlockSize);
    input.remove_prefix(block.size());
    const int size = static_cast<int>(block.size());
    const int bound = LZ4_compressBound(size);
    const std::size_t at = out.size();
    out.resize_and_overwrite(at + 4 + static_cast<std::size_t>(bound), [&](char* p, std::size_t) {
      char* to = p + at + 4;
      const int packed = level == kDefaultLevel || level == kFastLevel
                             ? LZ4_compress_default(block.data(), to, size, bound)
                             : LZ4_compress_HC(block.data(), to, size, bound, level);
      const bool smaller = packed > 0 && packed < size;
      if (!smaller) std::memcpy(to, block.data(), block.size());
      const auto stored = static_cast<std::uint32_t>(smaller ? packed : size);
      const std::uint32_t word = smaller ? stored : stored | kIncompressible;
      std::memcpy(p + at, &word, sizeof word);
      return at + 4 + stored;
    });
  }
  append32(out, 0);
  return {};
}

}  // namespace millrace::record::detail
