// The consumer as a member of its group: the shell around GroupMembership.
#include "base/log.h"
#include "client/consumer_core.h"
#include "client/consumer_protocol.h"
#include "client/deadline.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/leave_group_request.h"
#include "protocol/messages/leave_group_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::client {
namespace {

using namespace protocol;
using State = GroupMembership::State;
using Step = GroupMembership::Step;

std::optional<Text> textOf(const std::optional<std::string>& s) {
  return s ? std::optional<Text>(Text(*s)) : std::nullopt;
}

std::vector<TopicPartition> minus(const std::vector<TopicPartition>& from,
                                  const std::vector<TopicPartition>& what) {
  std::vector<TopicPartition> out;
  for (const TopicPartition& tp : from) {
    if (std::find(what.begin(), what.end(), tp) == what.end()) out.push_back(tp);
  }
  return out;
}

}  // namespace

bool ConsumerCore::isCooperative() const {
  return std::all_of(assignors_.begin(), assignors_.end(), [](const auto& assignor) {
    return assignor->protocol() == RebalanceProtocol::kCooperative;
  });
}

GroupAssignor* ConsumerCore::chosenAssignor() const {
  for (const auto& assignor : assignors_) {
    if (assignor->name() == membership_.protocol()) return assignor.get();
  }
  return nullptr;
}

std::vector<TopicPartition> ConsumerCore::owned() const {
  std::vector<TopicPartition> out;
  for (const auto& [tp, p] : positions_.all()) out.push_back(tp);
  return out;
}

/// Moves the membership on as far as it goes without waiting. On the caller's thread, inside poll.
Status ConsumerCore::coordinate(Lock& lock) {
  if (membership_.fatal().code != Errc::kNone) {
    if (membership_.takeLost()) onLost(lock);
    return std::unexpected(membership_.fatal());
  }
  if (membership_.takeLost()) onLost(lock);
  if (pending_assignment_ && membership_.state() == State::kStable) {
    MILLRACE_CHECK_OK(applyAssignment(lock));
  }
  if (membership_.state() == State::kAssigning) MILLRACE_CHECK_OK(runAssignor(lock));
  if (!coordinator_) {
    askCoordinator();
    return {};
  }
  if (!membership_.wantsToJoin(monotonicNow())) return {};
  // A pattern needs to know the topics first.
  if (accepts_ && base_.metadata->version() == 0) return {};
  if (!prepared_) {
    prepareJoin(lock);
    prepared_ = true;
    if (!coordinator_ || !membership_.wantsToJoin(monotonicNow())) return {};
  }
  sendJoin();
  return {};
}

void ConsumerCore::callCoordinator(Call call, Done done) {
  call.to_coordinator = true;
  base_.transport->call(*coordinator_, std::move(call), std::move(done));
}

void ConsumerCore::askCoordinator() {
  if (coordinator_asking_ || monotonicNow() < coordinator_not_before_ms_) return;
  coordinator_asking_ = true;
  base_.transport->call(kAnyNode, findCoordinatorCall(group_, config_.common.request_timeout_ms),
                        guarded([](ConsumerCore& core, Result<Reply> reply) {
                          core.onCoordinator(std::move(reply));
                        }));
}

void ConsumerCore::onCoordinator(Result<Reply> reply) {
  coordinator_asking_ = false;
  auto found = reply ? readCoordinator(*reply) : std::unexpected(reply.error());
  if (found) {
    const auto image = base_.metadata->image();
    std::vector<NodeAddress> nodes = image->nodes;
    const bool known = std::any_of(nodes.begin(), nodes.end(),
                                   [&](const NodeAddress& n) { return n.id == found->id; });
    if (!known) {
      nodes.push_back(*found);
      base_.transport->setNodes(nodes);
    }
    coordinator_ = found->id;
    for (PendingCommit& commit : std::exchange(waiting_commits_, {})) sendCommit(std::move(commit));
    return;
  }
  coordinator_not_before_ms_ = monotonicNow() + config_.common.retry_backoff_ms;
  const Errc code = found.error().code;
  if (code == Errc::kGroupAuthorizationFailed || code == Errc::kInvalidGroupId) {
    error_ = Error{code, fmt::format("group {}: {}", group_, errorMessage(code))};
    coordinator_not_before_ms_ += 1'000;
  }
  MILLRACE_LOG_DEBUG("coordinator of {}: {}", group_, found.error().toString());
}

void ConsumerCore::coordinatorLost() {
  coordinator_.reset();
  coordinator_not_before_ms_ = monotonicNow() + config_.common.retry_backoff_ms;
  base_.metadata->requestUpdate();
}

