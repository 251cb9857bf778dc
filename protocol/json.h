// Messages as JSON, in the mapping that Kafka's own tools use: for tests, tools and logs, never for
// hot paths.
#pragma once

#include "base/result.h"
#include "protocol/any_message.h"

#include <boost/json/fwd.hpp>

#include <string>
#include <string_view>

namespace millrace::protocol {

/// The fields that stand in this version, with the first letter of their names lowered; a tagged
/// field at its default is left out. uuid: URL-safe base64 without padding; bytes and records:
/// base64 with padding. Unknown tags are not shown. Records in files must be loaded before.
[[nodiscard]] boost::json::value toJson(const MessageInfo& info, const void* message,
                                        std::int16_t version);
/// The reverse: absent fields get their defaults. The message owns its strings.
/// Errors: kMalformed for unknown names, wrong types, numbers out of range, bad base64.
[[nodiscard]] Status fromJson(const boost::json::value& json, const MessageInfo& info,
                              void* message, std::int16_t version);

/// One line of JSON for people and logs.
[[nodiscard]] std::string print(const MessageInfo& info, const void* message, std::int16_t version);
template <Message M>
[[nodiscard]] std::string print(const M& message, std::int16_t version) {
  return print(M::info(), &message, version);
}

/// Parses JSON with 64-bit integers and correctly rounded doubles (Boost.JSON 1.81 alone may be off
/// by one in the last place). Errors: kMalformed with the position.
[[nodiscard]] Result<boost::json::value> parseJson(std::string_view text);

}  // namespace millrace::protocol
