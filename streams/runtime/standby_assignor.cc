#include "streams/runtime/assignor_state.h"

#include <algorithm>
#include <string>

namespace millrace::streams::detail {
namespace {

using Tag = std::pair<std::string, std::string>;

/// Spreads the copies of a task over values of the tags (Kafka's ClientTagAwareStandbyTaskAssignor,
/// KIP-708).
class TagSpread {
 public:
  TagSpread(ClientStates& states, const AssignmentConfigs& configs)
      : states_(states), configs_(configs) {
    for (const auto& [id, state] : states) {
      for (const auto& tag : state.input->tags) {
        values_[tag.first].insert(tag.second);
        clients_[tag].insert(id);
      }
    }
  }

  /// Places standbys on clients that share no tag value with a copy yet. Returns how many could not
  /// be.
  std::int32_t place(const TaskId& task, const Uuid& active_client, ClientQueue& queue) {
    queue.offerAll(states_);
    used_.clear();
    std::int32_t remaining = configs_.num_standby_replicas;
    std::size_t used_clients = 1;
    Uuid last = active_client;
    while (remaining > 0) {
      markUsed(last, used_clients);
      const auto next = queue.poll(task, [this](const Uuid& id) { return !isUsed(id); });
      if (!next) break;
      states_[*next].standby.insert(task);
      last = *next;
      ++used_clients;
      --remaining;
    }
    return remaining;
  }

 private:
  void markUsed(const Uuid& client, std::size_t used_clients) {
    for (const auto& tag : states_[client].input->tags) {
      const auto& spread = configs_.rack_aware_assignment_tags;
      if (std::ranges::find(spread, tag.first) == spread.end()) continue;
      const auto& values = values_[tag.first];
      if (values.size() > used_clients) {
        used_.insert(tag);
        continue;
      }
      // Every value of this tag is taken at least once: it no longer restricts the choice.
      for (const std::string& value : values) used_.erase(Tag(tag.first, value));
    }
  }
  [[nodiscard]] bool isUsed(const Uuid& client) const {
    return std::ranges::any_of(used_,
                               [&](const Tag& tag) { return clients_.at(tag).contains(client); });
  }

  ClientStates& states_;
  const AssignmentConfigs& configs_;
  std::map<std::string, std::set<std::string>> values_;
  std::map<Tag, std::set<Uuid>> clients_;
  std::set<Tag> used_;
};

void placeByLoad(ClientStates& states, const TaskId& task, std::int32_t remaining,
                 ClientQueue& queue) {
  for (; remaining > 0; --remaining) {
    const auto client = queue.poll(task);
    if (!client) return;
    states[*client].standby.insert(task);
    queue.offer(*client);
  }
}

}  // namespace

void assignStandbys(ClientStates& states, const std::vector<TaskId>& stateful,
                    const AssignmentConfigs& configs) {
  ClientQueue queue([&](const Uuid& id, const TaskId& task) { return !states[id].has(task); },
                    [&](const Uuid& id) { return states[id].load(); });
  std::map<TaskId, std::int32_t> remaining;
  for (const TaskId& task : stateful) remaining[task] = configs.num_standby_replicas;
  if (!configs.rack_aware_assignment_tags.empty() && configs.num_standby_replicas > 0) {
    TagSpread spread(states, configs);
    for (const TaskId& task : stateful) {
      const auto owner = std::ranges::find_if(
          states, [&](const auto& e) { return e.second.active.contains(task); });
      if (owner != states.end()) remaining[task] = spread.place(task, owner->first, queue);
    }
  }
  queue.offerAll(states);
  for (const auto& [task, count] : remaining) placeByLoad(states, task, count, queue);
}

bool mayMoveStandby(const ClientStates& states, const Uuid& source, const Uuid& destination,
                    const TaskId& task, const AssignmentConfigs& configs) {
  if (configs.rack_aware_assignment_tags.empty()) return true;
  std::set<Tag> with_source;
  std::set<Tag> with_destination;
  for (const auto& [id, state] : states) {
    const bool other_copy = state.has(task) && id != source && id != destination;
    if (other_copy || id == source)
      with_source.insert(state.input->tags.begin(), state.input->tags.end());
    if (other_copy || id == destination)
      with_destination.insert(state.input->tags.begin(), state.input->tags.end());
  }
  return with_destination.size() >= with_source.size();
}

}  // namespace millrace::streams::detail
