// The codecs of Kafka's record batches: a batch's records are compressed as one blob.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::record {

/// Numbers as in bits 0-2 of a batch's attributes.
enum class Codec : std::uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

/// "none", "gzip", "snappy", "lz4", "zstd".
[[nodiscard]] std::string_view codecName(Codec codec);
/// The codec of a name as codecName gives it; "uncompressed" is none, too.
[[nodiscard]] std::optional<Codec> codecFromName(std::string_view name);
/// Errors: kMalformed for ids 5 and up (Kafka's IllegalArgumentException).
[[nodiscard]] Result<Codec> codecFromId(int id);

/// No batch may unpack to more than this, whatever it claims: a bomb costs one failed request.
inline constexpr std::size_t kDefaultMaxUncompressedBytes = 256UL << 20;

/// The library's own default level of a codec.
inline constexpr int kDefaultLevel = -0x7FFFFFFF;

/// Appends the compressed form of `input` to `out`. Snappy is written in Java's (xerial) framing,
/// lz4 as independent 64 KiB blocks: what every client reads. Errors: kState for kNone.
[[nodiscard]] Status compress(Codec codec, BytesView input, Bytes& out, int level = kDefaultLevel);

/// Replaces `out` by the unpacked form of `input`. Reads gzip with several members, raw and xerial
/// snappy, lz4 frames as Java's reader takes them (version 1, independent blocks, no reserved
/// bits), zstd frames of any window up to 128 MiB. Errors: kCorruptData where the input does not
/// unpack or exceeds `max_size` bytes; `out` then holds what it unpacks to before.
[[nodiscard]] Status decompress(Codec codec, BytesView input, Bytes& out,
                                std::size_t max_size = kDefaultMaxUncompressedBytes);

}  // namespace millrace::record
