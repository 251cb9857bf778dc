// DescribeCluster, InitProducerId, DescribeLogDirs.
#include "broker/handler_table.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/metadata_handlers.h"
#include "broker/metadata/metadata_service.h"
#include "broker/services.h"
#include "log/log_manager.h"
#include "log/partition_log.h"
#include "protocol/messages/describe_cluster_request.h"
#include "protocol/messages/describe_cluster_response.h"
#include "protocol/messages/describe_log_dirs_request.h"
#include "protocol/messages/describe_log_dirs_response.h"
#include "protocol/messages/init_producer_id_request.h"
#include "protocol/messages/init_producer_id_response.h"

#include <fmt/core.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <map>
#include <set>

namespace millrace::broker {
namespace {

using protocol::DescribeClusterRequest;
using protocol::DescribeClusterResponse;
using protocol::DescribeLogDirsRequest;
using protocol::DescribeLogDirsResponse;
using protocol::InitProducerIdRequest;
using protocol::InitProducerIdResponse;

constexpr std::int8_t kBrokerEndpoints = 1;
constexpr std::int8_t kControllerEndpoints = 2;

Task<DescribeClusterResponse> describeCluster(Services& services, RequestContext context,
                                              DescribeClusterRequest request) {
  DescribeClusterResponse response;
  response.cluster_id = services.identity.cluster_id;
  if (request.endpoint_type == kControllerEndpoints) {
    response.error_code = static_cast<std::int16_t>(Errc::kMismatchedEndpointType);
    response.error_message =
        "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type "
        "CONTROLLER";
    co_return response;
  }
  if (request.endpoint_type != kBrokerEndpoints) {
    response.error_code = static_cast<std::int16_t>(Errc::kUnsupportedEndpointType);
    response.error_message =
        fmt::format("Unsupported endpoint type {}", static_cast<int>(request.endpoint_type));
    co_return response;
  }
  const ImagePtr image = services.image->current();
  response.controller_id = services.identity.node_id;
  for (const auto& [id, broker] : image->brokers) {
    if (broker->fenced && !request.include_fenced_brokers) continue;
    const BrokerEndpoint endpoint = endpointFor(*broker, context.session->listener_name);
    auto& out = response.brokers.emplace_back();
    out.broker_id = id;
    out.host = endpoint.host;
    out.port = endpoint.port;
    if (broker->rack) out.rack = *broker->rack;
    out.is_fenced = broker->fenced;
  }
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  co_return response;
}

Task<InitProducerIdResponse> initProducerId(Services& services, RequestContext,
                                            InitProducerIdRequest request) {
  InitProducerIdResponse response;
  response.producer_epoch = -1;
  // An id without an epoch, or the other way round.
  if ((request.producer_id < 0) != (request.producer_epoch < 0)) {
    response.error_code = static_cast<std::int16_t>(Errc::kInvalidRequest);
    co_return response;
  }
  if (request.transactional_id) {
    // This node coordinates no transactions: a producer that needs them must hear it at once, not
    // retry.
    const bool named = !request.transactional_id->empty();
    response.error_code =
        static_cast<std::int16_t>(named ? Errc::kUnsupportedVersion : Errc::kInvalidRequest);
    co_return response;
  }
  const auto id = co_await services.metadata->nextProducerId();
  if (!id) {
    // Retriable for the client: the next try may find a log that takes the block.
    response.error_code = static_cast<std::int16_t>(Errc::kCoordinatorLoadInProgress);
    co_return response;
  }
  response.producer_id = *id;
  response.producer_epoch = 0;
  co_return response;
}

/// The partitions asked for, by topic; nothing: all.
using Wanted = std::optional<std::map<std::string, std::set<std::int32_t>>>;

Wanted wantedOf(const DescribeLogDirsRequest& request) {
  if (!request.topics) return std::nullopt;
  std::map<std::string, std::set<std::int32_t>> wanted;
  for (const auto& t : *request.topics) {
    wanted[t.topic.str()].insert(t.partitions.begin(), t.partitions.end());
  }
  return wanted;
}

bool isWanted(const Wanted& wanted, const log::TopicPartition& tp) {
  if (tp.topic == kMetadataTopic) return false;
  if (!wanted) return true;
  const auto topic = wanted->find(tp.topic);
  return topic != wanted->end() && topic->second.contains(tp.partition.value());
}

Task<DescribeLogDirsResponse> describeLogDirs(Services& services, RequestContext,
                                              DescribeLogDirsRequest request) {
  DescribeLogDirsResponse response;
  const Wanted wanted = wantedOf(request);
  const auto logs = services.logs->describe();
  for (const auto& [directory, id, health] : services.logs->directoryStates()) {
    auto& out = response.results.emplace_back();
    out.log_dir = directory;
    if (!health) {
      out.error_code = static_cast<std::int16_t>(Errc::kKafkaStorageError);
      continue;
    }
    struct statvfs space{};
    if (::statvfs(directory.c_str(), &space) == 0) {
      out.total_bytes = static_cast<std::int64_t>(space.f_blocks * space.f_frsize);
      out.usable_bytes = static_cast<std::int64_t>(space.f_bavail * space.f_frsize);
    }
    std::map<std::string, DescribeLogDirsResponse::DescribeLogDirsTopic> topics;
    for (const auto& [tp, where, size, lag, is_future] : logs) {
      if (where != directory || !isWanted(wanted, tp)) continue;
      auto& topic = topics[tp.topic];
      topic.name = tp.topic;
      auto& partition = topic.partitions.emplace_back();
      partition.partition_index = tp.partition.value();
      partition.partition_size = static_cast<std::int64_t>(size);
      partition.offset_lag = lag;
      partition.is_future_key = is_future;
    }
    for (auto& [name, topic] : topics) out.topics.push_back(std::move(topic));
  }
  co_return response;
}

}  // namespace

void registerClusterHandlers(HandlerTable& table, Services& services) {
  Services* const s = &services;
  table.add<DescribeClusterRequest, DescribeClusterResponse>(
      [s](RequestContext c, DescribeClusterRequest r) {
        return describeCluster(*s, c, std::move(r));
      });
  table.add<InitProducerIdRequest, InitProducerIdResponse>(
      [s](RequestContext c, InitProducerIdRequest r) {
        return initProducerId(*s, c, std::move(r));
      });
  table.add<DescribeLogDirsRequest, DescribeLogDirsResponse>(
      [s](RequestContext c, DescribeLogDirsRequest r) {
        return describeLogDirs(*s, c, std::move(r));
      });
}

}  // namespace millrace::broker
