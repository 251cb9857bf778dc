// The threads that compact logs (Kafka's LogCleaner).
#pragma once

#include "base/config.h"
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/cleaning_queue.h"
#include "broker/partitions.h"
#include "broker/services.h"
#include "broker/topic_settings.h"
#include "log/compaction.h"

#include <set>

namespace millrace::broker {

/// What one of so many cleaners may take of the memory, cores and I/O that they share.
[[nodiscard]] log::CompactionLimits cleanerLimits(const Config& config, int cleaners, int cores,
                                                  log::IoPace& pace);

/// log.cleaner.threads coroutines on the first shard; each takes the dirtiest log that is due, has
/// it compacted on the blocking pool, and takes the next. When none is due they sleep for
/// log.cleaner.backoff.ms. They share log.cleaner.dedupe.buffer.size in equal parts, and
/// log.cleaner.io.max.bytes.per.second. A log whose records cannot be read is left alone until the
/// next start. Changes of these settings while the broker runs hold from the next log on (Kafka's
/// LogCleaner.RECONFIGURABLE_CONFIGS).
class LogCleaner {
 public:
  LogCleaner(Services& services, const Config& config);
  /// Nothing happens with log.cleaner.enable=false or without threads.
  void start();
  /// What is being compacted is given up. Blocks; not on a shard.
  void stop();
  /// What a cleaner may take for the next log, by the settings that hold now. On one shard.
  [[nodiscard]] log::CompactionLimits limits();

 private:
  /// Takes what was changed since into use.
  void follow();
  void spawnMissing();
  Task<> spawnFirst();
  Task<> run(int index);
  /// False where the cleaner is to rest: nothing is due, or it failed.
  Task<bool> cleanNext();
  /// What was compacted need not be looked at after a restart.
  Task<> writeCheckpoint();

  Services& services_;
  TopicSettings settings_;
  log::IoPace pace_;
  /// Cleaners that run, by number.
  std::set<int> running_;
  CleaningQueue queue_;
  Gate gate_;
};

}  // namespace millrace::broker
