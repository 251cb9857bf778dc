// Decoders of frames, messages and record framings must survive any bytes; what they accept must
// encode again.
#include "base/varint.h"
#include "protocol/codec.h"
#include "protocol/frame.h"
#include "protocol/json.h"
#include "protocol/record_frame.h"

#include <boost/json/value.hpp>

#include <cstdint>
#include <cstdlib>

namespace {

using namespace millrace;
using namespace millrace::protocol;

void check(bool fine) {
  if (!fine) std::abort();
}

/// Two bytes choose the message, one the version; the rest is the body.
void message(BytesView input) {
  if (input.size() < 3) return;
  const auto& all = allMessages();
  const auto choice = static_cast<std::uint16_t>(loadBe<std::uint16_t>(input.data()));
  const MessageInfo& info = *all[choice % all.size()];
  const int versions = info.max_version - info.min_version + 1;
  const auto version =
      static_cast<std::int16_t>(info.min_version + static_cast<unsigned char>(input[2]) % versions);
  AnyMessage decoded(info);
  if (!decodeInto(info, decoded.data(), input.substr(3), version)) return;
  Bytes again;
  check(encodeTo(info, decoded.data(), version, again).has_value());
  AnyMessage third(info);
  check(decodeInto(info, third.data(), again, version).has_value());
  check(toJson(info, decoded.data(), version) == toJson(info, third.data(), version));
}

void request(BytesView input) {
  const auto split = splitRequest(input);
  if (split) (void)decodeRequestBody(*split);
}

void records(BytesView input) {
  (void)decodeFramed(MessageKind::kMetadataRecord, input);
  const auto key = decodeRecordKey(MessageKind::kGroupKey, input);
  if (key) (void)decodeRecordValue(MessageKind::kGroupValue, key->info().key, input);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const BytesView input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0: message(input); break;
    case 1: request(input); break;
    default: records(input); break;
  }
  return 0;
}
