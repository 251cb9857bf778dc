// JoinGroup: who may enter a group, and as whom.
#include "broker/groups/group_machine.h"

namespace millrace::broker {
namespace {

GroupMember memberFrom(const JoinEvent& event, const std::string& member_id) {
  GroupMember member;
  member.id = member_id;
  member.instance_id = event.instance_id;
  member.client_id = event.client_id;
  member.client_host = event.client_host;
  member.rebalance_timeout_ms = event.rebalance_timeout_ms;
  member.session_timeout_ms = event.session_timeout_ms;
  member.protocols = event.protocols;
  return member;
}

}  // namespace

protocol::JoinGroupResponse joinError(std::string_view member_id, Errc error) {
  protocol::JoinGroupResponse r;
  r.error_code = static_cast<std::int16_t>(error);
  r.member_id = Text(member_id);
  r.protocol_name.reset();
  return r;
}

protocol::JoinGroupResponse joinAnswer(const ClassicGroup& group, const GroupMember& member,
                                       bool with_members) {
  protocol::JoinGroupResponse r;
  r.generation_id = group.generation();
  r.protocol_type = group.protocolType();
  r.protocol_name.reset();
  if (group.protocolName()) r.protocol_name = *group.protocolName();
  if (group.leader()) r.leader = *group.leader();
  r.member_id = member.id;
  if (!with_members) return r;
  for (const GroupMember& m : group.members()) {
    auto& out = r.members.emplace_back();
    out.member_id = m.id;
    if (m.instance_id) out.group_instance_id = *m.instance_id;
    if (group.protocolName()) out.metadata = m.metadataFor(*group.protocolName());
  }
  return r;
}

GroupActions GroupMachine::join(const JoinEvent& event, Token token, Millis now) {
  GroupActions out;
  const auto refuse = [&](Errc error) {
    out.joins.emplace_back(token, joinError(event.member_id, error));
    return std::move(out);
  };
  if (event.group_id.empty()) return refuse(Errc::kInvalidGroupId);
  if (event.session_timeout_ms < config_.min_session_timeout_ms ||
      event.session_timeout_ms > config_.max_session_timeout_ms) {
    return refuse(Errc::kInvalidSessionTimeout);
  }
  const bool fresh = find(event.group_id) == nullptr;
  if (fresh && !event.member_id.empty()) return refuse(Errc::kUnknownMemberId);
  ensureGroup(event.group_id, now);
  ClassicGroup& group = *mutableGroup(event.group_id);
  const GroupRecord first = groupMetadataRecord(group);
  if (!accepts(group, event.member_id)) {
    group.remove(event.member_id);
    out.joins.emplace_back(token, joinError("", Errc::kGroupMaxSizeReached));
  } else if (event.member_id.empty()) {
    joinNewMember(group, event, token, now, out);
  } else {
    joinExistingMember(group, event, token, now, out);
  }
  // A new group stands in the log from its first join on.
  if (fresh) append(out, {first}, nullptr);
  return out;
}

bool GroupMachine::accepts(const ClassicGroup& group, std::string_view member_id) const {
  const auto limit = static_cast<std::size_t>(config_.max_size);
  switch (group.state()) {
    case GroupState::kEmpty:
    case GroupState::kDead: return true;
    case GroupState::kPreparingRebalance: {
      const GroupMember* const member = group.find(member_id);
      return (member && member->awaitsJoin()) || group.awaitingJoin() < limit;
    }
    case GroupState::kCompletingRebalance:
    case GroupState::kStable: return group.hasMember(member_id) || group.members().size() < limit;
  }
  return false;
}

void GroupMachine::joinNewMember(ClassicGroup& group, const JoinEvent& event, Token token,
                                 Millis now, GroupActions& out) {
  if (!group.supportsProtocols(event.protocol_type, event.protocols)) {
    out.joins.emplace_back(token, joinError(event.member_id, Errc::kInconsistentGroupProtocol));
    return;
  }
  const std::string prefix = event.instance_id ? *event.instance_id : event.client_id;
  const std::string member_id = prefix + "-" + new_id_();
  if (event.instance_id) {
    if (const GroupMember* const before = group.findStatic(*event.instance_id)) {
      const std::string old_id = before->id;
      JoinEvent renamed = event;
      renamed.member_id = member_id;
      replaceStaticMember(group, old_id, renamed, token, now, out);
    } else {
      addMember(group, event, member_id, token, now, out);
    }
    return;
  }
  if (!event.require_known_member_id) {
    addMember(group, event, member_id, token, now, out);
    return;
  }
  // KIP-394: the client must come back with this id, so that one that never saw its answer is not
  // counted.
  group.pendingMembers().insert(member_id);
  timers_.schedule({group.id(), Timer::kPending, member_id}, now + event.session_timeout_ms);
  out.joins.emplace_back(token, joinError(member_id, Errc::kMemberIdRequired));
}

void GroupMachine::joinExistingMember(ClassicGroup& group, const JoinEvent& event, Token token,
                                      Millis now, GroupActions& out) {
  const auto refuse = [&](Errc error) {
    out.joins.emplace_back(token, joinError(event.member_id, error));
  };
  if (!group.supportsProtocols(event.protocol_type, event.protocols)) {
    return refuse(Errc::kInconsistentGroupProtocol);
  }
  if (group.pendingMembers().contains(event.member_id)) {
    timers_.cancel({group.id(), Timer::kPending, event.member_id});
    return addMember(group, event, event.member_id, token, now, out);
  }
  const Errc invalid = group.validateMember(event.member_id, event.instance_id);
  if (invalid != Errc::kNone) return refuse(invalid);
  GroupMember& member = *group.find(event.member_id);
  const bool same = member.protocols == event.protocols;
  switch (group.state()) {
    case GroupState::kPreparingRebalance:
      return updateMember(group, member, event, token, now, out);
    case GroupState::kCompletingRebalance:
      // A retry of a join whose answer was lost gets that answer again.
      if (!same) return updateMember(group, member, event, token, now, out);
      out.joins.emplace_back(token, joinAnswer(group, member, group.isLeader(member.id)));
      return;
    case GroupState::kStable:
      // The leader rejoins to have partitions assigned anew; a follower only when it wants
      // something else.
      if (group.isLeader(member.id) || !same)
        return updateMember(group, member, event, token, now, out);
      out.joins.emplace_back(token, joinAnswer(group, member, false));
      return;
    case GroupState::kEmpty:
    case GroupState::kDead: return refuse(Errc::kUnknownMemberId);
  }
}

void GroupMachine::addMember(ClassicGroup& group, const JoinEvent& event,
                             const std::string& member_id, Token token, Millis now,
                             GroupActions& out) {
  GroupMember member = memberFrom(event, member_id);
  member.is_new = true;
  member.join = token;
  if (group.is(GroupState::kPreparingRebalance) && group.previousState() == GroupState::kEmpty) {
    group.new_member_added = true;
  }
  group.add(std::move(member), event.protocol_type);
  // It does not know its id yet and cannot send heartbeats: a session timeout would not be fair.
  timers_.schedule({group.id(), Timer::kSession, member_id},
                   now + config_.new_member_join_timeout_ms);
  prepareOrCompleteJoin(group, now, out);
}

void GroupMachine::updateMember(ClassicGroup& group, GroupMember& member, const JoinEvent& event,
                                Token token, Millis now, GroupActions& out) {
  // An earlier join of the same member that is still parked has no reader any more.
  if (member.awaitsJoin() && member.join != token) {
    out.joins.emplace_back(member.join, joinError(member.id, Errc::kUnknownMemberId));
  }
  member.protocols = event.protocols;
  member.rebalance_timeout_ms = event.rebalance_timeout_ms;
  member.session_timeout_ms = event.session_timeout_ms;
  member.join = token;
  prepareOrCompleteJoin(group, now, out);
}

void GroupMachine::replaceStaticMember(ClassicGroup& group, const std::string& old_id,
                                       const JoinEvent& event, Token token, Millis now,
                                       GroupActions& out) {
  const std::optional<std::string> leader_before = group.leader();
  GroupMember before = *group.find(old_id);
  timers_.cancel({group.id(), Timer::kSession, old_id});
  if (before.awaitsJoin()) {
    out.joins.emplace_back(before.join, joinError(old_id, Errc::kFencedInstanceId));
  }
  if (before.awaitsSync()) out.syncs.emplace_back(before.sync, syncError(Errc::kFencedInstanceId));
  GroupMember& member = group.replaceStatic(old_id, event.member_id);
  member.client_id = event.client_id;
  member.client_host = event.client_host;
  member.sync = 0;
  member.protocols = event.protocols;
  member.rebalance_timeout_ms = event.rebalance_timeout_ms;
  member.session_timeout_ms = event.session_timeout_ms;
  member.join = token;
  keepAlive(group, member, now);
  switch (group.state()) {
    case GroupState::kStable:
      if (group.selectProtocol() == group.protocolName()) {
        before.join = 0;
        before.sync = 0;
        return storeReplacedMember(group, std::move(before), event.member_id, leader_before,
                                   event.may_skip_assignment, out);
      }
      return prepareOrCompleteJoin(group, now, out);
    case GroupState::kCompletingRebalance:
      // The leader may have been given the old id already: an assignment for it would reach nobody.
      return prepareRebalance(group, now, out);
    case GroupState::kPreparingRebalance: return maybeCompleteJoin(group, now, out);
    case GroupState::kEmpty:
    case GroupState::kDead: return;
  }
}

void GroupMachine::storeReplacedMember(ClassicGroup& group, GroupMember before,
                                       const std::string& new_id,
                                       std::optional<std::string> leader_before, bool may_skip,
                                       GroupActions& out) {
  const std::string group_id = group.id();
  auto then = [this, group_id, before = std::move(before), new_id,
               leader_before = std::move(leader_before),
               may_skip](GroupActions& actions, Errc outcome, Millis now) {
    ClassicGroup* const g = mutableGroup(group_id);
    GroupMember* const member = g ? g->find(new_id) : nullptr;
    if (!member || !member->awaitsJoin()) return;
    const Token token = std::exchange(member->join, 0);
    if (outcome != Errc::kNone) {
      // Not in the log: after a restart the old id would be the member again, so it stays.
      timers_.cancel({group_id, Timer::kSession, new_id});
      g->replaceStatic(new_id, before.id) = before;
      keepAlive(*g, before, now);
      actions.joins.emplace_back(token, joinError(new_id, outcome));
      return;
    }
    keepAlive(*g, *member, now);
    const bool leads = g->isLeader(new_id);
    auto answer = joinAnswer(*g, *member, may_skip && leads);
    // Without skipAssignment a leader that hears its old id does not assign anew: what the group
    // has, stays.
    if (may_skip) {
      answer.skip_assignment = leads;
    } else if (leader_before) {
      answer.leader = *leader_before;
    }
    actions.joins.emplace_back(token, std::move(answer));
  };
  append(out, {groupMetadataRecord(group)}, std::move(then));
}

}  // namespace millrace::broker
