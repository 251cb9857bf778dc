// Time as the clients' shells count it.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <chrono>

namespace millrace::client {

[[nodiscard]] inline Millis monotonicNow() { return systemClock().monotonicMs(); }

/// Whole milliseconds until `deadline`; 0 where it has passed.
[[nodiscard]] inline Millis millisUntil(std::chrono::steady_clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      deadline - std::chrono::steady_clock::now());
  return std::max<Millis>(left.count(), 0);
}

}  // namespace millrace::client
