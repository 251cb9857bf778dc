// Work that is due at fixed times, whatever happened to what was due before it.
#pragma once

#include <sys/prctl.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <thread>
#include <vector>

namespace millrace::bench {

inline std::int64_t nowNanos() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

/// In milliseconds.
inline double percentile(const std::vector<std::int64_t>& sorted_nanos, double p) {
  const auto index = static_cast<std::size_t>(p * static_cast<double>(sorted_nanos.size() - 1));
  return static_cast<double>(sorted_nanos[index]) / 1e6;
}

/// One second of `rate` is warm-up, which does not count.
struct OpenLoop {
  int rate = 0;  ///< a second
  int seconds = 0;

  [[nodiscard]] std::size_t count() const {
    return static_cast<std::size_t>(rate) * static_cast<std::size_t>(seconds + 1);
  }
  /// Calls send(due) `count()` times and returns how late each call was, in nanoseconds.
  template <class Send>
  std::vector<std::int64_t> run(Send&& send) const {
    ::prctl(PR_SET_TIMERSLACK, 1UL);  // the default lets every sleep end 50 us late
    std::vector<std::int64_t> lateness;
    lateness.reserve(count());
    const std::int64_t first_due = nowNanos() + 50'000'000;
    for (std::size_t i = 0; i < count(); ++i) {
      const std::int64_t due = first_due + static_cast<std::int64_t>(i) * (1'000'000'000 / rate);
      const std::int64_t wait = due - nowNanos();
      if (wait > 0) std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
      lateness.push_back(nowNanos() - due);
      send(due);
    }
    return lateness;
  }
  /// What was measured of all, without the warm-up, in order of size.
  [[nodiscard]] std::vector<std::int64_t> sorted(std::vector<std::int64_t> all) const {
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(rate));
    std::sort(all.begin(), all.end());
    return all;
  }
};

}  // namespace millrace::bench
