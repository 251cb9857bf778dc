#include "client/sticky_partitioner.h"

#include "base/assert.h"

#include <algorithm>

namespace millrace::client {

std::int32_t StickyPartitioner::choose(
    const std::vector<std::pair<std::int32_t, std::int32_t>>& loads) {
  MILLRACE_ASSERT(!loads.empty(), "a topic without partitions");
  std::int32_t longest = 0;
  for (const auto& [partition, queued] : loads) longest = std::max(longest, queued);
  std::uint64_t total = 0;
  for (const auto& [partition, queued] : loads) {
    total += static_cast<std::uint64_t>(longest + 1 - queued);
  }
  const std::lock_guard lock(mutex_);
  std::uint64_t drawn = random_.below(total);
  std::int32_t chosen = loads.back().first;
  for (const auto& [partition, queued] : loads) {
    const auto weight = static_cast<std::uint64_t>(longest + 1 - queued);
    if (drawn < weight) {
      chosen = partition;
      break;
    }
    drawn -= weight;
  }
  bytes_.store(0, std::memory_order_relaxed);
  current_.store(chosen, std::memory_order_relaxed);
  return chosen;
}

}  // namespace millrace::client
