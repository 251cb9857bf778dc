#include "client/cluster_queries.h"

#include "client/deadline.h"
#include "client/requests.h"
#include "client/runtime.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <thread>

namespace millrace::client {

Result<ClusterImage> askCluster(ClientBase& base, std::optional<std::vector<std::string>> topics,
                                Millis timeout_ms) {
  const bool all = !topics.has_value();
  const Millis give_up_ms = monotonicNow() + timeout_ms;
  for (;;) {
    Call call = makeCall<protocol::MetadataRequest, protocol::MetadataResponse>(
        {4, 13}, std::max<Millis>(give_up_ms - monotonicNow(), 1),
        [topics](protocol::MetadataRequest& r, std::int16_t) {
          r.allow_auto_topic_creation = false;
          if (!topics) {
            r.topics = std::nullopt;
            return;
          }
          for (const std::string& name : *topics) {
            protocol::MetadataRequest::MetadataRequestTopic topic;
            topic.name = Text(name);
            r.topics->push_back(std::move(topic));
          }
        });
    auto reply = callAndWait(*base.transport, kAnyNode, std::move(call));
    if (reply) {
      ClusterImage image = mergeMetadata({}, body<protocol::MetadataResponse>(*reply), all);
      base.transport->setNodes(image.nodes);
      return image;
    }
    if (!isRetriable(reply.error().code) || monotonicNow() + 100 >= give_up_ms) {
      return std::unexpected(reply.error());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // the caller's own thread
  }
}

namespace {

using OffsetResults = std::map<TopicPartition, Result<OffsetAndTimestamp>>;

/// Asks each leader once; every partition gets a result.
Status askLeaders(ClientBase& base, const CommonConfig& config,
                  const std::map<TopicPartition, std::int64_t>& timestamps, bool read_committed,
                  std::chrono::steady_clock::time_point deadline, OffsetResults& out) {
  std::set<std::string> names;
  for (const auto& [tp, timestamp] : timestamps) names.insert(tp.topic);
  MILLRACE_TRY(const ClusterImage image,
               askCluster(base, std::vector<std::string>(names.begin(), names.end()),
                          std::max<Millis>(millisUntil(deadline), 1)));
  std::map<NodeId, std::vector<OffsetQuery>> by_leader;
  for (const auto& [tp, timestamp] : timestamps) {
    const PartitionMeta* meta = image.partition(tp.topic, tp.partition);
    if (meta == nullptr || meta->leader < 0) {
      out.insert_or_assign(tp,
                           fail(Errc::kUnknownTopicOrPartition,
                                fmt::format("{} does not exist or has no leader", tp.toString())));
      continue;
    }
    by_leader[meta->leader].push_back(OffsetQuery{tp, timestamp, meta->leader_epoch});
  }
  for (const auto& [leader, queries] : by_leader) {
    const Millis limit = std::min(config.request_timeout_ms, millisUntil(deadline) + 1);
    auto reply =
        callAndWait(*base.transport, leader, listOffsetsCall(queries, read_committed, limit));
    if (!reply) {
      for (const OffsetQuery& q : queries) {
        out.insert_or_assign(q.partition, std::unexpected(reply.error()));
      }
      continue;
    }
    for (auto& [tp, result] : readListOffsets(*reply)) {
      out.insert_or_assign(tp, std::move(result));
    }
  }
  return {};
}

}  // namespace

Result<OffsetResults> askOffsetsBlocking(ClientBase& base, const CommonConfig& config,
                                         const std::map<TopicPartition, std::int64_t>& timestamps,
                                         bool read_committed,
                                         std::chrono::steady_clock::time_point deadline) {
  OffsetResults out;
  std::map<TopicPartition, std::int64_t> left = timestamps;
  while (!left.empty()) {
    MILLRACE_CHECK_OK(askLeaders(base, config, left, read_committed, deadline, out));
    std::erase_if(left, [&](const auto& entry) {
      const auto it = out.find(entry.first);
      return it != out.end() && (it->second || !isRetriable(it->second.error().code));
    });
    if (left.empty() || millisUntil(deadline) <= config.retry_backoff_ms) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(config.retry_backoff_ms));
  }
  return out;
}

}  // namespace millrace::client
