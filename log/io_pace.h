// A limit on bytes per second for work in the background: compaction, moves between directories.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace millrace::log {

/// The arithmetic alone: bytes are a debt that time pays off.
class IoBudget {
 public:
  using Clock = std::chrono::steady_clock;
  /// Time that may be used at once after a pause: bursts are no longer than this.
  static constexpr std::chrono::milliseconds kBurst{100};

  /// The longest that one charge is waited for.
  static constexpr std::chrono::hours kLongest{24};

  /// Bytes per second; what is larger than any disk counts as no limit, and so does, as in Kafka,
  /// what is below 0. With 0 next to nothing is allowed.
  explicit IoBudget(double bytes_per_second) : rate_(bytes_per_second) {}
  [[nodiscard]] bool unlimited() const { return !(rate_ >= 0 && rate_ < 1e15); }
  /// Takes `bytes` and returns the moment from which the next ones may be taken.
  Clock::time_point charge(std::uint64_t bytes, Clock::time_point now);

 private:
  double rate_;
  Clock::time_point paid_until_{};
};

/// Thread-safe: all threads of a kind share one. Never on a shard: spend() sleeps.
class IoPace {
 public:
  explicit IoPace(double bytes_per_second) : rate_(bytes_per_second), budget_(bytes_per_second) {}
  /// Waits until there is room for more. False once stop() was called, or wake() where `given_up`
  /// is true: the work is to be given up.
  [[nodiscard]] bool spend(std::uint64_t bytes, const std::atomic<bool>* given_up = nullptr);
  /// From now on; whoever waits goes on at once.
  void setRate(double bytes_per_second);
  /// Whose work was given up goes on at once.
  void wake();
  void stop();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  double rate_;
  IoBudget budget_;
  /// Counts changes of the rate.
  int changes_ = 0;
  bool stopped_ = false;
};

}  // namespace millrace::log
