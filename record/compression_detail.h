// One pair of functions per codec; compression.cc chooses. Not for other rooms.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string_view>

namespace millrace::record::detail {

/// Room to unpack into: grows by doubling up to a limit, without clearing the new bytes first.
class UnpackBuffer {
 public:
  UnpackBuffer(Bytes& out, std::size_t limit) : out_(out), limit_(limit) { out_.clear(); }

  /// Makes room for `more` bytes behind what is used. Errors: kCorruptData above the limit.
  [[nodiscard]] Status reserve(std::size_t more);
  /// Makes room for up to `more` bytes, fewer near the limit. Errors: kCorruptData where not one is
  /// left.
  [[nodiscard]] Status reserveUpTo(std::size_t more);
  [[nodiscard]] char* tail() { return out_.data() + used_; }
  [[nodiscard]] std::size_t room() const { return out_.size() - used_; }
  void advance(std::size_t n) { used_ += n; }
  void finish() { out_.resize(used_); }

 private:
  Bytes& out_;
  std::size_t limit_;
  std::size_t used_ = 0;
};

/// `return corrupt("gzip", "the stream ends early");`
[[nodiscard]] std::unexpected<Error> corrupt(std::string_view codec, std::string_view why);

[[nodiscard]] Status gzipCompress(BytesView input, Bytes& out, int level);
[[nodiscard]] Status gzipDecompress(BytesView input, UnpackBuffer& out);
[[nodiscard]] Status snappyCompress(BytesView input, Bytes& out);
[[nodiscard]] Status snappyDecompress(BytesView input, UnpackBuffer& out);
[[nodiscard]] Status lz4Compress(BytesView input, Bytes& out, int level);
[[nodiscard]] Status lz4Decompress(BytesView input, UnpackBuffer& out);
[[nodiscard]] Status zstdCompress(BytesView input, Bytes& out, int level);
[[nodiscard]] Status zstdDecompress(BytesView input, UnpackBuffer& out);

}  // namespace millrace::record::detail
