// Where records without a key go (KIP-480, KIP-794): one partition at a time, for about a batch's
// bytes.
#pragma once

#include "base/random.h"

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

namespace millrace::client {

/// The choice of one topic. current() and add() are called per record, from several threads,
/// without a lock.
class StickyPartitioner {
 public:
  /// `sticky_bytes`: batch.size.
  StickyPartitioner(std::int64_t sticky_bytes, RandomSource& random)
      : sticky_bytes_(sticky_bytes), random_(random) {}

  /// -1 before the first choose().
  [[nodiscard]] std::int32_t current() const { return current_.load(std::memory_order_relaxed); }
  /// Counts a record's bytes on the current partition. True: time to choose() anew. `batch_ended`:
  /// the record opened a new batch; the switch waits for that up to twice the bytes, so that
  /// batches are not cut.
  [[nodiscard]] bool add(std::int64_t bytes, bool batch_ended) {
    const std::int64_t total = bytes_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
    return (total >= sticky_bytes_ && batch_ended) || total >= 2 * sticky_bytes_;
  }
  /// Picks the next partition: those in `loads` (partition, queued batches) with odds that fall
  /// with the queue (adaptive), or evenly where all queues are equally long.
  std::int32_t choose(const std::vector<std::pair<std::int32_t, std::int32_t>>& loads);

 private:
  const std::int64_t sticky_bytes_;
  RandomSource& random_;
  std::mutex mutex_;
  std::atomic<std::int32_t> current_{-1};
  std::atomic<std::int64_t> bytes_{0};
};

}  // namespace millrace::client