void ConsumerCore::follow(Step step) {
  if (step == Step::kFindCoordinator) coordinatorLost();
}

void ConsumerCore::onLost(Lock& lock) {
  prepared_ = true;  // nothing is left to be revoked before the next join
  pending_assignment_.reset();
  const auto lost = owned();
  positions_.assign({});
  if (lost.empty()) return;
  MILLRACE_LOG_WARN("group {}: lost {} partitions (thrown out of the group)", group_, lost.size());
  const auto& call = listener_.onLost ? listener_.onLost : listener_.onRevoked;
  if (!call) return;
  lock.unlock();
  call(lost);
  lock.lock();
}

void ConsumerCore::revoke(Lock& lock, const std::vector<TopicPartition>& partitions) {
  for (const TopicPartition& tp : partitions) {
    if (PartitionPosition* p = positions_.find(tp)) p->revoking = true;
  }
  if (listener_.onRevoked) {
    lock.unlock();
    listener_.onRevoked(partitions);
    lock.lock();
  }
  positions_.assign(minus(owned(), partitions));
}

/// Before a join: commit, and give up what the protocol demands (Kafka's onJoinPrepare).
void ConsumerCore::prepareJoin(Lock& lock) {
  const Millis limit = std::min<Millis>(config_.common.request_timeout_ms,
                                        membership_.options().max_poll_interval_ms);
  autoCommitNow(lock, Duration(limit));
  std::vector<TopicPartition> going;
  for (const TopicPartition& tp : owned()) {
    if (!isCooperative() || !topics_.contains(tp.topic)) going.push_back(tp);
  }
  if (!going.empty()) revoke(lock, going);
}

void ConsumerCore::sendJoin() {
  const auto& options = membership_.options();
  auto request = std::make_shared<JoinGroupRequest>();
  request->group_id = Text(group_);
  request->session_timeout_ms = static_cast<std::int32_t>(options.session_timeout_ms);
  request->rebalance_timeout_ms = static_cast<std::int32_t>(options.max_poll_interval_ms);
  request->member_id = Text(membership_.memberId());
  request->group_instance_id = textOf(options.instance_id);
  request->protocol_type = Text(kConsumerProtocolType);
  MemberSubscription subscription;
  subscription.topics.assign(topics_.begin(), topics_.end());
  subscription.owned = owned();
  subscription.generation = membership_.generation();
  const std::string rack = config_.values.getString("client.rack");
  if (!rack.empty()) subscription.rack = rack;
  for (const auto& assignor : assignors_) {
    subscription.user_data = assignor->subscriptionUserData(topics_);
    JoinGroupRequest::JoinGroupRequestProtocol protocol;
    protocol.name = Text(assignor->name());
    protocol.metadata = Text(encodeSubscription(subscription));
    request->protocols.push_back(std::move(protocol));
  }
  membership_.joinSent();
  startHeartbeats();
  Call call = makeCall<JoinGroupRequest, JoinGroupResponse>(
      {options.instance_id ? std::int16_t{5} : std::int16_t{2}, 9},
      options.max_poll_interval_ms + 5'000,
      [request](JoinGroupRequest& r, std::int16_t) { r = *request; });
  callCoordinator(std::move(call), guarded([](ConsumerCore& core, Result<Reply> reply) {
                    core.onJoin(std::move(reply));
                  }));
}

void ConsumerCore::onJoin(Result<Reply> reply) {
  const Millis now_ms = monotonicNow();
  if (!reply) {
    MILLRACE_LOG_DEBUG("join of {}: {}", group_, reply.error().toString());
    return follow(membership_.requestFailed(now_ms));
  }
  const auto& answer = body<JoinGroupResponse>(*reply);
  const bool leader = answer.leader == answer.member_id;
  const Step step = membership_.joined(
      fromWire(answer.error_code), answer.generation_id, answer.member_id.str(), leader,
      answer.skip_assignment, answer.protocol_name ? answer.protocol_name->str() : "", now_ms);
  members_.clear();
  assign_metadata_version_ = 0;
  if (step == Step::kSync) return sendSync({});
  if (step != Step::kAssign) return follow(step);
  for (const auto& member : answer.members) {
    auto subscription = decodeSubscription(member.metadata.view());
    if (!subscription) {
      MILLRACE_LOG_WARN("group {}: member {} sent a subscription that cannot be read: {}", group_,
                        member.member_id.view(), subscription.error().toString());
      continue;
    }
    if (member.group_instance_id) subscription->group_instance_id = member.group_instance_id->str();
    members_.push_back(GroupMemberInfo{member.member_id.str(), std::move(*subscription)});
  }
}

