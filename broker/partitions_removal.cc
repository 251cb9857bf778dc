// What old records leave on the disk: retention puts segments aside, compaction replaces them,
// topics are deleted; their files go when their delay is over.
#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/fan_out.h"
#include "broker/partitions_impl.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iterator>

namespace millrace::broker {
namespace {

/// Files that become due closer together than this go together.
constexpr Millis kLeastWait = 100;

}  // namespace

void PartitionStore::Impl::noteLeftovers(const TopicIdPartition& id) {
  leftovers[static_cast<std::size_t>(Shard::current()->index())].insert(id);
}

void PartitionStore::Impl::askForRemovals() {
  shards.at(0).post([this] {
    removals_asked = true;
    removals.wakeAll();
  });
}

Task<> PartitionStore::runUpkeep() {
  std::atomic<bool> removed{false};
  auto work = [this, &removed](int shard) {
    const Millis now = impl_->clock.wallMs();
    for (auto& [id, partition] : impl_->maps[static_cast<std::size_t>(shard)]) {
      if (!isOpen(id)) continue;  // the next time will do
      const auto deleted = partition->log().runRetention(now);
      if (!deleted) MILLRACE_LOG_ERROR("{}: {}", partition->name(), deleted.error().toString());
      if (deleted && *deleted > 0) {
        MILLRACE_LOG_INFO("{}: retention deleted {} segments", partition->name(), *deleted);
        impl_->noteLeftovers(id);
        removed = true;
      }
      const Status upkeep = partition->log().runUpkeep(now);
      if (!upkeep) MILLRACE_LOG_ERROR("{}: {}", partition->name(), upkeep.error().toString());
    }
  };
  const std::vector<int> all = impl_->allShards();
  co_await onShards(impl_->shards, all, std::ref(work));
  if (removed) impl_->askForRemovals();
}

Task<> PartitionStore::runRemovals() {
  for (;;) {
    impl_->removals_asked = false;
    const Millis next = co_await removeLeftovers();
    if (impl_->removals_asked) continue;
    const Millis wait = std::max(next - impl_->clock.wallMs(), kLeastWait);
    const std::chrono::milliseconds most = std::chrono::hours(24);
    const Wake wake =
        co_await impl_->removals.park(std::min(std::chrono::milliseconds(wait), most));
    if (wake == Wake::kCancelled) co_return;
  }
}

Task<Millis> PartitionStore::removeLeftovers() {
  std::vector<log::Leftovers> found(impl_->maps.size());
  auto collect = [this, &found](int shard) {
    const auto s = static_cast<std::size_t>(shard);
    const Millis now = impl_->clock.wallMs();
    std::erase_if(impl_->leftovers[s], [&](const TopicIdPartition& id) {
      Partition* const partition = find(id);
      if (partition == nullptr) return true;  // its whole directory goes
      log::Leftovers some = partition->log().takeLeftovers(now);
      std::ranges::move(some.due, std::back_inserter(found[s].due));
      if (!some.next_ms) return true;
      found[s].next_ms = std::min(found[s].next_ms.value_or(kNever), *some.next_ms);
      return false;
    });
  };
  const std::vector<int> all = impl_->allShards();
  co_await onShards(impl_->shards, all, std::ref(collect));
  Millis next = kNever;
  auto unlink = [this, &found, &next] {
    for (const log::Leftovers& some : found) {
      next = std::min(next, some.next_ms.value_or(kNever));
      const Status gone = impl_->logs.unlink(some.due);
      if (!gone) MILLRACE_LOG_ERROR("removing old segments: {}", gone.error().toString());
    }
    const auto logs = impl_->logs.purge(impl_->clock.wallMs());
    if (!logs) MILLRACE_LOG_ERROR("removing deleted logs: {}", logs.error().toString());
    if (logs) next = std::min(next, logs->value_or(kNever));
  };
  co_await runBlocking(impl_->blocking, std::ref(unlink));
  co_return next;
}

}  // namespace millrace::broker
