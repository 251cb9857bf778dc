// What a configuration key's value is for a resource, and where it comes from: topic, dynamic,
// static, default.
#pragma once

#include "base/config.h"
#include "broker/metadata/image.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::broker {

/// Kafka's ConfigSource, as on the wire.
enum class ConfigSource : std::int8_t {
  kUnknown = 0,
  kTopic = 1,
  kDynamicBroker = 2,
  kDynamicDefaultBroker = 3,
  kStaticBroker = 4,
  kDefault = 5,
  kDynamicBrokerLogger = 6,
  kClientMetrics = 7,
  kGroup = 8,
};

/// One place that gives a key's value, under the name it has there.
struct ConfigSynonymView {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source = ConfigSource::kUnknown;
};

struct ConfigView {
  std::string name;
  std::optional<std::string> value;  ///< nullopt: null, or a secret
  ConfigSource source = ConfigSource::kDefault;
  ConfigType type = ConfigType::kString;
  bool read_only = false;
  bool sensitive = false;
  std::vector<ConfigSynonymView> synonyms;  ///< first one wins
  std::string_view doc;
};

/// The settings of a broker in the order in which they win.
struct BrokerSettings {
  std::int32_t node_id = -1;
  ConfigMapPtr dynamic;               ///< of this broker
  ConfigMapPtr dynamic_default;       ///< of every broker
  const Properties* given = nullptr;  ///< server.properties

  static BrokerSettings of(const MetadataImage& image, std::int32_t node_id,
                           const Properties& given);
};

/// A topic's or group's key: `overrides` over the broker's settings.
[[nodiscard]] ConfigView viewOf(const ConfigKey& key, const ConfigMap& overrides,
                                ConfigSource override_source, const BrokerSettings& broker);
/// A broker's own key.
[[nodiscard]] ConfigView viewOfBroker(const ConfigKey& key, const BrokerSettings& broker);
/// What was set while it runs and never stands in its file: throttles, and keys that nobody knows,
/// whose values may be secrets (Kafka's KafkaConfig.maybeSensitive).
[[nodiscard]] std::vector<ConfigView> viewsOfDynamicOnly(const BrokerSettings& broker);
/// A broker's key or throttle; nullptr where nobody knows the name.
[[nodiscard]] const ConfigKey* findBrokerKey(std::string_view name);
/// Kafka's ConfigType on the wire.
[[nodiscard]] std::int8_t wireType(ConfigType type);

}  // namespace millrace::broker
