// KIP-441, as Kafka's HighAvailabilityTaskAssignor and TaskMovement decide.
#include "base/assert.h"
#include "streams/runtime/assignor_state.h"

#include <algorithm>

namespace millrace::streams {
namespace {

using detail::ClientQueue;
using detail::ClientState;
using detail::ClientStates;

using TaskSet = std::set<TaskId> ClientState::*;

/// Whether one task less at the source and one more at the destination makes the two more equal.
bool moveEvensLoad(const ClientState& source, const ClientState& destination) {
  const double skew = source.load() - destination.load();
  if (skew <= 0) return false;
  const double after = (static_cast<double>(source.count()) - 1.0) / source.capacity() -
                       (static_cast<double>(destination.count()) + 1.0) / destination.capacity();
  return after >= 0 && after < skew;
}

/// Moves tasks between every pair of clients until no move evens the load per thread.
template <class MayMove>
void balanceOverThreads(ClientStates& states, TaskSet tasks, const MayMove& may_move) {
  bool moved = true;
  while (moved) {
    moved = false;
    for (auto& [source_id, source] : states) {
      for (auto& [destination_id, destination] : states) {
        const std::set<TaskId> candidates = source.*tasks;
        for (auto task = candidates.begin();
             task != candidates.end() && moveEvensLoad(source, destination); ++task) {
          if (destination.has(*task) || !may_move(source_id, destination_id, *task)) continue;
          (source.*tasks).erase(*task);
          (destination.*tasks).insert(*task);
          moved = true;
        }
      }
    }
  }
}

/// A task that stands at a client which is not caught up, while another one is.
struct Movement {
  TaskId task;
  Uuid destination;  ///< where the balanced plan wants it
  std::size_t caught_up_clients = 0;
};

/// The order in which Java's PriorityQueue yields movements: equal ones (same count and task) come
/// as its binary heap happens to hold them, and the outcome depends on it.
std::vector<Movement> inHeapOrder(std::vector<Movement> heap) {
  const auto before = [](const Movement& a, const Movement& b) {
    return std::tie(a.caught_up_clients, a.task) < std::tie(b.caught_up_clients, b.task);
  };
  for (std::size_t last = 1; last < heap.size(); ++last) {
    for (std::size_t i = last; i > 0 && before(heap[i], heap[(i - 1) / 2]); i = (i - 1) / 2) {
      std::swap(heap[i], heap[(i - 1) / 2]);
    }
  }
  std::vector<Movement> order;
  while (!heap.empty()) {
    order.push_back(heap.front());
    heap.front() = heap.back();
    heap.pop_back();
    for (std::size_t i = 0; 2 * i + 1 < heap.size();) {
      std::size_t child = 2 * i + 1;
      if (child + 1 < heap.size() && before(heap[child + 1], heap[child])) ++child;
      if (!before(heap[child], heap[i])) break;
      std::swap(heap[i], heap[child]);
      i = child;
    }
  }
  return order;
}

class Plan {
 public:
  explicit Plan(const AssignorInput& input)
      : input_(input),
        states_(detail::makeStates(input)),
        remaining_warmups_(input.configs.max_warmup_replicas) {
    for (const auto& [task, is_stateful] : input.tasks)
      (is_stateful ? stateful_ : stateless_).push_back(task);
    for (const TaskId& task : stateful_) rankByLag(task);
  }

  AssignmentPlan make() {
    assignStateful();
    assignStandbyReplicas();
    const bool active_moves = moveActives();
    const bool standby_moves = moveStandbys();
    assignStateless();
    return detail::takePlan(states_, active_moves || standby_moves);
  }

 private:
  void rankByLag(const TaskId& task) {
    auto& ranking = by_lag_[task];
    for (const auto& [id, state] : states_) {
      const auto lag = state.lag(task);
      ranking.push_back(id);
      const auto acceptable = input_.configs.acceptable_recovery_lag;
      const bool caught_up =
          lag == kLatestOffset || acceptable == INT64_MAX || (lag >= 0 && lag <= acceptable);
      if (caught_up) caught_up_[task].insert(id);
    }
    std::ranges::sort(ranking, {},
                      [&](const Uuid& id) { return std::pair(states_[id].lag(task), id); });
  }

  void assignStateful() {
    auto client = states_.begin();
    for (const TaskId& task : stateful_) {
      if (client == states_.end()) client = states_.begin();
      client->second.active.insert(task);
      ++client;
    }
    balanceOverThreads(states_, &ClientState::active, [](auto&&...) { return true; });
  }

  void assignStandbyReplicas() {
    if (input_.configs.num_standby_replicas == 0) return;
    detail::assignStandbys(states_, stateful_, input_.configs);
    balanceOverThreads(states_, &ClientState::standby,
                       [&](const Uuid& from, const Uuid& to, const TaskId& task) {
                         return detail::mayMoveStandby(states_, from, to, task, input_.configs);
                       });
  }

