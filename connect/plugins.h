// The connectors that a worker knows: built in, and loaded from shared objects.
#pragma once

#include "connect/plugin.h"

#include <deque>
#include <string>
#include <vector>

namespace millrace::connect {

/// Filled before the worker starts, read-only afterwards. Shared objects stay loaded until the
/// process ends: objects of theirs may outlive any owner.
class PluginRegistry {
 public:
  void add(const ConnectorFactory& factory) { factories_.push_back(factory); }
  /// Loads one shared object. Errors: kNotFound; kConfig where it is no plugin, or one of another
  /// version or C++ library.
  Status load(const std::string& path);
  /// plugin.path: shared objects, or directories of them (*.so).
  Status loadAll(const std::vector<std::string>& paths);

  /// As connector.class names it: "FileStreamSource", "FileStreamSourceConnector" or with a package
  /// in front. nullptr where there is none.
  [[nodiscard]] const ConnectorFactory* find(std::string_view connector_class) const;
  /// Names, for messages.
  [[nodiscard]] std::string names() const;

 private:
  std::deque<ConnectorFactory> factories_;
};

/// What is wrong with a plugin's table; empty: nothing.
[[nodiscard]] std::string pluginProblem(const PluginTable& table);

}  // namespace millrace::connect
