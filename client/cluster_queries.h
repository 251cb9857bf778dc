// Blocking questions to the cluster that consumer and administrator share; and assignors by name.
#pragma once

#include "client/assignor.h"
#include "client/client_config.h"
#include "client/metadata.h"

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::client {

/// The assignor of a name ("range") or of Kafka's class name. Errors: kConfig.
[[nodiscard]] Result<std::shared_ptr<GroupAssignor>> makeAssignor(const std::string& name);

/// Asks any broker about topics (nullopt: all), without creating them. Blocks.
[[nodiscard]] Result<ClusterImage> askCluster(ClientBase& base,
                                              std::optional<std::vector<std::string>> topics,
                                              Millis timeout_ms);
/// Looks offsets up at the leaders, with retries until the deadline. Blocks.
[[nodiscard]] Result<std::map<TopicPartition, Result<OffsetAndTimestamp>>> askOffsetsBlocking(
    ClientBase& base, const CommonConfig& config,
    const std::map<TopicPartition, std::int64_t>& timestamps, bool read_committed,
    std::chrono::steady_clock::time_point deadline);

}  // namespace millrace::client
