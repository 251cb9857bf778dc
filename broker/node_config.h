// The broker's configuration as its parts want it: server.properties, checked and taken apart.
#pragma once

#include "base/config.h"
#include "base/result.h"
#include "broker/broker.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::broker {

/// "PLAINTEXT://host:9092"
struct ListenerSpec {
  std::string name;
  std::string security_protocol;  ///< after listener.security.protocol.map
  std::string host;               ///< empty: every interface
  std::uint16_t port = 0;         ///< 0: a free one
};

struct NodeConfig {
  Config config;
  /// log.dirs, at least one.
  std::vector<std::string> directories;
  /// metadata.log.dir, or the first of the directories.
  std::string metadata_directory;
  /// Without controller listeners: the quorum of one is inside this process.
  std::vector<ListenerSpec> listeners;
  /// Empty where advertised.listeners is not given: the listeners themselves are told.
  std::vector<ListenerSpec> advertised;
  /// When a listener's port is taken, the next free one.
  bool next_free_port = false;
  /// Kafka asks for node.id; here it may be left out (1, or the one a directory was formatted for).
  bool node_id_given = false;
  /// millrace.shards; 0: one per core.
  int shards = 0;
};

/// Errors: kConfig, naming the key. Unknown keys are warned about (log) and left alone; keys that
/// begin with "millrace." are ours.
[[nodiscard]] Result<NodeConfig> readNodeConfig(const BrokerOptions& options);

/// "NAME://host:port"; IPv6 hosts in brackets. Errors: kConfig.
[[nodiscard]] Result<ListenerSpec> parseListener(std::string_view text);

}  // namespace millrace::broker
