// Requests that consumer and administrator share: how to fill them for every version, how to read
// the answers.
#pragma once

#include "client/record.h"
#include "client/transport.h"

#include <condition_variable>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::client {

/// A Call for a generated pair of messages; `fill(Request&, version)`.
template <class Request, class Response, class Fill>
[[nodiscard]] Call makeCall(VersionRange versions, Millis timeout_ms, Fill fill) {
  Call call;
  call.request = &Request::info();
  call.response = &Response::info();
  call.min_version = versions.min;
  call.max_version = versions.max;
  call.timeout_ms = timeout_ms;
  call.build = [fill = std::move(fill)](std::int16_t version) mutable -> std::shared_ptr<void> {
    auto request = std::make_shared<Request>();
    fill(*request, version);
    return request;
  };
  return call;
}

/// Sends and waits: for the caller's own thread, never for a client's I/O thread.
[[nodiscard]] Result<Reply> callAndWait(Transport& transport, NodeId node, Call call);

template <class Response>
[[nodiscard]] const Response& body(const Reply& reply) {
  return *static_cast<const Response*>(reply.body.get());
}

[[nodiscard]] Call findCoordinatorCall(const std::string& group, Millis timeout_ms);
/// Errors: what the broker says (COORDINATOR_NOT_AVAILABLE: try again).
[[nodiscard]] Result<NodeAddress> readCoordinator(const Reply& reply);

/// Committed offsets of some partitions (nullopt: all of the group's).
[[nodiscard]] Call offsetFetchCall(const std::string& group,
                                   const std::optional<std::vector<TopicPartition>>& partitions,
                                   bool require_stable, Millis timeout_ms);
/// Partitions without a commit are absent. Errors: the group's, or the first partition's.
[[nodiscard]] Result<std::map<TopicPartition, OffsetAndMetadata>> readOffsetFetch(
    const Reply& reply);

struct CommitIdentity {
  std::string group;
  std::int32_t generation = -1;
  std::string member_id = {};
  std::optional<std::string> instance_id = std::nullopt;
};
[[nodiscard]] Call offsetCommitCall(const CommitIdentity& identity,
                                    const std::map<TopicPartition, OffsetAndMetadata>& offsets,
                                    Millis timeout_ms);
[[nodiscard]] std::map<TopicPartition, Errc> readOffsetCommit(const Reply& reply);

struct OffsetQuery {
  TopicPartition partition;
  std::int64_t timestamp = -1;  ///< or -1 latest, -2 earliest, -3 of the newest timestamp
  std::int32_t leader_epoch = -1;
};
[[nodiscard]] Call listOffsetsCall(const std::vector<OffsetQuery>& queries, bool read_committed,
                                   Millis timeout_ms);
/// offset -1 where nothing matches the timestamp.
[[nodiscard]] std::map<TopicPartition, Result<OffsetAndTimestamp>> readListOffsets(
    const Reply& reply);

}  // namespace millrace::client
