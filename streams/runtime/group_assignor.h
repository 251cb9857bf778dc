// A stream thread's seat in its group: the assignor named "stream" that its consumer carries.
#pragma once

#include "client/assignor.h"
#include "streams/runtime/application.h"
#include "streams/runtime/group_plan.h"
#include "streams/runtime/user_data.h"

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::streams {

/// Used on the polling thread. The leader's assign() creates internal topics on the way.
class StreamsGroupAssignor final : public client::GroupAssignor {
 public:
  /// `offset_sums`: what this member has of tasks' state, asked before each join.
  StreamsGroupAssignor(Application& application,
                       std::function<std::vector<TaskOffsetSum>()> offset_sums)
      : application_(application), offset_sums_(std::move(offset_sums)) {}

  std::string name() const override { return "stream"; }
  client::RebalanceProtocol protocol() const override {
    return client::RebalanceProtocol::kCooperative;
  }
  std::optional<Bytes> subscriptionUserData(const std::set<std::string>& topics) override;
  Result<client::GroupAssignment> assign(const client::AssignableTopics& topics,
                                         const client::GroupSubscriptions& group) override;
  void onAssignment(const client::MemberAssignment& assignment, std::int32_t generation) override;

  /// Inputs by task, as last assigned.
  [[nodiscard]] const std::map<TaskId, std::vector<TopicPartition>>& tasks() const {
    return tasks_;
  }
  /// What the leader said went wrong.
  [[nodiscard]] AssignorError error() const { return error_; }
  /// Wall clock at which to rejoin; INT64_MAX for never.
  [[nodiscard]] std::int64_t nextRebalance() const { return next_rebalance_ms_; }
  void clearNextRebalance() { next_rebalance_ms_ = INT64_MAX; }

 private:
  [[nodiscard]] Result<TopicPlan> planTopicsOf(const client::AssignableTopics& topics);

  Application& application_;
  std::function<std::vector<TaskOffsetSum>()> offset_sums_;
  std::int8_t unique_field_ = 0;
  std::map<TaskId, std::vector<TopicPartition>> tasks_;
  AssignorError error_ = AssignorError::kNone;
  std::int64_t next_rebalance_ms_ = INT64_MAX;
};

}  // namespace millrace::streams
