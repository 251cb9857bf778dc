// Which log is compacted next. Decisions only: see log_cleaner.h for who carries them out.
#pragma once

#include "base/result.h"
#include "broker/topic_id_partition.h"

#include <deque>
#include <optional>
#include <unordered_set>
#include <vector>

namespace millrace::broker {

/// A log that compaction is due for.
struct DirtyLog {
  TopicIdPartition id;
  /// Bytes not compacted yet over all that may be, 0 to 1.
  double dirty_ratio = 0;
};

/// The logs that are due, the dirtiest first, shared by all cleaners; each log has one cleaner at a
/// time. A log whose records cannot be read is left alone until the next start (Kafka's
/// LogCleanerManager marks it uncleanable). Used on one shard.
class CleaningQueue {
 public:
  /// Whether the cleaners have to look for what is due.
  [[nodiscard]] bool empty() const { return queue_.empty(); }
  /// What is due now. Does nothing where another cleaner has looked meanwhile.
  void fill(std::vector<DirtyLog> due);
  /// The next log, busy from now on until done(). Nothing where none is left.
  [[nodiscard]] std::optional<TopicIdPartition> take();
  /// How the compaction of a log ended; true: go on with the next one, false: rest first.
  [[nodiscard]] bool done(const TopicIdPartition& id, const Status& outcome);
  /// Whether any log was compacted since the last call.
  [[nodiscard]] bool takeCompacted();

 private:
  using Ids = std::unordered_set<TopicIdPartition, TopicIdPartitionHash>;

  std::deque<TopicIdPartition> queue_;
  Ids busy_;
  Ids uncleanable_;
  bool compacted_ = false;
};

}  // namespace millrace::broker
