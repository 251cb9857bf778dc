// The assignors as pure functions: (topics, subscriptions) -> partitions per member.
#pragma once

#include "client/assignor.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::client {

using MemberPartitions = std::map<std::string, std::vector<TopicPartition>>;

/// Each topic cut into consecutive ranges; co-partitioned topics get equal ranges; aware of racks
/// (KIP-881).
[[nodiscard]] MemberPartitions assignRange(const AssignableTopics& topics,
                                           const GroupSubscriptions& group);
/// All partitions dealt out in turn.
[[nodiscard]] MemberPartitions assignRoundRobin(const AssignableTopics& topics,
                                                const GroupSubscriptions& group);

}  // namespace millrace::client
