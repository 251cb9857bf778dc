#include "broker/metadata/config_rules.h"

#include "base/config.h"
#include "broker/metadata/topic_names.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

namespace millrace::broker {
namespace {

const ConfigDef* definitionOf(ConfigResourceType type) {
  switch (type) {
    case ConfigResourceType::kTopic: return &topicConfigDef();
    case ConfigResourceType::kBroker: return &brokerConfigDef();
    case ConfigResourceType::kGroup: return &groupConfigDef();
    case ConfigResourceType::kClientMetrics: return &clientMetricsConfigDef();
    default: return nullptr;
  }
}

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view part = list.substr(0, comma);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    list = comma == list.npos ? std::string_view{} : list.substr(comma + 1);
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) {
    if (!joined.empty()) joined += ',';
    joined += part;
  }
  return joined;
}

/// What APPEND and SUBTRACT start from.
std::vector<std::string> listBefore(const ConfigResource& resource, const std::string& name,
                                    const std::optional<std::string>& set) {
  if (set) return split(*set);
  const ConfigDef* def = definitionOf(resource.type);
  const ConfigKey* key = def ? def->find(name) : nullptr;
  if (!key) return {};
  return split(configText(ConfigDef::defaultOf(*key)).value_or(""));
}

std::optional<std::string> changeList(const ConfigResource& resource, const ConfigChange& change,
                                      const std::optional<std::string>& set) {
  std::vector<std::string> parts = listBefore(resource, change.name, set);
  for (const std::string& part : split(change.value.value_or(""))) {
    const auto at = std::ranges::find(parts, part);
    if (change.operation == ConfigOperation::kAppend) {
      if (at == parts.end()) parts.push_back(part);
    } else if (at != parts.end()) {
      parts.erase(at);
    }
  }
  return join(parts);
}

protocol::ConfigRecord recordOf(const ConfigResource& resource, const std::string& name,
                                const std::optional<std::string>& value) {
  protocol::ConfigRecord r;
  r.resource_type = static_cast<std::int8_t>(resource.type);
  r.resource_name = resource.name;
  r.name = name;
  r.value.reset();
  if (value) r.value = *value;
  return r;
}

std::int64_t numberOf(const ConfigDef& def, const ConfigMap& values, const ConfigMap& fallback,
                      std::string_view name) {
  const ConfigKey* key = def.find(name);
  if (!key) return 0;
  const ConfigMap* const maps[] = {&values, &fallback};
  for (const ConfigMap* map : maps) {
    const auto found = map->find(name);
    if (found == map->end()) continue;
    const auto parsed = ConfigDef::parseValue(*key, found->second);
    if (parsed && std::holds_alternative<std::int64_t>(*parsed))
      return std::get<std::int64_t>(*parsed);
  }
  const ConfigValue value = ConfigDef::defaultOf(*key);
  return std::holds_alternative<std::int64_t>(value) ? std::get<std::int64_t>(value) : 0;
}

Status checkValues(const ConfigDef& def, const ConfigMap& values, std::string_view what) {
  for (const auto& [name, value] : values) {
    if (!def.find(name)) {
      return fail(Errc::kInvalidConfig, fmt::format("Unknown {} config name: {}", what, name));
    }
  }
  for (const auto& [name, value] : values) {
    const auto parsed = ConfigDef::parseValue(*def.find(name), value);
    if (!parsed) return fail(Errc::kInvalidConfig, describeInvalidValue(*def.find(name), value));
  }
  return {};
}

Status validateTopic(const ConfigResource& resource, const ConfigMap& after) {
  MILLRACE_CHECK_OK(validateTopicName(resource.name));
  const ConfigDef& def = topicConfigDef();
  MILLRACE_CHECK_OK(checkValues(def, after, "topic"));
  const std::int64_t min_lag = numberOf(def, after, {}, "min.compaction.lag.ms");
  const std::int64_t max_lag = numberOf(def, after, {}, "max.compaction.lag.ms");
  if (min_lag > max_lag) {
    return fail(Errc::kInvalidConfig,
                fmt::format("conflict topic config setting min.compaction.lag.ms ({}) > "
                            "max.compaction.lag.ms ({})",
                            min_lag, max_lag));
  }
  const auto remote = after.find("remote.storage.enable");
  if (remote != after.end() && remote->second == "true") {
    return fail(Errc::kInvalidConfig,
                "Tiered storage is disabled in the broker: remote.storage.enable cannot be true");
  }
  return {};
}

