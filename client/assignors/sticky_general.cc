// The plan where members subscribe to different topics (Kafka's GeneralAssignmentBuilder): keep
// what is valid, hand out the rest to whoever has least, then move partitions one by one while that
// improves the balance.
#include "client/assignors/sticky.h"

#include <algorithm>

namespace millrace::client {
namespace {

/// Partitions of one topic in the order in which a java.util.HashSet walks them. Kafka's assignor
/// takes "any" moved partition back, which is the first in this order: group members of both kinds
/// must come to the same plan.
class HashOrderedPartitions {
 public:
  [[nodiscard]] bool empty() const { return members_.empty(); }
  void insert(const TopicPartition& tp) {
    members_.push_back(tp);
    if (members_.size() * 4 > buckets_ * 3) buckets_ *= 2;
  }
  void erase(const TopicPartition& tp) { std::erase(members_, tp); }
  [[nodiscard]] const TopicPartition& first() const {
    return *std::min_element(
        members_.begin(), members_.end(),
        [this](const TopicPartition& a, const TopicPartition& b) { return bucket(a) < bucket(b); });
  }

 private:
  [[nodiscard]] std::uint32_t bucket(const TopicPartition& tp) const {
    std::uint32_t name = 0;
    for (const char c : tp.topic) name = 31 * name + static_cast<unsigned char>(c);
    const std::uint32_t hash = 31 * (31 + static_cast<std::uint32_t>(tp.partition)) + name;
    return (hash ^ (hash >> 16U)) & (buckets_ - 1);
  }

  std::vector<TopicPartition> members_;  // oldest first, which breaks ties within a bucket
  std::uint32_t buckets_ = 16;
};

/// Moves of one run. A move that would undo an earlier one of the same topic is replaced by moving
/// that one back.
class Movements {
 public:
  TopicPartition actual(const TopicPartition& tp, std::string from, const std::string& to) const {
    const auto topic = by_pair_.find(tp.topic);
    if (topic == by_pair_.end()) return tp;
    if (const auto moved = moves_.find(tp); moved != moves_.end()) from = moved->second.first;
    const auto reverse = topic->second.find({to, from});
    return reverse == topic->second.end() ? tp : reverse->second.first();
  }
  void record(const TopicPartition& tp, const std::string& from, const std::string& to) {
    std::string origin = from;
    if (const auto moved = moves_.find(tp); moved != moves_.end()) {
      origin = moved->second.first;
      auto& pairs = by_pair_[tp.topic];
      auto& set = pairs[moved->second];
      set.erase(tp);
      if (set.empty()) pairs.erase(moved->second);
      if (pairs.empty()) by_pair_.erase(tp.topic);
      moves_.erase(moved);
      if (origin == to) return;  // back home
    }
    moves_[tp] = {origin, to};
    by_pair_[tp.topic][{origin, to}].insert(tp);
  }

 private:
  using Pair = std::pair<std::string, std::string>;
  std::map<TopicPartition, Pair> moves_;
  std::map<std::string, std::map<Pair, HashOrderedPartitions>> by_pair_;
};

class GeneralPlan {
 public:
  GeneralPlan(const AssignableTopics& topics, const GroupSubscriptions& group,
              const StickyRacks& racks, const StickyClaims& claims, const PreviousShares& previous)
      : topics_(topics), racks_(racks), current_(claims.owned) {
    for (const auto& [name, topic] : topics) takers_[name];
    for (const auto& [member, subscription] : group) {
      auto& mine = wants_[member];
      for (const std::string& topic : subscription.topics) {
        if (topics.contains(topic)) mine.insert(topic);
      }
      for (const std::string& topic : mine) takers_[topic].push_back(member);
    }
    for (const auto& [member, list] : current_) {
      for (const TopicPartition& tp : list) owner_[tp] = member;
    }
    listPartitions();
    findOlderOwners(group, claims, previous);
  }

