// What members of a streams group tell each other through the group protocol: the user data of the
// subscription (member to leader) and of the assignment (leader to member), as Kafka Streams 2.4
// to 4.x.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"
#include "streams/task_id.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace::streams {

/// The newest version of both user-data formats that Kafka has, and the oldest that we read.
inline constexpr std::int32_t kLatestUserDataVersion = 11;
inline constexpr std::int32_t kOldestUserDataVersion = 7;

/// Offset sums with a meaning of their own (Kafka's Task.LATEST_OFFSET,
/// OffsetCheckpoint.OFFSET_UNKNOWN's sum).
inline constexpr std::int64_t kLatestOffset = -2;  ///< the member runs the task: nothing to restore
inline constexpr std::int64_t kUnknownOffsetSum =
    -3;  ///< there is state of which the offsets are not known

/// Kafka's AssignorError, sent in both directions.
enum class AssignorError : std::int32_t {
  kNone = 0,
  kIncompleteSourceTopicMetadata = 1,  ///< a source topic does not exist (yet)
  kVersionProbing = 2,
  kAssignmentError = 3,
  kShutdownRequested = 4,  ///< a handler asked for the shutdown of the application
};

/// A task as the assignment names it. Named topologies are Kafka's experiment; ours have none.
struct AssignedTask {
  TaskId id;
  std::string named_topology = {};
  friend auto operator<=>(const AssignedTask&, const AssignedTask&) = default;
};

/// How far a member's copy of a task's state goes: the sum of the changelog offsets it reflects.
struct TaskOffsetSum {
  TaskId task;
  std::int64_t sum = 0;
  std::optional<std::string> named_topology = {};
  friend bool operator==(const TaskOffsetSum&, const TaskOffsetSum&) = default;
};

/// Kafka's SubscriptionInfo.
struct SubscriptionInfo {
  std::int32_t version = kLatestUserDataVersion;
  std::int32_t latest_supported_version = kLatestUserDataVersion;
  Uuid process_id;                              ///< one per state directory
  std::string user_end_point;                   ///< application.server, "" where unset
  std::vector<TaskOffsetSum> task_offset_sums;  ///< sorted by task when encoded
  std::int8_t unique_field = 0;                 ///< changes to make a rejoin visible (version 8)
  std::int32_t error_code = 0;                  ///< an AssignorError (version 9)
  std::vector<std::pair<std::string, std::string>> client_tags;  ///< client.tag.* (version 11)
  friend bool operator==(const SubscriptionInfo&, const SubscriptionInfo&) = default;
};

struct HostInfo {
  std::string host;
  std::int32_t port = 0;
  friend auto operator<=>(const HostInfo&, const HostInfo&) = default;
};

/// Topic and partition in the order of Kafka's PARTITION_COMPARATOR.
using TopicPartitionName = std::pair<std::string, std::int32_t>;

/// Kafka's AssignmentInfo. Active tasks stand in the order of the member's partitions: task i owns
/// partition i.
struct AssignmentInfo {
  std::int32_t version = kLatestUserDataVersion;
  std::int32_t commonly_supported_version = kLatestUserDataVersion;
  std::vector<AssignedTask> active;
  std::map<AssignedTask, std::vector<TopicPartitionName>> standby;
  std::map<HostInfo, std::vector<TopicPartitionName>> partitions_by_host;
  std::map<HostInfo, std::vector<TopicPartitionName>> standby_partitions_by_host;
  std::int32_t error_code = 0;                 ///< an AssignorError
  std::int64_t next_rebalance_ms = INT64_MAX;  ///< wall clock of the next probing rebalance
  friend bool operator==(const AssignmentInfo&, const AssignmentInfo&) = default;
};

/// Errors of the decoders: kTruncated, kMalformed, kUnsupportedVersion below version 7 or above 11.
[[nodiscard]] Result<SubscriptionInfo> decodeSubscriptionInfo(BytesView data);
[[nodiscard]] Result<AssignmentInfo> decodeAssignmentInfo(BytesView data);
/// Encodes in `info.version` (7 to 11).
[[nodiscard]] Bytes encodeSubscriptionInfo(const SubscriptionInfo& info);
[[nodiscard]] Bytes encodeAssignmentInfo(const AssignmentInfo& info);

}  // namespace millrace::streams
