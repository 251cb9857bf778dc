// What the cluster is: topics, partitions, brokers, configs, as of one offset of the metadata log.
#pragma once

#include "base/properties.h"
#include "base/uuid.h"
#include "broker/metadata/shared_map.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::broker {

/// Hashes strings and views alike, so that a lookup by view makes no string.
struct NameHash {
  [[nodiscard]] std::size_t operator()(std::string_view s) const {
    return std::hash<std::string_view>{}(s);
  }
};

/// One partition's registration (Kafka's PartitionRegistration).
struct PartitionImage {
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> isr;
  std::vector<std::int32_t> adding_replicas;
  std::vector<std::int32_t> removing_replicas;
  std::vector<std::int32_t> eligible_leader_replicas;
  std::vector<std::int32_t> last_known_elr;
  std::vector<Uuid> directories;  ///< parallel to replicas
  std::int32_t leader = -1;       ///< broker id; -1: offline
  std::int32_t leader_epoch = 0;
  std::int32_t partition_epoch = 0;
  std::int8_t leader_recovery_state = 0;
  friend bool operator==(const PartitionImage&, const PartitionImage&) = default;
};

struct TopicImage {
  std::string name;
  Uuid id;
  std::vector<PartitionImage> partitions;  ///< by partition index, without gaps

  /// nullptr where there is no such partition.
  [[nodiscard]] const PartitionImage* partition(std::int32_t index) const {
    const bool exists = index >= 0 && static_cast<std::size_t>(index) < partitions.size();
    return exists ? &partitions[static_cast<std::size_t>(index)] : nullptr;
  }
  friend bool operator==(const TopicImage&, const TopicImage&) = default;
};
using TopicPtr = std::shared_ptr<const TopicImage>;

struct BrokerEndpoint {
  std::string name;  ///< the listener's, e.g. "PLAINTEXT"
  std::string host;  ///< advertised
  std::uint16_t port = 0;
  std::int16_t security_protocol = 0;
  friend bool operator==(const BrokerEndpoint&, const BrokerEndpoint&) = default;
};

struct FeatureRange {
  std::string name;
  std::int16_t min = 0;
  std::int16_t max = 0;
  friend bool operator==(const FeatureRange&, const FeatureRange&) = default;
};

struct BrokerImage {
  std::int32_t id = -1;
  std::int64_t epoch = -1;  ///< offset of its registration record
  Uuid incarnation_id;
  std::vector<BrokerEndpoint> endpoints;
  std::vector<FeatureRange> features;
  std::optional<std::string> rack;
  bool fenced = true;
  bool in_controlled_shutdown = false;
  std::vector<Uuid> log_dirs;
  friend bool operator==(const BrokerImage&, const BrokerImage&) = default;
};

/// Where a client that came in by `listener` reaches a broker: the endpoint of that listener, else
/// its first. A broker without any listens in its own process only.
[[nodiscard]] BrokerEndpoint endpointFor(const BrokerImage& broker, std::string_view listener);

/// Directory ids below this say something else: unassigned, lost, migrating (Kafka's DirectoryId).
inline constexpr std::uint64_t kReservedDirectoryIds = 100;
/// The directory of a broker that holds its replica of a partition; zero where none is assigned.
[[nodiscard]] Uuid directoryOf(const PartitionImage& partition, std::int32_t broker_id);
/// Whether a broker's replica of a partition is not on a data directory that is offline (KIP-858).
[[nodiscard]] bool isOnline(const BrokerImage& broker, const PartitionImage& partition);

/// Kafka's ConfigResource.Type.
enum class ConfigResourceType : std::int8_t {
  kUnknown = 0,
  kTopic = 2,
  kBroker = 4,
  kBrokerLogger = 8,
  kClientMetrics = 16,
  kGroup = 32,
};

struct ConfigResource {
  ConfigResourceType type = ConfigResourceType::kUnknown;
  std::string name;  ///< topic, broker id ("" = every broker), group
  friend auto operator<=>(const ConfigResource&, const ConfigResource&) = default;
};
struct ConfigResourceHash {
  [[nodiscard]] std::size_t operator()(const ConfigResource& r) const {
    return std::hash<std::string_view>{}(r.name) * 31 + static_cast<std::size_t>(r.type);
  }
};

/// Keys set for one resource; nothing of defaults.
using ConfigMap = Properties;
using ConfigMapPtr = std::shared_ptr<const ConfigMap>;

/// Immutable once published (behind shared_ptr<const>); safe to read from every shard. A copy is
/// cheap: it shares all topics and configs.
struct MetadataImage {
  std::string cluster_id;    ///< of meta.properties, not of the log
  std::int64_t offset = -1;  ///< of the last record contained
  std::int32_t leader_epoch = -1;
  std::int64_t next_producer_id = 0;
  std::map<std::string, std::int16_t, std::less<>> features;  ///< finalised levels
  std::map<std::int32_t, std::shared_ptr<const BrokerImage>> brokers;
  SharedMap<std::string, TopicImage, NameHash> topics;
  SharedMap<Uuid, TopicImage> topics_by_id;
  SharedMap<ConfigResource, ConfigMap, ConfigResourceHash> configs;

  /// Null where there is none.
  [[nodiscard]] TopicPtr topic(std::string_view name) const { return topics.find(name); }
  [[nodiscard]] TopicPtr topic(const Uuid& id) const { return topics_by_id.find(id); }
  [[nodiscard]] std::shared_ptr<const BrokerImage> broker(std::int32_t id) const;
  /// Not fenced, by id.
  [[nodiscard]] std::vector<std::int32_t> liveBrokers() const;
  /// The keys set for a resource; never null (an empty map where nothing is set).
  [[nodiscard]] ConfigMapPtr config(ConfigResourceType type, std::string_view name) const;
  [[nodiscard]] std::int16_t feature(std::string_view name) const;
};
using ImagePtr = std::shared_ptr<const MetadataImage>;

/// Kafka's Topic.INTERNAL_TOPICS.
inline constexpr std::string_view kOffsetsTopic = "__consumer_offsets";
inline constexpr std::string_view kTransactionTopic = "__transaction_state";
inline constexpr std::string_view kShareStateTopic = "__share_group_state";
inline constexpr std::string_view kMetadataTopic = "__cluster_metadata";
/// The metadata log's fixed topic id.
inline constexpr Uuid kMetadataTopicId{0, 1};
[[nodiscard]] bool isInternalTopic(std::string_view name);

}  // namespace millrace::broker
