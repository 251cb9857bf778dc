// ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments: where one node holds every
// replica there is nothing to elect or to move, and each request is told so (Kafka's
// ReplicationControlManager).
#include "broker/handler_table.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/metadata_handlers.h"
#include "broker/metadata/replica_placer.h"
#include "broker/services.h"
#include "protocol/messages/alter_partition_reassignments_request.h"
#include "protocol/messages/alter_partition_reassignments_response.h"
#include "protocol/messages/elect_leaders_request.h"
#include "protocol/messages/elect_leaders_response.h"
#include "protocol/messages/list_partition_reassignments_request.h"
#include "protocol/messages/list_partition_reassignments_response.h"

#include <fmt/core.h>

#include <algorithm>

namespace millrace::broker {
namespace {

using protocol::AlterPartitionReassignmentsRequest;
using protocol::AlterPartitionReassignmentsResponse;
using protocol::ElectLeadersRequest;
using protocol::ElectLeadersResponse;
using protocol::ListPartitionReassignmentsRequest;
using protocol::ListPartitionReassignmentsResponse;

/// Kafka's ElectionType on the wire.
constexpr std::int8_t kPreferred = 0;
constexpr std::int8_t kUnclean = 1;

template <class Result>
void fillError(Result& out, const Status& status) {
  out.error_message.reset();
  if (status) return;
  out.error_code = static_cast<std::int16_t>(toWire(status.error().code));
  if (!status.error().detail.empty()) out.error_message = status.error().detail;
}

/// What stands against an election; there is always something: the controller has elected whom it
/// can when a broker came or went.
std::unexpected<Error> refuseElection(const PartitionImage& partition, std::int8_t type) {
  const bool led = partition.leader >= 0;
  if (type == kUnclean) {
    if (!led) return fail(Errc::kEligibleLeadersNotAvailable);
  } else if (!led || partition.leader != partition.replicas.front()) {
    return fail(Errc::kPreferredLeaderNotAvailable);
  }
  return fail(Errc::kElectionNotNeeded, "Leader election not needed for topic partition.");
}

Status elect(const MetadataImage& image, std::string_view name, std::int32_t index,
             std::int8_t type) {
  if (type != kPreferred && type != kUnclean) {
    return fail(Errc::kInvalidRequest, fmt::format("Unknown election type {}", type));
  }
  const TopicPtr topic = image.topic(name);
  if (!topic) {
    return fail(Errc::kUnknownTopicOrPartition, fmt::format("No such topic as {}", name));
  }
  const PartitionImage* const partition = topic->partition(index);
  if (partition == nullptr) {
    return fail(Errc::kUnknownTopicOrPartition,
                fmt::format("No such partition as {}-{}", name, index));
  }
  return refuseElection(*partition, type);
}

void addElection(ElectLeadersResponse::ReplicaElectionResult& topic, std::int32_t index,
                 const Status& status) {
  auto& out = topic.partition_result.emplace_back();
  out.partition_id = index;
  fillError(out, status);
}

/// All partitions; those that need no election are not listed.
void electAll(const MetadataImage& image, std::int8_t type, ElectLeadersResponse& response) {
  image.topics.forEach([&](const std::string& name, const TopicPtr& topic) {
    auto& out = response.replica_election_results.emplace_back();
    out.topic = Text(name);
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      const auto index = static_cast<std::int32_t>(i);
      const Status status = elect(image, name, index, type);
      if (!status && status.error().code == Errc::kElectionNotNeeded) continue;
      addElection(out, index, status);
    }
  });
}

Task<ElectLeadersResponse> electLeaders(Services& services, RequestContext,
                                        ElectLeadersRequest request) {
  const ImagePtr image = services.image->current();
  ElectLeadersResponse response;
  if (request.election_type != kPreferred && request.election_type != kUnclean) {
    response.error_code = static_cast<std::int16_t>(Errc::kInvalidRequest);
  }
  if (!request.topic_partitions) {
    if (response.error_code == 0) electAll(*image, request.election_type, response);
    co_return response;
  }
  for (const auto& wanted : *request.topic_partitions) {
    auto& out = response.replica_election_results.emplace_back();
    out.topic = wanted.topic;
    for (const std::int32_t index : wanted.partitions) {
      addElection(out, index, elect(*image, wanted.topic.view(), index, request.election_type));
    }
  }
  co_return response;
}

/// `replicas`: null ends a move that is under way.
Status reassign(const MetadataImage& image, std::string_view name, std::int32_t index,
                const std::optional<std::vector<std::int32_t>>& replicas) {
  const TopicPtr topic = image.topic(name);
  if (!topic) {
    return fail(Errc::kUnknownTopicOrPartition,
                fmt::format("Unable to find a topic named {}.", name));
  }
  const PartitionImage* const partition = topic->partition(index);
  if (partition == nullptr) {
    return fail(Errc::kUnknownTopicOrPartition,
                fmt::format("Unable to find partition {}:{}.", name, index));
  }
  if (!replicas) return fail(Errc::kNoReassignmentInProgress);
  MILLRACE_TRY(const Placement placement, checkAssignment(image, index, *replicas, 0));
  if (placement.replicas == partition->replicas) return {};
  return fail(Errc::kInvalidReplicaAssignment,
              "This node keeps all replicas: they cannot move to another broker.");
}

Task<AlterPartitionReassignmentsResponse> alterReassignments(
    Services& services, RequestContext, AlterPartitionReassignmentsRequest request) {
  const ImagePtr image = services.image->current();
  AlterPartitionReassignmentsResponse response;
  response.allow_replication_factor_change = request.allow_replication_factor_change;
  // Kafka's message is empty, not null, only where nothing was asked.
  if (!request.topics.empty()) response.error_message.reset();
  for (const auto& topic : request.topics) {
    auto& out = response.responses.emplace_back();
    out.name = topic.name;
    for (const auto& wanted : topic.partitions) {
      auto& partition = out.partitions.emplace_back();
      partition.partition_index = wanted.partition_index;
      fillError(partition,
                reassign(*image, topic.name.view(), wanted.partition_index, wanted.replicas));
    }
  }
  co_return response;
}

/// Nothing ever moves here.
Task<ListPartitionReassignmentsResponse> listReassignments(Services&, RequestContext,
                                                           ListPartitionReassignmentsRequest) {
  ListPartitionReassignmentsResponse response;
  response.error_message.reset();
  co_return response;
}

}  // namespace

void registerReplicaHandlers(HandlerTable& table, Services& services) {
  Services* const s = &services;
  table.add<ElectLeadersRequest, ElectLeadersResponse>(
      [s](RequestContext c, ElectLeadersRequest r) { return electLeaders(*s, c, std::move(r)); });
  table.add<AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse>(
      [s](RequestContext c, AlterPartitionReassignmentsRequest r) {
        return alterReassignments(*s, c, std::move(r));
      });
  table.add<ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse>(
      [s](RequestContext c, ListPartitionReassignmentsRequest r) {
        return listReassignments(*s, c, std::move(r));
      });
}

}  // namespace millrace::broker
