#include "base/config.h"

#include "base/assert.h"
#include "base/config_rules.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

namespace millrace {

namespace {

using detail::trim;

struct Limits {
  std::int64_t low;
  std::int64_t high;
};

Limits limitsOf(ConfigType type) {
  switch (type) {
    case ConfigType::kShort: return {INT16_MIN, INT16_MAX};
    case ConfigType::kInt: return {INT32_MIN, INT32_MAX};
    default: return {INT64_MIN, INT64_MAX};
  }
}

std::unexpected<Error> invalid(const ConfigKey& key, std::string_view text,
                               std::string_view problem) {
  const std::string_view shown = key.type == ConfigType::kPassword ? "[hidden]" : text;
  return fail(Errc::kConfig, fmt::format("{}={}: {}", key.name, shown, problem));
}

Result<ConfigValue> parseInteger(const ConfigKey& key, std::string_view text) {
  std::int64_t value = 0;
  std::string_view digits = text;
  if (digits.starts_with('+')) digits.remove_prefix(1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  const Limits limits = limitsOf(key.type);
  if (error != std::errc{} || end != digits.data() + digits.size() || value < limits.low ||
      value > limits.high) {
    return invalid(key, text,
                   fmt::format("must be a whole number from {} to {}", limits.low, limits.high));
  }
  return ConfigValue(value);
}

Result<ConfigValue> parseDouble(const ConfigKey& key, std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return invalid(key, text, "must be a number");
  }
  return ConfigValue(value);
}

Result<ConfigValue> parseBool(const ConfigKey& key, std::string_view text) {
  const auto is = [text](std::string_view word) {
    if (text.size() != word.size()) return false;
    for (std::size_t i = 0; i < word.size(); ++i) {
      if ((text[i] | 0x20) != word[i]) return false;
    }
    return true;
  };
  if (is("true")) return ConfigValue(true);
  if (is("false")) return ConfigValue(false);
  return invalid(key, text, "must be true or false");
}

Result<ConfigValue> convert(const ConfigKey& key, std::string_view text) {
  switch (key.type) {
    case ConfigType::kBoolean: return parseBool(key, trim(text));
    case ConfigType::kInt:
    case ConfigType::kShort:
    case ConfigType::kLong: return parseInteger(key, trim(text));
    case ConfigType::kDouble: return parseDouble(key, trim(text));
    case ConfigType::kString:
    case ConfigType::kClass: return ConfigValue(std::string(trim(text)));
    case ConfigType::kPassword: return ConfigValue(std::string(text));
    case ConfigType::kList: return ConfigValue(detail::splitList(text));
  }
  return ConfigValue();
}

/// What one unit of the synonym is in units of the key: "(h)" and "(min)", or the endings of the
/// names.
std::int64_t unitFactor(std::string_view key, std::string_view synonym, std::string_view unit) {
  if (!key.ends_with(".ms")) return 1;
  if (unit == "h" || synonym.ends_with(".hours")) return 3'600'000;
  if (unit == "min" || synonym.ends_with(".minutes")) return 60'000;
  return 1;
}

/// Negative values mean "unlimited" in every unit.
std::int64_t scaled(std::int64_t value, std::int64_t factor) {
  if (value < 0) return value;
  return value > INT64_MAX / factor ? INT64_MAX : value * factor;
}

struct Synonym {
  std::string_view name;
  std::int64_t factor;
};

std::vector<Synonym> synonymsOf(const ConfigKey& key) {
  std::vector<Synonym> synonyms;
  std::string_view rest = key.synonyms;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    std::string_view name = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    std::string_view unit;
    if (const std::size_t open = name.find('('); open != std::string_view::npos) {
      unit = name.substr(open + 1, name.size() - open - 2);
      name = name.substr(0, open);
    }
    // Hours cannot say what milliseconds say: Kafka looks only from the finer to the coarser unit.
    const bool coarser = !key.name.ends_with(".ms") && name.ends_with(".ms");
    const bool sideways = key.name.ends_with(".hours") || key.name.ends_with(".minutes");
    if (!coarser && !sideways) synonyms.push_back({name, unitFactor(key.name, name, unit)});
  }
  return synonyms;
}

}  // namespace

Result<ConfigValue> ConfigDef::parseValue(const ConfigKey& key, std::string_view text) {
  Result<ConfigValue> value = convert(key, text);
  if (!value) return value;
  const std::string problem = detail::violatedRule(key.valid, *value);
  if (!problem.empty()) return invalid(key, text, problem);
  return value;
}

ConfigValue ConfigDef::defaultOf(const ConfigKey& key) {
  if (!key.default_value) return {};
  Result<ConfigValue> value = convert(key, *key.default_value);
  MILLRACE_ASSERT(value.has_value(), value.error().detail);
  return std::move(*value);
}

std::optional<std::pair<std::string, std::string>> synonymValue(const ConfigKey& key,
                                                                const Properties& given) {
  for (const Synonym& synonym : synonymsOf(key)) {
    const auto found = given.find(synonym.name);
    if (found == given.end()) continue;
    const std::string_view text = trim(found->second);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    // Text that is no number is left as it is: the key's own check will refuse it.
    if (synonym.factor == 1 || error != std::errc{} || end != text.data() + text.size()) {
      return std::pair(found->first, found->second);
    }
    return std::pair(found->first, std::to_string(scaled(number, synonym.factor)));
  }
  return std::nullopt;
}