  MemberPartitions build() {
    const std::set<TopicPartition> kept = keepValid();
    std::vector<TopicPartition> unassigned;
    for (const TopicPartition& tp : all_) {
      if (!kept.contains(tp)) unassigned.push_back(tp);
    }
    for (const auto& [member, list] : current_) order_.insert({list.size(), member});
    balance(unassigned);
    return std::move(current_);
  }

 private:
  using Order = std::set<std::pair<std::size_t, std::string>>;

  void listPartitions() {
    std::vector<std::pair<std::size_t, std::string>> names;
    for (const auto& [name, members] : takers_) names.emplace_back(members.size(), name);
    std::sort(names.begin(), names.end());
    for (const auto& [count, name] : names) {
      for (std::int32_t p = 0; p < topics_.at(name).partitions; ++p) {
        all_.push_back(TopicPartition{name, p});
      }
    }
  }

  /// Owners of generations before the newest one: a partition rather goes back there.
  void findOlderOwners(const GroupSubscriptions& group, const StickyClaims& claims,
                       const PreviousShares& previous) {
    for (const auto& [member, subscription] : group) {
      const auto it = previous.find(member);
      if (it == previous.end()) continue;
      const std::int32_t generation = it->second.generation.value_or(-1);
      if (generation >= claims.max_generation) continue;
      for (const TopicPartition& tp : it->second.partitions) {
        const auto known = older_.find(tp);
        if (known == older_.end() || generation > known->second.second) {
          older_[tp] = {member, generation};
        }
      }
    }
  }

  std::set<TopicPartition> keepValid() {
    std::set<TopicPartition> kept;
    for (auto& [member, list] : current_) {
      std::vector<TopicPartition> mine;
      for (const TopicPartition& tp : list) {
        if (!takers_.contains(tp.topic)) {
          owner_.erase(tp);
        } else if (!wants_[member].contains(tp.topic) || racks_.mismatch(member, tp)) {
          revocation_required_ = true;
        } else {
          mine.push_back(tp);
          kept.insert(tp);
        }
      }
      list = std::move(mine);
    }
    return kept;
  }

  void balance(std::vector<TopicPartition> unassigned) {
    const bool initializing = current_[order_.rbegin()->second].empty();
    placeAll(unassigned);

    const auto fixed = [this](const TopicPartition& tp) { return takers_[tp.topic].size() < 2; };
    std::erase_if(all_, fixed);
    std::erase_if(unassigned, fixed);
    MemberPartitions fixed_members;
    for (const auto& [member, wanted] : wants_) {
      if (canTakePart(member)) continue;
      order_.erase({current_[member].size(), member});
      fixed_members.insert(current_.extract(member));
    }
    const MemberPartitions before = current_;
    const auto owner_before = owner_;
    if (!revocation_required_) reassign(unassigned);
    const bool moved = reassign(all_);
    if (!initializing && moved && score(current_) >= score(before)) {
      current_ = before;
      owner_ = owner_before;
    }
    current_.merge(fixed_members);
  }

  void placeAll(std::vector<TopicPartition> unassigned) {
    if (racks_.active()) {
      std::erase_if(unassigned, [this](const TopicPartition& tp) { return place(tp, true); });
    }
    for (const TopicPartition& tp : unassigned) place(tp, false);
  }

  /// Gives a partition to the member with the least that may have it.
  bool place(const TopicPartition& tp, bool same_rack) {
    for (const auto& [size, member] : order_) {
      if (!wants_[member].contains(tp.topic)) continue;
      if (same_rack && racks_.mismatch(member, tp)) continue;
      const std::string chosen = member;
      order_.erase({size, chosen});
      current_[chosen].push_back(tp);
      owner_[tp] = chosen;
      order_.insert({current_[chosen].size(), chosen});
      return true;
    }
    return false;
  }

  [[nodiscard]] std::size_t most(const std::string& member) const {
    std::size_t sum = 0;
    for (const std::string& topic : wants_.at(member)) {
      sum += static_cast<std::size_t>(topics_.at(topic).partitions);
    }
    return sum;
  }

  [[nodiscard]] bool canTakePart(const std::string& member) const {
    const auto& mine = current_.at(member);
    if (mine.size() < most(member)) return true;
    return std::any_of(mine.begin(), mine.end(), [this](const TopicPartition& tp) {
      return takers_.at(tp.topic).size() >= 2;
    });
  }

