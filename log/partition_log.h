// The log of one partition: Kafka's segment files in one directory, append, read, look up, retain,
// recover.
#pragma once

#include "base/clock.h"
#include "base/uuid.h"
#include "log/compaction.h"
#include "log/config.h"
#include "log/partition_log_options.h"
#include "log/types.h"

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::log {

/// All calls but the atomic getters come from one thread at a time (the partition's shard) and
/// never wait for anything but the page cache. An append is in the page cache when it returns, and
/// on disk after flush. Readers use what they got (FileSlices) on any thread, while appends go on,
/// and after the segment was deleted.
///
/// After a failed write the log is offline: every call returns the error, until it is opened anew.
class PartitionLog {
 public:
  /// Opens or makes the log; recovers it where the last stop was not clean. Errors: kIo,
  /// kCorruptData (damage below the recovery point, with file and position), kDiskFull.
  [[nodiscard]] static Result<std::unique_ptr<PartitionLog>> open(OpenOptions options);
  ~PartitionLog();
  PartitionLog(const PartitionLog&) = delete;
  PartitionLog& operator=(const PartitionLog&) = delete;

  /// Appends one batch as a leader: validates, checks sequences, gives it its offsets, writes it. A
  /// batch of a producer's last five is not appended again: its first offsets are answered.
  [[nodiscard]] std::expected<AppendInfo, AppendFailure> append(const record::BatchView& batch,
                                                                const AppendOptions& options);
  /// Appends several batches with the leader's offsets, as a follower or for records that carry
  /// their offsets. Errors: kCorruptMessage, kOffsetOutOfRange where they do not continue the log.
  [[nodiscard]] Result<AppendInfo> appendAsFollower(BytesView batches);

  /// Reads whole batches from the one that holds `from` up to `max_bytes`, below the isolation's
  /// end. `at_least_one`: the first batch comes even if it is larger (KIP-74). Errors:
  /// kOffsetOutOfRange below the start or above the end.
  [[nodiscard]] Result<ReadResult> read(Offset from, std::uint64_t max_bytes, Isolation isolation,
                                        bool at_least_one = true) const;
  /// ListOffsets: the first record at or after `timestamp`, exact to the record, or one of the
  /// special timestamps.
  [[nodiscard]] Result<TimestampOffset> offsetForTimestamp(std::int64_t timestamp,
                                                           Isolation isolation) const;

  // Where the log stands. Safe from any thread.
  [[nodiscard]] Offset startOffset() const { return load(log_start_offset_); }
  [[nodiscard]] Offset endOffset() const { return load(log_end_offset_); }
  [[nodiscard]] Offset highWatermark() const { return load(high_watermark_); }
  [[nodiscard]] Offset lastStableOffset() const { return load(last_stable_offset_); }
  [[nodiscard]] Offset recoveryPoint() const { return load(recovery_point_); }
  /// Bytes of all segments.
  [[nodiscard]] std::uint64_t sizeInBytes() const { return size_.load(std::memory_order_relaxed); }
  /// The exclusive end that an isolation may see.
  [[nodiscard]] Offset endFor(Isolation isolation) const;

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] Uuid topicId() const;
  /// Gives the topic's id to a log that has none: partition.metadata was lost, or never written.
  [[nodiscard]] Status adopt(const Uuid& topic_id);
  /// False until the first append: a partition that nobody writes to costs the disk nothing.
  [[nodiscard]] bool hasDirectory() const;
  [[nodiscard]] const LogConfig& config() const { return config_; }
  void setConfig(const LogConfig& config) { config_ = config; }
  [[nodiscard]] const RecoveryInfo& recovery() const;
  [[nodiscard]] std::size_t segmentCount() const;
  [[nodiscard]] const Status& health() const;  ///< the error that took the log offline, if any

  /// Moves the high watermark, kept within [start, end]. Returns the one that holds now.
  Offset setHighWatermark(Offset offset);
  /// DeleteRecords and followers: raises the log start offset. Errors: kOffsetOutOfRange above the
  /// high watermark.
  [[nodiscard]] Status setStartOffset(Offset offset);

  // Leader epochs.
  /// Notes that an epoch starts at the end of the log (a new leader does so). It is written down
  /// with its first record: an epoch without records is forgotten in a crash, as when it ends.
  [[nodiscard]] Status startEpoch(LeaderEpoch epoch);
  [[nodiscard]] std::optional<LeaderEpoch> latestEpoch() const;
  [[nodiscard]] EpochEnd endOfEpoch(LeaderEpoch epoch) const;
  [[nodiscard]] std::vector<EpochEntry> epochs() const;

  // Cuts are for followers (replication between brokers); the only replica cuts nothing off.
  /// What was flushed is not cut off: before a truncation below the recovery point comes this, then
  /// LogManager::writeCheckpoints(), so that a crash does not look like records that the disk lost.
  /// After it, a start makes the cut where this process does not come to it.
  [[nodiscard]] Status announceCut(Offset offset);
  /// Opening made a cut that was announced. Once the checkpoint files have the recovery point that
  /// this log shows, and before anything is appended, confirmCut().
  [[nodiscard]] bool cutPending() const;
  [[nodiscard]] Status confirmCut();
  /// Cuts everything at and above `offset` (a follower that diverged), on disk, too. The log ends
  /// with its last batch then, below `offset` where compaction left nothing there. If that is below
  /// its start, writeCheckpoints() comes before an append. Errors: kState below the recovery point.
  [[nodiscard]] Status truncateTo(Offset offset);
  /// Drops everything and starts anew at `offset`, on disk, too. Errors: kState where anything was
  /// flushed.
  [[nodiscard]] Status truncateFullyAndStartAt(Offset offset);
  [[nodiscard]] Status roll();  ///< closes the active segment and starts a new one

  // Upkeep: the shard calls these now and then.
  /// Deletes old segments by time, size and log start offset (renames; unlinked later). Rolls a
  /// segment that is too old. Returns how many segments went.
  [[nodiscard]] Result<std::int32_t> runRetention(Millis now_ms);
  /// Hands out what runRetention and compacted() renamed and whose delay is over, once.
  [[nodiscard]] Leftovers takeLeftovers(Millis now_ms);
  /// Forgets producers that were silent for longer than producer.id.expiration.ms, unlinks
  /// leftovers, lets go of files that nobody used since the last call.
  [[nodiscard]] Status runUpkeep(Millis now_ms);

  // Flush: prepare on the shard, run anywhere, report back on the shard.
  /// Whether a rolled segment is not on disk yet: Kafka flushes those in the background.
  [[nodiscard]] bool hasUnflushedSegments() const;
  [[nodiscard]] bool needsFlush() const;  ///< whether anything is not on disk yet
  /// Nothing is in the job where everything is on disk.
  [[nodiscard]] FlushJob prepareFlush(FlushScope scope = FlushScope::kAll);
  /// Moves the recovery point up. A failed flush takes the log offline: what the disk holds is
  /// unknown then.
  void flushed(const FlushJob& job, const Status& outcome);
  /// Records appended and not yet flushed.
  [[nodiscard]] std::int64_t unflushedRecords() const { return endOffset() - recoveryPoint(); }
  /// Bytes appended and not yet flushed: what a recovery scans.
  [[nodiscard]] std::uint64_t unflushedBytes() const;
  [[nodiscard]] Status flush();  ///< prepareFlush, run, flushed in one

  // Group commit (flush.on.ack).
  /// Appends go through this journal from now on; before, a replay of it must be over.
  void setJournal(Journal* journal);
  [[nodiscard]] Journal* journal() const;
  /// The log is to be deleted: its journal need not care for it, and says so in its next round.
  [[nodiscard]] Status leaveJournal();
  /// Where the first segment above the recovery point ends that does not reach the next one:
  /// [begin, end). After a crash that is what was lost in between; compaction leaves none up there.
  struct Gap {
    Offset begin;
    Offset end;
  };
  [[nodiscard]] Result<std::optional<Gap>> firstGap() const;

  /// For a move (future_log.h): what to copy now. kLast closes the books as close() does.
  [[nodiscard]] Result<MoveSource> moveSource(MovePass pass);

  // Compaction: plan on the shard, runCompaction() anywhere, put in place on the shard. One at a
  // time.
  [[nodiscard]] Result<CompactionNeed> compactionNeed(Millis now_ms) const;
  [[nodiscard]] Result<CompactionPlan> prepareCompaction(Millis now_ms);
  /// Replaces the segments, crash-safe; nothing where the log was cut meanwhile. Between plan and
  /// this comes LogManager::writeCheckpoints(): gaps above the recovery point in it are losses.
  [[nodiscard]] Status compacted(const CompactionPlan& plan, const CompactionOutcome& outcome);
  /// A compaction, or a copy, failed: kIo takes log and directory offline (Kafka's LogCleaner),
  /// kNotFound the log.
  void workFailed(const Error& cause);
  /// Below this offset the log is compacted: the next run's map begins here. Safe from any thread.
  [[nodiscard]] Offset cleanedTo() const { return load(cleaned_to_); }

  /// Flushes, writes the producer snapshot and trims the indexes, so that the next open need not
  /// look.
  [[nodiscard]] Status close();
  /// The same in two steps, for many logs at once: everything is written and no file left open;
  /// then the caller syncs the whole file system and says how that went. Where it could not,
  /// close().
  [[nodiscard]] Result<FlushJob> writeOut();
  [[nodiscard]] Status closed(const FlushJob& written, const Status& outcome);

  [[nodiscard]] std::vector<ProducerInfo> producers() const;
  /// Transactions that aborted and touch [from, to).
  [[nodiscard]] Result<std::vector<AbortedTransaction>> abortedTransactions(Offset from,
                                                                            Offset to) const;

 private:
  friend class LogManager;
  struct State;
  explicit PartitionLog(OpenOptions options);
  [[nodiscard]] static Offset load(const std::atomic<std::int64_t>& value) {
    return Offset{value.load(std::memory_order_acquire)};
  }

  std::string directory_;
  LogConfig config_;
  std::atomic<std::int64_t> log_start_offset_{0};
  std::atomic<std::int64_t> log_end_offset_{0};
  std::atomic<std::int64_t> high_watermark_{0};
  std::atomic<std::int64_t> last_stable_offset_{0};
  std::atomic<std::int64_t> recovery_point_{0};
  std::atomic<std::int64_t> cleaned_to_{0};
  std::atomic<std::uint64_t> size_{0};
  std::unique_ptr<State> state_;
};

}  // namespace millrace::log
