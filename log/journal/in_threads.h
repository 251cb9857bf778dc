// The same work for many things on a few threads: a disk syncs many files together for little more
// than one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <thread>
#include <vector>

namespace millrace::log {

/// Calls fn(i) for each i in [0, n), on this thread and, where there is much to do, others, up to
/// `most` together; returns when all are done. `fn` is called from several threads at once.
template <class Fn>
void inThreads(std::size_t n, const Fn& fn, std::size_t most = 8) {
  constexpr std::size_t kPerThread = 8;
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < n; i = next++) fn(i);
  };
  std::vector<std::jthread> helpers;
  while (helpers.size() + 1 < std::min(most, n / kPerThread)) helpers.emplace_back(work);
  work();
}

}  // namespace millrace::log
