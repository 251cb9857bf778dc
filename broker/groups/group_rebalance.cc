// Rebalances: preparing, waiting for members, the next generation; and whoever does not come back
// in time.
#include "broker/groups/group_machine.h"

#include <algorithm>

namespace millrace::broker {

void GroupMachine::prepareOrCompleteJoin(ClassicGroup& group, Millis now, GroupActions& out) {
  switch (group.state()) {
    case GroupState::kEmpty:
    case GroupState::kStable:
    case GroupState::kCompletingRebalance: return prepareRebalance(group, now, out);
    case GroupState::kPreparingRebalance: return maybeCompleteJoin(group, now, out);
    case GroupState::kDead: return;
  }
}

void GroupMachine::prepareRebalance(ClassicGroup& group, Millis now, GroupActions& out) {
  if (group.is(GroupState::kCompletingRebalance)) {
    for (GroupMember& m : group.members()) m.assignment.clear();
    propagateAssignment(group, Errc::kRebalanceInProgress, now, out);
  }
  group.pendingSync().clear();
  timers_.cancel({group.id(), Timer::kSync, {}});
  const bool initial = group.is(GroupState::kEmpty);
  group.transitionTo(GroupState::kPreparingRebalance, wall(now));
  if (initial) {
    // A group that starts waits a little for the rest of its members, lest each of them rebalance
    // it.
    group.new_member_added = false;
    group.initial_remaining_ms =
        std::max(group.rebalanceTimeoutMs() - config_.initial_rebalance_delay_ms, 0);
    timers_.schedule({group.id(), Timer::kJoin, {}}, now + config_.initial_rebalance_delay_ms);
    return;
  }
  if (group.hasAllMembersJoined()) return completeJoin(group, now, out);
  timers_.schedule({group.id(), Timer::kJoin, {}}, now + group.rebalanceTimeoutMs());
}

void GroupMachine::maybeCompleteJoin(ClassicGroup& group, Millis now, GroupActions& out) {
  if (group.is(GroupState::kPreparingRebalance) && group.hasAllMembersJoined() &&
      group.previousState() != GroupState::kEmpty) {
    completeJoin(group, now, out);
  }
}

void GroupMachine::initialDelayOver(ClassicGroup& group, Millis now, GroupActions& out) {
  if (group.new_member_added && group.initial_remaining_ms != 0) {
    group.new_member_added = false;
    const std::int32_t delay =
        std::min(config_.initial_rebalance_delay_ms, group.initial_remaining_ms);
    group.initial_remaining_ms = std::max(group.initial_remaining_ms - delay, 0);
    timers_.schedule({group.id(), Timer::kJoin, {}}, now + delay);
    return;
  }
  completeJoin(group, now, out);
}

void GroupMachine::completeJoin(ClassicGroup& group, Millis now, GroupActions& out) {
  timers_.cancel({group.id(), Timer::kJoin, {}});
  std::vector<std::string> gone;
  for (const GroupMember& m : group.members()) {
    if (!m.awaitsJoin() && !m.instance_id) gone.push_back(m.id);
  }
  for (const std::string& id : gone) {
    timers_.cancel({group.id(), Timer::kSession, id});
    group.remove(id);
  }
  if (!group.electJoinedLeader() && !group.members().empty()) {
    // Only static members that have not rejoined are left: their sessions decide.
    timers_.schedule({group.id(), Timer::kJoin, {}}, now + group.rebalanceTimeoutMs());
    return;
  }
  group.initNextGeneration(wall(now));
  if (group.is(GroupState::kEmpty)) {
    append(out, {groupMetadataRecord(group)}, nullptr);
    return;
  }
  for (GroupMember& m : group.members()) {
    // A static member may be missing: it finds out by its next heartbeat.
    if (m.awaitsJoin()) {
      out.joins.emplace_back(std::exchange(m.join, 0), joinAnswer(group, m, group.isLeader(m.id)));
    }
    keepAlive(group, m, now);
    m.is_new = false;
    group.pendingSync().insert(m.id);
  }
  timers_.schedule({group.id(), Timer::kSync, {}}, now + group.rebalanceTimeoutMs());
}

void GroupMachine::keepAlive(const ClassicGroup& group, const GroupMember& member, Millis now) {
  timers_.schedule({group.id(), Timer::kSession, member.id}, now + member.session_timeout_ms);
}

void GroupMachine::propagateAssignment(ClassicGroup& group, Errc error, Millis now,
                                       GroupActions& out) {
  for (GroupMember& m : group.members()) {
    if (!m.awaitsSync()) continue;
    const Token token = std::exchange(m.sync, 0);
    if (error != Errc::kNone) {
      out.syncs.emplace_back(token, syncError(error));
    } else {
      protocol::SyncGroupResponse r;
      r.protocol_type = group.protocolType();
      if (group.protocolName()) r.protocol_name = *group.protocolName();
      r.assignment = m.assignment;
      out.syncs.emplace_back(token, std::move(r));
    }
    keepAlive(group, m, now);
  }
}

void GroupMachine::removeMember(ClassicGroup& group, const std::string& member_id,
                                GroupActions& out) {
  timers_.cancel({group.id(), Timer::kSession, member_id});
  if (GroupMember* const member = group.find(member_id)) {
    if (member->awaitsJoin()) {
      out.joins.emplace_back(member->join, joinError("", Errc::kUnknownMemberId));
    }
    if (member->awaitsSync())
      out.syncs.emplace_back(member->sync, syncError(Errc::kUnknownMemberId));
  }
  group.remove(member_id);
}

void GroupMachine::afterRemoval(ClassicGroup& group, Millis now, GroupActions& out) {
  switch (group.state()) {
    case GroupState::kStable:
    case GroupState::kCompletingRebalance: return prepareRebalance(group, now, out);
    case GroupState::kPreparingRebalance: return maybeCompleteJoin(group, now, out);
    case GroupState::kEmpty:
    case GroupState::kDead: return;
  }
}

void GroupMachine::expireMember(ClassicGroup& group, const std::string& member_id, Millis now,
                                GroupActions& out) {
  const GroupMember* const member = group.find(member_id);
  if (!member) return;
  // Whoever waits for an answer is alive, unless it is new and may have gone without a trace.
  if (!member->is_new && (member->awaitsJoin() || member->awaitsSync())) return;
  removeMember(group, member_id, out);
  afterRemoval(group, now, out);
}

void GroupMachine::expireSync(ClassicGroup& group, Millis now, GroupActions& out) {
  if (group.pendingSync().empty()) return;
  if (!group.is(GroupState::kCompletingRebalance) && !group.is(GroupState::kStable)) return;
  const std::vector<std::string> late(group.pendingSync().begin(), group.pendingSync().end());
  for (const std::string& id : late) removeMember(group, id, out);
  prepareRebalance(group, now, out);
}

void GroupMachine::fire(const TimerKey& key, Millis now, GroupActions& out) {
  const auto& [group_id, timer, member_id] = key;
  ClassicGroup* const group = mutableGroup(group_id);
  if (!group) return;
  switch (timer) {
    case Timer::kJoin:
      if (!group->is(GroupState::kPreparingRebalance)) return;
      if (group->previousState() == GroupState::kEmpty) return initialDelayOver(*group, now, out);
      return completeJoin(*group, now, out);
    case Timer::kSync: return expireSync(*group, now, out);
    case Timer::kSession: return expireMember(*group, member_id, now, out);
    case Timer::kPending:
      group->pendingMembers().erase(member_id);
      return maybeCompleteJoin(*group, now, out);
  }
}

GroupActions GroupMachine::tick(Millis now) {
  GroupActions out;
  while (const auto key = timers_.takeDue(now)) fire(*key, now, out);
  return out;
}

}  // namespace millrace::broker
