// What the cluster decides about its topics, brokers and configs: (image, request) -> records and
// an answer.
#pragma once

#include "broker/metadata/image.h"
#include "broker/metadata/records.h"
#include "broker/topic_id_partition.h"

#include <functional>

namespace millrace {
class ConfigDef;
}
namespace millrace::protocol {
struct AlterConfigsRequest;
struct AlterConfigsResponse;
struct CreatePartitionsRequest;
struct CreatePartitionsResponse;
struct CreateTopicsRequest;
struct CreateTopicsResponse;
struct DeleteTopicsRequest;
struct DeleteTopicsResponse;
struct IncrementalAlterConfigsRequest;
struct IncrementalAlterConfigsResponse;
}  // namespace millrace::protocol

namespace millrace::broker {

/// A decision: what to append to the metadata log, all or nothing, and what to answer once it is
/// committed.
template <class Response>
struct Decision {
  MetadataRecords records;
  Response response;
};

/// What the node was configured with, as far as the controller asks.
struct ControllerConfig {
  std::int32_t node_id = 1;
  std::int32_t default_partitions = 1;
  std::int16_t default_replication_factor = 1;
  bool delete_topics = true;  ///< delete.topic.enable
  /// The broker's static settings, for the defaults of topic configs shown in answers: key -> value
  /// as given.
  ConfigMap static_config;
};

/// A block of producer ids: [first, first + size).
struct ProducerIdBlock {
  std::int64_t first = 0;
  std::int32_t size = 0;
};

/// The data directory in which a broker keeps its replica of a partition.
struct ReplicaPlace {
  TopicIdPartition id;
  Uuid directory;
};

/// Pure: no clock, socket, file or thread. Randomness comes in as `new_id`. Every call sees the
/// image that contains all records decided before. Rules and texts as in Kafka's
/// ReplicationControlManager, ConfigurationControlManager, ClusterControlManager and
/// ProducerIdControlManager.
class Controller {
 public:
  Controller(ControllerConfig config, std::function<Uuid()> new_id);

  [[nodiscard]] Decision<protocol::CreateTopicsResponse> createTopics(
      const MetadataImage& image, const protocol::CreateTopicsRequest& request) const;
  [[nodiscard]] Decision<protocol::DeleteTopicsResponse> deleteTopics(
      const MetadataImage& image, const protocol::DeleteTopicsRequest& request,
      std::int16_t version) const;
  [[nodiscard]] Decision<protocol::CreatePartitionsResponse> createPartitions(
      const MetadataImage& image, const protocol::CreatePartitionsRequest& request) const;
  [[nodiscard]] Decision<protocol::IncrementalAlterConfigsResponse> incrementalAlterConfigs(
      const MetadataImage& image, const protocol::IncrementalAlterConfigsRequest& request) const;
  [[nodiscard]] Decision<protocol::AlterConfigsResponse> alterConfigs(
      const MetadataImage& image, const protocol::AlterConfigsRequest& request) const;
  /// Blocks of 1000 (KIP-730).
  [[nodiscard]] Decision<ProducerIdBlock> allocateProducerIds(const MetadataImage& image,
                                                              std::int32_t broker_id) const;
  /// A broker's start: its registration, fenced. The record's epoch is the offset it will get.
  [[nodiscard]] MetadataRecords registerBroker(const BrokerImage& broker,
                                               std::int64_t next_offset) const;
  /// The heartbeat of a broker that has caught up: unfences it, and elects it for partitions it can
  /// lead.
  [[nodiscard]] MetadataRecords unfenceBroker(const MetadataImage& image,
                                              std::int32_t broker_id) const;
  /// A clean stop of the last broker: nothing, or the records that fence it.
  [[nodiscard]] MetadataRecords fenceBroker(const MetadataImage& image,
                                            std::int32_t broker_id) const;
  /// A heartbeat that names the data directories that are left (KIP-858): nobody leads the
  /// partitions on the others.
  [[nodiscard]] MetadataRecords directoriesFailed(const MetadataImage& image,
                                                  std::int32_t broker_id,
                                                  const std::vector<Uuid>& online) const;
  /// Where a broker's replicas lie now (KIP-858, ReplicationControlManager's
  /// handleAssignReplicasToDirs). Those that the image does not know are left out.
  [[nodiscard]] MetadataRecords replicasMoved(const MetadataImage& image, std::int32_t broker_id,
                                              const std::vector<ReplicaPlace>& places) const;
  /// The first records of an empty log: features and cluster defaults, within a metadata
  /// transaction.
  [[nodiscard]] MetadataRecords bootstrap() const;

 private:
  /// The records, if what they make of the resource is allowed.
  [[nodiscard]] Result<MetadataRecords> decideConfig(const MetadataImage& image,
                                                     const ConfigResource& resource,
                                                     MetadataRecords records) const;

  ControllerConfig config_;
  std::function<Uuid()> new_id_;
};

/// The features of this build, as registrations and ApiVersions advertise them.
[[nodiscard]] const std::vector<FeatureRange>& supportedFeatures();
/// The levels that a fresh cluster starts with, metadata.version first (as Kafka's storage tool
/// writes them).
[[nodiscard]] const std::vector<std::pair<std::string, std::int16_t>>& bootstrapFeatures();

}  // namespace millrace::broker
