// The classic group protocol as a state machine: (event, now) -> actions. Kafka's
// GroupMetadataManager.
#pragma once

#include "broker/groups/classic_group.h"
#include "broker/groups/group_records.h"
#include "broker/groups/timer_queue.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/sync_group_response.h"

#include <functional>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace millrace::broker {

/// The broker's group.* settings, in ms.
struct GroupConfig {
  std::int32_t min_session_timeout_ms = 6000;
  std::int32_t max_session_timeout_ms = 1'800'000;
  std::int32_t initial_rebalance_delay_ms = 3000;
  std::int32_t max_size = 2'147'483'647;
  /// A new member that nobody has told its id goes after this time (Kafka's constant).
  std::int32_t new_member_join_timeout_ms = 300'000;
};

struct JoinEvent {
  std::string group_id;
  std::string member_id;  ///< empty: new
  std::optional<std::string> instance_id;
  std::string client_id;
  std::string client_host;
  std::int32_t session_timeout_ms = 0;
  std::int32_t rebalance_timeout_ms = 0;
  std::string protocol_type;
  std::vector<GroupProtocol> protocols;
  bool require_known_member_id = false;  ///< JoinGroup 4+
  bool may_skip_assignment = false;      ///< JoinGroup 9+
};

struct SyncEvent {
  std::string group_id;
  std::string member_id;
  std::optional<std::string> instance_id;
  std::int32_t generation = -1;
  std::optional<std::string> protocol_type;  ///< SyncGroup 5+
  std::optional<std::string> protocol_name;
  std::map<std::string, Bytes> assignments;  ///< the leader's, by member
};

/// What the shell has to do. Replies to tokens that nobody waits for any more are dropped.
struct GroupActions {
  std::vector<std::pair<Token, protocol::JoinGroupResponse>> joins;
  std::vector<std::pair<Token, protocol::SyncGroupResponse>> syncs;
  /// Records to append, in order; then call appended(ticket). 0: nobody needs to know.
  struct Append {
    std::uint64_t ticket = 0;
    std::vector<GroupRecord> records;
  };
  std::vector<Append> appends;

  void add(GroupActions&& more);
};

/// All classic groups of one offsets partition. Pure; belongs to one shard's coordinator. Every
/// call may have moved nextDeadline().
class GroupMachine {
 public:
  /// `new_id` gives the random part of member ids (a uuid's standard text).
  GroupMachine(GroupConfig config, std::function<std::string()> new_id);

  /// All times that come in are monotonic; this much later it is on the wall (timestamps in
  /// records).
  void setWallOffset(Millis offset_ms) { wall_offset_ms_ = offset_ms; }

  /// The reply comes, now or later, with `token`.
  [[nodiscard]] GroupActions join(const JoinEvent& event, Token token, Millis now);
  [[nodiscard]] GroupActions sync(const SyncEvent& event, Token token, Millis now);
  [[nodiscard]] Errc heartbeat(std::string_view group_id, std::string_view member_id,
                               const std::optional<std::string>& instance_id,
                               std::int32_t generation, Millis now);
  struct Leaving {
    std::string member_id;  ///< empty: by instance id
    std::optional<std::string> instance_id;
  };
  /// One error for each of `members`; kUnknownMemberId for all where the group does not exist.
  [[nodiscard]] std::pair<std::vector<Errc>, GroupActions> leave(
      std::string_view group_id, const std::vector<Leaving>& members, Millis now);
  /// How an append ended (kNone: it is in the log).
  [[nodiscard]] GroupActions appended(std::uint64_t ticket, Errc outcome, Millis now);
  [[nodiscard]] std::optional<Millis> nextDeadline() const { return timers_.next(); }
  [[nodiscard]] GroupActions tick(Millis now);
  /// Answers everything that is parked with `error`; nothing moves afterwards (resignation).
  [[nodiscard]] GroupActions resign(Errc error);

