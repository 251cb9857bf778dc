// A group of the classic protocol: its members, generation and choice of protocol. Data and rules,
// no events.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::broker {

/// Names a parked request; the shell makes them up, the state machine only gives them back. 0:
/// none.
using Token = std::uint64_t;

/// Kafka's ClassicGroupState.
enum class GroupState : std::uint8_t {
  kEmpty,
  kPreparingRebalance,
  kCompletingRebalance,
  kStable,
  kDead
};
[[nodiscard]] std::string_view groupStateName(GroupState state);

struct GroupProtocol {
  std::string name;
  Bytes metadata;
  friend bool operator==(const GroupProtocol&, const GroupProtocol&) = default;
};

struct GroupMember {
  std::string id;
  std::optional<std::string> instance_id;  ///< static member (KIP-345)
  std::string client_id;
  std::string client_host;
  std::int32_t rebalance_timeout_ms = 0;
  std::int32_t session_timeout_ms = 0;
  std::vector<GroupProtocol> protocols;  ///< in order of preference
  Bytes assignment;
  Token join = 0;       ///< a parked JoinGroup
  Token sync = 0;       ///< a parked SyncGroup
  bool is_new = false;  ///< has never been told its id: may expire although it waits

  [[nodiscard]] bool awaitsJoin() const { return join != 0; }
  [[nodiscard]] bool awaitsSync() const { return sync != 0; }
  /// The metadata for a protocol; empty where it does not support it.
  [[nodiscard]] const Bytes& metadataFor(std::string_view protocol) const;
};

/// One group. Members keep the order in which they joined, so that choices are repeatable.
class ClassicGroup {
 public:
  ClassicGroup(std::string id, Millis now) : id_(std::move(id)), state_since_ms_(now) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] GroupState state() const { return state_; }
  [[nodiscard]] bool is(GroupState state) const { return state_ == state; }
  [[nodiscard]] GroupState previousState() const { return previous_; }
  void transitionTo(GroupState state, Millis now);
  /// Wall clock.
  [[nodiscard]] Millis stateSinceMs() const { return state_since_ms_; }
  [[nodiscard]] std::int32_t generation() const { return generation_; }
  /// Empty for a group that only stores offsets.
  [[nodiscard]] const std::string& protocolType() const { return protocol_type_; }
  [[nodiscard]] const std::optional<std::string>& protocolName() const { return protocol_name_; }
  [[nodiscard]] const std::optional<std::string>& leader() const { return leader_; }
  [[nodiscard]] bool isLeader(std::string_view member) const {
    return leader_ && *leader_ == member;
  }

  [[nodiscard]] bool hasMember(std::string_view member) const { return find(member) != nullptr; }
  [[nodiscard]] GroupMember* find(std::string_view member);
  [[nodiscard]] const GroupMember* find(std::string_view member) const;
  [[nodiscard]] std::vector<GroupMember>& members() { return members_; }
  [[nodiscard]] const std::vector<GroupMember>& members() const { return members_; }
  /// The member of an instance id; nullptr where there is none.
  [[nodiscard]] const GroupMember* findStatic(std::string_view instance_id) const;
  /// The first member leads and gives the group its protocol type.
  GroupMember& add(GroupMember member, std::string_view protocol_type);
  void remove(std::string_view member);
  /// A static member that came back: the same place in the group under a new id.
  GroupMember& replaceStatic(std::string_view old_id, std::string new_id);

  /// Ids given out (MEMBER_ID_REQUIRED, KIP-394) whose owners have not joined yet.
  [[nodiscard]] std::set<std::string, std::less<>>& pendingMembers() { return pending_; }
  [[nodiscard]] const std::set<std::string, std::less<>>& pendingMembers() const {
    return pending_;
  }
  /// Members of this generation that have not synced yet.
  [[nodiscard]] std::set<std::string, std::less<>>& pendingSync() { return pending_sync_; }

  [[nodiscard]] std::size_t awaitingJoin() const;
  [[nodiscard]] bool hasAllMembersJoined() const;
  /// The longest rebalance timeout of the members.
  [[nodiscard]] std::int32_t rebalanceTimeoutMs() const;
  /// Whether someone with these protocols may join.
  [[nodiscard]] bool supportsProtocols(std::string_view type,
                                       const std::vector<GroupProtocol>& protocols) const;
  /// By votes: each member for the first it prefers of those that all support. Empty group:
  /// nothing.
  [[nodiscard]] std::optional<std::string> selectProtocol() const;
  /// False where the leader has not rejoined and nobody else has: the leader's place goes to
  /// whoever rejoined.
  bool electJoinedLeader();
  void initNextGeneration(Millis now);
  /// Kafka's validateMember: fencing by instance id. Errors: kUnknownMemberId, kFencedInstanceId.
  [[nodiscard]] Errc validateMember(std::string_view member,
                                    const std::optional<std::string>& instance_id) const;
  /// Topics that the members subscribe to (consumer protocol); nothing where that is not known.
  [[nodiscard]] std::optional<std::set<std::string>> subscribedTopics() const;

  /// Loaded from the log.
  void restore(std::string protocol_type, std::int32_t generation,
               std::optional<std::string> protocol_name, std::optional<std::string> leader,
               Millis state_since_ms, std::vector<GroupMember> members);

  // The join phase that runs (state machine's scratch).
  bool new_member_added = false;          ///< since the initial delay began
  std::int32_t initial_remaining_ms = 0;  ///< how much the initial delay may still be prolonged

 private:
  std::string id_;
  GroupState state_ = GroupState::kEmpty;
  GroupState previous_ = GroupState::kEmpty;
  Millis state_since_ms_;
  std::int32_t generation_ = 0;
  std::string protocol_type_;
  std::optional<std::string> protocol_name_;
  std::optional<std::string> leader_;
  std::vector<GroupMember> members_;
  std::set<std::string, std::less<>> pending_;
  std::set<std::string, std::less<>> pending_sync_;
};

}  // namespace millrace::broker