  void assignStateless() {
    ClientQueue queue([](const Uuid&, const TaskId&) { return true; },
                      [&](const Uuid& id) { return states_[id].activeLoad(); });
    queue.offerAll(states_);
    for (const TaskId& task : stateless_) {
      const auto client = queue.poll(task);
      MILLRACE_ASSERT(client.has_value(), "a group has at least one client");
      states_[*client].active.insert(task);
      queue.offer(*client);
    }
  }

  [[nodiscard]] bool isCaughtUp(const TaskId& task, const Uuid& client) const {
    const auto found = caught_up_.find(task);
    return found != caught_up_.end() && found->second.contains(client);
  }
  [[nodiscard]] bool othersAreMoreCaughtUp(const TaskId& task, const Uuid& client) {
    if (isCaughtUp(task, client)) return false;
    return states_[by_lag_[task].front()].lag(task) < states_[client].lag(task);
  }

  /// Movements in Kafka's order: fewest caught-up clients first, then by task.
  template <class Skip>
  std::vector<Movement> movements(TaskSet tasks, const Skip& skip) {
    std::vector<Movement> result;
    for (const auto& [id, state] : states_) {
      for (const TaskId& task : state.*tasks) {
        if (skip(id, task) || !othersAreMoreCaughtUp(task, id)) continue;
        const auto caught_up = caught_up_.find(task);
        result.push_back({task, id, caught_up == caught_up_.end() ? 0 : caught_up->second.size()});
      }
    }
    return inHeapOrder(std::move(result));
  }

  ClientQueue caughtUpQueue() {
    ClientQueue queue([this](const Uuid& id, const TaskId& task) { return isCaughtUp(task, id); },
                      [this](const Uuid& id) { return states_[id].load(); });
    queue.offerAll(states_);
    return queue;
  }

  /// The client with the least lag other than `destination` that passes `eligible`.
  template <class Eligible>
  std::optional<Uuid> mostCaughtUp(const TaskId& task, const Uuid& destination,
                                   const Eligible& eligible) {
    for (const Uuid& id : by_lag_[task]) {
      if (id == destination) break;
      if (eligible(id)) return id;
    }
    return std::nullopt;
  }

  void swapStandbyAndActive(const TaskId& task, ClientState& source, ClientState& destination) {
    source.standby.erase(task);
    source.active.insert(task);
    destination.active.erase(task);
    destination.standby.insert(task);
  }
  void runAtAndWarmUp(const TaskId& task, ClientState& source, const Uuid& destination) {
    source.active.insert(task);
    states_[destination].active.erase(task);
    if (remaining_warmups_-- <= 0) return;
    states_[destination].standby.insert(task);
    warmups_[destination].insert(task);
  }

  bool moveActives() {
    const auto moves = movements(&ClientState::active, [](auto&&...) { return false; });
    ClientQueue queue = caughtUpQueue();
    for (const Movement& move : moves) {
      const TaskId& task = move.task;
      ClientState& destination = states_[move.destination];
      auto client =
          queue.poll(task, [&](const Uuid& id) { return states_[id].standby.contains(task); });
      const bool from_standby = client.has_value();
      if (!client) client = queue.poll(task);
      if (!client) client = mostCaughtUp(task, move.destination, [](const Uuid&) { return true; });
      MILLRACE_ASSERT(client.has_value(), "a more caught-up client exists for every movement");
      ClientState& source = states_[*client];
      if (from_standby || source.standby.contains(task))
        swapStandbyAndActive(task, source, destination);
      else
        runAtAndWarmUp(task, source, move.destination);
      queue.offer(*client);
      queue.offer(move.destination);
    }
    return !moves.empty();
  }

  bool moveStandbys() {
    const auto moves = movements(&ClientState::standby, [this](const Uuid& id, const TaskId& task) {
      const auto found = warmups_.find(id);
      return found != warmups_.end() && found->second.contains(task);
    });
    ClientQueue queue = caughtUpQueue();
    bool moved = false;
    for (const Movement& move : moves) {
      const TaskId& task = move.task;
      const auto is_free = [&](const Uuid& id) { return !states_[id].has(task); };
      auto client = queue.poll(task, is_free);
      if (!client) client = mostCaughtUp(task, move.destination, is_free);
      if (!client) continue;  // every better client has a copy already
      states_[*client].standby.insert(task);
      if (remaining_warmups_-- <= 0) states_[move.destination].standby.erase(task);
      queue.offer(*client);
      queue.offer(move.destination);
      moved = true;
    }
    return moved;
  }

  const AssignorInput& input_;
  ClientStates states_;
  std::vector<TaskId> stateful_;
  std::vector<TaskId> stateless_;
  std::map<TaskId, std::vector<Uuid>> by_lag_;
  std::map<TaskId, std::set<Uuid>> caught_up_;
  std::map<Uuid, std::set<TaskId>> warmups_;
  std::int32_t remaining_warmups_;
};

}  // namespace

AssignmentPlan assignHighlyAvailable(const AssignorInput& input) {
  MILLRACE_ASSERT(!input.clients.empty(), "a group has at least one client");
  return Plan(input).make();
}

}  // namespace millrace::streams
