// Partitions and fdatasync: flush.messages and flush.ms, rolled segments, what a checkpoint needs.
#include "base/clock.h"
#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/fan_out.h"
#include "broker/partition.h"
#include "broker/partitions_impl.h"
#include "log/file_slot.h"
#include "log/journal/in_threads.h"

#include <algorithm>
#include <chrono>

namespace millrace::broker {
namespace {

/// Logs whose files are open and synced at the same time.
constexpr std::size_t kTogether = 64;
/// No flush.ms makes the store look more often.
constexpr Millis kShortestWait = 10;

/// Logs that are synced together: prepared and told on their shards, synced on a blocking thread.
class FlushRound {
 public:
  struct One {
    TopicIdPartition id;
    log::FlushJob job;
    Status outcome;
    bool postponed = false;
    bool held = false;  ///< its log changes its place
  };
  explicit FlushRound(std::size_t shards) : by_shard_(shards) {}

  void add(int shard, const TopicIdPartition& id) { on(shard).push_back({id, {}, {}}); }
  [[nodiscard]] std::vector<One>& on(int shard) {
    return by_shard_[static_cast<std::size_t>(shard)];
  }
  /// Those that have something to do.
  [[nodiscard]] std::vector<int> shards() const {
    std::vector<int> out;
    for (std::size_t i = 0; i < by_shard_.size(); ++i)
      if (!by_shard_[i].empty()) out.push_back(static_cast<int>(i));
    return out;
  }
  void sync() {
    std::vector<One*> due;
    for (auto& some : by_shard_)
      for (One& one : some)
        if (!one.job.empty()) due.push_back(&one);
    log::inThreads(due.size(), [&due](std::size_t i) { due[i]->outcome = due[i]->job.run(); });
  }
  /// Those that there were no file descriptors for, or that were held.
  [[nodiscard]] std::vector<TopicIdPartition> postponed() const {
    return idsOf([](const One& one) { return one.postponed || one.held; });
  }
  [[nodiscard]] std::vector<TopicIdPartition> held() const {
    return idsOf([](const One& one) { return one.held; });
  }
  /// The first failure.
  [[nodiscard]] Status outcome() const {
    for (const auto& some : by_shard_)
      for (const One& one : some)
        if (!one.outcome) return fail(Errc::kKafkaStorageError, one.outcome.error().toString());
    return {};
  }

 private:
  [[nodiscard]] std::vector<TopicIdPartition> idsOf(auto wanted) const {
    std::vector<TopicIdPartition> out;
    for (const auto& some : by_shard_)
      for (const One& one : some)
        if (wanted(one)) out.push_back(one.id);
    return out;
  }