/// A group key against the broker's limits of the same quantity, where there are such.
Status checkLimits(const ConfigMap& after, const ConfigMap& given, std::string_view family,
                   std::string_view quantity) {
  const std::string name = fmt::format("{}.{}", family, quantity);
  if (!after.contains(name)) return {};
  const std::int64_t value = numberOf(groupConfigDef(), after, {}, name);
  const std::string low = fmt::format("group.{}.min.{}", family, quantity);
  if (brokerConfigDef().find(low) && value < numberOf(brokerConfigDef(), {}, given, low)) {
    return fail(Errc::kInvalidConfig,
                fmt::format("{} must be greater than or equal to {}", name, low));
  }
  const std::string high = fmt::format("group.{}.max.{}", family, quantity);
  if (brokerConfigDef().find(high) && value > numberOf(brokerConfigDef(), {}, given, high)) {
    return fail(Errc::kInvalidConfig,
                fmt::format("{} must be less than or equal to {}", name, high));
  }
  return {};
}

Status validateGroup(const ConfigResource& resource, const ConfigMap& after,
                     const ConfigMap& given) {
  if (resource.name.empty())
    return fail(Errc::kInvalidRequest, "Default group resources are not allowed.");
  MILLRACE_CHECK_OK(checkValues(groupConfigDef(), after, "group"));
  for (const std::string_view family : {"consumer", "share", "streams"}) {
    for (const std::string_view quantity :
         {"heartbeat.interval.ms", "session.timeout.ms", "record.lock.duration.ms",
          "initial.rebalance.delay.ms"}) {
      MILLRACE_CHECK_OK(checkLimits(after, given, family, quantity));
    }
    const std::string session = fmt::format("{}.session.timeout.ms", family);
    const std::string heartbeat = fmt::format("{}.heartbeat.interval.ms", family);
    if (!after.contains(session) && !after.contains(heartbeat)) continue;
    if (numberOf(groupConfigDef(), after, {}, session) <=
        numberOf(groupConfigDef(), after, {}, heartbeat)) {
      return fail(Errc::kInvalidConfig,
                  fmt::format("{} must be greater than {}", session, heartbeat));
    }
  }
  const auto standbys = after.find("streams.num.standby.replicas");
  if (standbys != after.end() &&
      numberOf(groupConfigDef(), after, {}, standbys->first) >
          numberOf(brokerConfigDef(), {}, given, "group.streams.max.standby.replicas")) {
    return fail(Errc::kInvalidConfig,
                "streams.num.standby.replicas must be less than or equal to "
                "group.streams.max.standby.replicas");
  }
  return {};
}

Status validateBroker(const ConfigResource& resource) {
  if (resource.name.empty()) return {};
  std::int32_t id = 0;
  const char* end = resource.name.data() + resource.name.size();
  const auto [stop, error] = std::from_chars(resource.name.data(), end, id);
  if (error != std::errc{} || stop != end) {
    return fail(Errc::kInvalidRequest, "Unable to parse broker name as a base 10 number.");
  }
  if (id < 0) return fail(Errc::kInvalidRequest, "Invalid negative broker ID.");
  return {};
}

