// The log __cluster_metadata-0 of a quorum of one: Kafka's files, batches and records.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "broker/metadata/delta.h"
#include "broker/metadata/records.h"
#include "log/types.h"

#include <cstdint>
#include <memory>
#include <string>

namespace millrace::log {
class LogManager;
class PartitionLog;
}  // namespace millrace::log

namespace millrace::broker {

/// Appends and replays metadata records. Everything appended is committed: there are no other
/// voters. Not thread-safe; the files are the LogManager's, which closes them.
class MetadataLog {
 public:
  struct Options {
    log::LogManager* logs = nullptr;
    std::string directory;  ///< the data directory that holds the metadata log
    Uuid directory_id;      ///< and its id
    std::int32_t node_id = 1;
  };
  /// Errors: of the log; kCorruptData for a broken quorum-state.
  [[nodiscard]] static Result<std::unique_ptr<MetadataLog>> open(Options options);

  /// Applies the latest snapshot, if the log starts behind one, and all records. Errors:
  /// kCorruptData.
  [[nodiscard]] Status replay(MetadataDelta& delta) const;
  /// Starts the next leader epoch with a LeaderChange batch. quorum-state follows by
  /// writeQuorumState(), which may come later: the epoch stands in the log, and nobody else votes.
  [[nodiscard]] Status becomeLeader(Millis now_ms);
  /// Replaces the file quorum-state (fsync). From any thread after becomeLeader().
  [[nodiscard]] Status writeQuorumState() const;
  /// One batch, all or nothing; `records` is not empty. Returns the first record's offset.
  [[nodiscard]] Result<std::int64_t> append(const MetadataRecords& records, Millis now_ms);

  [[nodiscard]] std::int64_t endOffset() const;
  [[nodiscard]] std::int32_t leaderEpoch() const { return epoch_; }
  [[nodiscard]] log::FlushJob prepareFlush();
  void flushed(const log::FlushJob& job, const Status& outcome);

 private:
  MetadataLog(Options options, log::PartitionLog& log) : options_(std::move(options)), log_(log) {}

  Options options_;
  log::PartitionLog& log_;
  std::int32_t epoch_ = 0;
};

/// Writes bootstrap.checkpoint, as `kafka-storage format` does, where there is none.
[[nodiscard]] Status writeBootstrapCheckpoint(FileSystem& files, const std::string& directory,
                                              Millis now_ms);

}  // namespace millrace::broker
