// Time as a value that is handed in: decisions never read a clock themselves.
#pragma once

#include <cstdint>

namespace millrace {

/// Milliseconds. Wall clock: since 1970 UTC; monotonic: since some start.
using Millis = std::int64_t;

class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall-clock time in ms since 1970 UTC: for timestamps in records.
  [[nodiscard]] virtual Millis wallMs() const = 0;
  /// Monotonic time in ms: for deadlines.
  [[nodiscard]] virtual Millis monotonicMs() const = 0;
};

/// The machine's clocks. Never destroyed.
[[nodiscard]] const Clock& systemClock();

/// A clock that a test moves by hand.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Millis wall_ms = 0) : wall_ms_(wall_ms) {}
  [[nodiscard]] Millis wallMs() const override { return wall_ms_; }
  [[nodiscard]] Millis monotonicMs() const override { return wall_ms_; }
  void advance(Millis ms) { wall_ms_ += ms; }
  void set(Millis wall_ms) { wall_ms_ = wall_ms; }

 private:
  Millis wall_ms_;
};

}  // namespace millrace
