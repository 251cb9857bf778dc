// Up to where the fate of transactions is on disk: compaction must not go by what a crash takes
// back.
#pragma once

#include "base/ids.h"

#include <algorithm>

namespace millrace::log {

/// A record may go for a newer one, or because its transaction was aborted, only when the marker
/// that decided it is on disk. Follows the last stable offset at the distance of a flush.
class FlushedStable {
 public:
  /// A transaction ended here.
  void noteMarker(Offset offset) { last_marker_ = offset; }
  /// A flush was prepared: the last stable offset and the end of the log now.
  void prepare(Offset stable, Offset end, Offset recovery_point) {
    if (decided_by_ > recovery_point) return;
    next_ = stable;
    decided_by_ = end;
  }
  void flushed(Offset recovery_point) {
    if (decided_by_ <= recovery_point) flushed_ = next_;
  }
  /// The log was cut and begins to be replayed at `from`; what lies below is known from a snapshot.
  void cut(Offset end, Offset from) {
    flushed_ = std::min(flushed_, end);
    next_ = decided_by_ = Offset{0};
    last_marker_ = from - 1;
  }
  /// The part of [.., stable) that a crash leaves stable.
  [[nodiscard]] Offset stable(Offset stable, Offset recovery_point) const {
    return last_marker_ < recovery_point ? stable : std::min(stable, flushed_);
  }

 private:
  Offset last_marker_{-1};
  Offset next_{0};
  Offset decided_by_{0};
  Offset flushed_{0};
};

}  // namespace millrace::log
