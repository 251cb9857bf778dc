#include "broker/upkeep.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/partitions.h"
#include "log/log_manager.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace millrace::broker {

namespace {

/// Changes whenever a partition grows or loses its oldest records: then the checkpoint files are
/// out of date. Asks the shards: a log may be deleted at any time by somebody else.
Task<std::uint64_t> fingerprint(Services& services) {
  std::vector<TopicIdPartition> ids;
  services.image->current()->topics_by_id.forEach([&ids](const Uuid& id, const TopicPtr& topic) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i)
      ids.push_back({id, static_cast<std::int32_t>(i)});
  });
  std::uint64_t sum = 0;
  for (const TopicIdPartition& id : ids) {
    const auto bounds = co_await services.partitions->bounds(id);
    if (!bounds) continue;
    const auto start = static_cast<std::uint64_t>(bounds->start.value());
    const auto end = static_cast<std::uint64_t>(bounds->end.value());
    sum += (TopicIdPartitionHash{}(id) | 1) * (start * 31 + end);
  }
  co_return sum;
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
  std::uint64_t written = co_await fingerprint(services_);
  for (;;) {
    const bool slept = co_await sleepFor(interval);
    if (!slept) co_return;
    co_await services_.partitions->flushRolled();
    const std::uint64_t now = co_await fingerprint(services_);
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
