// A message: its bytes decode to the fields of its JSON, and the JSON encodes to the same bytes.
#include "protocol/any_message.h"
#include "protocol/codec.h"
#include "protocol/json.h"
#include "protocol/tables.h"
#include "vectors.h"

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace millrace::wire_check {

namespace {

using protocol::AnyMessage;
using protocol::MessageInfo;
using protocol::UnknownTags;

struct Expected {
  const MessageInfo* info = nullptr;
  std::int16_t version = 0;
  std::string bytes;
  boost::json::value json;
  UnknownTags tags;
};

UnknownTags* unknownTags(AnyMessage& message) {
  const auto offset = message.info().table->unknown_tags;
  if (offset < 0) return nullptr;
  return static_cast<UnknownTags*>(static_cast<void*>(static_cast<char*>(message.data()) + offset));
}

Result<UnknownTags> readTags(const boost::json::object& vector) {
  UnknownTags out;
  const auto* list = vector.if_contains("unknownTags");
  if (list == nullptr) return out;
  for (const auto& item : list->as_array()) {
    const auto& tag = item.as_object();
    MILLRACE_TRY(const std::string_view hex, stringAt(tag, "hex"));
    MILLRACE_TRY(const std::string bytes, fromHex(hex));
    out.add(static_cast<std::uint32_t>(tag.at("tag").as_int64()), Text(bytes));
  }
  return out;
}

Result<Expected> read(const boost::json::object& vector) {
  Expected out;
  MILLRACE_TRY(const std::string_view name, stringAt(vector, "m"));
  out.info = protocol::findMessage(name);
  if (out.info == nullptr) return fail(Errc::kNotFound, "there is no such message");
  out.version = static_cast<std::int16_t>(vector.at("v").as_int64());
  const auto* key = vector.if_contains("key");
  if ((key != nullptr ? key->as_int64() : -1) != out.info->key) {
    return fail(Errc::kMalformed, fmt::format("its key is {}", out.info->key));
  }
  MILLRACE_TRY(const std::string_view hex, stringAt(vector, "hex"));
  MILLRACE_TRY(out.bytes, fromHex(hex));
  out.json = vector.at("json");
  MILLRACE_TRY(out.tags, readTags(vector));
  return out;
}

Status sameBytes(const AnyMessage& message, const Expected& expected, std::string_view from) {
  MILLRACE_TRY(const std::size_t size,
               protocol::encodedSize(message.info(), message.data(), expected.version));
  Bytes bytes;
  MILLRACE_CHECK_OK(protocol::encodeTo(message.info(), message.data(), expected.version, bytes));
  if (size != expected.bytes.size()) {
    return fail(Errc::kMalformed,
                fmt::format("{} measures {} bytes, not {}", from, size, expected.bytes.size()));
  }
  if (bytes == expected.bytes) return {};
  return fail(Errc::kMalformed, fmt::format("{} encodes to {}", from, toHex(bytes)));
}

Status check(const Expected& expected) {
  AnyMessage decoded(*expected.info);
  MILLRACE_CHECK_OK(
      protocol::decodeInto(*expected.info, decoded.data(), expected.bytes, expected.version));
  const auto json = protocol::toJson(*expected.info, decoded.data(), expected.version);
  if (json != expected.json) {
    return fail(Errc::kMalformed, "the bytes decode to " + boost::json::serialize(json));
  }
  const UnknownTags* kept = unknownTags(decoded);
  if (kept == nullptr ? !expected.tags.empty() : !(*kept == expected.tags)) {
    return fail(Errc::kMalformed, "the unknown tags were not kept");
  }
  MILLRACE_CHECK_OK(sameBytes(decoded, expected, "the decoded message"));

  AnyMessage built(*expected.info);
  MILLRACE_CHECK_OK(
      protocol::fromJson(expected.json, *expected.info, built.data(), expected.version));
  if (!expected.tags.empty()) *unknownTags(built) = expected.tags;
  return sameBytes(built, expected, "the JSON");
}

}  // namespace

std::string checkMessage(const boost::json::object& vector) {
  const auto expected = read(vector);
  if (!expected) return expected.error().toString();
  const auto status = check(*expected);
  return status ? std::string() : status.error().toString();
}

}  // namespace millrace::wire_check
