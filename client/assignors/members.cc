#include "client/assignors/members.h"

#include <algorithm>
#include <set>

namespace millrace::client {

std::vector<std::string> membersInOrder(const GroupSubscriptions& group) {
  std::vector<std::string> out;
  for (const auto& [member, subscription] : group) out.push_back(member);
  std::sort(out.begin(), out.end(), [&](const std::string& a, const std::string& b) {
    const auto& left = group.at(a).group_instance_id;
    const auto& right = group.at(b).group_instance_id;
    if (left && right) return *left < *right;
    if (left || right) return left.has_value();
    return a < b;
  });
  return out;
}

bool racksMatter(const AssignableTopics& topics, const GroupSubscriptions& group,
                 const std::vector<std::string>& members) {
  std::set<std::string> member_racks;
  for (const std::string& member : members) {
    const auto& rack = group.at(member).rack;
    if (rack && !rack->empty()) member_racks.insert(*rack);
  }
  if (member_racks.empty()) return false;
  std::set<std::string> all;
  std::vector<std::set<std::string>> each;
  for (const auto& [name, topic] : topics) {
    for (std::int32_t p = 0; p < topic.partitions; ++p) {
      const auto index = static_cast<std::size_t>(p);
      std::set<std::string> racks;
      if (index < topic.racks.size()) {
        racks.insert(topic.racks[index].begin(), topic.racks[index].end());
      }
      all.insert(racks.begin(), racks.end());
      each.push_back(std::move(racks));
    }
  }
  const bool overlap = std::any_of(member_racks.begin(), member_racks.end(),
                                   [&](const std::string& rack) { return all.contains(rack); });
  return overlap &&
         !std::all_of(each.begin(), each.end(), [&](const auto& racks) { return racks == all; });
}

}  // namespace millrace::client
