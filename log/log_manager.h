// The logs of a broker's data directories: opens them all (in parallel), makes and deletes them,
// keeps the checkpoint files.
#pragma once

#include "base/clock.h"
#include "base/file.h"
#include "base/random.h"
#include "base/uuid.h"
#include "log/future_log.h"
#include "log/partition_log.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

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
  /// Directories that must not be touched, and why (a broken meta.properties).
  std::map<std::string, Error> broken;
  /// directory.id of each directory, for create().
  std::map<std::string, Uuid> directory_ids;
  /// metadata.log.dir: open() fails where it cannot be used, while others may be offline. Where it
  /// is none of `directories`, only logs go there that are asked for by its id. Empty: none.
  std::string metadata_directory;
  /// Hears, once for each directory and on any thread, that it failed while in use. From then on it
  /// is out of use; its logs stay with their owners until abandon().
  std::function<void(const std::string& directory, const Error& cause)> on_failure;
  /// Called about once a second while logs are opened, on one of the threads that do it.
  std::function<void(std::size_t opened, std::size_t total, std::uint64_t scanned_bytes)>
      on_progress;
  /// close() syncs whole file systems where at least so many logs of a directory are not on disk.
  std::size_t logs_synced_together = 256;
  /// Threads for opening logs.
  int recovery_threads = 2;
  /// Size of each of a directory's two journal files (flush.on.ack).
  std::uint64_t journal_file_bytes = 64ULL << 20;
  /// A log that appends as much in one round of the journal is synced itself.
  std::uint64_t journal_direct_bytes = 1ULL << 20;
  /// Rounds of a journal are held back while no processor is idle (Company, IdleProbe).
  bool watch_processors = false;
  FileSystem* files = nullptr;     ///< systemFiles() where null
  const Clock* clock = nullptr;    ///< systemClock() where null
  RandomSource* random = nullptr;  ///< systemRandom() where null; used by one thread at a time
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
  /// crash from here on is seen. A directory that cannot be used stays offline, with its logs.
  /// `__cluster_metadata-0` is opened like any other. Errors: kIo (no directory can be used, or not
  /// the required one), kConfig (a directory twice, or locked by another broker).
  [[nodiscard]] static Result<std::unique_ptr<LogManager>> open(LogManagerOptions options);
  /// Without close() this leaves the directories as a crash would.
  ~LogManager();
  LogManager(const LogManager&) = delete;
  LogManager& operator=(const LogManager&) = delete;

  [[nodiscard]] const LoadReport& report() const;
  [[nodiscard]] PartitionLog* find(const TopicPartition& tp) const;
  [[nodiscard]] std::vector<std::pair<TopicPartition, PartitionLog*>> all() const;
  /// A log in numbers, for DescribeLogDirs: from any thread, while logs come and go.
  struct LogInfo {
    TopicPartition tp;
    std::string directory;  ///< the entry of log.dirs
    std::uint64_t size = 0;
    /// Offsets that it has yet to get: of a copy on its way (KIP-113), those that the log has.
    std::int64_t offset_lag = 0;
    bool is_future = false;
  };
  [[nodiscard]] std::vector<LogInfo> describe() const;
  /// The log of that name, made in the directory with this id where it does not exist; without an
  /// id in the one with the fewest logs. Errors: kInconsistentTopicId where it exists with another
  /// topic id; kKafkaStorageError where its directory is offline or not here, or, without an id,
  /// where one is offline that may hold it.
  [[nodiscard]] Result<PartitionLog*> create(const TopicPartition& tp, const Uuid& topic_id,
                                             const LogConfig& config,
                                             const Uuid& directory_id = {});
  /// Takes a log away: its directory is renamed to ...-delete at once, its files go after the
  /// delay. Safe against a crash in between. The pointer is invalid afterwards.
  [[nodiscard]] Status remove(const TopicPartition& tp, Millis now_ms);
  /// Takes a log away that nobody knows: its directory is renamed to ...-stray, and nobody removes
  /// it. Returns its new path; empty where it had no records. The pointer is invalid afterwards.
  [[nodiscard]] Result<std::string> setAside(const TopicPartition& tp);
  /// Puts the removals so far on disk: from then on not even a crash of the machine brings a log of
  /// that name back.
  [[nodiscard]] Status syncRemovals();

  // Moves between data directories (KIP-113, README.md).
  /// A copy of a log on its way to another data directory.
  struct Move {
    TopicPartition tp;
    std::string directory;  ///< the entry of log.dirs
    std::shared_ptr<FutureLog> future;
  };
  /// Those that a start found and those that were begun.
  [[nodiscard]] std::vector<Move> moves() const;
  /// Begins one, in the place of one to another directory. Nothing where the log lies there, which
  /// ends a move, or is on its way. Errors (Kafka's): kLogDirNotFound; kNotFound where there is no
  /// such log; kKafkaStorageError where its directory, this one or any other is offline.
  [[nodiscard]] Result<std::shared_ptr<FutureLog>> beginMove(const TopicPartition& tp,
                                                             const std::string& directory);
  /// A copy failed, or could not take the log's place: where it is still wanted, it is given up and
  /// taken away. Where its disk failed, that directory goes offline; the log stays as it is.
  void moveFailed(const FutureLog& future, const Error& cause);
  /// The copy takes the log's place; from `source` on nobody may append. Returns the log in its new
  /// place, for which everything is on disk. The one before is good for reading until finishMove().
  /// Errors: kState where too much is missing; the copy goes on then. After others the log is as it
  /// was.
  [[nodiscard]] Result<PartitionLog*> takePlace(FutureLog& future, const MoveSource& source,
                                                const LogConfig& config);
  /// The log before has left its journal (PartitionLog::leaveJournal): takes its directory away, as
  /// remove() does. From then on a crash knows the new one only. Errors: of the old directory.
  [[nodiscard]] Status finishMove(const TopicPartition& tp, Millis now_ms);

  /// Writes recovery-point, log-start-offset and replication-offset checkpoints.
  [[nodiscard]] Status writeCheckpoints();
  /// Unlinks deleted logs whose delay is over. Returns when the next one's will be; nothing where
  /// none waits. Errors: the first; the others are gone.
  [[nodiscard]] Result<std::optional<Millis>> purge(Millis now_ms);
  /// Unlinks what PartitionLog::takeLeftovers() handed out. Errors: the first; the others are gone.
  [[nodiscard]] Status unlink(const std::vector<std::string>& paths);
  /// Closes all logs (in parallel), writes the checkpoints and the clean-shutdown marker with this
  /// broker epoch.
  [[nodiscard]] Status close(std::int64_t broker_epoch = -1);

  /// What became of an entry of log.dirs.
  struct DirectoryState {
    std::string path;
    Uuid id;
    Status health;
  };
  [[nodiscard]] std::vector<DirectoryState> directoryStates() const;
  /// A file of a log could not be read by whoever sends it: takes its directory out of use where
  /// the cause is the disk's.
  void fileFailed(const std::string& path, const Error& cause);
  /// A directory that was removed, renamed or unmounted fails like one that cannot be written; the
  /// files that are open would not tell. Blocking.
  void probeDirectories();
  /// Lets go of the logs of a directory that failed; nobody uses them any more.
  void abandon(const std::string& directory);
  /// The journals of the data directories, in their order: whoever appends with flush.on.ack
  /// commits their rounds.
  [[nodiscard]] std::vector<Journal*> journals() const;
  [[nodiscard]] const std::vector<std::string>& directories() const;
  [[nodiscard]] FileSystem& files() const;

 private:
  struct State;
  explicit LogManager(LogManagerOptions options);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::log
