// Which configuration changes are allowed, and what they make of the keys that are set.
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "broker/metadata/image.h"
#include "broker/metadata/records.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::broker {

/// IncrementalAlterConfigs' operations, by their wire codes.
enum class ConfigOperation : std::int8_t { kSet = 0, kDelete = 1, kAppend = 2, kSubtract = 3 };

struct ConfigChange {
  std::string name;
  ConfigOperation operation = ConfigOperation::kSet;
  std::optional<std::string> value;
};

/// Applies changes to what is set and gives the records for what differs. APPEND and SUBTRACT start
/// from the default where the key is not set. Errors: kInvalidConfig.
[[nodiscard]] Result<MetadataRecords> alterIncrementally(const ConfigResource& resource,
                                                         const ConfigMap& before,
                                                         const std::vector<ConfigChange>& changes);
/// Replaces everything that is set (the old AlterConfigs).
[[nodiscard]] MetadataRecords alterWholly(const ConfigResource& resource, const ConfigMap& before,
                                          const ConfigMap& after);
/// What is set after `records` (of this resource) are applied.
[[nodiscard]] ConfigMap configAfter(const ConfigMap& before, const MetadataRecords& records);

/// Whether a resource may be set so: known keys, values that parse, ranges, combinations. Texts as
/// Kafka's ControllerConfigurationValidator, LogConfig and GroupConfig. Errors: kInvalidConfig,
/// kInvalidRequest, kInvalidTopicException.
[[nodiscard]] Status validateConfig(const ConfigResource& resource, const ConfigMap& after,
                                    const ConfigMap& broker_given);
/// What a broker's settings of its logs must keep to, whether they stand in its file or were
/// altered while it runs: `settings` are all that are set. In Kafka's words
/// (KafkaConfig.validateValues). Errors: kInvalidConfig.
[[nodiscard]] Status checkLogSettings(const ConfigMap& settings);
/// A value that does not parse, in the words that Kafka's tools show: "Invalid value x for
/// configuration segment.ms: Not a number of type LONG".
[[nodiscard]] std::string describeInvalidValue(const ConfigKey& key, std::string_view value);
/// Topic or group keys that hold a list (APPEND and SUBTRACT are for them).
[[nodiscard]] bool isListKey(ConfigResourceType type, std::string_view name);

}  // namespace millrace::broker
