// The life of a member in a classic consumer group: join, sync, heartbeats, being thrown out. Pure:
// every method takes what happened (and the monotonic time) and says what to do next; the consumer
// sends the requests.
#pragma once

#include "base/clock.h"
#include "base/result.h"

#include <optional>
#include <string>

namespace millrace::client {

class GroupMembership {
 public:
  struct Options {
    std::string group;
    std::optional<std::string> instance_id;
    Millis session_timeout_ms = 45'000;
    Millis heartbeat_ms = 3'000;
    Millis max_poll_interval_ms = 300'000;
    Millis retry_backoff_ms = 100;
  };
  enum class State : std::uint8_t {
    kUnjoined,   ///< no generation
    kJoining,    ///< JoinGroup is on its way
    kAssigning,  ///< leader: the assignor must run
    kSyncing,    ///< SyncGroup is on its way
    kStable,     ///< has an assignment of its generation
  };
  /// What a join or sync answer asks of the consumer.
  enum class Step : std::uint8_t {
    kWait,             ///< nothing now; ask wantsToJoin() later
    kAssign,           ///< run the assignor over the members of the answer, then sync
    kSync,             ///< send SyncGroup without assignments
    kTakeAssignment,   ///< the answer holds this member's assignment
    kFindCoordinator,  ///< the coordinator has moved
    kFatal,            ///< the user has to know: see fatal()
  };

  explicit GroupMembership(Options options) : options_(std::move(options)) {}

  /// Someone wants a rebalance (subscription or topics changed, partitions were revoked).
  void requestRejoin() { rejoin_ = true; }
  /// Whether JoinGroup should go out now.
  [[nodiscard]] bool wantsToJoin(Millis now_ms) const;
  /// ... or will some time without a further event.
  [[nodiscard]] bool needsToJoin() const { return state_ == State::kUnjoined || rejoin_; }
  [[nodiscard]] Millis joinDelay(Millis now_ms) const;
  void joinSent();
  Step joined(Errc error, std::int32_t generation, const std::string& member_id, bool leader,
              bool skip_assignment, const std::string& protocol, Millis now_ms);
  void syncSent() { state_ = State::kSyncing; }
  Step synced(Errc error, Millis now_ms);
  /// The request did not come back (no connection, timed out).
  Step requestFailed(Millis now_ms);

  /// A heartbeat should go out now (the state is stable and the interval is over).
  [[nodiscard]] bool heartbeatDue(Millis now_ms) const;
  void heartbeatSent(Millis now_ms);
  Step heartbeatAnswered(Errc error, Millis now_ms);
  /// Each poll of the user.
  void polled(Millis now_ms) { last_poll_ms_ = now_ms; }
  /// The user has not polled for max.poll.interval.ms: leave the group. True once.
  bool pollExpired(Millis now_ms);
  /// The coordinator has not been heard of for session.timeout.ms: it has thrown us out. True once.
  bool sessionExpired(Millis now_ms);

  /// A commit was refused: UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID,
  /// REBALANCE_IN_PROGRESS.
  Step commitRefused(Errc error);
  /// Left on purpose.
  void left();
  /// True once after the partitions were lost without a chance to revoke them.
  bool takeLost() { return std::exchange(lost_, false); }
  [[nodiscard]] const Error& fatal() const { return fatal_; }

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::int32_t generation() const { return generation_; }
  [[nodiscard]] const std::string& memberId() const { return member_id_; }
  [[nodiscard]] bool isLeader() const { return leader_; }
  [[nodiscard]] const std::string& protocol() const { return protocol_; }
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  Step failed(Errc error, Millis now_ms);
  Step becomeFatal(Errc error);
  void forget(bool member_id_too);

  Options options_;
  State state_ = State::kUnjoined;
  std::int32_t generation_ = -1;
  std::string member_id_;
  std::string protocol_;
  bool leader_ = false;
  bool rejoin_ = false;
  bool lost_ = false;
  bool heartbeat_out_ = false;
  Millis not_before_ms_ = 0;
  Millis last_heartbeat_ms_ = 0;
  Millis last_heard_ms_ = 0;
  Millis last_poll_ms_ = 0;
  Error fatal_{Errc::kNone, {}};
};

}  // namespace millrace::client
