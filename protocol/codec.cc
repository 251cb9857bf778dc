#include "protocol/codec.h"

#include "base/assert.h"
#include "protocol/measure.h"
#include "protocol/wire.h"

#include <fmt/format.h>

namespace millrace::protocol {

namespace {

Error noSuchVersion(const MessageInfo& info, int version) {
  return {Errc::kUnsupportedVersion, fmt::format("{} has versions {} to {}, not {}", info.name,
                                                 info.min_version, info.max_version, version)};
}

/// Encodes around the records that stay outside, then copies them to their places.
Status encodeWithGaps(const MessageInfo& info, const void* message, std::int16_t version,
                      const Measure& sizes, Bytes& out) {
  Bytes buffer(sizes.size - sizes.outside, '\0');
  std::vector<WriterGap> gaps;
  Writer writer(buffer.data(), &gaps);
  info.write(writer, message, version);
  MILLRACE_ASSERT(writer.written() == buffer.size(), std::string(info.name));
  std::size_t done = 0;
  for (const WriterGap& gap : gaps) {
    out.append(buffer, done, gap.position - done);
    done = gap.position;
    Records records = *gap.records;
    MILLRACE_CHECK_OK(records.load());
    out.append(records.bytes());
  }
  out.append(buffer, done);
  return {};
}

}  // namespace

namespace {

Status decodeFrom(Reader& reader, const MessageInfo& info, void* message, std::int16_t version,
                  bool may_go_on) {
  if (!info.hasVersion(version)) return std::unexpected(noSuchVersion(info, version));
  info.read(reader, message, version);
  if (reader.ok() && reader.remaining() != 0 && !may_go_on)
    reader.failWith("bytes are left over after the message");
  if (reader.ok()) return {};
  Error error = reader.error();
  error.detail = fmt::format("{} v{}: {}", info.name, version, error.detail);
  return std::unexpected(std::move(error));
}

}  // namespace

Status decodeInto(const MessageInfo& info, void* message, BytesView bytes, std::int16_t version) {
  Reader reader(bytes);
  return decodeFrom(reader, info, message, version, false);
}

Status decodePrefixInto(const MessageInfo& info, void* message, BytesView bytes,
                        std::int16_t version) {
  Reader reader(bytes);
  return decodeFrom(reader, info, message, version, true);
}

Result<Measure> measure(const MessageInfo& info, const void* message, std::int16_t version) {
  if (!info.hasVersion(version)) return std::unexpected(noSuchVersion(info, version));
  Sizer sizer;
  info.measure(sizer, message, version);
  if (sizer.error().empty()) return Measure{sizer.size(), sizer.outside()};
  return fail(Errc::kInvalidRequest, fmt::format("{} v{}: {}", info.name, version, sizer.error()));
}

Result<std::size_t> encodedSize(const MessageInfo& info, const void* message,
                                std::int16_t version) {
  MILLRACE_TRY(const Measure sizes, measure(info, message, version));
  return sizes.size;
}

Status encodeTo(const MessageInfo& info, const void* message, std::int16_t version, Bytes& out) {
  MILLRACE_TRY(const Measure sizes, measure(info, message, version));
  if (sizes.outside != 0) return encodeWithGaps(info, message, version, sizes, out);
  const std::size_t before = out.size();
  out.resize(before + sizes.size);
  Writer writer(out.data() + before);
  info.write(writer, message, version);
  MILLRACE_ASSERT(writer.written() == sizes.size,
                  fmt::format("{} v{} took {} bytes, measured {}", info.name, version,
                              writer.written(), sizes.size));
  return {};
}

}  // namespace millrace::protocol
