// What the two task assignors share: a client under construction and the queue of clients by load.
#pragma once

#include "streams/runtime/task_assignor.h"
#include "streams/runtime/user_data.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace millrace::streams::detail {

/// A process while its plan grows (Kafka's ClientState).
struct ClientState {
  const ClientInput* input = nullptr;
  std::set<TaskId> active;
  std::set<TaskId> standby;

  [[nodiscard]] std::size_t count() const { return active.size() + standby.size(); }
  [[nodiscard]] double capacity() const { return static_cast<double>(input->threads); }
  [[nodiscard]] double load() const { return static_cast<double>(count()) / capacity(); }
  [[nodiscard]] double activeLoad() const {
    return static_cast<double>(active.size()) / capacity();
  }
  [[nodiscard]] bool has(const TaskId& task) const {
    return active.contains(task) || standby.contains(task);
  }
  [[nodiscard]] std::int64_t lag(const TaskId& task) const {
    const auto found = input->lags.find(task);
    return found == input->lags.end() ? 0 : found->second;
  }
};

using ClientStates = std::map<Uuid, ClientState>;

[[nodiscard]] inline ClientStates makeStates(const AssignorInput& input) {
  ClientStates states;
  for (const auto& [id, client] : input.clients) states[id].input = &client;
  return states;
}

[[nodiscard]] inline AssignmentPlan takePlan(ClientStates& states, bool followup) {
  AssignmentPlan plan;
  plan.followup = followup;
  for (auto& [id, state] : states)
    plan.clients[id] = {std::move(state.active), std::move(state.standby)};
  return plan;
}

/// Clients by weight, then id, under a constraint per task (Kafka's ConstrainedPrioritySet).
/// Weights are read when asked: a client whose weight changed must be offered again.
class ClientQueue {
 public:
  using Weight = std::function<double(const Uuid&)>;
  using Constraint = std::function<bool(const Uuid&, const TaskId&)>;

  ClientQueue(Constraint constraint, Weight weight)
      : constraint_(std::move(constraint)), weight_(std::move(weight)) {}

  void offer(const Uuid& client) { clients_.insert(client); }
  void offerAll(const ClientStates& states) {
    for (const auto& [id, state] : states) offer(id);
  }
  /// Takes the lightest client that may have the task and passes `also`.
  std::optional<Uuid> poll(const TaskId& task, const std::function<bool(const Uuid&)>& also = {}) {
    std::optional<Uuid> best;
    double best_weight = 0;
    for (const Uuid& id : clients_) {
      if (!constraint_(id, task) || (also && !also(id))) continue;
      const double weight = weight_(id);
      if (best && weight >= best_weight) continue;
      best = id;
      best_weight = weight;
    }
    if (best) clients_.erase(*best);
    return best;
  }

 private:
  Constraint constraint_;
  Weight weight_;
  std::set<Uuid> clients_;
};

/// Standby tasks for every stateful task that `states` runs actively: spread over tag values where
/// tags are configured, else by load.
void assignStandbys(ClientStates& states, const std::vector<TaskId>& stateful,
                    const AssignmentConfigs& configs);
/// Whether moving a standby between two clients keeps its copies on as many tag values as before.
[[nodiscard]] bool mayMoveStandby(const ClientStates& states, const Uuid& source,
                                  const Uuid& destination, const TaskId& task,
                                  const AssignmentConfigs& configs);

}  // namespace millrace::streams::detail
