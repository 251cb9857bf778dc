// Decoders of frames, messages and record framings must survive any bytes; what they accept must
// encode again.
#include "base/varint.h"
#include "protocol/codec.h"
#include "protocol/frame.h"
#include "protocol/json.h"
#include "protocol/record_frame.h"
#include "tests/fuzz/support/seeds.h"
#include "tests/fuzz/support/targets.h"

#include <boost/json/value.hpp>

#include <cstdint>

namespace millrace::fuzz {
namespace {

using namespace protocol;

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
  check(encodeTo(info, decoded.data(), version, again).has_value(), "what was decoded encodes");
  AnyMessage third(info);
  check(decodeInto(info, third.data(), again, version).has_value(), "and decodes again");
  // As text: NaN is not equal to itself.
  check(print(info, decoded.data(), version) == print(info, third.data(), version),
        "to the same message");
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

void runProtocol(BytesView input) {
  if (input.empty()) return;
  const BytesView rest = input.substr(1);
  switch (static_cast<unsigned char>(input[0]) % 3) {
    case 0: return message(rest);
    case 1: return request(rest);
    default: return records(rest);
  }
}

/// Each message at each version with default fields, and records from Kafka's own logs.
std::vector<Bytes> protocolSeeds() {
  std::vector<Bytes> out;
  const auto& all = allMessages();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const MessageInfo& info = *all[i];
    for (int version = info.min_version; version <= info.max_version; ++version) {
      const AnyMessage empty(info);
      Bytes seed(4, '\0');
      storeBe(seed.data() + 1, static_cast<std::uint16_t>(i));
      seed[3] = static_cast<char>(version - info.min_version);
      if (encodeTo(info, empty.data(), static_cast<std::int16_t>(version), seed))
        out.push_back(std::move(seed));
    }
  }
  for (const Bytes& batch : kafkaBatches()) out.push_back(Bytes(1, '\2') + batch.substr(70));
  return out;
}

}  // namespace millrace::fuzz
