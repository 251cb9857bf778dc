// A request that has to wait for a log which is just changing its place.
#pragma once

#include "base/net/shield.h"
#include "base/net/suspend.h"

#include <atomic>
#include <functional>
#include <utility>

namespace millrace::broker {

/// Counts what of one request's work is held back (PartitionStore::whenOpen) and lets its coroutine
/// go on when all of it is done. Work is added before wait(), on any shard, and done on any.
///
/// What is held refers to the coroutine's variables, so it must not end before:
/// `if (held.any()) { co_await shielded(); co_await held.wait(); co_await unshielded(); }`
class HeldWork {
 public:
  /// Whether there may be something to wait for. Where there is not, all that was held is done.
  [[nodiscard]] bool any() const { return left_.load(std::memory_order_acquire) != 1; }
  void add() { left_.fetch_add(1, std::memory_order_relaxed); }
  void done() {
    if (left_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    // Once called, the coroutine may end, and this with it.
    Resume resume = std::move(resume_);
    resume();
  }
  [[nodiscard]] Task<> wait() {
    auto start = [this](Resume resume) {
      resume_ = std::move(resume);
      done();
    };
    co_await suspend(std::ref(start));
  }

 private:
  /// One more than is held, until somebody waits.
  std::atomic<int> left_{1};
  Resume resume_;
};

}  // namespace millrace::broker
