// Asking several shards at once: one hop each, whatever is asked of them.
#pragma once

#include "base/net/shard.h"

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

namespace millrace::broker {

/// Runs `fn(index)` once on each of the shards, in parallel, and resumes on the caller's shard when
/// all are done. Without any suspension where the caller's shard is the only one. `fn` must not
/// throw and may be called from several threads at once (with different indexes). Calls from one
/// shard reach another in the order in which they were made.
template <class F>
[[nodiscard]] Task<> onShards(ShardPool& pool, std::vector<int> indexes, F fn) {
  int local = -1;
  int remote = 0;
  for (const int index : indexes) {
    if (pool.at(index).runsHere()) {
      local = index;
    } else {
      ++remote;
    }
  }
  if (remote == 0) {
    if (local >= 0) fn(local);
    co_return;
  }
  std::atomic<int> left{remote};
  auto start = [&pool, &indexes, &fn, &left, local](Resume resume) {
    const auto shared = std::make_shared<Resume>(std::move(resume));
    for (const int index : indexes) {
      if (index == local) continue;
      pool.at(index).post([&fn, &left, index, shared] {
        fn(index);
        if (left.fetch_sub(1, std::memory_order_acq_rel) == 1) (*shared)();
      });
    }
    if (local >= 0) fn(local);
  };
  co_await suspend(std::ref(start));
}

}  // namespace millrace::broker
