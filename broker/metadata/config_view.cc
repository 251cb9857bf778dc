#include "broker/metadata/config_view.h"

#include <algorithm>
#include <set>

namespace millrace::broker {
namespace {

/// "a,b(h)" -> {a, b}: names without their units.
std::vector<std::string> synonymNames(std::string_view list) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    std::string_view name = list.substr(0, comma);
    names.emplace_back(name.substr(0, name.find('(')));
    list = comma == list.npos ? std::string_view{} : list.substr(comma + 1);
  }
  return names;
}

/// A broker key and the keys that stand in for it.
std::vector<std::string> brokerSynonyms(const ConfigKey& key) {
  std::vector<std::string> names{std::string(key.name)};
  for (std::string& name : synonymNames(key.synonyms)) {
    if (name != key.name) names.push_back(std::move(name));
  }
  return names;
}

/// Every place that gives one of `names` a value, the winner first, from the first one that has
/// the key's own name, names[0]: what stands before it is not shown (Kafka's
/// ConfigHelper.configSynonyms).
std::vector<ConfigSynonymView> placesOf(const std::vector<std::string>& names,
                                        const BrokerSettings& broker) {
  std::vector<ConfigSynonymView> places;
  const auto add = [&](const Properties& layer, ConfigSource source) {
    for (const std::string& name : names) {
      if (const auto found = layer.find(name); found != layer.end()) {
        places.push_back({name, found->second, source});
      }
    }
  };
  if (broker.dynamic) add(*broker.dynamic, ConfigSource::kDynamicBroker);
  if (broker.dynamic_default) add(*broker.dynamic_default, ConfigSource::kDynamicDefaultBroker);
  if (broker.given) add(*broker.given, ConfigSource::kStaticBroker);
  for (const std::string& name : names) {
    const ConfigKey* key = brokerConfigDef().find(name);
    if (!key) continue;
    if (auto text = configText(ConfigDef::defaultOf(*key))) {
      places.push_back({name, std::move(text), ConfigSource::kDefault});
    }
  }
  const auto own = std::ranges::find_if(
      places, [&](const ConfigSynonymView& place) { return place.name == names.front(); });
  places.erase(places.begin(), own);
  return places;
}

/// As Kafka prints a parsed value; the text itself where it does not parse.
std::optional<std::string> canonical(const ConfigKey& key, const std::string& text) {
  const auto parsed = ConfigDef::parseValue(key, text);
  return parsed ? configText(*parsed) : std::optional<std::string>(text);
}

/// The value that the broker's settings give, own name first, then the synonyms in the key's unit.
std::optional<std::string> inherited(const ConfigKey& key, const BrokerSettings& broker,
                                     bool own_name) {
  const Properties* const layers[] = {broker.dynamic.get(), broker.dynamic_default.get(),
                                      broker.given};
  for (const Properties* layer : layers) {
    if (!layer) continue;
    if (own_name) {
      if (const auto found = layer->find(key.name); found != layer->end())
        return canonical(key, found->second);
    }
    if (const auto found = synonymValue(key, *layer)) return canonical(key, found->second);
  }
  return configText(ConfigDef::defaultOf(key));
}

void hide(ConfigView& view) {
  view.sensitive = true;
  view.value.reset();
  for (ConfigSynonymView& synonym : view.synonyms) synonym.value.reset();
}

void hideSecret(ConfigView& view) {
  if (view.type == ConfigType::kPassword) hide(view);
}

ConfigView viewOfUnknown(const std::string& name, const BrokerSettings& broker) {
  ConfigView view{.name = name, .read_only = true, .synonyms = placesOf({name}, broker)};
  view.source = view.synonyms.front().source;
  hide(view);
  return view;
}

}  // namespace

BrokerSettings BrokerSettings::of(const MetadataImage& image, std::int32_t node_id,
                                  const Properties& given) {
  return {.node_id = node_id,
          .dynamic = image.config(ConfigResourceType::kBroker, std::to_string(node_id)),
          .dynamic_default = image.config(ConfigResourceType::kBroker, ""),
          .given = &given};
}

ConfigView viewOf(const ConfigKey& key, const ConfigMap& overrides, ConfigSource override_source,
                  const BrokerSettings& broker) {
  ConfigView view{.name = std::string(key.name), .type = key.type, .doc = key.doc};
  const auto own = overrides.find(key.name);
  if (own != overrides.end()) {
    view.value = canonical(key, own->second);
    view.synonyms.push_back({view.name, view.value, override_source});
  } else {
    view.value = inherited(key, broker, false);
  }
  for (auto& place : placesOf(synonymNames(key.synonyms), broker))
    view.synonyms.push_back(std::move(place));
  if (!view.synonyms.empty()) view.source = view.synonyms.front().source;
  hideSecret(view);
  return view;
}

ConfigView viewOfBroker(const ConfigKey& key, const BrokerSettings& broker) {
  ConfigView view{.name = std::string(key.name), .type = key.type, .doc = key.doc};
  view.read_only = key.dynamic == ConfigDynamic::kReadOnly;
  view.synonyms = placesOf(brokerSynonyms(key), broker);
  view.value = inherited(key, broker, true);
  if (!view.synonyms.empty()) view.source = view.synonyms.front().source;
  hideSecret(view);
  return view;
}

std::vector<ConfigView> viewsOfDynamicOnly(const BrokerSettings& broker) {
  std::set<std::string> names;
  for (const auto& layer : {broker.dynamic, broker.dynamic_default})
    for (const auto& [name, value] : *layer)
      if (brokerConfigDef().find(name) == nullptr) names.insert(name);
  std::vector<ConfigView> views;
  for (const std::string& name : names) {
    const ConfigKey* const key = findBrokerKey(name);
    views.push_back(key != nullptr ? viewOfBroker(*key, broker) : viewOfUnknown(name, broker));
  }
  return views;
}

const ConfigKey* findBrokerKey(std::string_view name) {
  const ConfigKey* const key = brokerConfigDef().find(name);
  return key != nullptr ? key : brokerQuotaConfigDef().find(name);
}

std::int8_t wireType(ConfigType type) {
  switch (type) {
    case ConfigType::kBoolean: return 1;
    case ConfigType::kString: return 2;
    case ConfigType::kInt: return 3;
    case ConfigType::kShort: return 4;
    case ConfigType::kLong: return 5;
    case ConfigType::kDouble: return 6;
    case ConfigType::kList: return 7;
    case ConfigType::kClass: return 8;
    case ConfigType::kPassword: return 9;
  }
  return 0;
}

}  // namespace millrace::broker
