#include "client/assignors/sticky.h"

#include "base/varint.h"
#include "client/assignors/members.h"

#include <algorithm>

namespace millrace::client {
namespace {

/// Big-endian reader for the user data; every read is checked.
class DataReader {
 public:
  explicit DataReader(BytesView bytes) : rest_(bytes) {}
  template <class T>
  bool read(T& out) {
    if (rest_.size() < sizeof(T)) return false;
    out = loadBe<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return true;
  }
  bool readText(std::string& out) {
    std::int16_t size = 0;
    if (!read(size) || size < 0 || rest_.size() < static_cast<std::size_t>(size)) return false;
    out = std::string(rest_.substr(0, static_cast<std::size_t>(size)));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return true;
  }
  [[nodiscard]] std::size_t left() const { return rest_.size(); }

 private:
  BytesView rest_;
};

template <class T>
void append(Bytes& out, T value) {
  char bytes[sizeof(T)];
  storeBe(bytes, value);
  out.append(bytes, sizeof(T));
}

bool readPartitions(DataReader& in, std::vector<TopicPartition>& out) {
  std::int32_t topics = 0;
  if (!in.read(topics) || topics < 0) return false;
  for (std::int32_t t = 0; t < topics; ++t) {
    std::string name;
    std::int32_t count = 0;
    if (!in.readText(name) || !in.read(count) || count < 0) return false;
    if (static_cast<std::size_t>(count) > in.left() / 4) return false;
    for (std::int32_t i = 0; i < count; ++i) {
      std::int32_t partition = 0;
      if (!in.read(partition)) return false;
      out.push_back(TopicPartition{name, partition});
    }
  }
  return true;
}

std::set<std::string> wantedTopics(const MemberSubscription& subscription) {
  return {subscription.topics.begin(), subscription.topics.end()};
}

bool allEqual(const GroupSubscriptions& group) {
  return std::all_of(group.begin(), group.end(), [&](const auto& member) {
    return wantedTopics(member.second) == wantedTopics(group.begin()->second);
  });
}

}  // namespace

Bytes encodeStickyUserData(const std::vector<TopicPartition>& partitions, std::int32_t generation) {
  std::map<std::string, std::vector<std::int32_t>> by_topic;
  for (const TopicPartition& tp : partitions) by_topic[tp.topic].push_back(tp.partition);
  Bytes out;
  append(out, static_cast<std::int32_t>(by_topic.size()));
  for (const auto& [topic, list] : by_topic) {
    append(out, static_cast<std::int16_t>(topic.size()));
    out += topic;
    append(out, static_cast<std::int32_t>(list.size()));
    for (const std::int32_t p : list) append(out, p);
  }
  append(out, generation);
  return out;
}

Result<PreviousShare> decodeStickyUserData(BytesView bytes) {
  PreviousShare out;
  DataReader in(bytes);
  if (!readPartitions(in, out.partitions)) {
    return fail(Errc::kMalformed, "user data of the sticky assignor");
  }
  std::int32_t generation = 0;
  if (in.read(generation)) out.generation = generation;
  return out;
}

Bytes encodeGeneration(std::int32_t generation) {
  Bytes out;
  append(out, generation);
  return out;
}

std::optional<std::int32_t> decodeGeneration(BytesView bytes) {
  DataReader in(bytes);
  std::int32_t generation = 0;
  return in.read(generation) ? std::optional(generation) : std::nullopt;
}

StickyRacks::StickyRacks(const AssignableTopics& topics, const GroupSubscriptions& group) {
  std::vector<std::string> members;
  std::map<std::string, std::size_t> members_of_rack;
  for (const auto& [member, subscription] : group) {
    members.push_back(member);
    if (subscription.rack && !subscription.rack->empty()) ++members_of_rack[*subscription.rack];
  }
  if (!racksMatter(topics, group, members)) return;
  for (const auto& [member, subscription] : group) {
    if (subscription.rack && !subscription.rack->empty()) {
      member_racks_[member] = *subscription.rack;
    }
  }
  for (const auto& [name, topic] : topics) {
    for (std::int32_t p = 0; p < topic.partitions; ++p) {
      const TopicPartition tp{name, p};
      auto& racks = partition_racks_[tp];
      const auto index = static_cast<std::size_t>(p);
      if (index < topic.racks.size()) {
        racks.insert(topic.racks[index].begin(), topic.racks[index].end());
      }
      for (const std::string& rack : racks) members_near_[tp] += members_of_rack[rack];
    }
  }
}

bool StickyRacks::mismatch(const std::string& member, const TopicPartition& tp) const {
  const auto rack = member_racks_.find(member);
  if (rack == member_racks_.end()) return false;
  const auto racks = partition_racks_.find(tp);
  return racks == partition_racks_.end() || !racks->second.contains(rack->second);
}

bool StickyRacks::match(const std::string& member, const TopicPartition& tp) const {
  return member_racks_.contains(member) && !mismatch(member, tp);
}

int StickyRacks::next(const TopicPartition& tp, const std::vector<std::string>& members,
                      std::size_t first) const {
  for (std::size_t i = 0; i < members.size(); ++i) {
    const std::size_t index = (first + i) % members.size();
    if (match(members[index], tp)) return static_cast<int>(index);
  }
  return -1;
}

void StickyRacks::sort(std::vector<TopicPartition>& partitions) const {
  if (members_near_.empty()) return;
  std::vector<std::pair<std::pair<std::size_t, std::size_t>, TopicPartition>> keyed;
  for (std::size_t i = 0; i < partitions.size(); ++i) {  // the position keeps the order stable
    const auto it = members_near_.find(partitions[i]);
    keyed.push_back({{it == members_near_.end() ? 0 : it->second, i}, partitions[i]});
  }
  std::sort(keyed.begin(), keyed.end());
  for (std::size_t i = 0; i < keyed.size(); ++i) partitions[i] = keyed[i].second;
}

StickyClaims settleClaims(const AssignableTopics& topics, const GroupSubscriptions& group,
                          const PreviousShares& previous) {
  StickyClaims out;
  std::map<TopicPartition, std::string> owner;
  const auto generationOf = [&](const std::string& member) {
    const auto it = previous.find(member);
    return it == previous.end() ? -1 : it->second.generation.value_or(-1);
  };
  const auto drop = [&](const std::string& member, const TopicPartition& tp) {
    auto& list = out.owned[member];
    const auto it = std::find(list.begin(), list.end(), tp);
    if (it != list.end()) list.erase(it);
  };
  for (const auto& [member, subscription] : group) {
    auto& mine = out.owned[member];
    const std::int32_t generation = generationOf(member);
    out.max_generation = std::max(out.max_generation, generation);
    const auto share = previous.find(member);
    if (share == previous.end()) continue;
    for (const TopicPartition& tp : share->second.partitions) {
      const auto topic = topics.find(tp.topic);
      if (topic == topics.end() || topic->second.partitions == 0) continue;
      const auto other = owner.find(tp);
      if (other == owner.end()) {
        mine.push_back(tp);
        owner[tp] = member;
        continue;
      }
      const std::int32_t others = generationOf(other->second);
      if (generation < others) continue;
      drop(other->second, tp);
      if (generation == others) {
        out.disputed.insert(tp);
      } else {
        mine.push_back(tp);
      }
      other->second = member;
    }
  }
  return out;
}

StickyResult assignSticky(const AssignableTopics& topics, const GroupSubscriptions& group,
                          const PreviousShares& previous) {
  // Topics that nobody wants or that do not exist have no place in the plan.
  AssignableTopics wanted;
  for (const auto& [member, subscription] : group) {
    for (const std::string& topic : subscription.topics) {
      const auto it = topics.find(topic);
      if (it != topics.end() && it->second.partitions > 0) wanted[topic] = it->second;
    }
  }
  const StickyRacks racks(wanted, group);
  const StickyClaims claims = settleClaims(wanted, group, previous);
  if (group.empty()) return {};
  if (allEqual(group)) return assignStickyEqual(wanted, racks, claims);
  StickyResult out;
  out.equal_subscriptions = false;
  out.assignment = assignStickyGeneral(wanted, group, racks, claims, previous);
  return out;
}

namespace {

/// Partitions that some member got and some other member still has.
std::map<TopicPartition, std::string> findTransfers(const GroupSubscriptions& group,
                                                    const MemberPartitions& assignment) {
  std::map<TopicPartition, std::string> added;
  std::set<TopicPartition> revoked;
  for (const auto& [member, list] : assignment) {
    const auto& owned = group.at(member).owned;
    const std::set<TopicPartition> before(owned.begin(), owned.end());
    const std::set<TopicPartition> after(list.begin(), list.end());
    for (const TopicPartition& tp : after) {
      if (!before.contains(tp)) added[tp] = member;
    }
    for (const TopicPartition& tp : before) {
      if (!after.contains(tp)) revoked.insert(tp);
    }
  }
  std::erase_if(added, [&](const auto& entry) { return !revoked.contains(entry.first); });
  return added;
}

}  // namespace

MemberPartitions assignCooperativeSticky(const AssignableTopics& topics,
                                         const GroupSubscriptions& group) {
  PreviousShares previous;
  for (const auto& [member, subscription] : group) {
    PreviousShare& share = previous[member];
    share.partitions = subscription.owned;
    if (subscription.generation >= 0) {
      share.generation = subscription.generation;
    } else if (subscription.user_data) {
      share.generation = decodeGeneration(*subscription.user_data);
    }
  }
  StickyResult plan = assignSticky(topics, group, previous);
  const auto transfers =
      plan.equal_subscriptions ? plan.transferring : findTransfers(group, plan.assignment);
  for (const auto& [tp, member] : transfers) std::erase(plan.assignment[member], tp);
  return std::move(plan.assignment);
}

MemberPartitions assignEagerSticky(const AssignableTopics& topics,
                                   const GroupSubscriptions& group) {
  PreviousShares previous;
  for (const auto& [member, subscription] : group) {
    PreviousShare& share = previous[member];
    if (!subscription.user_data) continue;
    auto decoded = decodeStickyUserData(*subscription.user_data);
    if (decoded) share = std::move(*decoded);  // Kafka, too, ignores user data that it cannot read
  }
  return std::move(assignSticky(topics, group, previous).assignment);
}

}  // namespace millrace::client
