// A connector's configuration, checked, and what follows from it for its tasks.
#pragma once

#include "base/config.h"
#include "connect/converter.h"
#include "connect/plugins.h"

#include <memory>

namespace millrace::connect {

/// Settings of a plugin's task: its own keys, parsed by the plugin's definition.
class TaskSettings final : public Settings {
 public:
  TaskSettings(Config config, Properties all) : config_(std::move(config)), all_(std::move(all)) {}
  [[nodiscard]] const ConfigValue& get(std::string_view key) const override;
  [[nodiscard]] const Properties& all() const override { return all_; }

 private:
  Config config_;
  Properties all_;
};

/// One connector, ready to run.
struct ConnectorConfig {
  std::string name;
  const ConnectorFactory* factory = nullptr;
  Config config;          ///< the keys that every source or sink has
  Properties properties;  ///< everything given
  ConfigDef task_keys;    ///< the plugin's own
};

/// Errors: kConfig, naming every key that is wrong, or the connectors there are.
[[nodiscard]] Result<ConnectorConfig> readConnectorConfig(const PluginRegistry& plugins,
                                                          const Properties& properties);
/// One configuration per task. Errors: kConfig; kUserCode.
[[nodiscard]] Result<std::vector<std::unique_ptr<TaskSettings>>> taskSettings(
    const ConnectorConfig& connector);
/// `side` is "key" or "value": the connector's own converter, else the worker's.
[[nodiscard]] Result<std::unique_ptr<Converter>> converterFor(const Config& connector,
                                                              const Config& worker,
                                                              const std::string& side);
/// Runs plugin code; an exception becomes kUserCode.
template <class F>
[[nodiscard]] auto guarded(F fn) -> decltype(fn()) {
  try {
    return fn();
  } catch (const std::exception& e) {
    return std::unexpected(Error{Errc::kUserCode, std::string("the plugin threw: ") + e.what()});
  } catch (...) {
    return std::unexpected(Error{Errc::kUserCode, "the plugin threw something"});
  }
}

}  // namespace millrace::connect
