// Windows over event time.
#pragma once

#include "dsl/types.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

namespace millrace {

/// How long after its end a window still takes late records.
struct WindowOptions {
  Duration grace = Duration::zero();
};

/// Tumbling or hopping windows: [start, start + size), a new one every `advance`, aligned to 1970
/// UTC.
class TimeWindows {
 public:
  TimeWindows(Duration size, Duration advance, Duration grace)
      : size_ms_(size.count()), advance_ms_(advance.count()), grace_ms_(grace.count()) {}
  [[nodiscard]] Millis sizeMs() const { return size_ms_; }
  [[nodiscard]] Millis advanceMs() const { return advance_ms_; }
  [[nodiscard]] Millis graceMs() const { return grace_ms_; }

  /// Calls `each(Window)` for the windows that contain `timestamp` (>= 0), by start; the first
  /// starts at 0 or later.
  template <class Each>
  void forEach(Millis timestamp, Each each) const {
    Millis start =
        std::max<Millis>(0, timestamp - size_ms_ + advance_ms_) / advance_ms_ * advance_ms_;
    for (; start <= timestamp; start += advance_ms_) each(Window{start, endOf(start)});
  }
  /// What is wrong with the sizes; empty where nothing is.
  [[nodiscard]] std::string problem() const {
    if (size_ms_ <= 0) return "window size must be larger than zero";
    if (advance_ms_ <= 0 || advance_ms_ > size_ms_)
      return "advance must be larger than zero and at most the size";
    if (grace_ms_ < 0) return "grace must not be negative";
    return {};
  }

 private:
  [[nodiscard]] Millis endOf(Millis start) const {
    constexpr Millis kMax = std::numeric_limits<Millis>::max();
    return start > kMax - size_ms_ ? kMax : start + size_ms_;
  }
  Millis size_ms_;
  Millis advance_ms_;
  Millis grace_ms_;
};

/// `tumbling(1h, {.grace = 10min})`
[[nodiscard]] inline TimeWindows tumbling(Duration size, WindowOptions options = {}) {
  return {size, size, options.grace};
}
/// `hopping(1h, 10min)`: windows of one hour, one begins every ten minutes.
[[nodiscard]] inline TimeWindows hopping(Duration size, Duration advance,
                                         WindowOptions options = {}) {
  return {size, advance, options.grace};
}

}  // namespace millrace
