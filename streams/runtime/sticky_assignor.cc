// Kafka's StickyTaskAssignor: previous owners first, within a quota per thread, then the least
// loaded.
#include "base/assert.h"
#include "streams/runtime/assignor_state.h"

#include <algorithm>

namespace millrace::streams {
namespace {

using detail::ClientState;
using detail::ClientStates;

/// Pairs of tasks that run on one client already. A new pair is preferred, so that the tasks of a
/// subtopology with much data do not meet on the same client again and again.
class TaskPairs {
 public:
  explicit TaskPairs(std::size_t tasks) : max_pairs_(tasks * (tasks - (tasks > 0 ? 1 : 0)) / 2) {}

  [[nodiscard]] bool hasNewPair(const TaskId& task, const ClientState& client) const {
    if (pairs_.size() == max_pairs_) return false;
    if (client.count() == 0) return true;
    const auto is_new = [&](const TaskId& other) {
      return !pairs_.contains(std::minmax(task, other));
    };
    return std::ranges::any_of(client.active, is_new) ||
           std::ranges::any_of(client.standby, is_new);
  }
  void add(const TaskId& task, const ClientState& client) {
    for (const auto* tasks : {&client.active, &client.standby}) {
      for (const TaskId& other : *tasks) {
        if (other != task) pairs_.insert(std::minmax(task, other));
      }
    }
  }

 private:
  std::size_t max_pairs_;
  std::set<std::pair<TaskId, TaskId>> pairs_;
};

class Plan {
 public:
  explicit Plan(const AssignorInput& input)
      : input_(input), states_(detail::makeStates(input)), pairs_(input.tasks.size()) {}

  AssignmentPlan make() {
    assignActive();
    assignStandby();
    return detail::takePlan(states_, false);
  }

 private:
  using TaskSet = std::set<TaskId> ClientState::*;

  void give(const TaskId& task, ClientState& client, TaskSet tasks) {
    pairs_.add(task, client);
    (client.*tasks).insert(task);
  }

  void assignActive() {
    std::size_t capacity = 0;
    for (const auto& [id, state] : states_)
      capacity += static_cast<std::size_t>(state.input->threads);
    MILLRACE_ASSERT(capacity > 0, "a group has at least one thread");
    const std::size_t quota = input_.tasks.size() / capacity;
    std::set<TaskId> unassigned;
    for (const auto& [task, stateful] : input_.tasks) unassigned.insert(task);
    for (const auto previous : {&ClientInput::prev_active, &ClientInput::prev_standby}) {
      for (auto task = unassigned.begin(); task != unassigned.end();) {
        task = giveBack(*task, previous, quota) ? unassigned.erase(task) : std::next(task);
      }
    }
    for (const TaskId& task : unassigned) give(task, *choose(task, false), &ClientState::active);
  }

  bool giveBack(const TaskId& task, std::set<TaskId> ClientInput::* previous, std::size_t quota) {
    for (auto& [id, state] : states_) {
      if (!(state.input->*previous).contains(task)) continue;
      if (state.active.size() >= quota * static_cast<std::size_t>(state.input->threads)) continue;
      give(task, state, &ClientState::active);
      return true;
    }
    return false;
  }

  void assignStandby() {
    for (const auto& [task, stateful] : input_.tasks) {
      for (std::int32_t i = 0; stateful && i < input_.configs.num_standby_replicas; ++i) {
        ClientState* const client = choose(task, true);
        if (client == nullptr) break;
        give(task, *client, &ClientState::standby);
      }
    }
  }

  /// The client for a task: where it was, unless that one is full and another has more room.
  /// Standbys never lie where the task is already; nullptr where no client is left.
  ClientState* choose(const TaskId& task, bool standby) {
    std::vector<ClientState*> candidates;
    for (auto& [id, state] : states_) {
      if (!standby || !state.has(task)) candidates.push_back(&state);
    }
    if (candidates.size() <= 1) return candidates.empty() ? nullptr : candidates.front();
    const auto with = [&](std::set<TaskId> ClientInput::* previous) -> ClientState* {
      ClientState* best = nullptr;
      for (ClientState* client : candidates) {
        if (!(client->input->*previous).contains(task)) continue;
        if (best == nullptr || hasMoreRoom(*client, *best)) best = client;
      }
      return best;
    };
    for (const auto previous : {&ClientInput::prev_active, &ClientInput::prev_standby}) {
      ClientState* const client = with(previous);
      if (client != nullptr && !shouldBalance(*client)) return client;
    }
    ClientState* const fresh = leastLoaded(task, candidates, true);
    return fresh != nullptr ? fresh : leastLoaded(task, candidates, false);
  }

  [[nodiscard]] static bool hasMoreRoom(const ClientState& a, const ClientState& b) {
    if (a.load() != b.load()) return a.load() < b.load();
    return a.input->threads > b.input->threads;
  }
  [[nodiscard]] bool shouldBalance(const ClientState& client) const {
    if (client.count() < static_cast<std::size_t>(client.input->threads)) return false;
    return std::ranges::any_of(states_,
                               [&](const auto& e) { return e.second.load() < client.load(); });
  }
  ClientState* leastLoaded(const TaskId& task, const std::vector<ClientState*>& candidates,
                           bool new_pair) {
    ClientState* best = nullptr;
    for (ClientState* client : candidates) {
      if (client->count() == 0) return client;
      if (best != nullptr && !hasMoreRoom(*client, *best)) continue;
      if (!new_pair || pairs_.hasNewPair(task, *client)) best = client;
    }
    return best;
  }

  const AssignorInput& input_;
  ClientStates states_;
  TaskPairs pairs_;
};

}  // namespace

AssignmentPlan assignSticky(const AssignorInput& input) { return Plan(input).make(); }

}  // namespace millrace::streams
