// Kafka's RangeAssignor: every topic by itself is cut into consecutive ranges over its subscribers
// in order of instance id, then member id. With racks (KIP-881), members first get partitions that
// have a replica in their rack.
#include "client/assignors/assignors.h"
#include "client/assignors/members.h"

#include <algorithm>
#include <set>

namespace millrace::client {
namespace {

class TopicRanges {
 public:
  TopicRanges(const std::string& topic, const AssignableTopic& info,
              const std::vector<std::string>& members, const GroupSubscriptions& group)
      : topic_(topic), info_(info), members_(members), group_(group) {
    for (std::int32_t p = 0; p < info.partitions; ++p) unassigned_.insert(p);
    if (members.empty()) return;
    const auto count = static_cast<std::int32_t>(members.size());
    quota_ = info.partitions / count;
    extras_ = info.partitions % count;
    needs_racks_ = racksMatter({{topic, info}}, group, members);
  }

  [[nodiscard]] bool needsRacks() const { return needs_racks_; }
  [[nodiscard]] const std::vector<std::string>& members() const { return members_; }
  [[nodiscard]] std::int32_t partitions() const { return info_.partitions; }
  [[nodiscard]] std::int32_t room(const std::string& member) const {
    const auto it = taken_.find(member);
    const std::int32_t taken = it == taken_.end() ? 0 : it->second;
    return std::max(quota_ + (extras_ > 0 ? 1 : 0) - taken, 0);
  }
  [[nodiscard]] bool racksMatch(const std::string& member, std::int32_t partition) const {
    const auto& rack = group_.at(member).rack;
    if (!rack || rack->empty()) return true;
    const auto index = static_cast<std::size_t>(partition);
    if (index >= info_.racks.size()) return false;
    const auto& racks = info_.racks[index];
    return std::find(racks.begin(), racks.end(), *rack) != racks.end();
  }
  void take(const std::string& member, const std::vector<std::int32_t>& partitions,
            MemberPartitions& out) {
    for (const std::int32_t p : partitions) {
      out[member].push_back(TopicPartition{topic_, p});
      unassigned_.erase(p);
    }
    std::int32_t& taken = taken_[member];
    taken += static_cast<std::int32_t>(partitions.size());
    if (taken > quota_) --extras_;
  }
  void assign(bool match_racks, MemberPartitions& out) {
    for (const std::string& member : members_) {
      if (unassigned_.empty()) return;
      std::vector<std::int32_t> range;
      const std::int32_t limit = room(member);
      for (const std::int32_t p : unassigned_) {
        if (static_cast<std::int32_t>(range.size()) >= limit) break;
        if (!match_racks || racksMatch(member, p)) range.push_back(p);
      }
      if (!range.empty()) take(member, range, out);
    }
  }

 private:
  const std::string& topic_;
  const AssignableTopic& info_;
  std::vector<std::string> members_;
  const GroupSubscriptions& group_;
  std::set<std::int32_t> unassigned_;
  std::map<std::string, std::int32_t> taken_;
  std::int32_t quota_ = 0;
  std::int32_t extras_ = 0;
  bool needs_racks_ = false;
};

/// Topics with the same members and partition count keep equal partition numbers together, in one
/// rack.
void assignCoPartitioned(std::vector<TopicRanges*>& topics, MemberPartitions& out) {
  std::vector<std::string> remaining = topics.front()->members();
  for (std::int32_t p = 0; p < topics.front()->partitions() && !remaining.empty(); ++p) {
    const auto fits = [&](const std::string& member) {
      return std::all_of(topics.begin(), topics.end(), [&](const TopicRanges* t) {
        return t->racksMatch(member, p) && t->room(member) > 0;
      });
    };
    const auto found = std::find_if(remaining.begin(), remaining.end(), fits);
    if (found == remaining.end()) continue;
    for (TopicRanges* t : topics) t->take(*found, {p}, out);
    const bool full = std::none_of(topics.begin(), topics.end(),
                                   [&](const TopicRanges* t) { return t->room(*found) > 0; });
    if (full) remaining.erase(found);
  }
}

void assignWithRacks(std::vector<TopicRanges>& topics, const GroupSubscriptions& group,
                     MemberPartitions& out) {
  std::map<std::pair<std::vector<std::string>, std::int32_t>, std::vector<TopicRanges*>> alike;
  for (TopicRanges& t : topics) {
    const bool any_rack = std::any_of(t.members().begin(), t.members().end(), [&](const auto& m) {
      return group.at(m).rack && !group.at(m).rack->empty();
    });
    alike[{t.members(), any_rack ? t.partitions() : 0}].push_back(&t);
  }
  for (auto& [key, same] : alike) {
    if (same.size() > 1) {
      if (key.second > 0) assignCoPartitioned(same, out);
    } else if (same.front()->needsRacks()) {
      same.front()->assign(true, out);
    }
  }
}

}  // namespace

MemberPartitions assignRange(const AssignableTopics& topics, const GroupSubscriptions& group) {
  MemberPartitions out;
  for (const auto& [member, subscription] : group) out[member];
  std::map<std::string, std::vector<std::string>> subscribers;
  for (const std::string& member : membersInOrder(group)) {
    const auto& wanted = group.at(member).topics;
    for (const std::string& topic : std::set<std::string>(wanted.begin(), wanted.end())) {
      subscribers[topic].push_back(member);
    }
  }
  std::vector<TopicRanges> ranges;
  for (const auto& [topic, info] : topics) {
    if (info.partitions > 0) ranges.emplace_back(topic, info, subscribers[topic], group);
  }
  const bool with_racks = std::any_of(ranges.begin(), ranges.end(),
                                      [](const TopicRanges& t) { return t.needsRacks(); });
  if (with_racks) assignWithRacks(ranges, group, out);
  for (TopicRanges& t : ranges) t.assign(false, out);
  for (auto& [member, partitions] : out) std::sort(partitions.begin(), partitions.end());
  return out;
}

}  // namespace millrace::client
