#include "broker/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/partitions.h"
#include "log/log_manager.h"

#include <algorithm>
#include <chrono>

namespace millrace::broker {

namespace {

/// Changes whenever something changes that a checkpoint file would say.
std::uint64_t fingerprint(const log::LogManager& logs) {
  std::uint64_t sum = 0;
  for (const auto& [name, log] : logs.all()) {
    sum = sum * 31 + static_cast<std::uint64_t>(log->highWatermark().value());
    sum = sum * 31 + static_cast<std::uint64_t>(log->startOffset().value());
    sum = sum * 31 + static_cast<std::uint64_t>(log->recoveryPoint().value());
    sum = sum * 31 + static_cast<std::uint64_t>(log->cleanedTo().value());
  }
  return sum;
}

}  // namespace

void Upkeep::start() {
  Shard& shard = services_.shards->at(0);
  spawn(gate_, shard, "retention", runRetention());
  spawn(gate_, shard, "checkpoints", runCheckpoints());
  spawn(gate_, shard, "timed flush", services_.partitions->runTimedFlushes());
}

Task<> Upkeep::runRetention() {
  const std::chrono::milliseconds interval(config_.getLong("log.retention.check.interval.ms"));
  for (;;) {
    const bool slept = co_await sleepFor(interval);
    if (!slept) co_return;
    co_await services_.partitions->runUpkeep();
    auto purge = [this] { return services_.logs->purge(services_.clock->wallMs()); };
    const Status purged = co_await runBlocking(*services_.blocking, std::ref(purge));
    if (!purged) MILLRACE_LOG_ERROR("removing deleted logs: {}", purged.error().toString());
  }
}

Task<> Upkeep::runCheckpoints() {
  const std::chrono::milliseconds interval(
      std::max(config_.getInt("log.flush.offset.checkpoint.interval.ms"), 1000));
  const bool cleaner = config_.getBool("log.cleaner.enable");
  const auto map_bytes =
      static_cast<std::size_t>(config_.getLong("log.cleaner.dedupe.buffer.size"));
  std::uint64_t written = fingerprint(*services_.logs);
  for (;;) {
    const bool slept = co_await sleepFor(interval);
    if (!slept) co_return;
    co_await services_.partitions->flushRolled();
    if (cleaner) co_await services_.partitions->compactDue(map_bytes);
    const std::uint64_t now = fingerprint(*services_.logs);
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
