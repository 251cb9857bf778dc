// The logs of a broker's data directories: opens them all (in parallel), makes and deletes them,
// keeps the checkpoint files.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/uuid.h"
#include "log/partition_log.h"

namespace millrace::log {

/// meta.properties of a data directory (version 1): whose directory it is.
struct MetaProperties {
  std::string cluster_id;
  std::int32_t node_id = -1;
  Uuid directory_id;
};

/// Nothing where the directory has no meta.properties, which means it is not formatted. Errors:
/// kConfig where the file says something else than a broker of this version understands.
[[nodiscard]] Result<std::optional<MetaProperties>> readMetaProperties(
    FileSystem& files, const std::string& directory);
/// Formats a directory: makes it and writes meta.properties.
[[nodiscard]] Status writeMetaProperties(FileSystem& files, const std::string& directory,
                                         const MetaProperties& meta);

struct LogManagerOptions {
  /// log.dirs; made where they do not exist.
  std::vector<std::string> directories;
  LogConfig defaults;
  /// The configuration of a topic found on disk; the defaults where empty.
  std::function<LogConfig(const std::string& topic)> config_of;
  /// Threads for opening logs.
  int recovery_threads = 2;
  FileSystem* files = nullptr;   ///< systemFiles() where null
  const Clock* clock = nullptr;  ///< systemClock() where null
};

/// What start-up found.
struct LoadReport {
  bool clean = false;
  std::int32_t logs = 0;
  std::uint64_t scanned_bytes = 0;
  std::uint64_t truncated_bytes = 0;
  /// One sentence per log that lost bytes, and per log or directory that stays offline.
  std::vector<std::string> notes;
};

/// Thread-safe: any shard may ask for, make and delete logs. A PartitionLog itself is used by its
/// shard only and lives until remove() or close(); the shard lets go of it first.
class LogManager {
 public:
  /// Opens the directories and every log in them. Removes the clean-shutdown marker, so that a
  /// crash from here on is seen.
  /// `__cluster_metadata-0` is opened like any other. Errors: kIo, kConfig (a directory twice, or
  /// locked by another broker).
  [[nodiscard]] static Result<std::unique_ptr<LogManager>> open(LogManagerOptions options);
  /// Without close() this leaves the directories as a crash would.
  ~LogManager();
  LogManager(const LogManager&) = delete;
  LogManager& operator=(const LogManager&) = delete;

  [[nodiscard]] const LoadReport& report() const;
  [[nodiscard]] PartitionLog* find(const TopicPartition& tp) const;
  [[nodiscard]] std::vector<std::pair<TopicPartition, PartitionLog*>> all() const;
  /// The log of that name, made in the directory with the fewest logs where it does not exist.
  /// Errors: kInconsistentTopicId where it exists with another topic id.
  [[nodiscard]] Result<PartitionLog*> create(const TopicPartition& tp, const Uuid& topic_id,
                                             const LogConfig& config);
  /// Takes a log away: its directory is renamed to ...-delete at once, its files go after the
  /// delay. Safe against a crash in between. The pointer is invalid afterwards.
  [[nodiscard]] Status remove(const TopicPartition& tp, Millis now_ms);
  /// Puts the removals so far on disk: from then on not even a crash of the machine brings a log of
  /// that name back.
  [[nodiscard]] Status syncRemovals();

  /// Writes recovery-point, log-start-offset and replication-offset checkpoints.
  [[nodiscard]] Status writeCheckpoints();
  /// Unlinks deleted logs whose delay is over.
  [[nodiscard]] Status purge(Millis now_ms);
  /// Closes all logs (in parallel), writes the checkpoints and the clean-shutdown marker with this
  /// broker epoch.
  [[nodiscard]] Status close(std::int64_t broker_epoch = -1);

  [[nodiscard]] const std::vector<std::string>& directories() const;
  [[nodiscard]] FileSystem& files() const;

 private:
  struct State;
  explicit LogManager(LogManagerOptions options);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::log
