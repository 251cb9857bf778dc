// Configuration keys with type, default, valid values and a line of documentation; and parsed
// values. Kafka's own keys stand in base/config/*.conf, from which the build makes the tables
// below.
#pragma once

#include "base/properties.h"
#include "base/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

namespace millrace {

enum class ConfigType : std::uint8_t {
  kBoolean,
  kInt,
  kShort,
  kLong,
  kDouble,
  kString,
  kList,
  kClass,
  kPassword
};
enum class ConfigDynamic : std::uint8_t { kReadOnly, kPerBroker, kClusterWide };

/// One key. The texts must outlive every use: literals, as in the generated tables.
struct ConfigKey {
  std::string_view name;
  ConfigType type = ConfigType::kString;
  bool required = false;                            ///< no default: must be given
  std::optional<std::string_view> default_value{};  ///< nullopt: null (or required)
  /// Valid values: "" any; "1.." or "0..1" range; "{a|b}" one of, "{a|b}i" in any case; "list{a|b}"
  /// each element; nonempty, nonnull, unique, nullable, regex, maxN; alternatives joined by '|'.
  std::string_view valid{};
  ConfigDynamic dynamic = ConfigDynamic::kReadOnly;
  bool internal = false;    ///< hidden from help
  bool own = false;         ///< not Kafka's: answers list it only where it is set or asked for
  bool deprecated = false;  ///< works, planned to go
  std::string_view
      synonyms{};  ///< "log.retention.ms,log.retention.hours(h)": give the value when unset
  std::string_view topic_key{};  ///< broker keys: the topic key that this is the default of
  std::string_view doc{};
};

/// null, boolean, integers, double, text (string, class, password), list.
using ConfigValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>>;

/// A set of keys. Cheap to copy for the built-in tables (they are spans).
class ConfigDef {
 public:
  ConfigDef() = default;
  /// `keys` sorted by name and static, as the generator makes them.
  explicit ConfigDef(std::span<const ConfigKey> keys) : table_(keys) {}
  /// `ConfigDef({{.name = "file", .type = ConfigType::kString, .doc = "..."}})` for a plugin's own
  /// keys.
  ConfigDef(std::initializer_list<ConfigKey> keys);

  /// nullptr where there is no such key.
  [[nodiscard]] const ConfigKey* find(std::string_view name) const;
  [[nodiscard]] std::vector<const ConfigKey*> keys() const;
  /// Adds the keys of another set; a name that exists already keeps its definition here.
  void merge(const ConfigDef& other);

  /// Converts and checks one value. Errors: kConfig, naming key, value and what would be valid.
  [[nodiscard]] static Result<ConfigValue> parseValue(const ConfigKey& key, std::string_view text);
  /// The key's default, converted. monostate for null.
  [[nodiscard]] static ConfigValue defaultOf(const ConfigKey& key);

 private:
  std::span<const ConfigKey> table_;
  std::vector<ConfigKey> own_;  // sorted by name
};

/// Where a value came from.
enum class ConfigOrigin : std::uint8_t { kDefault, kGiven, kSynonym };

/// Values for every key of a ConfigDef, checked. Immutable after parse; thread-safe to read. A
/// getter asserts that the key exists and has that type: a wrong name is a bug of the caller.
class Config {
 public:
  Config() = default;
  /// Unknown keys are kept and listed (workers and clients warn; topics and groups refuse). Errors:
  /// kConfig, with every problem found in one text.
  [[nodiscard]] static Result<Config> parse(const ConfigDef& def, const Properties& given);

  [[nodiscard]] bool getBool(std::string_view key) const;
  [[nodiscard]] std::int32_t getInt(std::string_view key) const;   ///< int, short
  [[nodiscard]] std::int64_t getLong(std::string_view key) const;  ///< long, int, short
  [[nodiscard]] double getDouble(std::string_view key) const;
  [[nodiscard]] const std::string& getString(std::string_view key) const;  ///< "" where null
  [[nodiscard]] const std::vector<std::string>& getList(
      std::string_view key) const;  ///< {} where null
  [[nodiscard]] const ConfigValue& get(std::string_view key) const;
  [[nodiscard]] bool isNull(std::string_view key) const;
  /// Given by hand under its own name or a synonym.
  [[nodiscard]] bool isSet(std::string_view key) const;
  [[nodiscard]] ConfigOrigin origin(std::string_view key) const;

