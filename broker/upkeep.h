// What a broker does by the clock: retention, checkpoints, flushes.
#pragma once

#include "base/config.h"
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/services.h"

namespace millrace::broker {

/// Coroutines on the first shard that sleep until the next thing is due; the work itself is done on
/// the partitions' shards and the blocking pool. An idle broker is not woken more than once a
/// minute by these.
class Upkeep {
 public:
  Upkeep(Services& services, const Config& config) : services_(services), config_(config) {}
  void start();
  /// Blocks; not on a shard.
  void stop() { gate_.closeAndWait(); }

 private:
  Task<> runRetention();
  Task<> runCheckpoints();
  Task<> boundRecovery();
  Task<> probeDirectories();

  Services& services_;
  const Config& config_;
  Gate gate_;
};

}  // namespace millrace::broker
