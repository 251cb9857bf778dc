// Which bytes of a segment are known to be sound: appended or checked by this process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>

namespace millrace::log {

/// Everything from some position on, because it was appended or recovered, and what readers had
/// checked below it. Positions are boundaries of batches.
class SoundRanges {
 public:
  /// Nothing below is known to be sound; what comes behind it will be.
  void startAt(std::uint64_t position) {
    from_ = position;
    checked_.reset();
  }
  void cut(std::uint64_t position) {
    if (position >= from_) return;
    from_ = position;
    if (checked_ == nullptr) return;
    checked_->erase(checked_->lower_bound(position), checked_->end());
    if (!checked_->empty())
      std::prev(checked_->end())->second = std::min(std::prev(checked_->end())->second, position);
  }
  /// [begin, end) was checked.
  void add(std::uint64_t begin, std::uint64_t end) {
    if (end >= from_) {
      from_ = std::min(from_, begin);
      return;
    }
    if (checked_ == nullptr) checked_ = std::make_unique<std::map<std::uint64_t, std::uint64_t>>();
    auto next = checked_->upper_bound(begin);
    if (next != checked_->begin() && std::prev(next)->second >= begin) {
      --next;
      begin = next->first;
    }
    while (next != checked_->end() && next->first <= end) {
      end = std::max(end, next->second);
      next = checked_->erase(next);
    }
    checked_->emplace(begin, end);
  }
  /// Up to where everything from `begin` on is sound; `begin` where nothing is.
  [[nodiscard]] std::uint64_t soundFrom(std::uint64_t begin, std::uint64_t end) const {
    if (begin >= from_) return end;
    if (checked_ == nullptr) return begin;
    const auto above = checked_->upper_bound(begin);
    if (above == checked_->begin()) return begin;
    const std::uint64_t reaches = std::prev(above)->second;
    if (reaches <= begin) return begin;
    return reaches >= std::min(end, from_) ? end : reaches;
  }

 private:
  std::uint64_t from_ = 0;
  /// Begin and end of each range, not touching each other; made by the first.
  std::unique_ptr<std::map<std::uint64_t, std::uint64_t>> checked_;
};

}  // namespace millrace::log
