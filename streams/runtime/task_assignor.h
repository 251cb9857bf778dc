// Which process runs which task: pure decisions of the group's leader, in Kafka's two algorithms.
#pragma once

#include "base/uuid.h"
#include "streams/task_id.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace millrace::streams {

/// The configuration of the group that assignors look at.
struct AssignmentConfigs {
  std::int64_t acceptable_recovery_lag = 10'000;  ///< acceptable.recovery.lag, in records
  std::int32_t max_warmup_replicas = 2;           ///< max.warmup.replicas
  std::int32_t num_standby_replicas = 0;          ///< num.standby.replicas
  std::vector<std::string>
      rack_aware_assignment_tags;  ///< client tags over which standbys are spread
};

/// One process of the group: what it can run and what it has from before.
struct ClientInput {
  std::int32_t threads = 1;
  std::map<std::string, std::string> tags;
  std::set<TaskId> prev_active;
  std::set<TaskId> prev_standby;
  /// Records to restore per stateful task; kLatestOffset where the process runs it,
  /// kUnknownOffsetSum where its state is of unknown age.
  std::map<TaskId, std::int64_t> lags;
};

struct AssignorInput {
  AssignmentConfigs configs;
  std::map<TaskId, bool> tasks;         ///< every task; true where it has state
  std::map<Uuid, ClientInput> clients;  ///< by process id, in Kafka's order (two signed halves)
};

struct ClientPlan {
  std::set<TaskId> active;
  std::set<TaskId> standby;  ///< warm-ups included
};

struct AssignmentPlan {
  std::map<Uuid, ClientPlan> clients;
  /// A probing rebalance is needed, because some task waits for its final place to catch up.
  bool followup = false;
};

/// KIP-441: a balanced plan, approached by warm-up replicas so that no task stops for a restore.
/// Kafka's HighAvailabilityTaskAssignor without rack.aware.assignment.strategy.
[[nodiscard]] AssignmentPlan assignHighlyAvailable(const AssignorInput& input);

/// Tasks stay where they were, within a quota per thread. Kafka's StickyTaskAssignor.
[[nodiscard]] AssignmentPlan assignSticky(const AssignorInput& input);

}  // namespace millrace::streams
