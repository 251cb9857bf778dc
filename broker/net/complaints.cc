#include "broker/net/complaints.h"

#include "base/log.h"

#include <fmt/format.h>

namespace millrace::broker {

bool Complaints::log(std::string_view who, std::string_view kind, std::string_view cause) {
  std::string key = fmt::format("{} {}", who, kind);
  const Millis now = clock_.monotonicMs();
  {
    const std::lock_guard lock(mutex_);
    const auto found = last_.find(key);
    if (found != last_.end() && now - found->second < kQuietMs) return false;
    // Whoever comes from a thousand addresses is not worth more memory: begin anew.
    if (last_.size() >= kMaxRemembered) last_.clear();
    last_[std::move(key)] = now;
  }
  MILLRACE_LOG_WARN("{}: {} (the next of this kind is logged after 10 minutes)", who, cause);
  return true;
}

}  // namespace millrace::broker