Result<Config> Config::parse(const ConfigDef& def, const Properties& given) {
  Config config;
  config.def_ = def;
  config.originals_ = given;
  std::string problems;
  const auto report = [&problems](std::string_view problem) {
    problems += problems.empty() ? "" : "; ";
    problems += problem;
  };
  for (const ConfigKey* key : config.def_.keys()) {
    Entry entry{key->name, key->type, {}, ConfigOrigin::kDefault};
    const std::string* text = nullptr;
    const auto own = given.find(key->name);
    const auto synonym = own == given.end() ? synonymValue(*key, given) : std::nullopt;
    if (own != given.end()) {
      text = &own->second;
      entry.origin = ConfigOrigin::kGiven;
    } else if (synonym) {
      text = &synonym->second;
      entry.origin = ConfigOrigin::kSynonym;
    }
    if (text != nullptr) {
      Result<ConfigValue> value = ConfigDef::parseValue(*key, *text);
      if (value) {
        entry.value = std::move(*value);
      } else {
        report(value.error().detail);
      }
    } else if (key->required) {
      report(fmt::format("{} must be set: {}", key->name, key->doc));
    } else {
      entry.value = ConfigDef::defaultOf(*key);
    }
    config.entries_.emplace(key->name, std::move(entry));
  }
  if (!problems.empty()) return fail(Errc::kConfig, std::move(problems));
  for (const auto& [name, value] : given) {
    if (!config.entries_.contains(name)) config.unknown_.push_back(name);
  }
  return config;
}

const Config::Entry& Config::entry(std::string_view key) const {
  const auto found = entries_.find(key);
  MILLRACE_ASSERT(found != entries_.end(), "no configuration key " + std::string(key));
  return found->second;
}

const ConfigValue& Config::get(std::string_view key) const { return entry(key).value; }

bool Config::isNull(std::string_view key) const {
  return std::holds_alternative<std::monostate>(get(key));
}

bool Config::isSet(std::string_view key) const {
  return entry(key).origin != ConfigOrigin::kDefault;
}

ConfigOrigin Config::origin(std::string_view key) const { return entry(key).origin; }

namespace {

template <class T>
const T& valueAs(const ConfigValue& value, std::string_view key) {
  const T* const typed = std::get_if<T>(&value);
  MILLRACE_ASSERT(typed != nullptr, std::string(key) + " is null or of another type");
  return *typed;
}

}  // namespace

bool Config::getBool(std::string_view key) const { return valueAs<bool>(get(key), key); }

std::int64_t Config::getLong(std::string_view key) const {
  return valueAs<std::int64_t>(get(key), key);
}

std::int32_t Config::getInt(std::string_view key) const {
  MILLRACE_ASSERT(entry(key).type != ConfigType::kLong, std::string(key) + " is a long");
  return static_cast<std::int32_t>(getLong(key));
}

double Config::getDouble(std::string_view key) const { return valueAs<double>(get(key), key); }

const std::string& Config::getString(std::string_view key) const {
  static const std::string kEmpty;
  return isNull(key) ? kEmpty : valueAs<std::string>(get(key), key);
}

const std::vector<std::string>& Config::getList(std::string_view key) const {
  static const std::vector<std::string> kEmpty;
  return isNull(key) ? kEmpty : valueAs<std::vector<std::string>>(get(key), key);
}

Properties Config::originalsWithPrefix(std::string_view prefix) const {
  Properties found;
  for (auto it = originals_.lower_bound(prefix);
       it != originals_.end() && it->first.starts_with(prefix); ++it) {
    found.emplace(it->first.substr(prefix.size()), it->second);
  }
  return found;
}

std::optional<std::string> configText(const ConfigValue& value) {
  struct Printer {
    std::optional<std::string> operator()(std::monostate) const { return std::nullopt; }
    std::optional<std::string> operator()(bool v) const { return v ? "true" : "false"; }
    std::optional<std::string> operator()(std::int64_t v) const { return std::to_string(v); }
    std::optional<std::string> operator()(double v) const {
      const std::string text = fmt::format("{}", v);
      return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
    }
    std::optional<std::string> operator()(const std::string& v) const { return v; }
    std::optional<std::string> operator()(const std::vector<std::string>& v) const {
      return fmt::format("{}", fmt::join(v, ","));
    }
  };
  return std::visit(Printer{}, value);
}

ConfigValue inheritedValue(const ConfigKey& key, const Config& broker) {
  for (const Synonym& synonym : synonymsOf(key)) {
    if (broker.def().find(synonym.name) == nullptr || !broker.isSet(synonym.name)) continue;
    const ConfigValue& value = broker.get(synonym.name);
    const auto* number = std::get_if<std::int64_t>(&value);
    return number == nullptr ? value : ConfigValue(scaled(*number, synonym.factor));
  }
  return ConfigDef::defaultOf(key);
}

Result<Config> inheritConfig(const ConfigDef& def, const Config& broker,
                             const Properties& overrides) {
  MILLRACE_TRY(Config config, Config::parse(def, overrides));
  if (!config.unknown().empty()) {
    return fail(Errc::kConfig, "unknown configuration key " + config.unknown().front());
  }
  config.inherit(broker);
  return config;
}

void Config::inherit(const Config& broker) {
  for (auto& [name, entry] : entries_) {
    if (entry.origin != ConfigOrigin::kDefault) continue;
    const ConfigKey* const key = def_.find(name);
    for (const Synonym& synonym : synonymsOf(*key)) {
      if (broker.def().find(synonym.name) != nullptr && broker.isSet(synonym.name)) {
        entry.origin = ConfigOrigin::kSynonym;
      }
    }
    if (entry.origin == ConfigOrigin::kSynonym) entry.value = inheritedValue(*key, broker);
  }
}

}  // namespace millrace