/// Partition counts and racks of all topics of the group; `complete` false while metadata is on its
/// way.
Result<AssignableTopics> ConsumerCore::assignableTopics(bool& complete) {
  std::set<std::string> names;
  for (const GroupMemberInfo& member : members_) {
    names.insert(member.subscription.topics.begin(), member.subscription.topics.end());
  }
  const auto image = base_.metadata->image();
  complete = std::all_of(names.begin(), names.end(),
                         [&](const std::string& n) { return image->topics.contains(n); });
  if (!complete) {
    if (assign_metadata_version_ == 0) {
      assign_metadata_version_ = base_.metadata->version() + 1;
      base_.metadata->addTopics(std::vector<std::string>(names.begin(), names.end()));
      base_.metadata->requestUpdate();
    }
    complete = base_.metadata->version() > assign_metadata_version_;
  }
  AssignableTopics topics;
  for (const std::string& name : names) {
    const TopicMeta* meta = image->topic(name);
    AssignableTopic& topic = topics[name];
    if (meta == nullptr) continue;
    topic.partitions = static_cast<std::int32_t>(meta->partitions.size());
    for (const PartitionMeta& p : meta->partitions) {
      std::vector<std::string> racks;
      for (const NodeId replica : p.replicas) {
        const std::string rack = image->rackOf(replica);
        if (!rack.empty()) racks.push_back(rack);
      }
      topic.racks.push_back(std::move(racks));
    }
  }
  return topics;
}

Status ConsumerCore::runAssignor(Lock& lock) {
  bool complete = false;
  MILLRACE_TRY(const AssignableTopics topics, assignableTopics(complete));
  if (!complete) return {};
  GroupAssignor* assignor = chosenAssignor();
  if (assignor == nullptr) {
    return fail(Errc::kInconsistentGroupProtocol,
                fmt::format("group {} uses the assignor {}, which this member does not know",
                            group_, membership_.protocol()));
  }
  GroupSubscriptions group;
  for (const GroupMemberInfo& member : members_) group[member.id] = member.subscription;
  const std::int32_t generation = membership_.generation();
  lock.unlock();
  auto assignment = assignor->assign(topics, group);
  lock.lock();
  if (!assignment) return std::unexpected(assignment.error());
  if (membership_.state() != State::kAssigning || membership_.generation() != generation) return {};
  group_topics_.clear();
  for (const auto& [name, topic] : topics) group_topics_[name] = topic.partitions;
  sendSync(*assignment);
  return {};
}

void ConsumerCore::sendSync(const GroupAssignment& assignment) {
  auto request = std::make_shared<SyncGroupRequest>();
  request->group_id = Text(group_);
  request->generation_id = membership_.generation();
  request->member_id = Text(membership_.memberId());
  request->group_instance_id = textOf(membership_.options().instance_id);
  for (const auto& [member, share] : assignment) {
    SyncGroupRequest::SyncGroupRequestAssignment entry;
    entry.member_id = Text(member);
    entry.assignment = Text(encodeAssignment(share));
    request->assignments.push_back(std::move(entry));
  }
  membership_.syncSent();
  if (!coordinator_) return follow(membership_.requestFailed(monotonicNow()));
  Call call = makeCall<SyncGroupRequest, SyncGroupResponse>(
      {membership_.options().instance_id ? std::int16_t{3} : std::int16_t{0}, 5},
      membership_.options().max_poll_interval_ms + 5'000,
      [request, protocol = membership_.protocol()](SyncGroupRequest& r, std::int16_t version) {
        r = *request;
        if (version < 5) return;
        r.protocol_type = Text(kConsumerProtocolType);
        r.protocol_name = Text(protocol);
      });
  callCoordinator(std::move(call), guarded([](ConsumerCore& core, Result<Reply> reply) {
                    core.onSync(std::move(reply));
                  }));
}

void ConsumerCore::onSync(Result<Reply> reply) {
  const Millis now_ms = monotonicNow();
  if (!reply) return follow(membership_.requestFailed(now_ms));
  const auto& answer = body<SyncGroupResponse>(*reply);
  const Step step = membership_.synced(fromWire(answer.error_code), now_ms);
  if (step == Step::kTakeAssignment) {
    pending_assignment_ = answer.assignment.str();
    return;
  }
  follow(step);
}

