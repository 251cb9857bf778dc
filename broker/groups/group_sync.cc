// SyncGroup, Heartbeat, LeaveGroup; and what a group's life needs besides joining.
#include "base/assert.h"
#include "broker/groups/group_machine.h"

#include <algorithm>

namespace millrace::broker {

protocol::SyncGroupResponse syncError(Errc error) {
  protocol::SyncGroupResponse r;
  r.error_code = static_cast<std::int16_t>(error);
  return r;
}

void GroupActions::add(GroupActions&& more) {
  std::ranges::move(more.joins, std::back_inserter(joins));
  std::ranges::move(more.syncs, std::back_inserter(syncs));
  std::ranges::move(more.appends, std::back_inserter(appends));
}

GroupMachine::GroupMachine(GroupConfig config, std::function<std::string()> new_id)
    : config_(config), new_id_(std::move(new_id)) {}

const ClassicGroup* GroupMachine::find(std::string_view group_id) const {
  const auto found = groups_.find(group_id);
  return found == groups_.end() ? nullptr : &found->second;
}

ClassicGroup* GroupMachine::mutableGroup(std::string_view group_id) {
  const auto found = groups_.find(group_id);
  return found == groups_.end() ? nullptr : &found->second;
}

std::vector<const ClassicGroup*> GroupMachine::groups() const {
  std::vector<const ClassicGroup*> all;
  for (const auto& [id, group] : groups_) all.push_back(&group);
  return all;
}

void GroupMachine::ensureGroup(std::string_view group_id, Millis now) {
  if (!find(group_id))
    groups_.emplace(std::string(group_id), ClassicGroup(std::string(group_id), wall(now)));
}

void GroupMachine::erase(std::string_view group_id) {
  const auto found = groups_.find(group_id);
  if (found == groups_.end()) return;
  MILLRACE_ASSERT(found->second.members().empty(), group_id);
  for (const std::string& id : found->second.pendingMembers()) {
    timers_.cancel({found->first, Timer::kPending, id});
  }
  groups_.erase(found);
}

void GroupMachine::restore(ClassicGroup group) {
  const std::string id = group.id();
  groups_.insert_or_assign(id, std::move(group));
}

void GroupMachine::startSessions(Millis now) {
  for (const auto& [id, group] : groups_) {
    for (const GroupMember& m : group.members()) keepAlive(group, m, now);
  }
}

void GroupMachine::touchSession(std::string_view group_id, std::string_view member_id, Millis now) {
  const ClassicGroup* const group = find(group_id);
  const GroupMember* const member = group ? group->find(member_id) : nullptr;
  if (member) keepAlive(*group, *member, now);
}

void GroupMachine::append(GroupActions& out, std::vector<GroupRecord> records, Continuation then) {
  const std::uint64_t ticket = then ? next_ticket_++ : 0;
  if (then) continuations_.emplace(ticket, std::move(then));
  out.appends.push_back({ticket, std::move(records)});
}

GroupActions GroupMachine::appended(std::uint64_t ticket, Errc outcome, Millis now) {
  GroupActions out;
  const auto found = continuations_.find(ticket);
  if (found == continuations_.end()) return out;
  const Continuation then = std::move(found->second);
  continuations_.erase(found);
  then(out, outcome, now);
  return out;
}

Errc GroupMachine::checkSync(const ClassicGroup& group, const SyncEvent& event) const {
  const Errc invalid = group.validateMember(event.member_id, event.instance_id);
  if (invalid != Errc::kNone) return invalid;
  if (event.generation != group.generation()) return Errc::kIllegalGeneration;
  if (event.protocol_type && *event.protocol_type != group.protocolType()) {
    return Errc::kInconsistentGroupProtocol;
  }
  if (event.protocol_name && event.protocol_name != group.protocolName()) {
    return Errc::kInconsistentGroupProtocol;
  }
  return Errc::kNone;
}

GroupActions GroupMachine::sync(const SyncEvent& event, Token token, Millis now) {
  GroupActions out;
  const auto refuse = [&](Errc error) {
    out.syncs.emplace_back(token, syncError(error));
    return std::move(out);
  };
  if (event.group_id.empty()) return refuse(Errc::kInvalidGroupId);
  ClassicGroup* const group = mutableGroup(event.group_id);
  if (!group) return refuse(Errc::kUnknownMemberId);
  const Errc invalid = checkSync(*group, event);
  if (invalid != Errc::kNone) return refuse(invalid);
  GroupMember& member = *group->find(event.member_id);
  switch (group->state()) {
    case GroupState::kEmpty:
    case GroupState::kDead: return refuse(Errc::kUnknownMemberId);
    case GroupState::kPreparingRebalance: return refuse(Errc::kRebalanceInProgress);
    case GroupState::kCompletingRebalance:
      if (member.awaitsSync())
        out.syncs.emplace_back(member.sync, syncError(Errc::kRebalanceInProgress));
      member.sync = token;
      group->pendingSync().erase(member.id);
      if (group->isLeader(member.id)) storeAssignment(*group, event, out);
      return out;
    case GroupState::kStable: {
      group->pendingSync().erase(member.id);
      member.sync = token;
      // The others may still be parked for nothing: answering is idempotent.
      propagateAssignment(*group, Errc::kNone, now, out);
      return out;
    }
  }
  return out;
}

void GroupMachine::storeAssignment(ClassicGroup& group, const SyncEvent& event, GroupActions& out) {
  std::map<std::string, Bytes> assignments;
  for (const GroupMember& m : group.members()) {
    const auto given = event.assignments.find(m.id);
    assignments.emplace(m.id, given == event.assignments.end() ? Bytes() : given->second);
  }
  const GroupRecord record = groupMetadataRecord(group, assignments);
  auto then = [this, id = group.id(), generation = group.generation(),
               assignments = std::move(assignments)](GroupActions& actions, Errc outcome,
                                                     Millis now) {
    ClassicGroup* const g = mutableGroup(id);
    // Another rebalance may have begun while the record was written: then it counts for nothing.
    if (!g || !g->is(GroupState::kCompletingRebalance) || g->generation() != generation) return;
    if (outcome != Errc::kNone) {
      for (GroupMember& m : g->members()) m.assignment.clear();
      propagateAssignment(*g, outcome, now, actions);
      prepareOrCompleteJoin(*g, now, actions);
      return;
    }
    for (GroupMember& m : g->members()) {
      const auto given = assignments.find(m.id);
      m.assignment = given == assignments.end() ? Bytes() : given->second;
    }
    g->transitionTo(GroupState::kStable, wall(now));
    propagateAssignment(*g, Errc::kNone, now, actions);
  };
  append(out, {record}, std::move(then));
}

Errc GroupMachine::heartbeat(std::string_view group_id, std::string_view member_id,
                             const std::optional<std::string>& instance_id, std::int32_t generation,
                             Millis now) {
  if (group_id.empty()) return Errc::kInvalidGroupId;
  const ClassicGroup* const group = find(group_id);
  if (!group) return Errc::kUnknownMemberId;
  const Errc invalid = group->validateMember(member_id, instance_id);
  if (invalid != Errc::kNone) return invalid;
  if (generation != group->generation()) return Errc::kIllegalGeneration;
  switch (group->state()) {
    case GroupState::kEmpty:
    case GroupState::kDead: return Errc::kUnknownMemberId;
    case GroupState::kPreparingRebalance:
      keepAlive(*group, *group->find(member_id), now);
      return Errc::kRebalanceInProgress;
    // Members may beat between their join and their sync.
    case GroupState::kCompletingRebalance:
    case GroupState::kStable: keepAlive(*group, *group->find(member_id), now); return Errc::kNone;
  }
  return Errc::kNone;
}

std::pair<std::vector<Errc>, GroupActions> GroupMachine::leave(std::string_view group_id,
                                                               const std::vector<Leaving>& members,
                                                               Millis now) {
  std::vector<Errc> errors;
  GroupActions out;
  ClassicGroup* const group = mutableGroup(group_id);
  if (!group) return {std::vector<Errc>(members.size(), Errc::kUnknownMemberId), std::move(out)};
  bool removed = false;
  for (const Leaving& m : members) {
    if (m.member_id.empty()) {
      const GroupMember* const holder = m.instance_id ? group->findStatic(*m.instance_id) : nullptr;
      errors.push_back(holder ? Errc::kNone : Errc::kUnknownMemberId);
      if (!holder) continue;
      removeMember(*group, std::string(holder->id), out);
    } else if (group->pendingMembers().contains(m.member_id)) {
      group->pendingMembers().erase(m.member_id);
      timers_.cancel({group->id(), Timer::kPending, m.member_id});
      errors.push_back(Errc::kNone);
    } else {
      errors.push_back(group->validateMember(m.member_id, m.instance_id));
      if (errors.back() != Errc::kNone) continue;
      removeMember(*group, m.member_id, out);
    }
    removed = true;
  }
  if (removed) afterRemoval(*group, now, out);
  return {std::move(errors), std::move(out)};
}

GroupActions GroupMachine::resign(Errc error) {
  GroupActions out;
  for (auto& [id, group] : groups_) {
    for (GroupMember& m : group.members()) {
      if (m.awaitsJoin()) out.joins.emplace_back(std::exchange(m.join, 0), joinError(m.id, error));
      if (m.awaitsSync()) out.syncs.emplace_back(std::exchange(m.sync, 0), syncError(error));
    }
  }
  groups_.clear();
  continuations_.clear();
  timers_.cancelIf([](const TimerKey&) { return true; });
  return out;
}

}  // namespace millrace::broker
