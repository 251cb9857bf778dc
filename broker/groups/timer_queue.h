// Deadlines by name, for a state machine that never looks at a clock.
#pragma once

#include "base/clock.h"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace millrace::broker {

/// At most one deadline for a key; scheduling again moves it.
template <class Key>
class TimerQueue {
 public:
  void schedule(const Key& key, Millis deadline) {
    const auto [at, fresh] = by_key_.emplace(key, deadline);
    if (!fresh) {
      by_time_.erase({at->second, key});
      at->second = deadline;
    }
    by_time_.emplace(deadline, key);
  }
  void cancel(const Key& key) {
    const auto at = by_key_.find(key);
    if (at == by_key_.end()) return;
    by_time_.erase({at->second, key});
    by_key_.erase(at);
  }
  [[nodiscard]] std::optional<Millis> next() const {
    return by_time_.empty() ? std::nullopt : std::optional(by_time_.begin()->first);
  }
  /// Takes the earliest key whose deadline is reached.
  [[nodiscard]] std::optional<Key> takeDue(Millis now) {
    if (by_time_.empty() || by_time_.begin()->first > now) return std::nullopt;
    Key key = by_time_.begin()->second;
    cancel(key);
    return key;
  }
  /// Drops every key for which `which(key)` holds.
  template <class F>
  void cancelIf(F&& which) {
    std::vector<Key> doomed;
    for (const auto& [key, deadline] : by_key_) {
      if (which(key)) doomed.push_back(key);
    }
    for (const Key& key : doomed) cancel(key);
  }
  [[nodiscard]] bool empty() const { return by_key_.empty(); }

 private:
  std::map<Key, Millis> by_key_;
  std::set<std::pair<Millis, Key>> by_time_;
};

}  // namespace millrace::broker
