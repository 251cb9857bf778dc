// The sparse indexes of one segment, held against its batches while those are read in order.
#pragma once

#include "log/batch_reader.h"
#include "log/check/report.h"
#include "log/index_file.h"

#include <optional>
#include <string>
#include <vector>

namespace millrace::log::detail {

/// What the directory's state allows in an index.
struct IndexRules {
  /// The log goes on in this segment, and was not closed well: the file may not be trimmed.
  bool may_have_zeros = false;
  /// The file must be there.
  bool required = false;
};

/// .index: each entry names the start of a batch, and the last offset of that batch or (older
/// Kafka) of one that was written together with it.
class OffsetIndexCheck {
 public:
  OffsetIndexCheck(const LogFiles& files, Offset base, Report& report);
  [[nodiscard]] Status load(IndexRules rules);
  void onBatch(const BatchReader::Head& batch);
  /// After the last batch. `whole`: the log file was read to its end.
  void finish(bool whole);

 private:
  void problem(std::size_t index, std::string what);
  void missed(std::size_t index);
  std::string path_;
  LogFiles files_;
  Offset base_;
  Report& report_;
  std::vector<OffsetEntry> entries_;
  std::size_t next_ = 0;
  /// Index of the entry whose offset is yet to come.
  std::optional<std::size_t> awaited_;
};

/// .timeindex: no record up to an entry's offset is newer than the entry, and one in the batch of
/// that offset is as new.
class TimeIndexCheck {
 public:
  TimeIndexCheck(const LogFiles& files, Offset base, Report& report);
  [[nodiscard]] Status load(IndexRules rules);
  void onBatch(const BatchReader::Head& batch);
  void finish(bool whole);

 private:
  void problem(std::size_t index, std::string what);
  std::string path_;
  LogFiles files_;
  Offset base_;
  Report& report_;
  std::vector<TimeEntry> entries_;
  std::size_t next_ = 0;
  std::int64_t newest_ = -1;
};

}  // namespace millrace::log::detail
