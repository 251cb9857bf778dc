#include "broker/net/connection_counts.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <limits>

namespace millrace::broker {

int ConnectionCounts::descriptorsForConnections() {
  rlimit limit{};
  constexpr rlim_t kMost = std::numeric_limits<int>::max();
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kMost;
  constexpr rlim_t kOthers = 48;
  const rlim_t share = limit.rlim_cur / 8 * 3;
  return static_cast<int>(std::clamp<rlim_t>(share, kOthers + 1, kMost) - kOthers);
}

Result<ConnectionCounts::Place> ConnectionCounts::enter(const std::string& address) {
  const std::lock_guard lock(mutex_);
  if (in_all_ >= max_in_all_)
    return fail(Errc::kInvalidRequest, fmt::format("max.connections={} is reached", max_in_all_));
  if (in_all_ >= max_descriptors_)
    return fail(Errc::kInvalidRequest,
                fmt::format("the limit on open files (ulimit -n) has room for {} connections",
                            max_descriptors_));
  int& here = per_address_[address];
  if (here >= max_per_address_) {
    if (here == 0) per_address_.erase(address);
    return fail(Errc::kInvalidRequest,
                fmt::format("max.connections.per.ip={} is reached", max_per_address_));
  }
  ++here;
  ++in_all_;
  return Place(shared_from_this(), address);
}

void ConnectionCounts::leave(const std::string& address) {
  const std::lock_guard lock(mutex_);
  --in_all_;
  const auto found = per_address_.find(address);
  if (--found->second == 0) per_address_.erase(found);
}

}  // namespace millrace::broker
