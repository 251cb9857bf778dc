// Values that the log hands out and takes in.
#pragma once

#include "base/file.h"
#include "base/ids.h"
#include "base/result.h"
#include "record/validator.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace millrace::log {

struct TopicPartition {
  std::string topic;
  PartitionIndex partition;
  /// "orders-3": the directory's name.
  [[nodiscard]] std::string toString() const {
    return topic + "-" + std::to_string(partition.value());
  }
  friend auto operator<=>(const TopicPartition&, const TopicPartition&) = default;
};

/// How far a reader may see: a replica to the end, a consumer to the high watermark, read_committed
/// to the last stable offset.
enum class Isolation : std::uint8_t { kLogEnd, kHighWatermark, kCommitted };

/// What append() did.
struct AppendInfo {
  Offset base_offset;
  Offset last_offset;
  /// Append time in ms for topics with LogAppendTime, else -1.
  std::int64_t log_append_time_ms = -1;
  Offset log_start_offset;
  std::int32_t record_count = 0;
  std::uint64_t bytes = 0;
  /// The batch was there already: base_offset and last_offset are those of its first append.
  bool duplicate = false;
  /// With flush.on.ack: the journal's round that makes it durable; 0 where nothing needs to be
  /// waited for.
  std::uint64_t round = 0;
};

/// Why append() refused: what goes into ProduceResponse.
using AppendFailure = record::ValidationFailure;

/// A transaction that was aborted, for Fetch's AbortedTransactions.
struct AbortedTransaction {
  ProducerId producer_id;
  Offset first_offset;
  Offset last_offset;
  Offset last_stable_offset;
  friend bool operator==(const AbortedTransaction&, const AbortedTransaction&) = default;
};

/// Whole batches, as file ranges: the first batch holds (or follows) the offset that was asked for.
struct ReadResult {
  std::vector<FileSlice> slices;
  std::uint64_t size = 0;
  /// Where the next read continues: behind the last batch in the slices.
  Offset next_offset;
  Offset log_start_offset;
  Offset high_watermark;
  Offset last_stable_offset;
  /// Filled for Isolation::kCommitted: aborted transactions that touch what lies between the offset
  /// that was asked for and next_offset.
  std::vector<AbortedTransaction> aborted;
};

/// Timestamps with a meaning of their own in ListOffsets.
inline constexpr std::int64_t kLatestTimestamp = -1, kEarliestTimestamp = -2, kMaxTimestamp = -3,
                              kEarliestLocalTimestamp = -4, kLatestTieredTimestamp = -5,
                              kEarliestPendingUploadTimestamp = -6;

/// An answer of ListOffsets: -1 throughout where there is none.
struct TimestampOffset {
  std::int64_t timestamp = -1;
  Offset offset{-1};
  LeaderEpoch leader_epoch{-1};
  friend bool operator==(const TimestampOffset&, const TimestampOffset&) = default;
};

/// A leader epoch and where it began.
struct EpochEntry {
  LeaderEpoch epoch;
  Offset start_offset;
  friend bool operator==(const EpochEntry&, const EpochEntry&) = default;
};

/// The last offset (exclusive) of an epoch: OffsetForLeaderEpoch's answer.
struct EpochEnd {
  LeaderEpoch epoch{-1};
  Offset end_offset{-1};
  friend bool operator==(const EpochEnd&, const EpochEnd&) = default;
};

/// What opening a log found and did.
struct RecoveryInfo {
  bool clean = false;
  std::uint64_t scanned_bytes = 0;
  /// Bytes cut off behind the last sound batch, 0 if none; the file and position where the damage
  /// began.
  std::uint64_t truncated_bytes = 0;
  std::string damage;
  std::int32_t rebuilt_indexes = 0;
  /// There are records, but a crash took the topic id before the first flush: nobody knows whose
  /// they are.
  bool ownerless = false;
  /// The markers of a move that a process did not end (log_files.h).
  bool moving = false;
  bool moved = false;
};

/// A live producer, for DescribeProducers.
struct ProducerInfo {
  ProducerId producer_id;
  std::int16_t epoch = -1;
  std::int32_t last_sequence = -1;
  Offset last_offset{-1};
  std::int32_t last_offset_delta = 0;
  std::int64_t last_timestamp = -1;
  std::int32_t coordinator_epoch = -1;
  std::optional<Offset> current_txn_first_offset;
};

/// Files of segments that are no longer part of a log.
struct Leftovers {
  /// Their delay is over: to be unlinked, on any thread (LogManager::unlink).
  std::vector<std::string> due;
  /// When the next ones will be, wall clock; nothing where none wait.
  std::optional<std::int64_t> next_ms;
};

/// What a flush is to cover: everything; all but the active segment; everything, with a snapshot of
/// the producers there, so that a recovery begins at this point in every respect; or everything by
/// a sync of the whole file system, for which the job names no files.
enum class FlushScope : std::uint8_t { kAll, kSealed, kCheckpoint, kWhole };

/// Files whose bytes are to reach the disk. run() may be called on any thread; hand the outcome to
/// PartitionLog::flushed() on the log's own.
struct FlushJob {
  std::vector<std::shared_ptr<File>> files;
  /// Synced after the files: names in them are new.
  std::vector<std::string> directories;
  FileSystem* system = nullptr;
  Offset up_to;
  /// Of the log's unflushed bytes, those that this job covers.
  std::uint64_t bytes = 0;
  /// How often the log had been cut when the job was made.
  std::uint64_t cuts = 0;
  /// The count of changed names that it covers (UnsyncedNames).
  std::uint64_t names = 0;
  [[nodiscard]] bool empty() const { return files.empty() && directories.empty(); }
  [[nodiscard]] Status run() const;
};

/// What of a log a move to another data directory has to copy, as of one moment.
struct MoveSource {
  /// A segment.
  struct Part {
    Offset base;
    std::uint64_t size = 0;
  };
  /// While this is the same, files only grow, and go from the front.
  struct Version {
    std::int32_t rebuilt_indexes = 0;
    Offset cleaned_to;
    std::uint64_t cuts = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };
  std::string directory;
  /// Nothing was ever appended: there is not even a directory.
  bool absent = false;
  /// In order; only the last one grows.
  std::vector<Part> parts;
  /// Where producer snapshots stand.
  std::vector<Offset> snapshots;
  Offset end;
  Version version;
  /// Whether nothing of it has gone or was replaced up to `now`.
  [[nodiscard]] bool holds(const MoveSource& now) const {
    if (version != now.version || parts.empty()) return version == now.version;
    return !now.parts.empty() && now.parts.front().base == parts.front().base;
  }
};

/// Of a log that goes on growing, or of one to which nothing is appended any more.
enum class MovePass : std::uint8_t { kGrowing, kLast };

}  // namespace millrace::log

template <>
struct std::hash<millrace::log::TopicPartition> {
  std::size_t operator()(const millrace::log::TopicPartition& tp) const noexcept {
    return std::hash<std::string>{}(tp.topic) * 31 + static_cast<std::size_t>(tp.partition.value());
  }
};
