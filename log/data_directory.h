// One data directory (an entry of log.dirs): its lock, its clean-shutdown marker, its checkpoint
// files, the logs found in it.
#pragma once

#include "base/file.h"
#include "log/checkpoint_copy.h"
#include "log/types.h"

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace millrace::log {

using OffsetMap = std::map<TopicPartition, Offset>;

inline constexpr std::string_view kRecoveryPoints = "recovery-point-offset-checkpoint",
                                  kLogStarts = "log-start-offset-checkpoint",
                                  kHighWatermarks = "replication-offset-checkpoint",
                                  kCleanerOffsets = "cleaner-offset-checkpoint",
                                  kCleanShutdown = ".kafka_cleanshutdown", kLock = ".lock";
inline constexpr std::string_view kDeleteDirSuffix = "-delete", kStrayDirSuffix = "-stray",
                                  kFutureDirSuffix = "-future";

/// "orders-3" as topic and partition; nothing for other names.
[[nodiscard]] std::optional<TopicPartition> parseLogDirectory(std::string_view name);

class DataDirectory {
 public:
  DataDirectory(FileSystem& files, std::string path) : files_(files), path_(std::move(path)) {}
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  /// Makes the directory where needed, locks it, reads checkpoints and marker, lists logs. A
  /// checkpoint that the disk changed is taken from the copy; without one, where it makes no sense,
  /// it counts as empty: recovery starts at the beginning then. Errors: kIo; kConfig where another
  /// process holds it.
  [[nodiscard]] Status open();
  /// Whether the directory can be used, else what went wrong with it. From any thread.
  [[nodiscard]] Status health() const;
  /// Whether its path still leads to what was opened. Errors: kIo where it was removed or renamed,
  /// or its file system unmounted: files that are open take bytes even then, and new ones would be
  /// made on whatever disk the path leads to now. From any thread.
  [[nodiscard]] Status checkPresent() const;
  /// Takes the directory out of use. False where it was out of use already. From any thread.
  bool goOffline(const Error& cause);
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string path(std::string_view name) const;
  [[nodiscard]] bool clean() const { return clean_; }
  [[nodiscard]] const std::vector<TopicPartition>& found() const { return found_; }
  /// Names of directories with copies of logs on their way here (KIP-113).
  [[nodiscard]] const std::vector<std::string>& futures() const { return futures_; }
  /// Directories that were being deleted at the last stop.
  [[nodiscard]] const std::vector<std::string>& leftovers() const { return leftovers_; }
  /// Checkpoints that could not be read, as sentences.
  [[nodiscard]] const std::vector<std::string>& complaints() const { return complaints_; }

  [[nodiscard]] Offset recoveryPoint(const TopicPartition& tp) const {
    return at(recovery_points_, tp);
  }
  [[nodiscard]] Offset logStart(const TopicPartition& tp) const { return at(log_starts_, tp); }
  [[nodiscard]] Offset highWatermark(const TopicPartition& tp) const {
    return at(high_watermarks_, tp);
  }
  [[nodiscard]] Offset cleanedTo(const TopicPartition& tp) const { return at(cleaned_to_, tp); }
  /// Logs that the checkpoints know and the directory does not hold.
  [[nodiscard]] std::set<TopicPartition> strangers() const;
  /// What was read is no longer needed once all logs are open.
  void forgetCheckpoints();

  /// What the checkpoint files say.
  struct Checkpoints {
    OffsetMap recovery_points;
    OffsetMap log_starts;
    OffsetMap high_watermarks;
    OffsetMap cleaned_to;
  };
  [[nodiscard]] Status writeCheckpoints(const Checkpoints& points);
  /// From now on a crash is seen at the next start.
  [[nodiscard]] Status removeMarker();
  [[nodiscard]] Status writeMarker(std::int64_t broker_epoch);
  /// Puts on disk whatever was written in it (File::syncFileSystem).
  [[nodiscard]] Result<bool> syncAll() { return lock_->syncFileSystem(); }
  /// Lets others open the directory.
  void unlock() { lock_.reset(); }

 private:
  [[nodiscard]] static Offset at(const OffsetMap& map, const TopicPartition& tp);
  [[nodiscard]] Status lock();
  [[nodiscard]] Status readCopy();
  [[nodiscard]] Status writeCopy();
  /// Empty where there is no such file.
  [[nodiscard]] Result<std::string> stampOf(std::string_view name) const;
  /// What a checkpoint file holds; what was written last where the disk changed it since.
  [[nodiscard]] Result<Bytes> checkpointText(std::string_view name);
  [[nodiscard]] Result<OffsetMap> readCheckpoint(std::string_view name);
  [[nodiscard]] Status writeCheckpoint(std::string_view name, const OffsetMap& offsets);

  FileSystem& files_;
  std::string path_;
  std::shared_ptr<File> lock_;
  /// The directory itself, so that nothing else gets its inode number; -1 where files are not real.
  int self_ = -1;
  mutable std::mutex health_mutex_;
  Status health_;
  bool clean_ = false;
  std::vector<TopicPartition> found_;
  std::vector<std::string> futures_;
  std::vector<std::string> leftovers_;
  std::vector<std::string> complaints_;
  OffsetMap recovery_points_;
  OffsetMap log_starts_;
  OffsetMap high_watermarks_;
  OffsetMap cleaned_to_;
  /// What this process wrote: unchanged files are not written again.
  CheckpointTexts written_;
  /// Something was, and the copy does not say so yet.
  bool copy_due_ = false;
  /// What the copy held at the start.
  CheckpointTexts copied_;
  /// A checkpoint file had been written after it.
  bool copy_is_old_ = false;
  /// Cleaner offsets are written, none where there were some.
  bool writes_cleaned_ = false;
};

}  // namespace millrace::log
