// Compaction of one log (Kafka's Cleaner): of the records with one key the newest stays. Planned on
// the log's shard, run anywhere, put in place on the shard again.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "log/config.h"
#include "log/log_files.h"
#include "log/types.h"

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
  /// Memory for the map of keys (log.cleaner.dedupe.buffer.size).
  std::size_t map_bytes = 128UL << 20;
  /// Called with the bytes that were read or written; may sleep
  /// (log.cleaner.io.max.bytes.per.second).
  std::function<void(std::uint64_t)> throttle;
};

/// Writes the compacted segments beside the old ones (suffix .cleaned, synced). Errors: kIo,
/// kDiskFull, kCorruptData; what was written is removed then. kState where not one batch fits the
/// map.
[[nodiscard]] Result<CompactionOutcome> runCompaction(const CompactionPlan& plan,
                                                      const CompactionLimits& limits);

}  // namespace millrace::log
