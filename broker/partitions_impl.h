// What a PartitionStore is made of. Included by broker/partitions*.cc only.
#pragma once

#include "base/clock.h"
#include "base/config.h"
#include "base/net/waiter.h"
#include "broker/group_commit.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "broker/topic_settings.h"
#include "log/log_manager.h"

#include <functional>
#include <limits>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace millrace::broker {

inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

using PartitionMap =
    std::unordered_map<TopicIdPartition, std::unique_ptr<Partition>, TopicIdPartitionHash>;

using PartitionSet = std::unordered_set<TopicIdPartition, TopicIdPartitionHash>;

/// One partition to be made or changed, on its way from the metadata to its shard.
struct Plan {
  TopicIdPartition id;
  log::TopicPartition name;
  PartitionSettings settings;
  Uuid directory;                    ///< where the metadata says that it lies
  log::PartitionLog* log = nullptr;  ///< null: it could not be opened
};

/// A log that changes its place, and who waits for that.
struct Hold {
  /// Called when no flush is under way any more.
  Resume on_idle;
  std::vector<std::move_only_function<void()>> waiting;
};

struct PartitionStore::Impl {
  Impl(ShardPool& shard_pool, BlockingPool& pool, log::LogManager& manager, const Config& config,
       const Clock& c, std::int32_t id)
      : shards(shard_pool),
        blocking(pool),
        logs(manager),
        clock(c),
        node_id(id),
        topics(config, id),
        maps(static_cast<std::size_t>(shard_pool.size())),
        offline(maps.size()),
        leftovers(maps.size()),
        holds(maps.size()),
        moving(maps.size()),
        meters(maps.size()),
        commits(shards, blocking, logs.journals(),
                [this](const GroupCommit::Noted& noted, const Status& status) {
                  const auto found = mapHere().find(noted.partition);
                  if (status && found != mapHere().end())
                    found->second->committed(noted.end, noted.bytes);
                }) {
    for (GrowthMeter& meter : meters)
      meter.on_step = [this] { shards.at(0).post([this] { grown.wakeAll(); }); };
  }

  ShardPool& shards;
  BlockingPool& blocking;
  log::LogManager& logs;
  const Clock& clock;
  const std::int32_t node_id;

  // Used by apply() only, which runs on the metadata service's shard.
  TopicSettings topics;
  PartitionSet known;
  bool first_apply = true;
  /// The smallest flush.ms of any topic so far, and who waits for one to ask. On the same shard.
  std::int64_t flush_ms = kNever;
  WaitList flush_asked;

  /// By shard; each is touched on its own shard.
  std::vector<PartitionMap> maps;
  /// Partitions whose log cannot be used. As maps.
  std::vector<PartitionSet> offline;
  /// Partitions whose logs have files to be unlinked. As maps.
  std::vector<PartitionSet> leftovers;
  /// Partitions that must not be changed now. As maps.
  std::vector<std::unordered_map<TopicIdPartition, Hold, TopicIdPartitionHash>> holds;
  /// How many moves to another directory each partition has under way: one ends a little later than
  /// the next begins. They are not compacted. As maps.
  std::vector<std::unordered_map<TopicIdPartition, int, TopicIdPartitionHash>> moving;
  /// Who unlinks them, and whether there are more since it looked. On the first shard.
  WaitList removals;
  bool removals_asked = false;
  /// What was appended, by shard. As maps.
  std::vector<GrowthMeter> meters;
  GroupCommits commits;
  /// Woken on the first shard when a meter has made a step.
  WaitList grown;

  int shardIndexOf(const TopicIdPartition& id) const {
    return static_cast<int>(TopicIdPartitionHash{}(id) % maps.size());
  }
  PartitionMap& mapHere() { return maps[static_cast<std::size_t>(Shard::current()->index())]; }
  std::vector<int> allShards() const {
    std::vector<int> all(maps.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
    return all;
  }

  Hold* holdOn(const TopicIdPartition& id);
  bool isMoving(const TopicIdPartition& id) const {
    return moving[static_cast<std::size_t>(Shard::current()->index())].contains(id);
  }
  /// Runs what was held back.
  void open(const TopicIdPartition& id);
  /// On the partition's shard: its log has files to be unlinked.
  void noteLeftovers(const TopicIdPartition& id);
  /// From any thread: runRemovals() is to look what there is.
  void askForRemovals();
  void planTopic(const MetadataImage& image, const TopicImage& topic,
                 std::vector<Plan>& plans) const;
  void planRemoval(const TopicImage& topic, std::vector<TopicIdPartition>& removed,
                   std::vector<log::TopicPartition>& gone);
  std::vector<Plan> plan(const MetadataImage& image, const MetadataChanges& changes);
  Status openLogs(std::vector<Plan>& plans, const std::vector<log::TopicPartition>& gone);
  Status openLog(Plan& plan);
  Status setStraysAside(const MetadataImage& image);
  void install(std::vector<Plan>& plans, int shard);
};

}  // namespace millrace::broker
