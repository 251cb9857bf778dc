// Producer snapshots of one log, held against its batches.
#pragma once

#include "log/check/report.h"
#include "log/log_files.h"
#include "record/batch.h"

#include <map>
#include <vector>

namespace millrace::log::detail {

class SnapshotCheck {
 public:
  explicit SnapshotCheck(Report& report) : report_(report) {}
  /// Reads the snapshots at these offsets.
  void load(const LogFiles& files, const std::vector<Offset>& snapshots);
  /// A data batch: what a snapshot says of a producer's last batch at these offsets must be so.
  void onData(const record::BatchView& batch);
  /// No snapshot may be taken above the end of the log.
  void finish(Offset log_end);

 private:
  struct Claim {
    std::string file;
    ProducerInfo producer;
  };
  void check(const Claim& claim, const record::BatchView& batch);

  Report& report_;
  std::multimap<Offset, Claim> claims_;
  std::vector<std::pair<Offset, std::string>> taken_;
};

}  // namespace millrace::log::detail
