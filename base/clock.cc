#include "base/clock.h"

#include <chrono>

namespace millrace {

namespace {

template <class C>
Millis nowIn() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(C::now().time_since_epoch()).count();
}

class SystemClock final : public Clock {
 public:
  Millis wallMs() const override { return nowIn<std::chrono::system_clock>(); }
  Millis monotonicMs() const override { return nowIn<std::chrono::steady_clock>(); }
};

}  // namespace

const Clock& systemClock() {
  static const SystemClock* const clock = new SystemClock;  // never destroyed: used until the end
  return *clock;
}

}  // namespace millrace
