// Threads for what would block a shard: fsync, directory work, recovery, user plugins.
#pragma once

#include "base/net/suspend.h"

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

namespace millrace {

/// A fixed number of threads that take calls in order. Thread-safe.
class BlockingPool {
 public:
  /// `threads` >= 1. Threads start with the first call, so an idle pool costs nothing.
  explicit BlockingPool(int threads, std::string name = "blocking");
  ~BlockingPool();  ///< stops
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  /// Queues a call; it must not throw. After stop() it runs at once on the caller's thread, so that
  /// no waiting coroutine is left behind.
  void submit(std::move_only_function<void()> call);
  /// Runs everything queued, then joins the threads.
  void stop();

 private:
  void run();

  const std::size_t limit_;
  const std::string name_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::move_only_function<void()>> queue_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopped_ = false;
};

/// Runs `fn()` on a thread of the pool; the calling coroutine resumes on its own executor.
template <class F>
[[nodiscard]] Task<std::invoke_result_t<F&>> runBlocking(BlockingPool& pool, F fn) {
  using R = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<R>) {
    auto start = [&pool, &fn](Resume resume) {
      pool.submit([&fn, go = std::move(resume)]() mutable {
        fn();
        go();
      });
    };
    co_await suspend(std::ref(start));
  } else {
    std::optional<R> result;
    auto start = [&pool, &fn, &result](Resume resume) {
      pool.submit([&fn, &result, go = std::move(resume)]() mutable {
        result.emplace(fn());
        go();
      });
    };
    co_await suspend(std::ref(start));
    co_return std::move(*result);
  }
}

}  // namespace millrace
