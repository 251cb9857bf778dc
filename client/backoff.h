// Exponential back-off with jitter (Kafka's ExponentialBackoff): how long to wait before attempt n.
#pragma once

#include "base/clock.h"
#include "base/random.h"

#include <algorithm>
#include <cmath>

namespace millrace::client {

/// Pure: the random source is handed in.
class Backoff {
 public:
  Backoff(Millis initial_ms, Millis max_ms) : initial_ms_(initial_ms), max_ms_(max_ms) {}

  /// After `failures` failures in a row (0: the first one): doubled each time, capped, then +-20 %.
  [[nodiscard]] Millis delay(int failures, RandomSource& random) const {
    if (initial_ms_ <= 0) return 0;
    const double grown = static_cast<double>(initial_ms_) * std::pow(2.0, std::min(failures, 30));
    const double capped = std::min(grown, static_cast<double>(std::max(max_ms_, initial_ms_)));
    return static_cast<Millis>(capped * (0.8 + 0.4 * random.unit()));
  }

 private:
  Millis initial_ms_;
  Millis max_ms_;
};

}  // namespace millrace::client
