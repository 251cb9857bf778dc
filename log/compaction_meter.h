// What a compaction reads and writes, told to the pace now and then.
#pragma once

#include "log/compaction.h"

#include <cstdint>

namespace millrace::log {

/// One per run, on the thread that reads and writes.
class CompactionMeter {
 public:
  explicit CompactionMeter(const CompactionLimits& limits) : pace_(limits.pace) {}
  /// Errors: kCancelled where the pace was stopped.
  [[nodiscard]] Status add(std::uint64_t bytes) {
    bytes_ += bytes;
    if (pace_ == nullptr || bytes_ < kStep) return {};
    if (!pace_->spend(bytes_)) return fail(Errc::kCancelled, "compaction was given up");
    bytes_ = 0;
    return {};
  }

 private:
  /// The pace is asked once for so many bytes.
  static constexpr std::uint64_t kStep = 64 << 10;
  IoPace* pace_;
  std::uint64_t bytes_ = 0;
};

}  // namespace millrace::log
