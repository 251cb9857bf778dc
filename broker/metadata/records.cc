#include "broker/metadata/records.h"

#include "base/assert.h"
#include "base/varint.h"
#include "protocol/codec.h"
#include "protocol/record_frame.h"

#include <fmt/core.h>

namespace millrace::broker {
namespace {

constexpr std::uint64_t kFrameVersion = 1;

// The version that metadata.version 4.2-IV1 writes.
template <class R>
std::int16_t writtenVersion(const R&) {
  return R::info().max_version;
}
// An old version where no newer field is used: what Kafka writes for fencing alone.
std::int16_t writtenVersion(const protocol::BrokerRegistrationChangeRecord& r) {
  if (!r.log_dirs.empty()) return 2;
  return r.in_controlled_shutdown != 0 ? std::int16_t{1} : std::int16_t{0};
}

template <class R>
Bytes frame(const R& record) {
  auto framed = protocol::encodeFramed(record, writtenVersion(record));
  MILLRACE_ASSERT(framed.has_value(), framed ? "" : framed.error().toString());
  return std::move(*framed);
}
Bytes frame(const OtherRecord& record) { return record.framed; }

using Parser = Result<MetadataRecord> (*)(BytesView body, std::int16_t version);

template <class R>
Result<MetadataRecord> parse(BytesView body, std::int16_t version) {
  MILLRACE_TRY(R record, protocol::decode<R>(body, version));
  return MetadataRecord(std::move(record));
}

template <std::size_t kIndex = 0>
Parser parserOf(std::int16_t type) {
  using R = std::variant_alternative_t<kIndex, MetadataRecord>;
  if constexpr (std::is_same_v<R, OtherRecord>) {
    return nullptr;
  } else {
    return type == R::info().key ? &parse<R> : parserOf<kIndex + 1>(type);
  }
}

}  // namespace

Bytes frameRecord(const MetadataRecord& record) {
  return std::visit([](const auto& r) { return frame(r); }, record);
}

Result<MetadataRecord> parseRecord(BytesView framed) {
  const char* p = framed.data();
  const char* const end = p + framed.size();
  std::uint32_t frame_version = 0;
  std::uint32_t type = 0;
  std::uint32_t version = 0;
  p = getVarint32(p, end, frame_version);
  if (p) p = getVarint32(p, end, type);
  if (p) p = getVarint32(p, end, version);
  if (!p || type > 32767 || version > 32767) {
    return fail(Errc::kMalformed, "a metadata record's frame ends early");
  }
  if (frame_version != kFrameVersion) {
    return fail(Errc::kMalformed,
                fmt::format("metadata frame version {} is not known", frame_version));
  }
  const Parser parser = parserOf(static_cast<std::int16_t>(type));
  if (!parser) return MetadataRecord(OtherRecord{static_cast<std::int16_t>(type), Bytes(framed)});
  return parser(BytesView(p, static_cast<std::size_t>(end - p)),
                static_cast<std::int16_t>(version));
}

}  // namespace millrace::broker
