// ConfigDef: built-in tables and plugins' own sets of keys.
#include "base/assert.h"
#include "base/config.h"
#include "base/config_tables.h"

#include <algorithm>
#include <map>

namespace millrace {

namespace {

const ConfigKey* findIn(std::span<const ConfigKey> keys, std::string_view name) {
  const auto found = std::ranges::lower_bound(keys, name, {}, &ConfigKey::name);
  return found != keys.end() && found->name == name ? &*found : nullptr;
}

const ConfigDef& builtIn(std::string_view table) {
  const ConfigDef* const def = configTable(table);
  MILLRACE_ASSERT(def != nullptr, "no table " + std::string(table));
  return *def;
}

}  // namespace

ConfigDef::ConfigDef(std::initializer_list<ConfigKey> keys) : own_(keys) {
  std::ranges::sort(own_, {}, &ConfigKey::name);
  const auto twice = std::ranges::adjacent_find(own_, {}, &ConfigKey::name);
  MILLRACE_ASSERT(twice == own_.end(), std::string(twice->name) + " is defined twice");
}

const ConfigKey* ConfigDef::find(std::string_view name) const {
  const ConfigKey* const key = findIn(table_, name);
  return key != nullptr ? key : findIn(own_, name);
}

std::vector<const ConfigKey*> ConfigDef::keys() const {
  std::vector<const ConfigKey*> all;
  for (const ConfigKey& key : table_) all.push_back(&key);
  for (const ConfigKey& key : own_) all.push_back(&key);
  std::ranges::sort(all, {}, [](const ConfigKey* key) { return key->name; });
  return all;
}

void ConfigDef::merge(const ConfigDef& other) {
  for (const ConfigKey* key : other.keys()) {
    if (find(key->name) != nullptr) continue;
    own_.insert(std::ranges::upper_bound(own_, key->name, {}, &ConfigKey::name), *key);
  }
}

const ConfigDef* configTable(std::string_view table) {
  // Made once; the map is never destroyed, since definitions are used until the end.
  static const auto* const tables = [] {
    auto* map = new std::map<std::string_view, ConfigDef>;
    for (const detail::ConfigTable& row : detail::configTables()) {
      map->emplace(row.name, ConfigDef(row.keys));
    }
    return map;
  }();
  const auto found = tables->find(table);
  return found == tables->end() ? nullptr : &found->second;
}

const ConfigDef& brokerConfigDef() { return builtIn("broker"); }
const ConfigDef& brokerQuotaConfigDef() { return builtIn("quota broker"); }
const ConfigDef& topicConfigDef() { return builtIn("topic"); }
const ConfigDef& groupConfigDef() { return builtIn("group"); }
const ConfigDef& clientMetricsConfigDef() { return builtIn("client metrics"); }
const ConfigDef& producerConfigDef() { return builtIn("producer"); }
const ConfigDef& consumerConfigDef() { return builtIn("consumer"); }
const ConfigDef& shareConsumerConfigDef() { return builtIn("share consumer"); }
const ConfigDef& adminConfigDef() { return builtIn("admin"); }
const ConfigDef& streamsConfigDef() { return builtIn("streams"); }
const ConfigDef& streamsTopologyConfigDef() { return builtIn("streams topology"); }
const ConfigDef& connectStandaloneConfigDef() { return builtIn("connect standalone"); }
const ConfigDef& connectDistributedConfigDef() { return builtIn("connect distributed"); }
const ConfigDef& connectSourceConfigDef() { return builtIn("connect source"); }
const ConfigDef& connectSinkConfigDef() { return builtIn("connect sink"); }
const ConfigDef& fileSourceConfigDef() { return builtIn("file source"); }
const ConfigDef& fileSinkConfigDef() { return builtIn("file sink"); }

}  // namespace millrace
