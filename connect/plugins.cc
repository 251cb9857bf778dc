#include "connect/plugins.h"

#include "base/log.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <system_error>

#include <filesystem>

namespace millrace::connect {

namespace {

/// "org.example.RowsConnector" -> "Rows".
std::string_view simpleName(std::string_view name) {
  if (const std::size_t dot = name.rfind('.'); dot != std::string_view::npos) {
    name.remove_prefix(dot + 1);
  }
  if (name.ends_with("Connector") && name.size() > 9) name.remove_suffix(9);
  return name;
}

}  // namespace

std::string pluginProblem(const PluginTable& table) {
  // The version comes first in the table and decides how the rest may be read.
  if (table.version != kPluginVersion) {
    return fmt::format("it was built for version {} of the plugin interface, this is version {}",
                       table.version, kPluginVersion);
  }
  if (std::string_view(table.runtime) != kPluginRuntime) {
    return fmt::format("it was built with another C++ library ({}, here {})", table.runtime,
                       kPluginRuntime);
  }
  if (table.factory_size != sizeof(ConnectorFactory)) {
    return fmt::format("its interface has another layout ({} bytes, here {}): build it again",
                       table.factory_size, sizeof(ConnectorFactory));
  }
  if (table.count == 0 || table.factories == nullptr) return "it offers no connector";
  for (std::size_t i = 0; i < table.count; ++i) {
    const ConnectorFactory& factory = table.factories[i];
    if (factory.info.name.empty()) return "one of its connectors has no name";
    const bool complete = factory.kind == ConnectorKind::kSource ? factory.make_source != nullptr
                                                                 : factory.make_sink != nullptr;
    if (!complete) return fmt::format("its connector {} cannot make tasks", factory.info.name);
  }
  return {};
}

Status PluginRegistry::load(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return fail(Errc::kNotFound, "there is no plugin " + path);
  }
  const std::string absolute = std::filesystem::absolute(path, error).string();
  void* const library = ::dlopen(absolute.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    return fail(Errc::kConfig, fmt::format("{} cannot be loaded: {}", path, ::dlerror()));
  }
  void* const symbol = ::dlsym(library, kPluginEntry);
  if (symbol == nullptr) {
    ::dlclose(library);
    return fail(Errc::kConfig,
                fmt::format("{} is not a connector plugin: it has no {}", path, kPluginEntry));
  }
  const auto entry = reinterpret_cast<PluginEntry>(symbol);
  const PluginTable* const table = entry();
  const std::string problem = table == nullptr ? "it has no table" : pluginProblem(*table);
  if (!problem.empty()) {
    return fail(Errc::kConfig, fmt::format("plugin {} cannot be used: {}", path, problem));
  }
  for (std::size_t i = 0; i < table->count; ++i) {
    MILLRACE_LOG_INFO("plugin {}: {} {}", path, table->factories[i].info.name,
                      table->factories[i].info.version);
    add(table->factories[i]);
  }
  return {};
}

Status PluginRegistry::loadAll(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
      MILLRACE_CHECK_OK(load(path));
      continue;
    }
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      if (entry.path().extension() == ".so") files.push_back(entry.path().string());
    }
    if (error) return fail(Errc::kConfig, "plugin.path: cannot list " + path);
    for (const std::string& file : files) MILLRACE_CHECK_OK(load(file));
  }
  return {};
}

const ConnectorFactory* PluginRegistry::find(std::string_view connector_class) const {
  // The last one wins: a plugin may replace what is built in.
  for (auto it = factories_.rbegin(); it != factories_.rend(); ++it) {
    if (it->info.name == connector_class || it->info.name == simpleName(connector_class)) {
      return &*it;
    }
  }
  return nullptr;
}

std::string PluginRegistry::names() const {
  std::string text;
  for (const ConnectorFactory& factory : factories_) {
    text += text.empty() ? "" : ", ";
    text += factory.info.name;
  }
  return text;
}

}  // namespace millrace::connect
