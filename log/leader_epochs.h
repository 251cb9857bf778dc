// Which leader epoch began where: Kafka's leader-epoch-checkpoint (KIP-101).
#pragma once

#include "log/log_files.h"

#include <optional>
#include <utility>
#include <vector>

namespace millrace::log {

/// Epochs and start offsets, both rising. Small: one entry per change of leader.
class LeaderEpochs {
 public:
  explicit LeaderEpochs(const LogFiles& files) : files_(&files) {}

  /// False where there is no file. Errors: kCorruptData.
  [[nodiscard]] Result<bool> load();
  /// Notes an epoch; nothing happens where it is not above the latest. Returns whether it was new.
  bool assign(LeaderEpoch epoch, Offset start);
  /// Forgets what starts at or above `end`.
  void truncateFromEnd(Offset end);
  /// Forgets epochs that ended at or below `start`; the one that covers it starts there now.
  void truncateFromStart(Offset start);
  void clear();
  /// Writes the file where anything changed, but for what it was loaded with; not synced.
  [[nodiscard]] Status save();
  /// The same for a log that ends at `end`: an epoch that begins there has no record yet, and
  /// opening forgets it. A file that differs in nothing else is left as it is until something is
  /// appended.
  [[nodiscard]] Status saveBelow(Offset end);
  /// Whether the file was written since the last call.
  [[nodiscard]] bool takeSaved() { return std::exchange(saved_, false); }

  [[nodiscard]] const std::vector<EpochEntry>& entries() const { return entries_; }
  [[nodiscard]] std::optional<LeaderEpoch> latest() const;
  /// The epoch that an offset was written in.
  [[nodiscard]] std::optional<LeaderEpoch> epochOf(Offset offset) const;
  /// OffsetForLeaderEpoch: the largest epoch at or below `epoch` and where it ended; `log_end` for
  /// the latest.
  [[nodiscard]] EpochEnd endOf(LeaderEpoch epoch, Offset log_end) const;

 private:
  const LogFiles* files_;
  std::vector<EpochEntry> entries_;
  /// What the file holds since load(), until it is written; nothing where that is unknown. Recovery
  /// takes entries away and finds the same again, and another file for each log is most of what a
  /// start would write.
  std::optional<std::vector<EpochEntry>> loaded_;
  bool changed_ = false;
  bool saved_ = false;
  bool exists_ = false;  ///< the file; where none was looked for, the log's directory is new
};

}  // namespace millrace::log