Status validateClientMetrics(const ConfigResource& resource, const ConfigMap& after) {
  if (resource.name.empty()) {
    return fail(Errc::kInvalidRequest, "Subscription name can't be empty");
  }
  for (const auto& [name, value] : after) {
    const ConfigKey* key = clientMetricsConfigDef().find(name);
    if (!key) return fail(Errc::kInvalidRequest, "Unknown client metrics configuration: " + name);
    const auto parsed = ConfigDef::parseValue(*key, value);
    if (!parsed) return fail(Errc::kInvalidConfig, describeInvalidValue(*key, value));
    if (name == "interval.ms") {
      const std::int64_t ms = std::get<std::int64_t>(*parsed);
      if (ms < 100 || ms > 3'600'000) {
        return fail(
            Errc::kInvalidRequest,
            fmt::format(
                "Invalid value {} for interval.ms, interval must be between 100 and 3600000 "
                "(1 hour)",
                ms));
      }
    }
    if (name != "match") continue;
    for (const std::string& pattern : split(value)) {
      if (std::ranges::count(pattern, '=') != 1) {
        return fail(Errc::kInvalidConfig, "Illegal client matching pattern: " + pattern);
      }
    }
  }
  return {};
}

std::string_view javaTypeName(ConfigType type) {
  switch (type) {
    case ConfigType::kInt: return "INT";
    case ConfigType::kShort: return "SHORT";
    case ConfigType::kLong: return "LONG";
    case ConfigType::kDouble: return "DOUBLE";
    default: return "";
  }
}

/// "{a|b}" or "list{a|b}" -> "a, b"; empty where `valid` is no such set.
std::string choices(std::string_view valid) {
  const std::size_t open = valid.find('{');
  const std::size_t close = valid.find('}');
  if (open == valid.npos || close == valid.npos) return {};
  std::string names(valid.substr(open + 1, close - open - 1));
  for (std::size_t at = 0; (at = names.find('|', at)) != names.npos; at += 2)
    names.replace(at, 1, ", ");
  return names;
}

/// The element of a list that is none of its choices; the value itself for other types.
std::string culprit(const ConfigKey& key, std::string_view value, const std::string& allowed) {
  if (key.type != ConfigType::kList) return std::string(value);
  const auto names = split(allowed);
  for (const std::string& part : split(value)) {
    if (std::ranges::find(names, part) == names.end()) return part;
  }
  return std::string(value);
}

/// "lo..hi" with either end left out; nothing where the number lies within.
std::string rangeText(std::string_view valid, double number) {
  const std::size_t dots = valid.find("..");
  if (dots == valid.npos) return {};
  const std::string_view low = valid.substr(0, dots);
  std::string_view high = valid.substr(dots + 2);
  high = high.substr(0, high.find('|'));
  const auto parse = [](std::string_view text, double& out) {
    return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc{};
  };
  double bound = 0;
  if (parse(low, bound) && number < bound) return fmt::format("Value must be at least {}", low);
  if (parse(high, bound) && number > bound)
    return fmt::format("Value must be no more than {}", high);
  return {};
}

}  // namespace

std::string describeInvalidValue(const ConfigKey& key, std::string_view value) {
  const auto text = [&](std::string_view shown, std::string_view why) {
    return fmt::format("Invalid value {} for configuration {}: {}", shown, key.name, why);
  };
  if (key.type == ConfigType::kBoolean)
    return text(value, "Expected value to be either true or false");
  if (const std::string_view type = javaTypeName(key.type); !type.empty()) {
    double number = 0;
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, number);
    if (error == std::errc{} && stop == end) {
      if (const std::string why = rangeText(key.valid, number); !why.empty())
        return text(value, why);
    }
    return text(value, fmt::format("Not a number of type {}", type));
  }
  if (const std::string allowed = choices(key.valid); !allowed.empty()) {
    return text(culprit(key, value, allowed), "String must be one of: " + allowed);
  }
  const auto parsed = ConfigDef::parseValue(key, value);
  return text(value, parsed ? "it is not allowed here" : parsed.error().detail);
}

