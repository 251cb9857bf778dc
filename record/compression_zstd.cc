// zstd frames, one or several, with or without a content size. Contexts are kept per thread: making
// one costs more than unpacking a small batch.
#include "record/compression.h"
#include "record/compression_detail.h"

#include <zstd.h>

#include <algorithm>
#include <memory>

namespace millrace::record::detail {
namespace {

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
};

ZSTD_DCtx* unpacker() {
  thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
  return context.get();
}

ZSTD_CCtx* packer() {
  thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
  return context.get();
}

/// Room to start with: the first frame's content size where it says one and is not absurd, else a
/// guess.
std::size_t firstRoom(BytesView input) {
  const unsigned long long stated = ZSTD_getFrameContentSize(input.data(), input.size());
  const std::size_t guess = std::max<std::size_t>(input.size() * 4, 1024);
  if (stated == ZSTD_CONTENTSIZE_UNKNOWN || stated == ZSTD_CONTENTSIZE_ERROR) return guess;
  return std::max<std::size_t>(
      1, std::min<std::size_t>(stated, std::max<std::size_t>(guess * 64, 1 << 20)));
}

}  // namespace

Status zstdDecompress(BytesView input, UnpackBuffer& out) {
  ZSTD_DCtx* context = unpacker();
  if (context == nullptr) return corrupt("zstd", "the library does not start");
  ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
  if (input.empty()) return corrupt("zstd", "no bytes");
  MILLRACE_CHECK_OK(out.reserveUpTo(firstRoom(input)));
  ZSTD_inBuffer in{input.data(), input.size(), 0};
  for (;;) {
    if (out.room() == 0) MILLRACE_CHECK_OK(out.reserve(1));
    ZSTD_outBuffer to{out.tail(), out.room(), 0};
    const std::size_t left = ZSTD_decompressStream(context, &to, &in);
    if (ZSTD_isError(left) != 0) return corrupt("zstd", ZSTD_getErrorName(left));
    const bool full = to.pos == to.size;
    out.advance(to.pos);
    if (left == 0 && in.pos == in.size) return {};
    if (left != 0 && in.pos == in.size && !full) return corrupt("zstd", "the stream ends early");
  }
}

Status zstdCompress(BytesView input, Bytes& out, int level) {
  ZSTD_CCtx* context = packer();
  if (context == nullptr) return fail(Errc::kState, "zstd: the library does not start");
  const int used_level = level == kDefaultLevel ? ZSTD_CLEVEL_DEFAULT : level;
  const std::size_t at = out.size();
  const std::size_t bound = ZSTD_compressBound(input.size());
  std::size_t size = 0;
  out.resize_and_overwrite(at + bound, [&](char* p, std::size_t) {
    size = ZSTD_compressCCtx(context, p + at, bound, input.data(), input.size(), used_level);
    return ZSTD_isError(size) != 0 ? at : at + size;
  });
  if (ZSTD_isError(size) != 0) return fail(Errc::kState, ZSTD_getErrorName(size));
  return {};
}

}  // namespace millrace::record::detail
