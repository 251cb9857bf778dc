// How a group's leader shares out partitions: the seam between membership and the assignors.
#pragma once

#include "client/record.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace millrace::client {

/// What one member tells the leader (ConsumerProtocolSubscription).
struct MemberSubscription {
  std::vector<std::string> topics;
  std::optional<Bytes> user_data = std::nullopt;
  std::vector<TopicPartition> owned = {};
  std::int32_t generation = -1;  ///< of `owned`; -1 unknown
  std::optional<std::string> rack = std::nullopt;
  std::optional<std::string> group_instance_id = std::nullopt;
};

/// What the leader sends to one member (ConsumerProtocolAssignment).
struct MemberAssignment {
  std::vector<TopicPartition> partitions;
  std::optional<Bytes> user_data = std::nullopt;
};

/// One topic as the assignor sees it.
struct AssignableTopic {
  std::int32_t partitions = 0;
  /// Racks of each partition's replicas; empty where unknown.
  std::vector<std::vector<std::string>> racks = {};
};
/// Ordered: assignors walk in order so that the outcome does not depend on hashing.
using AssignableTopics = std::map<std::string, AssignableTopic>;
using GroupSubscriptions = std::map<std::string, MemberSubscription>;
using GroupAssignment = std::map<std::string, MemberAssignment>;

enum class RebalanceProtocol : std::uint8_t { kEager, kCooperative };

/// An assignor of a consumer. One per consumer, used on the polling thread only.
class GroupAssignor {
 public:
  virtual ~GroupAssignor() = default;
  /// As members of other languages know it: "range", "cooperative-sticky", "stream".
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual RebalanceProtocol protocol() const { return RebalanceProtocol::kEager; }
  /// Before each join.
  virtual std::optional<Bytes> subscriptionUserData(const std::set<std::string>& topics) {
    (void)topics;
    return std::nullopt;
  }
  /// On the leader only. Covers every member of the group. May block (it runs inside poll).
  [[nodiscard]] virtual Result<GroupAssignment> assign(const AssignableTopics& topics,
                                                       const GroupSubscriptions& group) = 0;
  /// On every member, before the rebalance listener.
  virtual void onAssignment(const MemberAssignment& assignment, std::int32_t generation) {
    (void)assignment;
    (void)generation;
  }
};

}  // namespace millrace::client
