// How a Fetch that finds too little meets the appends it waits for.
#pragma once

#include "base/net/waiter.h"
#include "broker/data/fetch_job.h"
#include "broker/partition.h"

#include <atomic>
#include <cstdint>
#include <memory>

namespace millrace::broker {

/// One round of a FetchJob: the shards of its partitions read, and where that is not enough, the
/// shard whose append ends the wait reads again before it calls the connection's shard. So a record
/// costs whoever waits for it one hop. While a shard is at work on the job, the connection's shard
/// keeps away from it.
class FetchWait final : public GrowthWatcher, public std::enable_shared_from_this<FetchWait> {
 public:
  /// `home` is the connection's shard, where everything is called that does not say otherwise. With
  /// `min_bytes` 0 the first reads end the round.
  FetchWait(ShardPool& shards, Shard& home, const std::shared_ptr<FetchJob>& job,
            std::int64_t min_bytes)
      : shards_(shards), home_(home), job_(job), missing_bytes_(min_bytes), done_(min_bytes <= 0) {}

  /// Reads what is there, on all shards at a time. True where the round is over already: nothing
  /// was to be asked of other shards, and nothing is waited for.
  [[nodiscard]] bool begin();
  /// Parks until the round is over (kNotified), `deadline` passes or interrupt() ends it; then no
  /// shard is at work any more. But where the broker stops (kCancelled): the job is not to be
  /// touched.
  [[nodiscard]] Task<Wake> park(SteadyTime deadline);
  void interrupt() { list_.wakeAll(); }

  bool grown(std::int64_t bytes) override;
  void gone() override;
  [[nodiscard]] bool isDone() const override { return done_.load(std::memory_order_acquire); }

 private:
  void visit(FetchJob& job, int shard);
  void endVisit();
  void signal();
  [[nodiscard]] bool withdraw();

  ShardPool& shards_;
  Shard& home_;
  /// Weak: partitions may keep a watcher for longer than its request is under way.
  std::weak_ptr<FetchJob> job_;
  std::atomic<std::int64_t> missing_bytes_;
  /// Nothing more is waited for.
  std::atomic<bool> done_;
  /// How many are at work on the job, or about to find that they need not be. The last one calls
  /// home where the round is done.
  std::atomic<int> at_work_{0};
  WaitList list_;
  bool signalled_ = false;  ///< on home
};

}  // namespace millrace::broker
