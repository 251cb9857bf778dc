// What one partition's log must hold: a list of batches in memory, and what follows from them.
#pragma once

#include "log/types.h"
#include "record/records.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::log::test {

struct ModelRecord {
  std::int64_t timestamp = -1;
  std::optional<std::string> key = {};
  std::optional<std::string> value = {};
  /// A compaction ran that was free to drop it.
  bool may_be_gone = false;
  /// The leader's compaction had dropped it.
  bool absent = false;
};

/// A batch as it was appended, or may have been where the append failed.
struct ModelBatch {
  Offset base;
  Offset last;
  ProducerId producer_id{-1};
  std::int16_t producer_epoch = -1;
  std::int32_t base_sequence = -1;
  bool transactional = false;
  std::optional<record::EndTxnMarker> marker;
  LeaderEpoch leader_epoch{0};
  std::vector<ModelRecord> records;
  /// As the producer sent it, to be sent again.
  Bytes sent;
};

/// A transaction of a producer: its offsets, open where it has no end.
struct ModelTransaction {
  ProducerId producer_id;
  Offset first;
  std::optional<Offset> end;
  bool aborted = false;
};

struct ModelProducer {
  std::int16_t epoch = -1;
  std::int32_t next_sequence = 0;
  std::optional<Offset> transaction;
  /// The last data batches of this epoch, the newest last; indexes into LogModel::batches.
  std::vector<std::size_t> last;
};

/// The log as it should be. `batches` is never forgotten at the front: after a crash, segments that
/// retention took away may be back.
struct LogModel {
  std::vector<ModelBatch> batches;
  Offset start{0};
  Offset high_watermark{0};
  LeaderEpoch epoch{0};
  /// Everything below was covered by a flush that succeeded.
  Offset synced{0};
  /// The end at the last attempt to close the log: the part that worked may have flushed it.
  Offset closed_at{0};
  /// The highest log start offset there ever was: epochs below are forgotten, even where a crash
  /// brings their records back.
  Offset furthest_start{0};
  /// Everything below may have been compacted: it is decided for good, nobody cuts it off.
  Offset compacted_to{0};
  /// The log start offset that the checkpoint file holds at least.
  Offset saved_start{0};
  /// Where an empty log stands.
  Offset origin{0};
  std::string topic_id;

  // What a change that failed or was cut short may have left behind.
  /// The log may be cut back to here.
  std::optional<Offset> cut_to;
  /// The log start offset may be up to here.
  std::optional<Offset> start_to;
  /// The log may be empty, starting here.
  std::optional<Offset> emptied_at;
  /// The last batches in the list were never acknowledged.
  std::size_t doubtful = 0;

  [[nodiscard]] Offset end() const;
  /// The end without batches whose append failed.
  [[nodiscard]] bool isBoundary(Offset offset) const;
  [[nodiscard]] const ModelBatch* batchAt(Offset offset) const;
  /// Drops what lies at and above a boundary.
  void cut(Offset offset);
  void restartAt(Offset offset);
  [[nodiscard]] std::vector<ModelTransaction> transactions() const;
  [[nodiscard]] std::map<ProducerId, ModelProducer> producers() const;
  /// Whether the producer's last batch may be gone: deleted, or compacted to nothing.
  [[nodiscard]] bool lastBatchMayBeGone(ProducerId id) const;
  /// Whether compactions were free to drop all records of [from, to).
  [[nodiscard]] bool mayBeGone(Offset from, Offset to) const;
  [[nodiscard]] std::vector<EpochEntry> epochs() const;
  /// Where the first batch of a later epoch stands, or the end.
  [[nodiscard]] Offset endOfEpoch(LeaderEpoch wanted) const;
  /// min(high watermark, first open transaction), within the log; those that ended at or above the
  /// high watermark are open. `surely` leaves out those that compaction may have dropped.
  [[nodiscard]] Offset lastStable(bool surely = false) const;
  /// Marks what a compaction of [start, end) may drop.
  void compact(Offset end);
};

}  // namespace millrace::log::test
