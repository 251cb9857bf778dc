// What the leader of a streams group decides: which member gets which tasks. Pure; the leader's
// metadata, end offsets and clock are handed in.
#pragma once

#include "client/assignor.h"
#include "streams/runtime/task_assignor.h"
#include "streams/runtime/topic_plan.h"
#include "streams/runtime/user_data.h"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace millrace::streams {

/// One member as its subscription describes it.
struct GroupMember {
  SubscriptionInfo info;
  std::set<TopicPartition> owned;  ///< partitions that it has not given up yet
};

struct GroupPlanInput {
  const Topology* topology = nullptr;
  std::string application_id;
  AssignmentConfigs configs;
  bool sticky = true;  ///< which task assignor
  TopicPlan topics;
  std::map<std::string, GroupMember> members;
  /// End of each changelog, summed by task; empty where nobody needs lags (one process).
  std::map<TaskId, std::int64_t> changelog_ends;
  std::int64_t next_probe_ms =
      INT64_MAX;  ///< wall clock of the next probing rebalance, where one is needed
};

struct MemberPlan {
  std::vector<TopicPartition> partitions;
  AssignmentInfo info;
};

/// Tasks go to processes by the task assignor, then to their members (threads), each keeping what
/// it has. A task of which a live member still owns partitions that would move is given to nobody
/// in this round: the owner gives them up first and rejoins (KIP-429).
[[nodiscard]] std::map<std::string, MemberPlan> planGroup(const GroupPlanInput& input);

/// The same error for every member.
[[nodiscard]] std::map<std::string, MemberPlan> refuseGroup(
    const std::map<std::string, GroupMember>& members, AssignorError error);

}  // namespace millrace::streams
