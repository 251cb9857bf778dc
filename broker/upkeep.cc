#include "broker/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/partitions.h"
#include "log/log_manager.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace millrace::broker {

namespace {

/// What a start after a crash has to scan at most, besides what came in while it was being flushed:
/// a second's work.
constexpr std::uint64_t kMostUnflushedBytes = 1 << 30;
/// What is appended meanwhile to a directory that was taken away may be lost.
constexpr std::chrono::milliseconds kBetweenProbes(1000);

}  // namespace

void Upkeep::start() {
  Shard& shard = services_.shards->at(0);
  spawn(gate_, shard, "retention", runRetention());
  spawn(gate_, shard, "removals", services_.partitions->runRemovals());
  spawn(gate_, shard, "checkpoints", runCheckpoints());
  spawn(gate_, shard, "recovery bound", boundRecovery());
  spawn(gate_, shard, "directories", probeDirectories());
  spawn(gate_, shard, "timed flush", services_.partitions->runTimedFlushes());
}

Task<> Upkeep::runRetention() {
  const std::chrono::milliseconds interval(config_.getLong("log.retention.check.interval.ms"));
  std::chrono::milliseconds wait(config_.getLong("log.initial.task.delay.ms"));
  for (;;) {
    const bool slept = co_await sleepFor(std::min(wait, interval));
    if (!slept) co_return;
    wait = interval;
    co_await services_.partitions->runUpkeep();
  }
}

Task<> Upkeep::boundRecovery() {
  for (;;) {
    const bool grown = co_await services_.partitions->waitForGrowth();
    if (!grown) co_return;
    const std::size_t flushed = co_await services_.partitions->boundUnflushed(kMostUnflushedBytes);
    if (flushed == 0) continue;
    auto write = [this] { return services_.logs->writeCheckpoints(); };
    const Status done = co_await runBlocking(*services_.blocking, std::ref(write));
    if (!done) MILLRACE_LOG_ERROR("writing the checkpoint files: {}", done.error().toString());
  }
}

Task<> Upkeep::probeDirectories() {
  for (;;) {
    const bool slept = co_await sleepFor(kBetweenProbes);
    if (!slept) co_return;
    auto probe = [this] { services_.logs->probeDirectories(); };
    co_await runBlocking(*services_.blocking, std::ref(probe));
  }
}

Task<> Upkeep::runCheckpoints() {
  const std::chrono::milliseconds interval(
      std::max(config_.getInt("log.flush.offset.checkpoint.interval.ms"), 1000));
  std::uint64_t written = co_await services_.partitions->fingerprint();
  for (;;) {
    const bool slept = co_await sleepFor(interval);
    if (!slept) co_return;
    co_await services_.partitions->flushRolled();
    const std::uint64_t now = co_await services_.partitions->fingerprint();
    if (now == written) continue;
    auto write = [this] { return services_.logs->writeCheckpoints(); };
    const Status done = co_await runBlocking(*services_.blocking, std::ref(write));
    if (done) {
      written = now;
    } else {
      MILLRACE_LOG_ERROR("writing the checkpoint files: {}", done.error().toString());
    }
  }
}

}  // namespace millrace::broker
