#include "client/requests.h"

#include "client/future.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"

#include <fmt/format.h>

namespace millrace::client {
namespace {

using namespace protocol;

std::map<std::string, std::vector<std::int32_t>> byTopic(
    const std::vector<TopicPartition>& partitions) {
  std::map<std::string, std::vector<std::int32_t>> out;
  for (const TopicPartition& tp : partitions) out[tp.topic].push_back(tp.partition);
  return out;
}

std::optional<std::int32_t> epochOrNone(std::int32_t epoch) {
  return epoch < 0 ? std::nullopt : std::optional(epoch);
}

/// Adds one partition of an OffsetFetch answer, of either shape.
template <class P>
Status addCommitted(std::map<TopicPartition, OffsetAndMetadata>& out, const Text& topic,
                    const P& p) {
  const Errc code = fromWire(p.error_code);
  if (code != Errc::kNone) {
    return fail(code, fmt::format("committed offset of {}-{}: {}", topic.view(), p.partition_index,
                                  errorMessage(code)));
  }
  if (p.committed_offset < 0) return {};
  out[TopicPartition{topic.str(), p.partition_index}] =
      OffsetAndMetadata{p.committed_offset, epochOrNone(p.committed_leader_epoch),
                        p.metadata ? p.metadata->str() : std::string()};
  return {};
}

}  // namespace

Result<Reply> callAndWait(Transport& transport, NodeId node, Call call) {
  auto state = std::make_shared<ValueState<Reply>>();
  transport.call(node, std::move(call),
                 [state](Result<Reply> reply) { state->set(std::move(reply)); });
  return state->take();
}

Call findCoordinatorCall(const std::string& group, Millis timeout_ms) {
  return makeCall<FindCoordinatorRequest, FindCoordinatorResponse>(
      {0, 6}, timeout_ms, [group](FindCoordinatorRequest& r, std::int16_t version) {
        if (version >= 4) {
          r.coordinator_keys.emplace_back(group);
        } else {
          r.key = Text(group);
        }
      });
}

Result<NodeAddress> readCoordinator(const Reply& reply) {
  const auto& answer = body<FindCoordinatorResponse>(reply);
  FindCoordinatorResponse::Coordinator found;
  if (reply.version >= 4) {
    if (answer.coordinators.empty()) {
      return fail(Errc::kCoordinatorNotAvailable, "no coordinator");
    }
    found = answer.coordinators.front();
  } else {
    found.node_id = answer.node_id;
    found.host = answer.host;
    found.port = answer.port;
    found.error_code = answer.error_code;
    found.error_message = answer.error_message;
  }
  const Errc code = fromWire(found.error_code);
  if (code != Errc::kNone) {
    const bool said = found.error_message && !found.error_message->empty();
    return fail(code, said ? found.error_message->str() : std::string(errorMessage(code)));
  }
  return NodeAddress{found.node_id, found.host.str(), static_cast<std::uint16_t>(found.port)};
}

Call offsetFetchCall(const std::string& group,
                     const std::optional<std::vector<TopicPartition>>& partitions,
                     bool require_stable, Millis timeout_ms) {
  auto fill = [group, partitions, require_stable](OffsetFetchRequest& r, std::int16_t version) {
    if (version >= 7) r.require_stable = require_stable;
    if (version < 8) {
      r.group_id = Text(group);
      if (!partitions) {
        r.topics = std::nullopt;
        return;
      }
      for (auto& [topic, indexes] : byTopic(*partitions)) {
        OffsetFetchRequest::OffsetFetchRequestTopic t;
        t.name = Text(topic);
        t.partition_indexes = indexes;
        r.topics->push_back(std::move(t));
      }
      return;
    }
    OffsetFetchRequest::OffsetFetchRequestGroup g;
    g.group_id = Text(group);
    if (!partitions) {
      g.topics = std::nullopt;
    } else {
      for (auto& [topic, indexes] : byTopic(*partitions)) {
        OffsetFetchRequest::OffsetFetchRequestTopics t;
        t.name = Text(topic);
        t.partition_indexes = indexes;
        g.topics->push_back(std::move(t));
      }
    }
    r.groups.push_back(std::move(g));
  };
  const std::int16_t oldest = partitions ? 1 : 2;  // "all" came with version 2
  return makeCall<OffsetFetchRequest, OffsetFetchResponse>({oldest, 9}, timeout_ms,
                                                           std::move(fill));
}

Result<std::map<TopicPartition, OffsetAndMetadata>> readOffsetFetch(const Reply& reply) {
  const auto& answer = body<OffsetFetchResponse>(reply);
  std::map<TopicPartition, OffsetAndMetadata> out;
  Errc code = fromWire(answer.error_code);
  if (reply.version >= 8) {
    if (answer.groups.empty()) return fail(Errc::kUnknownServerError, "OffsetFetch: no group");
    code = fromWire(answer.groups.front().error_code);
  }
  if (code != Errc::kNone) {
    return fail(code, fmt::format("committed offsets: {}", errorMessage(code)));
  }
  for (const auto& topic : answer.topics) {
    for (const auto& p : topic.partitions) MILLRACE_CHECK_OK(addCommitted(out, topic.name, p));
  }
  for (const auto& group : answer.groups) {
    for (const auto& topic : group.topics) {
      for (const auto& p : topic.partitions) MILLRACE_CHECK_OK(addCommitted(out, topic.name, p));
    }
  }
  return out;
}

Call offsetCommitCall(const CommitIdentity& identity,
                      const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                      Millis timeout_ms) {
  auto fill = [identity, offsets](OffsetCommitRequest& r, std::int16_t version) {
    r.group_id = Text(identity.group);
    r.generation_id_or_member_epoch = identity.generation;
    r.member_id = Text(identity.member_id);
    if (version >= 7 && identity.instance_id) r.group_instance_id = Text(*identity.instance_id);
    for (const auto& [tp, position] : offsets) {
      if (r.topics.empty() || r.topics.back().name.view() != tp.topic) {
        OffsetCommitRequest::OffsetCommitRequestTopic topic;
        topic.name = Text(tp.topic);
        r.topics.push_back(std::move(topic));
      }
      OffsetCommitRequest::OffsetCommitRequestPartition p;
      p.partition_index = tp.partition;
      p.committed_offset = position.offset;
      p.committed_leader_epoch = position.leader_epoch.value_or(-1);
      p.committed_metadata = Text(position.metadata);
      r.topics.back().partitions.push_back(std::move(p));
    }
  };
  return makeCall<OffsetCommitRequest, OffsetCommitResponse>({2, 9}, timeout_ms, std::move(fill));
}

std::map<TopicPartition, Errc> readOffsetCommit(const Reply& reply) {
  std::map<TopicPartition, Errc> out;
  for (const auto& topic : body<OffsetCommitResponse>(reply).topics) {
    for (const auto& p : topic.partitions) {
      out[TopicPartition{topic.name.str(), p.partition_index}] = fromWire(p.error_code);
    }
  }
  return out;
}

Call listOffsetsCall(const std::vector<OffsetQuery>& queries, bool read_committed,
                     Millis timeout_ms) {
  std::int16_t oldest = read_committed ? std::int16_t{2} : std::int16_t{1};
  for (const OffsetQuery& q : queries) {
    if (q.timestamp < -2) oldest = 7;
  }
  auto fill = [queries, read_committed, timeout_ms](ListOffsetsRequest& r, std::int16_t version) {
    r.replica_id = -1;
    if (version >= 2) r.isolation_level = read_committed ? 1 : 0;
    if (version >= 10) r.timeout_ms = static_cast<std::int32_t>(timeout_ms);
    std::map<std::string, ListOffsetsRequest::ListOffsetsTopic> topics;
    for (const OffsetQuery& q : queries) {
      ListOffsetsRequest::ListOffsetsPartition p;
      p.partition_index = q.partition.partition;
      p.current_leader_epoch = version >= 4 ? q.leader_epoch : -1;
      p.timestamp = q.timestamp;
      topics[q.partition.topic].partitions.push_back(std::move(p));
    }
    for (auto& [name, topic] : topics) {
      topic.name = Text(name);
      r.topics.push_back(std::move(topic));
    }
  };
  return makeCall<ListOffsetsRequest, ListOffsetsResponse>({oldest, 10}, timeout_ms,
                                                           std::move(fill));
}

std::map<TopicPartition, Result<OffsetAndTimestamp>> readListOffsets(const Reply& reply) {
  std::map<TopicPartition, Result<OffsetAndTimestamp>> out;
  for (const auto& topic : body<ListOffsetsResponse>(reply).topics) {
    for (const auto& p : topic.partitions) {
      const TopicPartition tp{topic.name.str(), p.partition_index};
      const Errc code = fromWire(p.error_code);
      if (code != Errc::kNone) {
        out.insert_or_assign(
            tp, fail(code, fmt::format("offset of {}: {}", tp.toString(), errorMessage(code))));
        continue;
      }
      out.insert_or_assign(tp,
                           OffsetAndTimestamp{p.offset, p.timestamp, epochOrNone(p.leader_epoch)});
    }
  }
  return out;
}

}  // namespace millrace::client
