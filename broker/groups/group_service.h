// The group coordinators of this broker: one per partition of __consumer_offsets that it leads.
#pragma once

#include <memory>

#include "base/net/task.h"
#include "broker/metadata/delta.h"

namespace millrace::broker {

struct Services;

/// Finds the coordinator of a group and keeps one for each offsets partition, on that partition's shard.
/// Calling order: construct (services filled but for `groups`), onMetadata() for every image after
/// PartitionStore::apply (loading of new partitions begins there; until it ends requests answer
/// COORDINATOR_LOAD_IN_PROGRESS), stop(). An answered commit or sync means: its records are appended with
/// acks=all.
class GroupService {
 public:
  explicit GroupService(Services& services);
  ~GroupService();
  GroupService(const GroupService&) = delete;
  GroupService& operator=(const GroupService&) = delete;

  /// A metadata listener, on the metadata service's shard: begins and ends coordinators with the offsets
  /// partitions, drops offsets of deleted topics. Does not wait for loading.
  [[nodiscard]] Task<void> onMetadata(ImagePtr image, MetadataChanges changes);
  /// Answers everything parked with NOT_COORDINATOR, ends the timers. Before PartitionStore::close.
  [[nodiscard]] Task<void> stop();

  struct Impl;
  /// For the handlers of this room.
  [[nodiscard]] Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::broker
