// gzip by zlib. Streams may have several members (RFC 1952); what follows the last one is ignored,
// as Java does.
#include "record/compression.h"
#include "record/compression_detail.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

namespace millrace::record::detail {
namespace {

/// 15 bits of window; 16 asks zlib for the gzip wrapper.
constexpr int kGzipWindow = 15 + 16;
constexpr std::size_t kMaxChunk = 1UL << 30;

Bytef* bytesOf(const char* p) { return reinterpret_cast<Bytef*>(const_cast<char*>(p)); }

uInt chunk(std::size_t n) { return static_cast<uInt>(std::min(n, kMaxChunk)); }

/// Owns the state of one inflation.
struct Inflater {
  z_stream z{};
  bool ready = false;
  Inflater() { ready = inflateInit2(&z, kGzipWindow) == Z_OK; }
  ~Inflater() {
    if (ready) inflateEnd(&z);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
};

bool startsMember(BytesView rest) {
  return rest.size() >= 2 && rest[0] == '\x1f' && rest[1] == '\x8b';
}

/// Unpacks one member from the front of `rest`.
Status inflateMember(Inflater& inflater, BytesView& rest, UnpackBuffer& out) {
  z_stream& z = inflater.z;
  for (;;) {
    if (out.room() == 0) MILLRACE_CHECK_OK(out.reserve(1));
    z.next_in = bytesOf(rest.data());
    z.avail_in = chunk(rest.size());
    z.next_out = bytesOf(out.tail());
    const uInt room = chunk(out.room());
    z.avail_out = room;
    const uInt offered = z.avail_in;
    const int outcome = inflate(&z, Z_NO_FLUSH);
    rest.remove_prefix(offered - z.avail_in);
    out.advance(room - z.avail_out);
    if (outcome == Z_STREAM_END) return {};
    if (outcome == Z_BUF_ERROR && z.avail_out == 0) continue;
    if (outcome != Z_OK || (z.avail_in == 0 && z.avail_out != 0 && rest.empty()))
      return corrupt("gzip", z.msg != nullptr ? z.msg : "the stream ends early");
  }
}

}  // namespace

Status gzipDecompress(BytesView input, UnpackBuffer& out) {
  Inflater inflater;
  if (!inflater.ready) return corrupt("gzip", "zlib does not start");
  if (input.empty()) return corrupt("gzip", "no bytes");
  MILLRACE_CHECK_OK(out.reserveUpTo(std::max<std::size_t>(input.size() * 3, 256)));
  do {
    MILLRACE_CHECK_OK(inflateMember(inflater, input, out));
    inflateReset(&inflater.z);
  } while (startsMember(input));
  return {};
}

Status gzipCompress(BytesView input, Bytes& out, int level) {
  if (input.size() > kMaxChunk) return fail(Errc::kMalformed, "more than 1 GiB to compress");
  z_stream z{};
  const int used_level = level == kDefaultLevel ? Z_DEFAULT_COMPRESSION : level;
  if (deflateInit2(&z, used_level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return fail(Errc::kConfig, "gzip: no such level");
  const std::size_t start = out.size();
  const std::size_t bound = deflateBound(&z, input.size());
  int outcome = Z_OK;
  out.resize_and_overwrite(start + bound, [&](char* p, std::size_t) {
    z.next_in = bytesOf(input.data());
    z.avail_in = static_cast<uInt>(input.size());
    z.next_out = bytesOf(p + start);
    z.avail_out = static_cast<uInt>(bound);
    outcome = deflate(&z, Z_FINISH);
    return start + bound - z.avail_out;
  });
  deflateEnd(&z);
  if (outcome != Z_STREAM_END) return fail(Errc::kState, "gzip: the output does not fit its bound");
  return {};
}

}  // namespace millrace::record::detail
