// Makes the topics of a plan exist.
#pragma once

#include "client/admin.h"
#include "streams/runtime/topic_plan.h"

#include <vector>

namespace millrace::streams {

/// Creates what is missing; a topic that exists must have the planned number of partitions. Returns
/// when all of them can be described. Errors: kConfig where a count differs, naming the topic and
/// what to do; of the cluster.
[[nodiscard]] Status ensureTopics(Admin& admin, const std::vector<PlannedTopic>& topics,
                                  std::int16_t replication);

}  // namespace millrace::streams
