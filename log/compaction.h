// Compaction of one log (Kafka's Cleaner): of the records with one key the newest stays. Planned on
// the log's shard, run anywhere, put in place on the shard again.
#pragma once

#include "base/clock.h"
#include "log/config.h"
#include "log/io_pace.h"
#include "log/log_files.h"
#include "log/types.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::log {

/// How badly a log wants compaction; compared across logs, the largest first.
struct CompactionNeed {
  /// Bytes not compacted yet over all bytes that may be, 0 to 1.
  double dirty_ratio = 0;
  /// min.cleanable.dirty.ratio or max.compaction.lag.ms is reached.
  bool due = false;
};

/// What a run works on. The files stay readable whatever happens to the log meanwhile.
struct CompactionPlan {
  struct Source {
    Offset base;
    std::uint64_t size = 0;
    std::shared_ptr<File> file;
    bool has_txn_index = false;
    /// Bytes of the larger one of its indexes.
    std::uint64_t index_bytes = 0;
  };
  /// What must survive of a producer so that its sequences go on.
  struct LastOfProducer {
    std::int16_t epoch = -1;
    /// -1: it has only markers.
    Offset last_data_offset{-1};
  };

  FileSystem* system = nullptr;
  std::string directory;
  LogConfig config;
  std::vector<Source> sources;
  Offset first_dirty;
  /// Nothing at or above is looked at: active segment, unstable records, too young ones.
  Offset end;
  std::vector<AbortedTransaction> aborted;
  std::map<ProducerId, LastOfProducer> producers;
  Millis now_ms = 0;
};

/// One segment written in place of one or more.
struct CompactedSegment {
  Offset base;
  std::uint64_t size = 0;
  /// The segments it replaces; the first has the same base.
  std::vector<Offset> replaces;
  bool has_txn_index = false;
};

struct CompactionOutcome {
  std::vector<CompactedSegment> segments;
  /// Everything below is compacted now: where the next run begins.
  Offset cleaned_to;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
  std::int64_t records_kept = 0;
  std::int64_t records_dropped = 0;
};

struct CompactionLimits {
  /// Memory for the map of keys (a cleaner thread's part of log.cleaner.dedupe.buffer.size).
  std::size_t map_bytes = 128UL << 20;
  /// How full the map may get (log.cleaner.io.buffer.load.factor).
  double load_factor = 0.9;
  /// For reading, and as much for writing (log.cleaner.io.buffer.size).
  std::size_t buffer_bytes = 512 << 10;
  /// How many build the map together (oneTBB's workers and the caller).
  int threads = 1;
  /// Shared with other runs; null: no limit, and the run cannot be given up.
  IoPace* pace = nullptr;
};

/// Writes the compacted segments beside the old ones (suffix .cleaned, synced). Errors: kIo,
/// kDiskFull, kCorruptData, kCancelled where the pace was stopped; what was written is removed
/// then. kState where not one batch fits the map.
[[nodiscard]] Result<CompactionOutcome> runCompaction(const CompactionPlan& plan,
                                                      const CompactionLimits& limits);

}  // namespace millrace::log
