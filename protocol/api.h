// The table of Kafka's apis: who serves which versions, and which headers go with them.
#pragma once

#include "protocol/api_key.h"
#include "protocol/message.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace millrace::protocol {

/// Versions min..max. Empty (max < min) for an api that a listener does not advertise.
struct VersionRange {
  std::int16_t min = 0;
  std::int16_t max = -1;
  [[nodiscard]] constexpr bool empty() const { return max < min; }
  [[nodiscard]] constexpr bool contains(int version) const {
    return version >= min && version <= max;
  }
};

struct ApiInfo {
  ApiKey key;
  std::string_view name;   ///< Kafka's, e.g. "ListOffsets"
  VersionRange stable;     ///< what a server can answer; empty for removed apis
  VersionRange on_broker;  ///< what a broker's listener advertises; Produce is wider than `stable`
  VersionRange on_controller;  ///< what a controller's listener advertises
  std::int16_t unstable;       ///< a further version, hidden by default; -1 where there is none
  bool cluster_action;         ///< needs the CLUSTER_ACTION right
  bool forwardable;            ///< a broker may pass it to the controller inside Envelope
  const MessageInfo* request;  ///< nullptr for removed apis
  const MessageInfo* response;

  /// 1 or 2. For unknown, newer versions as for the newest known one, so that ApiVersions can be
  /// answered.
  [[nodiscard]] std::int16_t requestHeaderVersion(int version) const;
  /// 0 or 1; always 0 for ApiVersions (KIP-511), whose reader does not know yet what the server
  /// speaks.
  [[nodiscard]] std::int16_t responseHeaderVersion(int version) const;
};

/// All apis by rising key, removed ones included.
[[nodiscard]] std::span<const ApiInfo> allApis();
/// nullptr for a key that does not exist.
[[nodiscard]] const ApiInfo* findApi(std::int16_t key);
[[nodiscard]] const ApiInfo& apiInfo(ApiKey key);
/// Kafka's name, e.g. "ListOffsets".
[[nodiscard]] std::string_view apiName(ApiKey key);

}  // namespace millrace::protocol