  /// Keys that the definition does not know, to be warned about.
  [[nodiscard]] const std::vector<std::string>& unknown() const { return unknown_; }
  /// Everything as it was given, unknown keys included.
  [[nodiscard]] const Properties& originals() const { return originals_; }
  /// Given keys that start with `prefix`, without it.
  [[nodiscard]] Properties originalsWithPrefix(std::string_view prefix) const;
  [[nodiscard]] const ConfigDef& def() const { return def_; }

 private:
  struct Entry {
    std::string_view name;
    ConfigType type;
    ConfigValue value;
    ConfigOrigin origin;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view s) const { return std::hash<std::string_view>{}(s); }
  };
  [[nodiscard]] const Entry& entry(std::string_view key) const;
  friend Result<Config> inheritConfig(const ConfigDef& def, const Config& broker,
                                      const Properties& overrides);
  void inherit(const Config& broker);

  ConfigDef def_;
  std::unordered_map<std::string, Entry, Hash, std::equal_to<>> entries_;
  std::vector<std::string> unknown_;
  Properties originals_;
};

/// One line "name=value" form of a value as Kafka prints it; lists joined by ','; null is nullopt.
[[nodiscard]] std::optional<std::string> configText(const ConfigValue& value);
/// The value that a key's synonyms give in `given`, converted to the key's unit: (synonym, text).
[[nodiscard]] std::optional<std::pair<std::string, std::string>> synonymValue(
    const ConfigKey& key, const Properties& given);
/// What a topic or group without own settings has on this broker: the key's value from the broker's
/// configuration by its synonyms, else the key's default.
[[nodiscard]] ConfigValue inheritedValue(const ConfigKey& key, const Config& broker);
/// A topic's (or group's) configuration: `overrides` over what the broker's configuration gives.
/// Errors: kConfig; unknown keys are an error here, as in Kafka.
[[nodiscard]] Result<Config> inheritConfig(const ConfigDef& def, const Config& broker,
                                           const Properties& overrides);

// The tables of base/config/*.conf.
[[nodiscard]] const ConfigDef& brokerConfigDef();
/// Of a broker, too, but never in its file: throttles (Kafka's QuotaConfig.brokerQuotaConfigs).
[[nodiscard]] const ConfigDef& brokerQuotaConfigDef();
[[nodiscard]] const ConfigDef& topicConfigDef();
[[nodiscard]] const ConfigDef& groupConfigDef();
[[nodiscard]] const ConfigDef& clientMetricsConfigDef();
[[nodiscard]] const ConfigDef& producerConfigDef();
[[nodiscard]] const ConfigDef& consumerConfigDef();
[[nodiscard]] const ConfigDef& shareConsumerConfigDef();
[[nodiscard]] const ConfigDef& adminConfigDef();
[[nodiscard]] const ConfigDef& streamsConfigDef();
[[nodiscard]] const ConfigDef& streamsTopologyConfigDef();
[[nodiscard]] const ConfigDef& connectStandaloneConfigDef();
[[nodiscard]] const ConfigDef& connectDistributedConfigDef();
[[nodiscard]] const ConfigDef& connectSourceConfigDef();
[[nodiscard]] const ConfigDef& connectSinkConfigDef();
[[nodiscard]] const ConfigDef& fileSourceConfigDef();
[[nodiscard]] const ConfigDef& fileSinkConfigDef();
/// Any table by name ("broker", "transform Cast", "converter JsonConverter"); nullptr where
/// unknown.
[[nodiscard]] const ConfigDef* configTable(std::string_view table);

}  // namespace millrace
