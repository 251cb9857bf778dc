// What the assignors share: the order of members, and when racks matter.
#pragma once

#include "client/assignor.h"

#include <string>
#include <vector>

namespace millrace::client {

/// Static members by instance id, then the others by member id (Kafka's MemberInfo).
[[nodiscard]] std::vector<std::string> membersInOrder(const GroupSubscriptions& group);

/// Whether looking at racks can make a difference (KIP-881): some of these members have a rack in
/// which some partition lies, and the partitions do not all lie in the same racks.
[[nodiscard]] bool racksMatter(const AssignableTopics& topics, const GroupSubscriptions& group,
                               const std::vector<std::string>& members);

}  // namespace millrace::client