Status checkLogSettings(const ConfigMap& settings) {
  const auto number = [&](std::string_view name) {
    return numberOf(brokerConfigDef(), settings, {}, name);
  };
  // Of those for one quantity the first that is set counts.
  const auto first_set = [&](auto... names) -> std::optional<std::int64_t> {
    std::optional<std::int64_t> found;
    for (const std::string_view name : {std::string_view(names)...})
      if (!found && settings.contains(name)) found = number(name);
    return found;
  };
  if (first_set("log.roll.ms", "log.roll.hours").value_or(1) < 1)
    return fail(Errc::kInvalidConfig, "log.roll.ms must be greater than or equal to 1");
  if (first_set("log.roll.jitter.ms", "log.roll.jitter.hours").value_or(0) < 0)
    return fail(Errc::kInvalidConfig, "log.roll.jitter.ms must be greater than or equal to 0");
  // Anything below 0 is no limit.
  if (first_set("log.retention.ms", "log.retention.minutes", "log.retention.hours") == 0)
    return fail(Errc::kInvalidConfig,
                "log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
  constexpr std::int64_t kLeastMap = 1 << 20;
  const std::int64_t cleaners = std::max<std::int64_t>(number("log.cleaner.threads"), 1);
  if (number("log.cleaner.dedupe.buffer.size") / cleaners <= kLeastMap)
    return fail(Errc::kInvalidConfig,
                "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
  return {};
}

bool isListKey(ConfigResourceType type, std::string_view name) {
  const ConfigDef* def = definitionOf(type);
  const ConfigKey* key = def ? def->find(name) : nullptr;
  return key && key->type == ConfigType::kList;
}

Result<MetadataRecords> alterIncrementally(const ConfigResource& resource, const ConfigMap& before,
                                           const std::vector<ConfigChange>& changes) {
  MetadataRecords records;
  for (const ConfigChange& change : changes) {
    const auto found = before.find(change.name);
    const std::optional<std::string> current =
        found == before.end() ? std::nullopt : std::optional(found->second);
    std::optional<std::string> next;
    switch (change.operation) {
      case ConfigOperation::kSet: next = change.value; break;
      case ConfigOperation::kDelete: break;
      case ConfigOperation::kAppend:
      case ConfigOperation::kSubtract:
        if (!isListKey(resource.type, change.name)) {
          return fail(
              Errc::kInvalidConfig,
              fmt::format("Can't {} to key {} because its type is not LIST.",
                          change.operation == ConfigOperation::kAppend ? "APPEND" : "SUBTRACT",
                          change.name));
        }
        next = changeList(resource, change, current);
        break;
    }
    // Brokers get every change: one that repeats a value still tells them to look (password files).
    const bool repeats = current == next && !(resource.type == ConfigResourceType::kBroker && next);
    if (!repeats) records.emplace_back(recordOf(resource, change.name, next));
  }
  return records;
}

MetadataRecords alterWholly(const ConfigResource& resource, const ConfigMap& before,
                            const ConfigMap& after) {
  MetadataRecords records;
  for (const auto& [name, value] : after) {
    const auto found = before.find(name);
    if (found == before.end() || found->second != value)
      records.emplace_back(recordOf(resource, name, value));
  }
  for (const auto& [name, value] : before) {
    if (!after.contains(name)) records.emplace_back(recordOf(resource, name, std::nullopt));
  }
  return records;
}

ConfigMap configAfter(const ConfigMap& before, const MetadataRecords& records) {
  ConfigMap after = before;
  for (const MetadataRecord& record : records) {
    const auto& r = std::get<protocol::ConfigRecord>(record);
    if (r.value) {
      after.insert_or_assign(r.name.str(), r.value->str());
    } else {
      after.erase(r.name.str());
    }
  }
  return after;
}

Status validateConfig(const ConfigResource& resource, const ConfigMap& after,
                      const ConfigMap& broker_given) {
  switch (resource.type) {
    case ConfigResourceType::kTopic: return validateTopic(resource, after);
    case ConfigResourceType::kGroup: return validateGroup(resource, after, broker_given);
    case ConfigResourceType::kBroker: return validateBroker(resource);
    case ConfigResourceType::kClientMetrics: return validateClientMetrics(resource, after);
    default:
      return fail(Errc::kInvalidRequest,
                  fmt::format("Unknown resource type {}", static_cast<int>(resource.type)));
  }
}

}  // namespace millrace::broker
