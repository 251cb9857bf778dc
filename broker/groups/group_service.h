// The group coordinators of this broker: one per partition of __consumer_offsets that it leads.
#pragma once

#include "base/net/task.h"
#include "broker/metadata/delta.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {
class Shard;
}

namespace millrace::broker {

class GroupCoordinator;
struct Services;

/// Finds the coordinator of a group and keeps one for each offsets partition, on that partition's
/// shard. Calling order: construct (services filled but for `groups`), onMetadata() for every image
/// after PartitionStore::apply (loading of new partitions begins there; until it ends requests
/// answer COORDINATOR_LOAD_IN_PROGRESS), stop(). An answered commit or sync means: its records are
/// appended with acks=all.
class GroupService {
 public:
  explicit GroupService(Services& services);
  ~GroupService();
  GroupService(const GroupService&) = delete;
  GroupService& operator=(const GroupService&) = delete;

  /// A metadata listener, on the metadata service's shard: begins and ends coordinators with the
  /// offsets partitions, drops offsets of deleted topics. Does not wait for loading.
  [[nodiscard]] Task<void> onMetadata(ImagePtr image, MetadataChanges changes);
  /// Answers everything parked with NOT_COORDINATOR, ends the timers. Before PartitionStore::close.
  [[nodiscard]] Task<void> stop();

  /// Where a group's coordinator lives.
  struct Route {
    Errc error = Errc::kCoordinatorNotAvailable;  ///< kNone: the rest is set
    std::int32_t partition = -1;
    Shard* shard = nullptr;
  };
  /// From any shard. Errors: kCoordinatorNotAvailable where the offsets topic does not exist.
  [[nodiscard]] Route routeOf(std::string_view group_id) const;
  /// Creates an internal topic (offsets, transactions) where it does not exist; waits until its
  /// partitions are there.
  Task<Errc> ensureInternalTopic(std::string_view name);
  /// The coordinator of an offsets partition; null where this shard has none. On the route's shard.
  [[nodiscard]] std::shared_ptr<GroupCoordinator> find(std::int32_t partition) const;
  /// All coordinators of the calling shard.
  [[nodiscard]] std::vector<std::shared_ptr<GroupCoordinator>> local() const;
  [[nodiscard]] Services& services() { return services_; }

 private:
  /// Touched by its shard only.
  struct ShardState {
    std::map<std::int32_t, std::shared_ptr<GroupCoordinator>> coordinators;
  };
  void lead(std::int32_t partition, const Uuid& topic_id);
  [[nodiscard]] static Task<> resign(std::shared_ptr<GroupCoordinator> coordinator);
  [[nodiscard]] Task<> resignAll(int shard);
  [[nodiscard]] Task<> followOffsetsTopic(TopicPtr topic);
  [[nodiscard]] Task<> dropTopics(std::vector<std::string> topics);
  [[nodiscard]] static Task<> dropTopicsHere(GroupService* self, std::vector<std::string> topics);

  Services& services_;
  std::vector<ShardState> shards_;
};

}  // namespace millrace::broker
