#include "record/compression.h"

#include "record/compression_detail.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::record {
namespace {

constexpr std::array<std::string_view, 5> kNames = {"none", "gzip", "snappy", "lz4", "zstd"};

Status unpack(Codec codec, BytesView input, detail::UnpackBuffer& out) {
  switch (codec) {
    case Codec::kNone: break;
    case Codec::kGzip: return detail::gzipDecompress(input, out);
    case Codec::kSnappy: return detail::snappyDecompress(input, out);
    case Codec::kLz4: return detail::lz4Decompress(input, out);
    case Codec::kZstd: return detail::zstdDecompress(input, out);
  }
  return fail(Errc::kState, "nothing to unpack: the codec is none");
}

}  // namespace

namespace detail {

Status UnpackBuffer::reserve(std::size_t more) {
  if (room() >= more) return {};
  const std::size_t needed = used_ + more;
  if (needed > limit_)
    return fail(Errc::kCorruptData, fmt::format("unpacks to more than {} bytes", limit_));
  const std::size_t size = std::min(limit_, std::max(needed, out_.size() * 2));
  out_.resize_and_overwrite(size, [](char*, std::size_t n) { return n; });
  return {};
}

Status UnpackBuffer::reserveUpTo(std::size_t more) {
  return reserve(std::clamp<std::size_t>(limit_ - std::min(limit_, used_), 1, more));
}

std::unexpected<Error> corrupt(std::string_view codec, std::string_view why) {
  return fail(Errc::kCorruptData, fmt::format("{}: {}", codec, why));
}

}  // namespace detail

std::string_view codecName(Codec codec) { return kNames[static_cast<std::size_t>(codec)]; }

std::optional<Codec> codecFromName(std::string_view name) {
  if (name == "uncompressed") return Codec::kNone;
  const auto found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Codec>(found - kNames.begin());
}

Result<Codec> codecFromId(int id) {
  if (id >= 0 && id <= 4) return static_cast<Codec>(id);
  return fail(Errc::kMalformed, fmt::format("unknown compression type id {}", id));
}

Status compress(Codec codec, BytesView input, Bytes& out, int level) {
  switch (codec) {
    case Codec::kNone: break;
    case Codec::kGzip: return detail::gzipCompress(input, out, level);
    case Codec::kSnappy: return detail::snappyCompress(input, out);
    case Codec::kLz4: return detail::lz4Compress(input, out, level);
    case Codec::kZstd: return detail::zstdCompress(input, out, level);
  }
  return fail(Errc::kState, "nothing to compress with: the codec is none");
}

Status decompress(Codec codec, BytesView input, Bytes& out, std::size_t max_size) {
  detail::UnpackBuffer buffer(out, max_size);
  const Status status = unpack(codec, input, buffer);
  buffer.finish();
  return status;
}

}  // namespace millrace::record
