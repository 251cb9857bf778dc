// Transactions of one log, followed through its batches, and the .txnindex files held against them.
#pragma once

#include "log/check/report.h"
#include "log/index_file.h"
#include "record/batch.h"
#include "record/records.h"

#include <map>
#include <optional>
#include <vector>

namespace millrace::log::detail {

/// One object for all segments of a log, in order.
class TransactionCheck {
 public:
  explicit TransactionCheck(Report& report) : report_(report) {}

  void onData(const record::BatchView& batch);
  void onMarker(const record::BatchView& batch, record::ControlType type);
  /// After a segment's last batch: compares with its index. Aborts at or above `trusted` may be
  /// missing in it. `whole`: the segment was read without an error.
  void finishSegment(const LogFiles& files, Offset base, Offset trusted, bool whole);

 private:
  struct Abort {
    ProducerId producer;
    Offset marker;
    /// First offset of the transaction's data; nothing where none was met.
    std::optional<Offset> first;
  };
  void compare(const std::string& path, const std::vector<AbortedTransaction>& entries,
               Offset trusted);

  Report& report_;
  std::map<ProducerId, Offset> open_;
  std::vector<Abort> aborts_;
};

}  // namespace millrace::log::detail