  [[nodiscard]] const ClassicGroup* find(std::string_view group_id) const;
  [[nodiscard]] std::vector<const ClassicGroup*> groups() const;
  /// An offsets-only group, where there is none of that id.
  void ensureGroup(std::string_view group_id, Millis now);
  /// Only an empty group. Its tombstone is the caller's business.
  void erase(std::string_view group_id);
  /// A commit by a member keeps its session alive.
  void touchSession(std::string_view group_id, std::string_view member_id, Millis now);
  /// From the log: replaces what is known of the group.
  void restore(ClassicGroup group);
  /// After loading: the sessions of all members begin.
  void startSessions(Millis now);

 private:
  enum class Timer : std::uint8_t { kJoin, kSync, kSession, kPending };
  using TimerKey = std::tuple<std::string, Timer, std::string>;
  /// What to do when an append is done.
  using Continuation = std::function<void(GroupActions&, Errc, Millis)>;

  [[nodiscard]] Millis wall(Millis now) const { return now + wall_offset_ms_; }
  ClassicGroup* mutableGroup(std::string_view group_id);
  // group_join.cc
  void joinNewMember(ClassicGroup& group, const JoinEvent& event, Token token, Millis now,
                     GroupActions& out);
  void joinExistingMember(ClassicGroup& group, const JoinEvent& event, Token token, Millis now,
                          GroupActions& out);
  void addMember(ClassicGroup& group, const JoinEvent& event, const std::string& member_id,
                 Token token, Millis now, GroupActions& out);
  void updateMember(ClassicGroup& group, GroupMember& member, const JoinEvent& event, Token token,
                    Millis now, GroupActions& out);
  void replaceStaticMember(ClassicGroup& group, const std::string& old_id, const JoinEvent& event,
                           Token token, Millis now, GroupActions& out);
  void storeReplacedMember(ClassicGroup& group, GroupMember before, const std::string& new_id,
                           std::optional<std::string> leader_before, bool may_skip,
                           GroupActions& out);
  bool accepts(const ClassicGroup& group, std::string_view member_id) const;
  // group_rebalance.cc
  void prepareOrCompleteJoin(ClassicGroup& group, Millis now, GroupActions& out);
  void prepareRebalance(ClassicGroup& group, Millis now, GroupActions& out);
  void maybeCompleteJoin(ClassicGroup& group, Millis now, GroupActions& out);
  void completeJoin(ClassicGroup& group, Millis now, GroupActions& out);
  void removeMember(ClassicGroup& group, const std::string& member_id, GroupActions& out);
  void afterRemoval(ClassicGroup& group, Millis now, GroupActions& out);
  void propagateAssignment(ClassicGroup& group, Errc error, Millis now, GroupActions& out);
  void fire(const TimerKey& key, Millis now, GroupActions& out);
  void expireMember(ClassicGroup& group, const std::string& member_id, Millis now,
                    GroupActions& out);
  void expireSync(ClassicGroup& group, Millis now, GroupActions& out);
  void initialDelayOver(ClassicGroup& group, Millis now, GroupActions& out);
  void keepAlive(const ClassicGroup& group, const GroupMember& member, Millis now);
  // group_sync.cc
  Errc checkSync(const ClassicGroup& group, const SyncEvent& event) const;
  void storeAssignment(ClassicGroup& group, const SyncEvent& event, GroupActions& out);
  void append(GroupActions& out, std::vector<GroupRecord> records, Continuation then);

  GroupConfig config_;
  std::function<std::string()> new_id_;
  std::map<std::string, ClassicGroup, std::less<>> groups_;
  TimerQueue<TimerKey> timers_;
  std::unordered_map<std::uint64_t, Continuation> continuations_;
  std::uint64_t next_ticket_ = 1;
  Millis wall_offset_ms_ = 0;
};

/// A member's answer for the generation that the group is in.
[[nodiscard]] protocol::JoinGroupResponse joinAnswer(const ClassicGroup& group,
                                                     const GroupMember& member, bool with_members);
[[nodiscard]] protocol::JoinGroupResponse joinError(std::string_view member_id, Errc error);
[[nodiscard]] protocol::SyncGroupResponse syncError(Errc error);

}  // namespace millrace::broker
