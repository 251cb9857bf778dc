#include "broker/log_cleaner.h"

#include "base/log.h"
#include "base/net/blocking_pool.h"
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

log::CompactionLimits limitsOf(const Config& config, int threads, log::IoPace& pace) {
  const auto part = [threads](std::int64_t bytes) {
    return static_cast<std::size_t>(std::max<std::int64_t>(bytes / std::max(threads, 1), 4096));
  };
  log::CompactionLimits limits;
  limits.map_bytes = part(config.getLong("log.cleaner.dedupe.buffer.size"));
  limits.load_factor = config.getDouble("log.cleaner.io.buffer.load.factor");
  // One half is for reading, the other for writing.
  limits.buffer_bytes = part(config.getInt("log.cleaner.io.buffer.size") / 2);
  // Half of the cores for all cleaners together: the others belong to the shards.
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  limits.threads = std::clamp(cores / 2 / std::max(threads, 1), 1, 4);
  limits.pace = &pace;
  return limits;
}

}  // namespace

LogCleaner::LogCleaner(Services& services, const Config& config)
    : services_(services),
      config_(config),
      threads_(threadsOf(config)),
      pace_(config.getDouble("log.cleaner.io.max.bytes.per.second")) {}

void LogCleaner::start() {
  for (int i = 0; i < threads_; ++i) spawn(gate_, services_.shards->at(0), "log cleaner", run());
}

void LogCleaner::stop() {
  pace_.stop();
  gate_.closeAndWait();
}

Task<> LogCleaner::run() {
  const std::chrono::milliseconds backoff(
      std::max<std::int64_t>(config_.getLong("log.cleaner.backoff.ms"), 1));
  for (;;) {
    const bool cleaned = co_await cleanNext();
    if (cleaned) continue;
    co_await writeCheckpoint();
    const bool slept = co_await sleepFor(backoff);
    if (!slept) co_return;
  }
}

Task<bool> LogCleaner::cleanNext() {
  if (queue_.empty()) co_await refresh();
  if (queue_.empty()) co_return false;
  const TopicIdPartition id = queue_.front();
  queue_.pop_front();
  if (!busy_.insert(id).second) co_return true;
  const log::CompactionLimits limits = limitsOf(config_, threads_, pace_);
  const Status done = co_await services_.partitions->compact(id, limits);
  busy_.erase(id);
  compacted_ = compacted_ || done.has_value();
  if (done) co_return true;
  if (done.error().code == Errc::kCancelled) co_return false;
  MILLRACE_LOG_ERROR("compaction: {}", done.error().toString());
  // Another try finds the same bytes. Other errors (a full disk) may be over after a while.
  if (done.error().code != Errc::kNotFound && done.error().code != Errc::kDiskFull)
    unreadable_.insert(id);
  co_return false;
}

Task<> LogCleaner::refresh() {
  const std::vector<TopicIdPartition> due = co_await services_.partitions->dueForCompaction();
  // Another coroutine may have filled it meanwhile.
  if (!queue_.empty()) co_return;
  for (const TopicIdPartition& id : due)
    if (!busy_.contains(id) && !unreadable_.contains(id)) queue_.push_back(id);
}

Task<> LogCleaner::writeCheckpoint() {
  if (!compacted_) co_return;
  compacted_ = false;
  auto write = [this] { return services_.logs->writeCheckpoints(); };
  const Status written = co_await runBlocking(*services_.blocking, std::ref(write));
  if (!written) MILLRACE_LOG_ERROR("writing the checkpoint files: {}", written.error().toString());
}

}  // namespace millrace::broker
