#include "client/group_membership.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::client {
namespace {

bool coordinatorMoved(Errc error) {
  return error == Errc::kCoordinatorNotAvailable || error == Errc::kNotCoordinator;
}

}  // namespace

bool GroupMembership::wantsToJoin(Millis now_ms) const {
  if (now_ms < not_before_ms_ || fatal_.code != Errc::kNone) return false;
  return state_ == State::kUnjoined || (state_ == State::kStable && rejoin_);
}

Millis GroupMembership::joinDelay(Millis now_ms) const {
  return std::max<Millis>(not_before_ms_ - now_ms, 0);
}

void GroupMembership::joinSent() {
  state_ = State::kJoining;
  rejoin_ = false;
}

GroupMembership::Step GroupMembership::joined(Errc error, std::int32_t generation,
                                              const std::string& member_id, bool leader,
                                              bool skip_assignment, const std::string& protocol,
                                              Millis now_ms) {
  if (state_ != State::kJoining) return Step::kWait;  // left meanwhile
  if (error == Errc::kMemberIdRequired) {             // KIP-394
    member_id_ = member_id;
    state_ = State::kUnjoined;
    return Step::kWait;
  }
  if (error != Errc::kNone) return failed(error, now_ms);
  generation_ = generation;
  member_id_ = member_id;
  protocol_ = protocol;
  leader_ = leader;
  last_heard_ms_ = now_ms;
  last_heartbeat_ms_ = now_ms;
  heartbeat_out_ = false;
  // A static leader that came back keeps the assignment it had computed (KIP-814).
  if (leader && !skip_assignment) {
    state_ = State::kAssigning;
    return Step::kAssign;
  }
  return Step::kSync;
}

GroupMembership::Step GroupMembership::synced(Errc error, Millis now_ms) {
  if (state_ != State::kSyncing) return Step::kWait;
  if (error != Errc::kNone) return failed(error, now_ms);
  state_ = State::kStable;
  last_heard_ms_ = now_ms;
  return Step::kTakeAssignment;
}

GroupMembership::Step GroupMembership::requestFailed(Millis now_ms) {
  if (state_ != State::kStable) state_ = State::kUnjoined;
  not_before_ms_ = now_ms + options_.retry_backoff_ms;
  heartbeat_out_ = false;
  return Step::kFindCoordinator;
}

GroupMembership::Step GroupMembership::failed(Errc error, Millis now_ms) {
  const bool had_assignment = state_ == State::kStable;
  switch (error) {
    case Errc::kUnknownMemberId: forget(true); return Step::kWait;
    case Errc::kIllegalGeneration: forget(false); return Step::kWait;
    case Errc::kRebalanceInProgress:
      if (had_assignment) {
        rejoin_ = true;
      } else {
        state_ = State::kUnjoined;
      }
      return Step::kWait;
    case Errc::kCoordinatorLoadInProgress:
    case Errc::kRequestTimedOut:
    case Errc::kNetworkException:
      if (!had_assignment) state_ = State::kUnjoined;
      not_before_ms_ = now_ms + options_.retry_backoff_ms;
      return error == Errc::kNetworkException ? Step::kFindCoordinator : Step::kWait;
    default: break;
  }
  if (coordinatorMoved(error)) {
    if (!had_assignment) state_ = State::kUnjoined;
    not_before_ms_ = now_ms + options_.retry_backoff_ms;
    return Step::kFindCoordinator;
  }
  return becomeFatal(error);
}

GroupMembership::Step GroupMembership::becomeFatal(Errc error) {
  lost_ = lost_ || generation_ >= 0;
  state_ = State::kUnjoined;
  generation_ = -1;
  std::string hint;
  if (error == Errc::kFencedInstanceId) {
    hint = ": another member uses this group.instance.id; give each instance its own";
  } else if (error == Errc::kInconsistentGroupProtocol) {
    hint =
        ": the other members share no assignor with this one; add theirs to "
        "partition.assignment.strategy";
  } else if (error == Errc::kInvalidSessionTimeout) {
    hint = ": session.timeout.ms lies outside the broker's group.min/max.session.timeout.ms";
  }
  fatal_ = Error{error, fmt::format("group {}: {}{}", options_.group, errorMessage(error), hint)};
  return Step::kFatal;
}

void GroupMembership::forget(bool member_id_too) {
  lost_ = lost_ || generation_ >= 0;
  generation_ = -1;
  if (member_id_too) member_id_.clear();
  state_ = State::kUnjoined;
  leader_ = false;
  rejoin_ = false;
  heartbeat_out_ = false;
}

bool GroupMembership::heartbeatDue(Millis now_ms) const {
  return state_ == State::kStable && !heartbeat_out_ &&
         now_ms - last_heartbeat_ms_ >= options_.heartbeat_ms;
}

void GroupMembership::heartbeatSent(Millis now_ms) {
  heartbeat_out_ = true;
  last_heartbeat_ms_ = now_ms;
}

GroupMembership::Step GroupMembership::heartbeatAnswered(Errc error, Millis now_ms) {
  heartbeat_out_ = false;
  if (state_ != State::kStable) return Step::kWait;  // an answer to an older generation
  if (error == Errc::kNone || error == Errc::kRebalanceInProgress) last_heard_ms_ = now_ms;
  if (error == Errc::kNone) return Step::kWait;
  return failed(error, now_ms);
}

bool GroupMembership::pollExpired(Millis now_ms) {
  if (generation_ < 0 || now_ms - last_poll_ms_ < options_.max_poll_interval_ms) return false;
  forget(true);
  return true;
}

bool GroupMembership::sessionExpired(Millis now_ms) {
  if (state_ != State::kStable || now_ms - last_heard_ms_ < options_.session_timeout_ms) {
    return false;
  }
  forget(false);
  return true;
}

GroupMembership::Step GroupMembership::commitRefused(Errc error) {
  switch (error) {
    case Errc::kUnknownMemberId:
      if (state_ == State::kStable) forget(true);
      return Step::kWait;
    case Errc::kIllegalGeneration:
      if (state_ == State::kStable) forget(false);
      return Step::kWait;
    case Errc::kRebalanceInProgress:
      if (state_ == State::kStable) rejoin_ = true;
      return Step::kWait;
    case Errc::kFencedInstanceId: return becomeFatal(error);
    default: return Step::kWait;
  }
}

void GroupMembership::left() {
  forget(true);
  lost_ = false;
  fatal_ = Error{Errc::kNone, {}};
}

}  // namespace millrace::client
