// The parts of a broker as handlers and background work reach them. Filled by the composition root
// (node.cc).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millrace {
class BlockingPool;
class Clock;
class Config;
class ShardPool;
}  // namespace millrace
namespace millrace::log {
class LogManager;
}

namespace millrace::broker {

class FetchSessionCache;
class GroupService;
class HandlerTable;
class MetadataCache;
class MetadataService;
class PartitionStore;
class ReplicaMoves;

/// An address that clients are told (advertised.listeners).
struct Endpoint {
  std::string listener_name;
  /// "PLAINTEXT"
  std::string security_protocol;
  std::string host;
  std::uint16_t port = 0;
};

/// Who this node is: from meta.properties and the configuration.
struct NodeIdentity {
  std::int32_t node_id = 1;
  /// 22 characters.
  std::string cluster_id;
  /// Empty where broker.rack is not set.
  std::string rack;
  std::vector<Endpoint> advertised;
};

/// References that live as long as the broker runs.
struct Services {
  const Config* config = nullptr;
  const Clock* clock = nullptr;
  ShardPool* shards = nullptr;
  BlockingPool* blocking = nullptr;
  log::LogManager* logs = nullptr;
  PartitionStore* partitions = nullptr;
  /// What requests are answered from.
  MetadataCache* image = nullptr;
  MetadataService* metadata = nullptr;
  GroupService* groups = nullptr;
  FetchSessionCache* fetch_sessions = nullptr;
  ReplicaMoves* replica_moves = nullptr;
  std::int32_t fetch_max_bytes = 57'671'680;  ///< fetch.max.bytes
  NodeIdentity identity;
};

/// Each family of handlers has one function that adds its handlers to the table; node.cc calls them
/// all. They may keep a pointer to `services`, which outlives the table.
void registerDataHandlers(HandlerTable& table,
                          Services& services);  // ApiVersions and the requests of broker/data
void registerMetadataHandlers(HandlerTable& table,
                              Services& services);  // Metadata, topics, configs, cluster, ids
void registerGroupHandlers(HandlerTable& table,
                           Services& services);  // FindCoordinator, groups, offsets

}  // namespace millrace::broker
