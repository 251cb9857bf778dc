// Shards: N threads, each with one single-threaded event loop. A partition, group or connection
// belongs to exactly one shard, so its code is plain single-threaded code.
#pragma once

#include "base/net/suspend.h"
#include "base/net/task.h"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <type_traits>
#include <vector>

namespace millrace {

/// One thread with one io_context(1). Made stopped; start() and stop() are called by its owner,
/// once each, from a thread that is not the shard's.
class Shard {
 public:
  explicit Shard(int index);
  ~Shard();  ///< stops
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] int index() const { return index_; }
  [[nodiscard]] IoContext& context() { return context_; }
  [[nodiscard]] Executor executor() { return context_.get_executor(); }
  /// Whether the calling thread is this shard's.
  [[nodiscard]] bool runsHere() const { return current() == this; }
  /// The shard of the calling thread; nullptr on other threads.
  [[nodiscard]] static Shard* current();

  /// Queues a call on this shard; returns at once. From any thread.
  template <class F>
  void post(F fn) {
    boost::asio::post(context_, std::move(fn));
  }
  void start();
  /// Ends the loop after the handler that runs now and joins. Close the gates of what lives here
  /// first: whatever is still parked is destroyed with the shard, not resumed.
  void stop();

 private:
  void run();

  int index_;
  IoContext context_{1};
  boost::asio::executor_work_guard<Executor> work_;
  std::thread thread_;
};

/// All shards of a process's broker or client. Shard i of n; index arithmetic is the owner's.
class ShardPool {
 public:
  /// `count` >= 1; 0 means one per core.
  explicit ShardPool(int count = 0);
  void start();
  void stop();
  [[nodiscard]] int size() const { return static_cast<int>(shards_.size()); }
  [[nodiscard]] Shard& at(int index) { return *shards_[static_cast<std::size_t>(index)]; }
  /// The shard that owns what hashes to `hash`.
  [[nodiscard]] Shard& forHash(std::uint64_t hash) {
    return *shards_[static_cast<std::size_t>(hash % shards_.size())];
  }

 private:
  std::vector<std::unique_ptr<Shard>> shards_;
};

namespace detail {
template <class T>
struct TaskValue {
  static constexpr bool kIsTask = false;
  using Type = T;
};
template <class T>
struct TaskValue<Task<T>> {
  static constexpr bool kIsTask = true;
  using Type = T;
};
template <class F>
using ShardResult = typename TaskValue<std::invoke_result_t<F&>>::Type;
}  // namespace detail

/// Runs `fn()` on `shard` and resumes the caller on the caller's own shard with its result. Free of
/// any hop where the caller is there already; otherwise two hops (some 6 us): batch what you ask
/// for. `fn` is plain synchronous code (for a coroutine see onShardAsync); it must not throw.
template <class F>
[[nodiscard]] Task<detail::ShardResult<F>> onShard(Shard& shard, F fn) {
  using R = detail::ShardResult<F>;
  static_assert(!detail::TaskValue<std::invoke_result_t<F&>>::kIsTask, "use onShardAsync");
  if (shard.runsHere()) co_return fn();
  if constexpr (std::is_void_v<R>) {
    auto start = [&shard, &fn](Resume resume) {
      shard.post([&fn, go = std::move(resume)]() mutable {
        fn();
        go();
      });
    };
    co_await suspend(std::ref(start));
  } else {
    std::optional<R> result;
    auto start = [&shard, &fn, &result](Resume resume) {
      shard.post([&fn, &result, go = std::move(resume)]() mutable {
        result.emplace(fn());
        go();
      });
    };
    co_await suspend(std::ref(start));
    co_return std::move(*result);
  }
}

}  // namespace millrace
