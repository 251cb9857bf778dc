#include "broker/groups/classic_group.h"

#include "base/assert.h"
#include "protocol/messages/consumer_protocol_subscription.h"
#include "protocol/record_frame.h"

#include <algorithm>

namespace millrace::broker {

std::string_view groupStateName(GroupState state) {
  switch (state) {
    case GroupState::kEmpty: return "Empty";
    case GroupState::kPreparingRebalance: return "PreparingRebalance";
    case GroupState::kCompletingRebalance: return "CompletingRebalance";
    case GroupState::kStable: return "Stable";
    case GroupState::kDead: return "Dead";
  }
  return "Unknown";
}

const Bytes& GroupMember::metadataFor(std::string_view protocol) const {
  static const Bytes kNone;
  const auto found = std::ranges::find(protocols, protocol, &GroupProtocol::name);
  return found == protocols.end() ? kNone : found->metadata;
}

void ClassicGroup::transitionTo(GroupState state, Millis now) {
  previous_ = state_;
  state_ = state;
  state_since_ms_ = now;
}

const GroupMember* ClassicGroup::find(std::string_view member) const {
  const auto found = std::ranges::find(members_, member, &GroupMember::id);
  return found == members_.end() ? nullptr : &*found;
}

GroupMember* ClassicGroup::find(std::string_view member) {
  const auto found = std::ranges::find(members_, member, &GroupMember::id);
  return found == members_.end() ? nullptr : &*found;
}

const GroupMember* ClassicGroup::findStatic(std::string_view instance_id) const {
  const auto found = std::ranges::find_if(members_, [&](const GroupMember& m) {
    return m.instance_id && *m.instance_id == instance_id;
  });
  return found == members_.end() ? nullptr : &*found;
}

GroupMember& ClassicGroup::add(GroupMember member, std::string_view protocol_type) {
  MILLRACE_ASSERT(!hasMember(member.id), member.id);
  if (members_.empty()) protocol_type_ = protocol_type;
  if (!leader_) leader_ = member.id;
  pending_.erase(member.id);
  return members_.emplace_back(std::move(member));
}

void ClassicGroup::remove(std::string_view member) {
  std::erase_if(members_, [&](const GroupMember& m) { return m.id == member; });
  if (const auto p = pending_.find(member); p != pending_.end()) pending_.erase(p);
  if (const auto p = pending_sync_.find(member); p != pending_sync_.end()) pending_sync_.erase(p);
  if (isLeader(member)) {
    leader_ = members_.empty() ? std::nullopt : std::optional(members_.front().id);
  }
}

GroupMember& ClassicGroup::replaceStatic(std::string_view old_id, std::string new_id) {
  GroupMember* const member = find(old_id);
  MILLRACE_ASSERT(member && member->instance_id, old_id);
  if (isLeader(old_id)) leader_ = new_id;
  if (const auto p = pending_sync_.find(old_id); p != pending_sync_.end()) pending_sync_.erase(p);
  member->id = std::move(new_id);
  return *member;
}

std::size_t ClassicGroup::awaitingJoin() const {
  return static_cast<std::size_t>(std::ranges::count_if(members_, &GroupMember::awaitsJoin));
}

bool ClassicGroup::hasAllMembersJoined() const {
  return pending_.empty() && awaitingJoin() == members_.size();
}

std::int32_t ClassicGroup::rebalanceTimeoutMs() const {
  std::int32_t longest = 0;
  for (const GroupMember& m : members_) longest = std::max(longest, m.rebalance_timeout_ms);
  return longest;
}

bool ClassicGroup::supportsProtocols(std::string_view type,
                                     const std::vector<GroupProtocol>& protocols) const {
  if (state_ == GroupState::kEmpty) return !type.empty() && !protocols.empty();
  if (type != protocol_type_) return false;
  return std::ranges::any_of(protocols, [&](const GroupProtocol& p) {
    return std::ranges::all_of(members_, [&](const GroupMember& m) {
      return std::ranges::find(m.protocols, p.name, &GroupProtocol::name) != m.protocols.end();
    });
  });
}

std::optional<std::string> ClassicGroup::selectProtocol() const {
  if (members_.empty()) return std::nullopt;
  const auto supportedByAll = [&](const GroupProtocol& p) {
    return std::ranges::all_of(members_, [&](const GroupMember& m) {
      return std::ranges::find(m.protocols, p.name, &GroupProtocol::name) != m.protocols.end();
    });
  };
  // Candidates in the first member's order: it decides between equals.
  std::vector<std::pair<std::string_view, int>> votes;
  for (const GroupProtocol& p : members_.front().protocols) {
    if (supportedByAll(p)) votes.emplace_back(p.name, 0);
  }
  for (const GroupMember& m : members_) {
    for (const GroupProtocol& p : m.protocols) {
      const auto vote = std::ranges::find(votes, std::string_view(p.name),
                                          &std::pair<std::string_view, int>::first);
      if (vote == votes.end()) continue;
      ++vote->second;
      break;
    }
  }
  const auto best = std::ranges::max_element(votes, {}, &std::pair<std::string_view, int>::second);
  return best == votes.end() ? std::nullopt : std::optional(std::string(best->first));
}

bool ClassicGroup::electJoinedLeader() {
  if (!leader_) return false;
  const GroupMember* const leader = find(*leader_);
  if (leader && leader->awaitsJoin()) return true;
  const auto joined = std::ranges::find_if(members_, &GroupMember::awaitsJoin);
  if (joined == members_.end()) return false;
  leader_ = joined->id;
  return true;
}

void ClassicGroup::initNextGeneration(Millis now) {
  ++generation_;
  if (members_.empty()) {
    protocol_name_.reset();
    leader_.reset();
    transitionTo(GroupState::kEmpty, now);
    return;
  }
  protocol_name_ = selectProtocol();
  transitionTo(GroupState::kCompletingRebalance, now);
}

Errc ClassicGroup::validateMember(std::string_view member,
                                  const std::optional<std::string>& instance_id) const {
  if (instance_id) {
    const GroupMember* const holder = findStatic(*instance_id);
    if (!holder) return Errc::kUnknownMemberId;
    if (holder->id != member) return Errc::kFencedInstanceId;
  }
  return hasMember(member) ? Errc::kNone : Errc::kUnknownMemberId;
}

std::optional<std::set<std::string>> ClassicGroup::subscribedTopics() const {
  if (protocol_type_ != "consumer" || !protocol_name_ || members_.empty()) return std::nullopt;
  std::set<std::string> topics;
  for (const GroupMember& m : members_) {
    const auto subscription = protocol::decodeVersioned<protocol::ConsumerProtocolSubscription>(
        m.metadataFor(*protocol_name_), protocol::Newer::kReadPrefix);
    // Someone who does not speak the consumer protocol although the type says so: nothing is known.
    if (!subscription) return std::nullopt;
    for (const Text& topic : subscription->topics) topics.insert(topic.str());
  }
  return topics;
}

void ClassicGroup::restore(std::string protocol_type, std::int32_t generation,
                           std::optional<std::string> protocol_name,
                           std::optional<std::string> leader, Millis state_since_ms,
                           std::vector<GroupMember> members) {
  protocol_type_ = std::move(protocol_type);
  generation_ = generation;
  protocol_name_ = std::move(protocol_name);
  leader_ = std::move(leader);
  members_ = std::move(members);
  state_ = members_.empty() ? GroupState::kEmpty : GroupState::kStable;
  previous_ = state_;
  state_since_ms_ = state_since_ms;
}

}  // namespace millrace::broker