  [[nodiscard]] bool isBalanced() const {
    if (order_.empty() || order_.begin()->first + 1 >= order_.rbegin()->first) return true;
    for (const auto& [count, member] : order_) {
      if (count == most(member)) continue;
      for (const std::string& topic : wants_.at(member)) {
        for (std::int32_t p = 0; p < topics_.at(topic).partitions; ++p) {
          const auto other = owner_.find(TopicPartition{topic, p});
          if (other == owner_.end() || other->second == member) continue;
          const auto theirs = current_.find(other->second);
          if (theirs != current_.end() && count + 1 < theirs->second.size()) return false;
        }
      }
    }
    return true;
  }

  bool reassign(const std::vector<TopicPartition>& candidates) {
    bool moved_any = false;
    bool moved = true;
    while (moved) {
      moved = false;
      for (const TopicPartition& tp : candidates) {
        if (isBalanced()) break;
        if (improve(tp)) moved = true;
      }
      moved_any = moved_any || moved;
    }
    return moved_any;
  }

  /// Moves one partition where another member has at least two fewer.
  bool improve(const TopicPartition& tp) {
    const auto found = owner_.find(tp);
    if (found == owner_.end() || !current_.contains(found->second)) return false;
    const std::string member = found->second;
    const std::size_t mine = current_[member].size();
    const auto smaller = [&](const std::string& other) {
      const auto it = current_.find(other);
      return it != current_.end() && mine > it->second.size() + 1;
    };
    if (const auto old = older_.find(tp); old != older_.end() && smaller(old->second.first)) {
      move(tp, old->second.first);
      return true;
    }
    const auto& others = takers_[tp.topic];
    if (std::none_of(others.begin(), others.end(), smaller)) return false;
    moveToLeast(tp);
    return true;
  }

  void moveToLeast(const TopicPartition& tp) {
    for (const auto& [size, member] : order_) {
      if (!wants_[member].contains(tp.topic)) continue;
      const std::string chosen = member;
      return move(tp, chosen);
    }
  }

  void move(const TopicPartition& wanted, const std::string& to) {
    const TopicPartition tp = movements_.actual(wanted, owner_[wanted], to);
    const std::string from = owner_[tp];
    if (from == to) return;
    order_.erase({current_[from].size(), from});
    order_.erase({current_[to].size(), to});
    movements_.record(tp, from, to);
    std::erase(current_[from], tp);
    current_[to].push_back(tp);
    owner_[tp] = to;
    order_.insert({current_[from].size(), from});
    order_.insert({current_[to].size(), to});
  }

  /// Sum of the differences in size of all pairs: 0 is perfect.
  [[nodiscard]] static std::size_t score(const MemberPartitions& assignment) {
    std::size_t sum = 0;
    for (auto a = assignment.begin(); a != assignment.end(); ++a) {
      for (auto b = std::next(a); b != assignment.end(); ++b) {
        const std::size_t x = a->second.size();
        const std::size_t y = b->second.size();
        sum += x > y ? x - y : y - x;
      }
    }
    return sum;
  }

  const AssignableTopics& topics_;
  const StickyRacks& racks_;
  MemberPartitions current_;
  std::map<TopicPartition, std::string> owner_;
  std::map<std::string, std::set<std::string>> wants_;
  std::map<std::string, std::vector<std::string>> takers_;
  std::map<TopicPartition, std::pair<std::string, std::int32_t>> older_;
  std::vector<TopicPartition> all_;  // topics with few takers first
  Order order_;                      // members by size, then name
  Movements movements_;
  bool revocation_required_ = false;
};

}  // namespace

MemberPartitions assignStickyGeneral(const AssignableTopics& topics,
                                     const GroupSubscriptions& group, const StickyRacks& racks,
                                     const StickyClaims& claims, const PreviousShares& previous) {
  return GeneralPlan(topics, group, racks, claims, previous).build();
}

}  // namespace millrace::client
