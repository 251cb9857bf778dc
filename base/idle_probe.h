// Whether the processors have something to do all the time.
#pragma once

#include <semaphore.h>

#include <atomic>
#include <thread>

namespace millrace {

/// A thread that runs only where a processor would be idle otherwise (Linux's SCHED_IDLE): that it
/// ran says that one was. It starts with the first question. The questions come from one thread at
/// a time.
class IdleProbe {
 public:
  IdleProbe();
  ~IdleProbe();
  IdleProbe(const IdleProbe&) = delete;
  IdleProbe& operator=(const IdleProbe&) = delete;

  /// Whether some processor had nothing to do at some moment since the last call. True for the
  /// first one, and always where the system has no such threads.
  [[nodiscard]] bool idled();

 private:
  void watch();

  sem_t asked_{};
  std::atomic<bool> idled_{true};
  std::atomic<bool> refused_{false};  ///< the system has no such threads
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace millrace
