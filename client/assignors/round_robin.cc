// Kafka's RoundRobinAssignor: all partitions in order of topic and number, dealt to the members in
// turn; a member that has not subscribed to the topic is passed over.
#include "client/assignors/assignors.h"
#include "client/assignors/members.h"

#include <algorithm>
#include <set>

namespace millrace::client {

MemberPartitions assignRoundRobin(const AssignableTopics& topics, const GroupSubscriptions& group) {
  MemberPartitions out;
  std::map<std::string, std::set<std::string>> wanted;
  std::set<std::string> subscribed;
  for (const auto& [member, subscription] : group) {
    out[member];
    wanted[member].insert(subscription.topics.begin(), subscription.topics.end());
    subscribed.insert(subscription.topics.begin(), subscription.topics.end());
  }
  const std::vector<std::string> members = membersInOrder(group);
  std::size_t turn = 0;
  for (const auto& [topic, info] : topics) {
    if (!subscribed.contains(topic)) continue;
    for (std::int32_t p = 0; p < info.partitions; ++p) {
      while (!wanted[members[turn % members.size()]].contains(topic)) ++turn;
      out[members[turn % members.size()]].push_back(TopicPartition{topic, p});
      ++turn;
    }
  }
  return out;
}

}  // namespace millrace::client
