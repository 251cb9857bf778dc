#include "broker/node_config.h"

#include "base/log.h"
#include "broker/metadata/config_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace millrace::broker {

namespace {

constexpr std::string_view kShardsKey = "millrace.shards";
constexpr int kMaxShards = 1024;

bool contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

/// listener.security.protocol.map: "CONTROLLER:PLAINTEXT,..." by listener name.
Result<std::map<std::string, std::string>> protocolMap(const Config& config) {
  std::map<std::string, std::string> map;
  std::string_view rest = config.getString("listener.security.protocol.map");
  while (!rest.empty()) {
    const std::string_view entry = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), entry.size() + 1));
    const std::size_t colon = entry.find(':');
    if (colon == entry.npos) {
      return fail(Errc::kConfig,
                  fmt::format("listener.security.protocol.map: '{}' is not NAME:PROTOCOL", entry));
    }
    map[std::string(entry.substr(0, colon))] = entry.substr(colon + 1);
  }
  return map;
}

Result<std::vector<ListenerSpec>> parseListeners(const Config& config, std::string_view key) {
  MILLRACE_TRY(const auto protocols, protocolMap(config));
  const auto& controllers = config.getList("controller.listener.names");
  std::vector<ListenerSpec> listeners;
  for (const std::string& text : config.getList(key)) {
    MILLRACE_TRY(ListenerSpec listener, parseListener(text));
    if (contains(controllers, listener.name)) continue;
    const auto protocol = protocols.find(listener.name);
    if (protocol == protocols.end()) {
      return fail(Errc::kConfig,
                  fmt::format("{}: {} is not in listener.security.protocol.map", key, text));
    }
    listener.security_protocol = protocol->second;
    if (listener.security_protocol != "PLAINTEXT") {
      return fail(Errc::kConfig,
                  fmt::format("{}: {} asks for {}; this version serves PLAINTEXT only", key, text,
                              listener.security_protocol));
    }
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

Result<int> parseShards(const Properties& given) {
  const auto found = given.find(kShardsKey);
  if (found == given.end()) return 0;
  int shards = 0;
  const std::string& text = found->second;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), shards);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || shards < 1 ||
      shards > kMaxShards) {
    return fail(Errc::kConfig,
                fmt::format("{}: '{}' is not within 1 and {}", kShardsKey, text, kMaxShards));
  }
  return shards;
}

/// What Kafka wants to be told and a single node can know by itself.
Properties withDefaults(const BrokerOptions& options) {
  Properties given = options.properties;
  // Each of the two names stands for the other (Kafka's KafkaConfig).
  const auto old_name = given.find("broker.id");
  given.try_emplace("node.id", old_name == given.end() ? "1" : old_name->second);
  given.try_emplace("broker.id", given["node.id"]);
  given.try_emplace("process.roles", "broker,controller");
  given.try_emplace("controller.listener.names", "CONTROLLER");
  if (!options.directory.empty()) {
    given.erase("log.dir");
    given["log.dirs"] = options.directory;
  }
  return given;
}

}  // namespace

Result<ListenerSpec> parseListener(std::string_view text) {
  const std::size_t scheme = text.find("://");
  const std::size_t colon = text.rfind(':');
  if (scheme == text.npos || scheme == 0 || colon <= scheme) {
    return fail(Errc::kConfig, fmt::format("listener '{}' is not NAME://host:port", text));
  }
  ListenerSpec listener;
  listener.name = text.substr(0, scheme);
  std::string_view host = text.substr(scheme + 3, colon - scheme - 3);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  listener.host = host;
  const std::string_view port = text.substr(colon + 1);
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), listener.port);
  if (parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size()) {
    return fail(Errc::kConfig, fmt::format("listener '{}': '{}' is not a port", text, port));
  }
  return listener;
}

Result<NodeConfig> readNodeConfig(const BrokerOptions& options) {
  Properties given = withDefaults(options);
  // Kafka has no name for "none at all"; for an embedded broker it is the natural thing to ask for.
  const auto listeners = given.find("listeners");
  const bool no_listeners = listeners != given.end() && listeners->second.empty();
  if (no_listeners) given.erase(listeners);
  NodeConfig node;
  MILLRACE_TRY(node.shards, parseShards(given));
  MILLRACE_TRY(node.config, Config::parse(brokerConfigDef(), given));
  if (node.config.getInt("broker.id") != node.config.getInt("node.id")) {
    return fail(Errc::kConfig, "node.id and broker.id differ: leave out broker.id");
  }
  if (const Status fits = checkLogSettings(given); !fits)
    return fail(Errc::kConfig, fits.error().detail);
  for (const std::string& key : node.config.unknown()) {
    if (!key.starts_with("millrace."))
      MILLRACE_LOG_WARN("configuration key {} is not known and has no effect", key);
  }
  node.directories = node.config.getList(node.config.isNull("log.dirs") ? "log.dir" : "log.dirs");
  node.metadata_directory = node.config.getString("metadata.log.dir");
  if (node.metadata_directory.empty()) node.metadata_directory = node.directories.front();
  if (!no_listeners) {
    MILLRACE_TRY(node.listeners, parseListeners(node.config, "listeners"));
    MILLRACE_TRY(node.advertised, parseListeners(node.config, "advertised.listeners"));
  }
  node.next_free_port = options.next_free_port;
  node.node_id_given =
      options.properties.contains("node.id") || options.properties.contains("broker.id");
  return node;
}

}  // namespace millrace::broker
