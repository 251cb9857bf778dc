// Says once, and only once in a while, what is wrong with a client: garbage on the port must not
// fill the disk with log lines.
#pragma once

#include "base/clock.h"

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace millrace::broker {

/// Thread-safe; remembers a bounded number of complaints.
class Complaints {
 public:
  static constexpr Millis kQuietMs = 600'000;
  static constexpr std::size_t kMaxRemembered = 1024;

  explicit Complaints(const Clock& clock) : clock_(clock) {}

  /// Logs "<who>: <cause>" as a warning, unless `who` was complained about for the same kind of
  /// cause in the last ten minutes. True where it was logged.
  bool log(std::string_view who, std::string_view kind, std::string_view cause);

 private:
  const Clock& clock_;
  std::mutex mutex_;
  std::unordered_map<std::string, Millis> last_;
};

}  // namespace millrace::broker
