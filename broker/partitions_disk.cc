// Partitions and the disk: directories that fail, and how much a crash may leave to be scanned.
#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "broker/fan_out.h"
#include "broker/partitions_impl.h"
#include "log/log_manager.h"

#include <algorithm>
#include <atomic>
#include <chrono>

namespace millrace::broker {

Errc PartitionStore::whyMissing(const TopicIdPartition& id) const {
  const PartitionSet& here = impl_->offline[static_cast<std::size_t>(Shard::current()->index())];
  return here.contains(id) ? Errc::kKafkaStorageError : Errc::kNotLeaderOrFollower;
}

Task<std::size_t> PartitionStore::dropDirectory(std::string directory) {
  const std::string prefix = directory + "/";
  std::atomic<std::size_t> dropped{0};
  auto drop = [this, &prefix, &dropped](int shard) {
    const auto s = static_cast<std::size_t>(shard);
    dropped += std::erase_if(impl_->maps[s], [&](const auto& item) {
      if (!item.second->log().directory().starts_with(prefix)) return false;
      impl_->offline[s].insert(item.first);
      return true;
    });
  };
  const std::vector<int> all = impl_->allShards();
  co_await onShards(impl_->shards, all, std::ref(drop));
  co_return dropped.load();
}

Task<std::uint64_t> PartitionStore::fingerprint() {
  std::atomic<std::uint64_t> sum{0};
  auto add = [this, &sum](int shard) {
    std::uint64_t here = 0;
    for (const auto& [id, partition] : impl_->maps[static_cast<std::size_t>(shard)]) {
      const log::PartitionLog& log = partition->log();
      const auto start = static_cast<std::uint64_t>(log.startOffset().value());
      const auto end = static_cast<std::uint64_t>(log.highWatermark().value());
      const auto synced = static_cast<std::uint64_t>(log.recoveryPoint().value());
      here += (TopicIdPartitionHash{}(id) | 1) * ((start * 31 + end) * 31 + synced);
    }
    sum.fetch_add(here, std::memory_order_relaxed);
  };
  const std::vector<int> all = impl_->allShards();
  co_await onShards(impl_->shards, all, std::ref(add));
  co_return sum.load();
}

Task<bool> PartitionStore::waitForGrowth() {
  const Wake wake = co_await impl_->grown.park(std::chrono::hours(24));
  co_return wake != Wake::kCancelled;
}

Task<std::size_t> PartitionStore::boundUnflushed(std::uint64_t budget) {
  struct Dirty {
    TopicIdPartition id;
    std::uint64_t bytes;
  };
  std::vector<std::vector<Dirty>> found(impl_->maps.size());
  auto collect = [this, &found](int shard) {
    const auto s = static_cast<std::size_t>(shard);
    for (const auto& [id, partition] : impl_->maps[s]) {
      const std::uint64_t bytes = partition->log().unflushedBytes();
      if (bytes > 0) found[s].push_back({id, bytes});
    }
  };
  const std::vector<int> all = impl_->allShards();
  co_await onShards(impl_->shards, all, std::ref(collect));
  std::vector<Dirty> dirty;
  std::uint64_t total = 0;
  for (const auto& some : found) dirty.insert(dirty.end(), some.begin(), some.end());
  for (const Dirty& one : dirty) total += one.bytes;
  // The largest first: few syncs for many bytes.
  std::ranges::sort(dirty, std::greater<>{}, &Dirty::bytes);
  std::vector<TopicIdPartition> due;
  for (const Dirty& one : dirty) {
    if (total <= budget) break;
    total -= one.bytes;
    due.push_back(one.id);
  }
  const std::size_t count = due.size();
  if (count == 0) co_return 0;
  const Status flushed = co_await flush(std::move(due), log::FlushScope::kCheckpoint);
  if (!flushed) MILLRACE_LOG_ERROR("{}", flushed.error().toString());
  co_return count;
}

}  // namespace millrace::broker
