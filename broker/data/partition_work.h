// Requests that ask something of each of many partitions: which exist, and whose shard does what.
#pragma once

#include "broker/metadata/image.h"
#include "broker/partitions.h"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::broker {

/// The partition that a client names; none where the topic or the partition does not exist.
[[nodiscard]] inline std::optional<TopicIdPartition> partitionOf(const TopicImage* topic,
                                                                 std::int32_t index) {
  const bool exists =
      topic != nullptr && index >= 0 && static_cast<std::size_t>(index) < topic->partitions.size();
  if (!exists) return std::nullopt;
  return TopicIdPartition{topic->id, index};
}

/// What is to be done, by the shard of its partition. Filled first; then each shard does its share,
/// all of them at a time.
template <class Item>
class PartitionWork {
 public:
  explicit PartitionWork(PartitionStore& partitions) : partitions_(partitions) {}

  void add(const TopicIdPartition& id, Item item) {
    by_shard_[partitions_.shardOf(id).index()].push_back(std::move(item));
  }
  [[nodiscard]] std::vector<int> shards() const {
    std::vector<int> shards;
    for (const auto& [shard, items] : by_shard_) shards.push_back(shard);
    return shards;
  }
  /// Calls `fn(Item&)` for the shard's share. On that shard.
  template <class F>
  void run(int shard, F fn) {
    for (Item& item : by_shard_.at(shard)) fn(item);
  }

 private:
  PartitionStore& partitions_;
  std::map<int, std::vector<Item>> by_shard_;
};

}  // namespace millrace::broker
