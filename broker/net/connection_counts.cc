#include "broker/net/connection_counts.h"

#include <fmt/format.h>

namespace millrace::broker {

Result<ConnectionCounts::Place> ConnectionCounts::enter(const std::string& address) {
  const std::lock_guard lock(mutex_);
  if (in_all_ >= max_in_all_)
    return fail(Errc::kInvalidRequest, fmt::format("max.connections={} is reached", max_in_all_));
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
