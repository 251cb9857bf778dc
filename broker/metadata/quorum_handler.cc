// DescribeQuorum (KIP-595, KIP-836): the quorum of one that is inside this node.
#include "base/clock.h"
#include "base/config.h"
#include "broker/handler_table.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/metadata_handlers.h"
#include "broker/services.h"
#include "protocol/messages/describe_quorum_request.h"
#include "protocol/messages/describe_quorum_response.h"

namespace millrace::broker {
namespace {

using protocol::DescribeQuorumRequest;
using protocol::DescribeQuorumResponse;

/// Fields that `version` does not carry stay as they are.
void describeLog(const Services& services, const MetadataImage& image, std::int16_t version,
                 DescribeQuorumResponse::PartitionData& out) {
  out.leader_id = services.identity.node_id;
  out.leader_epoch = image.leader_epoch;
  out.high_watermark = image.offset + 1;
  auto& voter = out.current_voters.emplace_back();
  voter.replica_id = services.identity.node_id;
  const auto broker = image.broker(services.identity.node_id);
  if (version >= 2 && broker && !broker->log_dirs.empty()) {
    voter.replica_directory_id = broker->log_dirs.front();
  }
  voter.log_end_offset = image.offset + 1;
  if (version < 1) return;
  // The leader has what it has: now.
  voter.last_fetch_timestamp = services.clock->wallMs();
  voter.last_caught_up_timestamp = voter.last_fetch_timestamp;
}

/// The controller has no listener of its own: who wants to reach it comes by the broker's.
void addNode(const Services& services, DescribeQuorumResponse& response) {
  auto& node = response.nodes.emplace_back();
  node.node_id = services.identity.node_id;
  const auto& names = services.config->getList("controller.listener.names");
  if (services.identity.advertised.empty() || names.empty()) return;
  const Endpoint& endpoint = services.identity.advertised.front();
  auto& listener = node.listeners.emplace_back();
  listener.name = Text(names.front());
  listener.host = Text(endpoint.host);
  listener.port = endpoint.port;
}

Task<DescribeQuorumResponse> describeQuorum(Services& services, RequestContext context,
                                            DescribeQuorumRequest request) {
  const ImagePtr image = services.image->current();
  DescribeQuorumResponse response;
  bool found = false;
  for (const auto& topic : request.topics) {
    auto& out = response.topics.emplace_back();
    out.topic_name = topic.topic_name;
    for (const auto& wanted : topic.partitions) {
      auto& partition = out.partitions.emplace_back();
      partition.partition_index = wanted.partition_index;
      if (topic.topic_name.view() == kMetadataTopic && wanted.partition_index == 0) {
        describeLog(services, *image, context.version, partition);
        found = true;
        continue;
      }
      partition.error_code = static_cast<std::int16_t>(Errc::kUnknownTopicOrPartition);
      partition.error_message = Text(errorMessage(Errc::kUnknownTopicOrPartition));
    }
  }
  if (found && context.version >= 2) addNode(services, response);
  co_return response;
}

}  // namespace

void registerQuorumHandlers(HandlerTable& table, Services& services) {
  Services* const s = &services;
  table.add<DescribeQuorumRequest, DescribeQuorumResponse>(
      [s](RequestContext c, DescribeQuorumRequest r) {
        return describeQuorum(*s, c, std::move(r));
      });
}

}  // namespace millrace::broker