Status ConsumerCore::applyAssignment(Lock& lock) {
  const Bytes bytes = std::move(*pending_assignment_);
  pending_assignment_.reset();
  MILLRACE_TRY(const MemberAssignment assignment, decodeAssignment(bytes));
  const std::vector<TopicPartition>& mine = assignment.partitions;
  const auto before = owned();
  const auto revoked = minus(before, mine);
  const auto added = minus(mine, before);
  if (!revoked.empty()) {
    autoCommitNow(lock, Duration(config_.common.request_timeout_ms));
    revoke(lock, revoked);
    // What was given up is free for its new owner only after another round (KIP-429).
    if (isCooperative()) membership_.requestRejoin();
  }
  positions_.assign(mine);
  prepared_ = false;
  next_auto_commit_ms_ = monotonicNow() + auto_commit_interval_ms_;
  std::vector<std::string> topics;
  topics.reserve(mine.size());
  for (const TopicPartition& tp : mine) topics.push_back(tp.topic);
  base_.metadata->addTopics(topics);
  GroupAssignor* assignor = chosenAssignor();
  const std::int32_t generation = membership_.generation();
  MILLRACE_LOG_DEBUG("group {} generation {}: {} partitions, {} new, {} revoked", group_,
                     generation, mine.size(), added.size(), revoked.size());
  lock.unlock();
  if (assignor != nullptr) assignor->onAssignment(assignment, generation);
  if (listener_.onAssigned) listener_.onAssigned(added);
  lock.lock();
  return {};
}

void ConsumerCore::startHeartbeats() {
  if (heartbeats_started_) return;
  heartbeats_started_ = true;
  base_.runtime->post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->heartbeat_alarm_ = std::make_shared<Alarm>(*self->base_.runtime, [weak] {
      if (const auto again = weak.lock()) again->onHeartbeatTimer();
    });
    self->onHeartbeatTimer();
  });
}

void ConsumerCore::onHeartbeatTimer() {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    const Millis now_ms = monotonicNow();
    const std::string member_id = membership_.memberId();
    if (membership_.pollExpired(now_ms)) {
      MILLRACE_LOG_WARN(
          "group {}: no poll for max.poll.interval.ms ({} ms), leaving the group. "
          "Process less per poll (max.poll.records) or raise it",
          group_, membership_.options().max_poll_interval_ms);
      if (!membership_.options().instance_id) sendLeave(member_id);
    }
    if (membership_.sessionExpired(now_ms)) {
      MILLRACE_LOG_WARN("group {}: no answer from the coordinator for session.timeout.ms", group_);
      coordinatorLost();
    }
    if (membership_.heartbeatDue(now_ms)) sendHeartbeat();
    const Millis interval = std::max<Millis>(membership_.options().heartbeat_ms / 4, 20);
    heartbeat_alarm_->setWithin(interval);
  }
  tellCaller();
}

void ConsumerCore::sendHeartbeat() {
  if (!coordinator_) return askCoordinator();
  membership_.heartbeatSent(monotonicNow());
  const std::int32_t generation = membership_.generation();
  Call call = makeCall<HeartbeatRequest, HeartbeatResponse>(
      {membership_.options().instance_id ? std::int16_t{3} : std::int16_t{0}, 4},
      config_.common.request_timeout_ms,
      [group = group_, generation, member = membership_.memberId(),
       instance = membership_.options().instance_id](HeartbeatRequest& r, std::int16_t) {
        r.group_id = Text(group);
        r.generation_id = generation;
        r.member_id = Text(member);
        r.group_instance_id = textOf(instance);
      });
  callCoordinator(std::move(call), guarded([generation](ConsumerCore& core, Result<Reply> reply) {
                    const Millis now_ms = monotonicNow();
                    if (!reply) return core.follow(core.membership_.requestFailed(now_ms));
                    if (core.membership_.generation() != generation) return;
                    const Errc code = fromWire(body<HeartbeatResponse>(*reply).error_code);
                    core.follow(core.membership_.heartbeatAnswered(code, now_ms));
                  }));
}

void ConsumerCore::sendLeave(const std::string& member_id) {
  if (!coordinator_ || member_id.empty()) return;
  Call call = makeCall<LeaveGroupRequest, LeaveGroupResponse>(
      {0, 5}, std::min<Millis>(config_.common.request_timeout_ms, 5'000),
      [group = group_, member_id](LeaveGroupRequest& r, std::int16_t version) {
        r.group_id = Text(group);
        if (version < 3) {
          r.member_id = Text(member_id);
          return;
        }
        LeaveGroupRequest::MemberIdentity member;
        member.member_id = Text(member_id);
        r.members.push_back(std::move(member));
      });
  leaving_ = true;
  callCoordinator(std::move(call), guarded([](ConsumerCore& core, const Result<Reply>& reply) {
                    core.leaving_ = false;
                    if (!reply) MILLRACE_LOG_DEBUG("leave group: {}", reply.error().toString());
                  }));
}

}  // namespace millrace::client
