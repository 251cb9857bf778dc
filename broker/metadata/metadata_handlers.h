// The handlers of this room, by family; registerMetadataHandlers (broker/services.h) adds them all.
#pragma once

#include "base/net/task.h"
#include "broker/metadata/image.h"
#include "broker/request_context.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"

#include <string_view>

namespace millrace::broker {

class HandlerTable;
struct Services;

/// All that a principal may do to a topic and to the cluster, as Kafka's bit sets: there is no
/// authorizer.
inline constexpr std::int32_t kAllTopicOperations = 3576;
inline constexpr std::int32_t kAllClusterOperations = 8096;

[[nodiscard]] Task<protocol::MetadataResponse> handleMetadata(Services& services,
                                                              RequestContext context,
                                                              protocol::MetadataRequest request);
/// CreateTopics, DeleteTopics, CreatePartitions, DescribeTopicPartitions.
void registerTopicHandlers(HandlerTable& table, Services& services);
/// DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.
void registerConfigHandlers(HandlerTable& table, Services& services);
/// DescribeCluster, InitProducerId, DescribeLogDirs.
void registerClusterHandlers(HandlerTable& table, Services& services);
/// ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments.
void registerReplicaHandlers(HandlerTable& table, Services& services);
/// AlterReplicaLogDirs.
void registerLogDirHandlers(HandlerTable& table, Services& services);
/// DescribeAcls, CreateAcls, DeleteAcls.
void registerAclHandlers(HandlerTable& table);
/// DescribeQuorum.
void registerQuorumHandlers(HandlerTable& table, Services& services);

}  // namespace millrace::broker