  std::vector<std::vector<One>> by_shard_;
};

}  // namespace

Task<Status> PartitionStore::flush(std::vector<TopicIdPartition> ids, log::FlushScope scope) {
  Status first_error;
  while (!ids.empty()) {
    const auto from = ids.end() - std::min<std::ptrdiff_t>(std::ssize(ids), kTogether);
    std::vector<TopicIdPartition> some(from, ids.end());
    ids.erase(from, ids.end());
    const FlushEnd end = co_await flushTogether(std::move(some), scope);
    if (!end.outcome && first_error) first_error = end.outcome;
    ids.insert(ids.end(), end.postponed.begin(), end.postponed.end());
  }
  co_return first_error;
}

Task<PartitionStore::FlushEnd> PartitionStore::flushTogether(std::vector<TopicIdPartition> ids,
                                                             log::FlushScope scope) {
  FlushRound round(impl_->maps.size());
  for (const TopicIdPartition& id : ids) round.add(shardOf(id).index(), id);
  auto prepare = [this, &round, scope](int shard) {
    bool any = false;
    for (FlushRound::One& one : round.on(shard)) {
      one.held = !isOpen(one.id);
      one.postponed = any && log::FileSlot::runningLow();
      Partition* const partition = one.held || one.postponed ? nullptr : find(one.id);
      if (partition != nullptr) one.job = partition->log().prepareFlush(scope);
      if (one.job.empty()) continue;
      partition->beginFlush();
      any = true;
    }
  };
  const std::vector<int> shards = round.shards();
  co_await onShards(impl_->shards, shards, std::ref(prepare));
  auto sync = [&round] { round.sync(); };
  co_await runBlocking(impl_->blocking, std::ref(sync));
  auto report = [this, &round, scope](int shard) {
    for (FlushRound::One& one : round.on(shard)) {
      Partition* const partition = find(one.id);
      if (partition == nullptr || one.job.empty()) continue;
      partition->log().flushed(one.job, one.outcome);
      if (scope != log::FlushScope::kSealed) partition->flushedAt(impl_->clock.monotonicMs());
      partition->endFlush();
      Hold* const hold = partition->isFlushing() ? nullptr : impl_->holdOn(one.id);
      if (hold != nullptr && hold->on_idle) std::exchange(hold->on_idle, nullptr)();
    }
  };
  co_await onShards(impl_->shards, shards, std::ref(report));
  FlushEnd end{round.outcome(), round.postponed()};
  std::vector<TopicIdPartition> held = round.held();
  if (!held.empty()) co_await untilOpen(std::move(held));
  co_return end;
}

Task<> PartitionStore::runTimedFlushes() {
  for (;;) {
    if (impl_->flush_ms == kNever) {
      const Wake wake = co_await impl_->flush_asked.park(std::chrono::hours(24));
      if (wake == Wake::kCancelled) co_return;
      continue;
    }
    const Millis quiet = co_await flushTimed();
    const Millis wait = std::max(std::min(quiet, impl_->flush_ms), kShortestWait);
    const bool slept = co_await sleepFor(std::chrono::milliseconds(wait));
    if (!slept) co_return;
  }
}

Task<Millis> PartitionStore::flushTimed() {
  std::vector<std::vector<TopicIdPartition>> due(impl_->maps.size());
  std::vector<Millis> quiet(impl_->maps.size(), kNever);
  auto collect = [this, &due, &quiet](int shard) {
    const auto s = static_cast<std::size_t>(shard);
    const Millis now = impl_->clock.monotonicMs();
    for (const auto& [id, partition] : impl_->maps[s]) {
      const auto left = partition->untilFlush(now);
      if (!left) continue;
      if (*left <= 0) due[s].push_back(id);
      if (*left > 0) quiet[s] = std::min(quiet[s], *left);
    }
  };
  const std::vector<int> all = impl_->allShards();
  co_await onShards(impl_->shards, all, std::ref(collect));
  std::vector<TopicIdPartition> ids;
  for (auto& some : due) std::ranges::move(some, std::back_inserter(ids));
  const Status flushed = co_await flush(std::move(ids));
  if (!flushed) MILLRACE_LOG_ERROR("{}", flushed.error().toString());
  co_return std::ranges::min(quiet);
}

Task<> PartitionStore::flushRolled(bool only_compacted) {
  std::vector<std::vector<TopicIdPartition>> due(impl_->maps.size());
  auto collect = [this, &due, only_compacted](int shard) {
    const auto s = static_cast<std::size_t>(shard);
    for (auto& [id, partition] : impl_->maps[s]) {
      const auto& log = partition->log();
      if (only_compacted && !log.config().cleanup_compact) continue;
      if (log.hasUnflushedSegments()) due[s].push_back(id);
    }
  };
  const std::vector<int> all = impl_->allShards();
  co_await onShards(impl_->shards, all, std::ref(collect));
  for (auto& ids : due) {
    const Status flushed = co_await flush(std::move(ids), log::FlushScope::kSealed);
    if (!flushed) MILLRACE_LOG_ERROR("{}", flushed.error().toString());
  }
}

}  // namespace millrace::broker
