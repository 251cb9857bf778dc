#include "broker/log_cleaner.h"

#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/metadata/metadata_cache.h"
#include "log/log_manager.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace millrace::broker {

namespace {

int threadsOf(const Config& config) {
  return config.getBool("log.cleaner.enable") ? std::max(config.getInt("log.cleaner.threads"), 0)
                                              : 0;
}

}  // namespace

log::CompactionLimits cleanerLimits(const Config& config, int cleaners, int cores,
                                    log::IoPace& pace) {
  const auto part = [cleaners](std::int64_t bytes) {
    return static_cast<std::size_t>(std::max<std::int64_t>(bytes / std::max(cleaners, 1), 4096));
  };
  log::CompactionLimits limits;
  limits.map_bytes = part(config.getLong("log.cleaner.dedupe.buffer.size"));
  limits.load_factor = config.getDouble("log.cleaner.io.buffer.load.factor");
  // One half is for reading, the other for writing.
  limits.buffer_bytes = part(config.getInt("log.cleaner.io.buffer.size") / 2);
  // Half of the cores for all cleaners together: the others belong to the shards.
  limits.threads = std::clamp(cores / 2 / std::max(cleaners, 1), 1, 4);
  limits.pace = &pace;
  return limits;
}

LogCleaner::LogCleaner(Services& services, const Config& config)
    : services_(services),
      settings_(config, services.identity.node_id),
      pace_(config.getDouble("log.cleaner.io.max.bytes.per.second")) {}

void LogCleaner::start() { spawn(gate_, services_.shards->at(0), "log cleaner", spawnFirst()); }

/// On the shard: the first cleaner looks at the settings while the next one is made.
Task<> LogCleaner::spawnFirst() {
  spawnMissing();
  co_return;
}

void LogCleaner::spawnMissing() {
  for (int i = 0; i < threadsOf(settings_.broker()); ++i)
    if (running_.insert(i).second) spawn(gate_, services_.shards->at(0), "log cleaner", run(i));
}

void LogCleaner::follow() {
  settings_.follow(*services_.image->current());
  pace_.setRate(settings_.broker().getDouble("log.cleaner.io.max.bytes.per.second"));
}

log::CompactionLimits LogCleaner::limits() {
  follow();
  const Config& config = settings_.broker();
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return cleanerLimits(config, threadsOf(config), cores, pace_);
}

void LogCleaner::stop() {
  pace_.stop();
  gate_.closeAndWait();
}

Task<> LogCleaner::run(int index) {
  for (;;) {
    follow();
    if (index >= threadsOf(settings_.broker())) break;
    spawnMissing();
    const bool cleaned = co_await cleanNext();
    if (cleaned) continue;
    co_await writeCheckpoint();
    const std::chrono::milliseconds backoff(
        std::max<std::int64_t>(settings_.broker().getLong("log.cleaner.backoff.ms"), 1));
    const bool slept = co_await sleepFor(backoff);
    if (!slept) co_return;
  }
  running_.erase(index);
}

Task<bool> LogCleaner::cleanNext() {
  if (queue_.empty()) {
    std::vector<DirtyLog> due = co_await services_.partitions->dueForCompaction();
    queue_.fill(std::move(due));
  }
  const std::optional<TopicIdPartition> id = queue_.take();
  if (!id) co_return false;
  const log::CompactionLimits allowed = limits();
  const Status done = co_await services_.partitions->compact(*id, allowed);
  const bool more = queue_.done(*id, done);
  const bool gone = !done && done.error().code == Errc::kUnknownTopicOrPartition;
  if (!done && !gone && done.error().code != Errc::kCancelled)
    MILLRACE_LOG_ERROR("compaction: {}", done.error().toString());
  co_return more;
}

Task<> LogCleaner::writeCheckpoint() {
  if (!queue_.takeCompacted()) co_return;
  auto write = [this] { return services_.logs->writeCheckpoints(); };
  const Status written = co_await runBlocking(*services_.blocking, std::ref(write));
  if (!written) MILLRACE_LOG_ERROR("writing the checkpoint files: {}", written.error().toString());
}

}  // namespace millrace::broker
