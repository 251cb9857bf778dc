#include "connect/connector_config.h"

#include "connect/topic_creation.h"

#include <fmt/format.h>

namespace millrace::connect {

const ConfigValue& TaskSettings::get(std::string_view key) const {
  static const ConfigValue kNull;
  return config_.def().find(key) == nullptr ? kNull : config_.get(key);
}

Result<ConnectorConfig> readConnectorConfig(const PluginRegistry& plugins,
                                            const Properties& properties) {
  const auto connector_class = properties.find("connector.class");
  if (connector_class == properties.end()) {
    return fail(Errc::kConfig, "connector.class must be set; there are: " + plugins.names());
  }
  ConnectorConfig connector;
  connector.properties = properties;
  connector.factory = plugins.find(connector_class->second);
  if (connector.factory == nullptr) {
    return fail(Errc::kConfig,
                fmt::format("connector.class={}: there is no such connector; there are: {}",
                            connector_class->second, plugins.names()));
  }
  const bool source = connector.factory->kind == ConnectorKind::kSource;
  MILLRACE_TRY(
      connector.config,
      Config::parse(source ? connectSourceConfigDef() : connectSinkConfigDef(), properties));
  connector.name = connector.config.getString("name");
  for (const ConfigKey& key : connector.factory->info.config) {
    connector.task_keys.merge(ConfigDef({key}));
  }
  MILLRACE_TRY(const Config own, Config::parse(connector.task_keys, properties));
  (void)own;
  if (source) {
    MILLRACE_TRY(const auto rules, TopicCreationRules::read(connector.config));
    (void)rules;
  } else {
    const bool topics = !connector.config.getList("topics").empty();
    if (topics == !connector.config.getString("topics.regex").empty()) {
      return fail(Errc::kConfig, "a sink needs either topics or topics.regex");
    }
  }
  return connector;
}

Result<std::vector<std::unique_ptr<TaskSettings>>> taskSettings(const ConnectorConfig& connector) {
  std::vector<Properties> configs{connector.properties};
  const int most = connector.config.getInt("tasks.max");
  if (connector.factory->task_configs != nullptr) {
    const auto split = [&] { return connector.factory->task_configs(connector.properties, most); };
    MILLRACE_TRY(configs, guarded(split));
  }
  if (configs.size() > static_cast<std::size_t>(most)) {
    return fail(Errc::kConfig, fmt::format("connector {} wants {} tasks, tasks.max is {}",
                                           connector.name, configs.size(), most));
  }
  std::vector<std::unique_ptr<TaskSettings>> settings;
  for (Properties& properties : configs) {
    MILLRACE_TRY(Config own, Config::parse(connector.task_keys, properties));
    settings.push_back(std::make_unique<TaskSettings>(std::move(own), std::move(properties)));
  }
  return settings;
}

Result<std::unique_ptr<Converter>> converterFor(const Config& connector, const Config& worker,
                                                const std::string& side) {
  const std::string key = side + ".converter";
  const Config& source = connector.isNull(key) ? worker : connector;
  return makeConverter(source.getString(key), source.originalsWithPrefix(key + "."));
}

}  // namespace millrace::connect
