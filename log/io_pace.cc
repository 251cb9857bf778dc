#include "log/io_pace.h"

#include <algorithm>

namespace millrace::log {

IoBudget::Clock::time_point IoBudget::charge(std::uint64_t bytes, Clock::time_point now) {
  if (unlimited()) return now;
  const std::chrono::duration<double> cost = std::min<std::chrono::duration<double>>(
      std::chrono::duration<double>(static_cast<double>(bytes) / rate_), kLongest);
  paid_until_ =
      std::max(paid_until_, now - kBurst) + std::chrono::duration_cast<Clock::duration>(cost);
  return paid_until_;
}

bool IoPace::spend(std::uint64_t bytes, const std::atomic<bool>* given_up) {
  std::unique_lock lock(mutex_);
  const auto now = IoBudget::Clock::now();
  const auto until = budget_.charge(bytes, now);
  const auto useless = [this, given_up] { return stopped_ || (given_up && *given_up); };
  const auto over = [&, before = changes_] { return useless() || changes_ != before; };
  if (until > now) changed_.wait_until(lock, until, over);
  return !useless();
}

void IoPace::setRate(double bytes_per_second) {
  const std::lock_guard lock(mutex_);
  if (bytes_per_second == rate_) return;
  rate_ = bytes_per_second;
  budget_ = IoBudget(rate_);
  ++changes_;
  changed_.notify_all();
}

void IoPace::wake() {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void IoPace::stop() {
  const std::lock_guard lock(mutex_);
  stopped_ = true;
  changed_.notify_all();
}

}  // namespace millrace::log
