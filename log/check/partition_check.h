// All files of one log.
#pragma once

#include "log/check/report.h"
#include "log/check/snapshot_check.h"
#include "log/check/transaction_check.h"
#include "log/log_files.h"

#include <string>
#include <vector>

namespace millrace::log::detail {

/// What the data directory says of the log.
struct Claims {
  /// Closed well: everything must be in order, to the last index entry.
  bool clean = false;
  Offset log_start;
  Offset recovery_point;
  /// Compaction may have left gaps below.
  Offset cleaned_to;
};

/// Reads the segments in order, once. I/O errors become problems.
class PartitionCheck {
 public:
  PartitionCheck(FileSystem& system, std::string directory, Claims claims, Report& report);
  /// Returns the log's end; nothing where damage hides it.
  std::optional<Offset> run();

 private:
  [[nodiscard]] Status list();
  void checkSegment(std::size_t index);
  /// No records may be missing between the segment and the one before it.
  void checkContinues(Offset base);
  /// Bytes in a log file; 0 where it cannot be read, which readBatches() reports.
  [[nodiscard]] std::uint64_t sizeOf(Offset base) const;
  /// Reads a segment's batches; true where it is whole.
  [[nodiscard]] Result<bool> readBatches(std::size_t index, class SegmentIndexes& indexes);
  void onBatch(std::uint64_t at, const record::BatchView& batch, Offset segment_base,
               Offset segment_end);
  void checkOrder(const std::string& path, std::uint64_t at, const record::BatchView& batch,
                  Offset segment_base, Offset segment_end);
  void checkEpoch(const std::string& path, std::uint64_t at, const record::BatchView& batch);
  /// Damage at `at`: whether it is only room that was set aside.
  [[nodiscard]] bool onlyZeros(const File& file, std::uint64_t at, std::uint64_t size) const;
  void metadataSnapshots(const std::vector<std::string>& names);

  LogFiles files_;
  Claims claims_;
  Report& report_;
  std::vector<Offset> segments_;
  std::vector<Offset> snapshot_offsets_;
  std::vector<EpochEntry> epochs_;
  SnapshotCheck snapshots_;
  TransactionCheck transactions_;
  Offset next_offset_{0};
  LeaderEpoch epoch_reported_{-1};
  bool damaged_ = false;
  Bytes scratch_;
};

/// A file of batches without indexes: a metadata snapshot. `framed`: it begins with a snapshot
/// header and ends with a footer.
void checkBatchFile(FileSystem& system, const std::string& path, bool framed, Report& report);

}  // namespace millrace::log::detail
