// Requests that ask something of each of many partitions: which exist, and whose shard does what.
#pragma once

#include "broker/fan_out.h"
#include "broker/held_work.h"
#include "broker/metadata/image.h"
#include "broker/partitions.h"
#include "broker/services.h"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::broker {

/// The partition that a client names; none where the topic or the partition does not exist.
[[nodiscard]] inline std::optional<TopicIdPartition> partitionOf(const TopicImage* topic,
                                                                 std::int32_t index) {
  if (topic == nullptr || topic->partition(index) == nullptr) return std::nullopt;
  return TopicIdPartition{topic->id, index};
}

/// Makes an answer to each of `wants`, in their order, and calls `plan(want, answer)` with the two.
/// Answers stay where they are afterwards.
template <class Wants, class Answers, class Plan>
void planEach(Wants& wants, Answers& answers, Plan plan) {
  answers.resize(wants.size());
  for (std::size_t i = 0; i < wants.size(); ++i) plan(wants[i], answers[i]);
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

/// Does `act(Partition&, Item&)`, or `refuse(answer, Errc)` where the partition is not here. An
/// item has an `id` and an `answer` to point at. On the partition's shard.
template <class Item, class Refuse, class Act>
void onPartition(PartitionStore& store, Item& item, Refuse& refuse, Act& act) {
  Partition* const partition = store.find(item.id);
  if (partition == nullptr) return refuse(*item.answer, store.whyMissing(item.id));
  act(*partition, item);
}

/// Has each shard do its share with onPartition().
template <class Item, class Refuse, class Act>
[[nodiscard]] Task<> onEachPartition(Services& services, PartitionWork<Item>& work, Refuse refuse,
                                     Act act) {
  PartitionStore& store = *services.partitions;
  auto visit = [&](Item& item) { onPartition(store, item, refuse, act); };
  auto run = [&work, &visit](int shard) { work.run(shard, std::ref(visit)); };
  const std::vector<int> shards = work.shards();
  co_await onShards(*services.shards, shards, std::ref(run));
}

/// The same where `act` changes the log: not before a log that changes its place has it.
template <class Item, class Refuse, class Act>
[[nodiscard]] Task<> changeEachPartition(Services& services, PartitionWork<Item>& work,
                                         Refuse refuse, Act act) {
  PartitionStore& store = *services.partitions;
  HeldWork held;
  auto visit = [&](Item& item) {
    store.whenOpen(item.id, held, [&] { onPartition(store, item, refuse, act); });
  };
  auto run = [&work, &visit](int shard) { work.run(shard, std::ref(visit)); };
  const std::vector<int> shards = work.shards();
  co_await onShards(*services.shards, shards, std::ref(run));
  if (held.any()) {
    co_await shielded();
    co_await held.wait();
    co_await unshielded();
  }
}

}  // namespace millrace::broker
