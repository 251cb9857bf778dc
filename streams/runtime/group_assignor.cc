#include "streams/runtime/group_assignor.h"

#include "base/log.h"
#include "streams/runtime/internal_topics.h"

namespace millrace::streams {
namespace {

client::GroupAssignment encodePlans(const std::map<std::string, MemberPlan>& plans) {
  client::GroupAssignment assignment;
  for (const auto& [member, plan] : plans) {
    assignment[member] = {plan.partitions, encodeAssignmentInfo(plan.info)};
  }
  return assignment;
}

Result<std::map<std::string, GroupMember>> decodeMembers(const client::GroupSubscriptions& group) {
  std::map<std::string, GroupMember> members;
  for (const auto& [id, subscription] : group) {
    if (!subscription.user_data) {
      return fail(Errc::kInconsistentGroupProtocol, "member " + id + " is not a streams client");
    }
    GroupMember& member = members[id];
    MILLRACE_TRY(member.info, decodeSubscriptionInfo(*subscription.user_data));
    member.owned.insert(subscription.owned.begin(), subscription.owned.end());
  }
  return members;
}

bool shutdownRequested(const std::map<std::string, GroupMember>& members) {
  for (const auto& [id, member] : members) {
    if (member.info.error_code == static_cast<std::int32_t>(AssignorError::kShutdownRequested))
      return true;
  }
  return false;
}

}  // namespace

std::optional<Bytes> StreamsGroupAssignor::subscriptionUserData(const std::set<std::string>&) {
  SubscriptionInfo info;
  info.process_id = application_.process_id;
  info.user_end_point = application_.config.values.getString("application.server");
  info.task_offset_sums = offset_sums_();
  info.unique_field = ++unique_field_;
  if (application_.shutdown_requested)
    info.error_code = static_cast<std::int32_t>(AssignorError::kShutdownRequested);
  for (const auto& [key, value] : application_.config.values.originalsWithPrefix("client.tag.")) {
    info.client_tags.emplace_back(key, value);
  }
  return encodeSubscriptionInfo(info);
}

Result<TopicPlan> StreamsGroupAssignor::planTopicsOf(const client::AssignableTopics& topics) {
  const Application& app = application_;
  std::map<std::string, std::int32_t> existing;
  for (const auto& [name, topic] : topics) existing[name] = topic.partitions;
  auto plan = planTopics(app.topology, app.config.application_id, existing);
  if (plan || plan.error().code != Errc::kUnknownTopicOrPartition) return plan;
  // The consumer's picture may be older than the topic.
  MILLRACE_TRY(const auto described,
               app.admin->describeTopics(sourceTopics(app.topology, app.config.application_id)));
  for (const auto& [name, topic] : described) {
    if (topic) existing[name] = static_cast<std::int32_t>(topic->partitions.size());
  }
  return planTopics(app.topology, app.config.application_id, existing);
}

Result<client::GroupAssignment> StreamsGroupAssignor::assign(
    const client::AssignableTopics& topics, const client::GroupSubscriptions& group) {
  GroupPlanInput input;
  MILLRACE_TRY(input.members, decodeMembers(group));
  if (shutdownRequested(input.members)) {
    return encodePlans(refuseGroup(input.members, AssignorError::kShutdownRequested));
  }
  auto plan = planTopicsOf(topics);
  if (!plan) {
    MILLRACE_LOG_ERROR("streams: {}", plan.error().toString());
    const bool missing = plan.error().code == Errc::kUnknownTopicOrPartition;
    return encodePlans(
        refuseGroup(input.members, missing ? AssignorError::kIncompleteSourceTopicMetadata
                                           : AssignorError::kAssignmentError));
  }
  std::vector<PlannedTopic> internal = plan->repartition;
  internal.insert(internal.end(), plan->changelogs.begin(), plan->changelogs.end());
  const auto replication =
      static_cast<std::int16_t>(application_.config.values.getInt("replication.factor"));
  const Status ready = ensureTopics(*application_.admin, internal, replication);
  if (!ready) {
    MILLRACE_LOG_ERROR("streams: {}", ready.error().toString());
    return encodePlans(refuseGroup(input.members, AssignorError::kAssignmentError));
  }
  input.topology = &application_.topology;
  input.application_id = application_.config.application_id;
  input.topics = std::move(*plan);
  return encodePlans(planGroup(input));
}

void StreamsGroupAssignor::onAssignment(const client::MemberAssignment& assignment, std::int32_t) {
  tasks_.clear();
  error_ = AssignorError::kNone;
  const auto info = decodeAssignmentInfo(assignment.user_data.value_or(Bytes{}));
  if (!info || info->active.size() > assignment.partitions.size()) {
    MILLRACE_LOG_ERROR("streams: the group's leader sent an assignment that cannot be read");
    error_ = AssignorError::kAssignmentError;
    return;
  }
  error_ = static_cast<AssignorError>(info->error_code);
  next_rebalance_ms_ = info->next_rebalance_ms;
  auto partitions = assignment.partitions;
  std::ranges::sort(partitions);
  for (std::size_t i = 0; i < info->active.size(); ++i)
    tasks_[info->active[i].id].push_back(partitions[i]);
}

}  // namespace millrace::streams
