#include "streams/runtime/group_plan.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace millrace::streams {
namespace {

class Planner {
 public:
  explicit Planner(const GroupPlanInput& input) : input_(input) {
    for (const auto& [subtopology, count] : input.topics.tasks) {
      for (std::int32_t p = 0; p < count; ++p) addTask({subtopology, p});
    }
    for (const auto& [id, member] : input.members) {
      by_process_[member.info.process_id].push_back(id);
      for (const TopicPartition& partition : member.owned) {
        const auto task = task_of_.find(partition);
        if (task != task_of_.end()) owned_tasks_[id].insert(task->second);
        owner_of_[partition] = id;
      }
    }
  }

  std::map<std::string, MemberPlan> make() {
    const AssignorInput clients = describeClients();
    const AssignmentPlan plan =
        input_.sticky ? assignSticky(clients) : assignHighlyAvailable(clients);
    std::map<std::string, MemberPlan> members;
    const std::int32_t version = commonVersion();
    for (const auto& [process, client] : plan.clients) {
      for (const auto& [member, tasks] : spread(by_process_[process], client.active)) {
        members[member] = memberPlan(member, tasks, version);
      }
    }
    if (plan.followup && !members.empty())
      members.begin()->second.info.next_rebalance_ms = input_.next_probe_ms;
    for (auto& [id, member] : members) member.info.partitions_by_host = hosts_;
    return members;
  }

 private:
  void addTask(TaskId task) {
    auto& inputs = inputs_[task];
    inputs =
        inputPartitions(*input_.topology, input_.application_id, input_.topics.partitions, task);
    for (const TopicPartition& partition : inputs) task_of_[partition] = task;
  }

  [[nodiscard]] bool isStateful(TaskId task) const {
    for (const Subtopology& sub : input_.topology->subtopologies()) {
      if (sub.id == task.subtopology) return !sub.changelogs.empty();
    }
    return false;
  }

  [[nodiscard]] std::int32_t commonVersion() const {
    std::int32_t version = kLatestUserDataVersion;
    for (const auto& [id, member] : input_.members)
      version = std::min(version, member.info.version);
    return version;
  }

  AssignorInput describeClients() {
    AssignorInput out;
    out.configs = input_.configs;
    for (const auto& [task, inputs] : inputs_) out.tasks[task] = isStateful(task);
    for (const auto& [process, members] : by_process_) {
      ClientInput& client = out.clients[process];
      client.threads = static_cast<std::int32_t>(members.size());
      for (const auto& [task, end] : input_.changelog_ends) client.lags[task] = end;
      for (const std::string& id : members)
        describeMember(input_.members.at(id), owned_tasks_[id], client);
    }
    return out;
  }

  void describeMember(const GroupMember& member, const std::set<TaskId>& owned,
                      ClientInput& client) {
    for (const auto& [key, value] : member.info.client_tags) client.tags[key] = value;
    client.prev_active.insert(owned.begin(), owned.end());
    for (const TaskOffsetSum& sum : member.info.task_offset_sums) {
      if (!inputs_.contains(sum.task)) continue;
      const auto end = input_.changelog_ends.find(sum.task);
      std::int64_t lag = sum.sum;
      if (sum.sum >= 0) {
        client.prev_standby.insert(sum.task);
        if (end != input_.changelog_ends.end())
          lag = std::max<std::int64_t>(end->second - sum.sum, 0);
      } else if (sum.sum == kLatestOffset) {
        client.prev_active.insert(sum.task);
      }
      client.lags[sum.task] = lag;
    }
  }

  /// Shares a process's tasks among its members: as evenly as can be, each keeping its own first.
  std::map<std::string, std::set<TaskId>> spread(const std::vector<std::string>& members,
                                                 const std::set<TaskId>& tasks) {
    std::map<std::string, std::set<TaskId>> out;
    for (const std::string& id : members) out[id];
    const std::size_t floor = tasks.size() / members.size();
    std::size_t extras = tasks.size() % members.size();
    std::set<TaskId> rest = tasks;
    for (const std::string& id : members) {
      for (const TaskId& task : owned_tasks_[id]) {
        if (!rest.contains(task)) continue;
        const bool takes_extra = out[id].size() == floor && extras > 0;
        if (out[id].size() >= floor && !takes_extra) break;
        extras -= takes_extra ? 1 : 0;
        out[id].insert(task);
        rest.erase(task);
      }
    }
    for (const TaskId& task : rest) {
      auto least = std::ranges::min_element(out, {}, [](const auto& e) { return e.second.size(); });
      least->second.insert(task);
    }
    return out;
  }

  [[nodiscard]] bool isOwnedByAnother(const std::string& member, const TaskId& task) const {
    return std::ranges::any_of(inputs_.at(task), [&](const TopicPartition& partition) {
      const auto owner = owner_of_.find(partition);
      return owner != owner_of_.end() && owner->second != member;
    });
  }

  MemberPlan memberPlan(const std::string& member, const std::set<TaskId>& tasks,
                        std::int32_t version) {
    std::vector<std::pair<TopicPartition, TaskId>> pairs;
    for (const TaskId& task : tasks) {
      if (isOwnedByAnother(member, task)) continue;
      for (const TopicPartition& partition : inputs_.at(task)) pairs.emplace_back(partition, task);
    }
    std::ranges::sort(pairs);
    MemberPlan plan;
    plan.info.version = version;
    for (const auto& [partition, task] : pairs) {
      plan.partitions.push_back(partition);
      plan.info.active.push_back({task});
    }
    addHost(input_.members.at(member).info.user_end_point, plan.partitions);
    return plan;
  }

  void addHost(const std::string& end_point, const std::vector<TopicPartition>& partitions) {
    const auto colon = end_point.rfind(':');
    if (colon == std::string::npos) return;
    HostInfo host{end_point.substr(0, colon)};
    std::from_chars(end_point.data() + colon + 1, end_point.data() + end_point.size(), host.port);
    auto& list = hosts_[host];
    for (const TopicPartition& partition : partitions)
      list.emplace_back(partition.topic, partition.partition);
  }

  const GroupPlanInput& input_;
  std::map<TaskId, std::vector<TopicPartition>> inputs_;
  std::map<TopicPartition, TaskId> task_of_;
  std::map<Uuid, std::vector<std::string>> by_process_;
  std::map<std::string, std::set<TaskId>> owned_tasks_;
  std::map<TopicPartition, std::string> owner_of_;
  std::map<HostInfo, std::vector<TopicPartitionName>> hosts_;
};

}  // namespace

std::map<std::string, MemberPlan> planGroup(const GroupPlanInput& input) {
  return Planner(input).make();
}

std::map<std::string, MemberPlan> refuseGroup(const std::map<std::string, GroupMember>& members,
                                              AssignorError error) {
  std::map<std::string, MemberPlan> plans;
  for (const auto& [id, member] : members) {
    plans[id].info.version = member.info.version;
    plans[id].info.error_code = static_cast<std::int32_t>(error);
  }
  return plans;
}

}  // namespace millrace::streams
