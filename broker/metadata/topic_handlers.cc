// CreateTopics, DeleteTopics, CreatePartitions: the controller decides; DescribeTopicPartitions
// reads.
#include "broker/handler_table.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/metadata_handlers.h"
#include "broker/metadata/metadata_service.h"
#include "broker/metadata/topic_names.h"
#include "broker/services.h"
#include "protocol/messages/create_partitions_request.h"
#include "protocol/messages/create_partitions_response.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/describe_topic_partitions_request.h"
#include "protocol/messages/describe_topic_partitions_response.h"

#include <algorithm>
#include <set>

namespace millrace::broker {
namespace {

using protocol::DescribeTopicPartitionsRequest;
using protocol::DescribeTopicPartitionsResponse;
using DescribedTopic = DescribeTopicPartitionsResponse::DescribeTopicPartitionsResponseTopic;

Task<protocol::CreateTopicsResponse> createTopics(Services& services, RequestContext,
                                                  protocol::CreateTopicsRequest request) {
  co_return co_await services.metadata->createTopics(std::move(request));
}
Task<protocol::DeleteTopicsResponse> deleteTopics(Services& services, RequestContext context,
                                                  protocol::DeleteTopicsRequest request) {
  co_return co_await services.metadata->deleteTopics(std::move(request), context.version);
}
Task<protocol::CreatePartitionsResponse> createPartitions(
    Services& services, RequestContext, protocol::CreatePartitionsRequest request) {
  co_return co_await services.metadata->createPartitions(std::move(request));
}

/// max.request.partition.size.limit's default.
constexpr std::int32_t kMaxPartitionsPerAnswer = 2000;

DescribeTopicPartitionsResponse refuse(const DescribeTopicPartitionsRequest& request) {
  DescribeTopicPartitionsResponse response;
  for (const auto& t : request.topics) {
    auto& out = response.topics.emplace_back();
    out.name = t.name;
    out.error_code = static_cast<std::int16_t>(Errc::kInvalidRequest);
  }
  return response;
}

std::set<std::string> topicNames(const DescribeTopicPartitionsRequest& request,
                                 const MetadataImage& image) {
  const std::string_view from =
      request.cursor ? request.cursor->topic_name.view() : std::string_view{};
  std::set<std::string> names;
  if (request.topics.empty()) {
    image.topics.forEach([&](const std::string& name, const TopicPtr&) {
      if (name >= from) names.insert(name);
    });
  }
  for (const auto& t : request.topics) {
    if (t.name.view() >= from) names.insert(t.name.str());
  }
  return names;
}

/// Adds partitions [first, first + count).
void addPartitions(DescribedTopic& out, const TopicImage& topic, std::size_t first,
                   std::size_t count, const MetadataImage& image) {
  for (std::size_t i = first; i < first + count; ++i) {
    const PartitionImage& p = topic.partitions[i];
    auto& partition = out.partitions.emplace_back();
    partition.partition_index = static_cast<std::int32_t>(i);
    partition.error_code =
        static_cast<std::int16_t>(p.leader < 0 ? Errc::kLeaderNotAvailable : Errc::kNone);
    partition.leader_id = p.leader;
    partition.leader_epoch = p.leader_epoch;
    partition.replica_nodes = p.replicas;
    partition.isr_nodes = p.isr;
    partition.eligible_leader_replicas = p.eligible_leader_replicas;
    partition.last_known_elr = p.last_known_elr;
    for (const std::int32_t id : p.replicas) {
      const auto broker = image.broker(id);
      if (!broker || broker->fenced || !isOnline(*broker, p))
        partition.offline_replicas.push_back(id);
    }
  }
}

Errc missingTopicError(std::string_view name) {
  const bool legal = validateTopicName(name).has_value();
  return legal ? Errc::kUnknownTopicOrPartition : Errc::kInvalidTopicException;
}

Task<DescribeTopicPartitionsResponse> describePartitions(Services& services, RequestContext,
                                                         DescribeTopicPartitionsRequest request) {
  const ImagePtr image = services.image->current();
  const auto names = topicNames(request, *image);
  if (request.cursor) {
    const bool known = request.topics.empty() || names.contains(request.cursor->topic_name.str());
    if (!known || request.cursor->partition_index < 0) co_return refuse(request);
  }
  DescribeTopicPartitionsResponse response;
  auto room = static_cast<std::size_t>(
      std::clamp(request.response_partition_limit, 1, kMaxPartitionsPerAnswer));
  for (const std::string& name : names) {
    if (room == 0) {
      response.next_cursor.emplace();
      response.next_cursor->topic_name = name;
      break;
    }
    auto& out = response.topics.emplace_back();
    out.name = name;
    out.is_internal = isInternalTopic(name);
    out.topic_authorized_operations = kAllTopicOperations;
    const TopicPtr topic = image->topic(name);
    if (!topic) {
      out.error_code = static_cast<std::int16_t>(missingTopicError(name));
      continue;
    }
    out.topic_id = topic->id;
    const bool resumes = request.cursor && request.cursor->topic_name.view() == name;
    const std::size_t total = topic->partitions.size();
    const std::size_t first =
        resumes ? std::min(static_cast<std::size_t>(request.cursor->partition_index), total) : 0;
    const std::size_t count = std::min(room, total - first);
    addPartitions(out, *topic, first, count, *image);
    room -= count;
    if (first + count < total) {
      response.next_cursor.emplace();
      response.next_cursor->topic_name = name;
      response.next_cursor->partition_index = static_cast<std::int32_t>(first + count);
      break;
    }
  }
  co_return response;
}

}  // namespace

void registerTopicHandlers(HandlerTable& table, Services& services) {
  Services* const s = &services;
  table.add<protocol::CreateTopicsRequest, protocol::CreateTopicsResponse>(
      [s](RequestContext c, protocol::CreateTopicsRequest r) {
        return createTopics(*s, c, std::move(r));
      });
  table.add<protocol::DeleteTopicsRequest, protocol::DeleteTopicsResponse>(
      [s](RequestContext c, protocol::DeleteTopicsRequest r) {
        return deleteTopics(*s, c, std::move(r));
      });
  table.add<protocol::CreatePartitionsRequest, protocol::CreatePartitionsResponse>(
      [s](RequestContext c, protocol::CreatePartitionsRequest r) {
        return createPartitions(*s, c, std::move(r));
      });
  table.add<DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse>(
      [s](RequestContext c, DescribeTopicPartitionsRequest r) {
        return describePartitions(*s, c, std::move(r));
      });
}

}  // namespace millrace::broker
