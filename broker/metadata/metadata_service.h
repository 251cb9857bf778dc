// The controller of a quorum of one and its log, and the image that follows: the shell around
// Controller.
#pragma once

#include "base/clock.h"
#include "base/net/task.h"
#include "broker/metadata/controller.h"
#include "broker/metadata/delta.h"
#include "broker/metadata/metadata_cache.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace millrace {
class BlockingPool;
class Shard;
}  // namespace millrace
namespace millrace::log {
class LogManager;
}

namespace millrace::broker {

/// What the service needs to know of this node.
struct MetadataOptions {
  log::LogManager* logs =
      nullptr;  ///< has opened the data directories; closes the metadata log, too
  BlockingPool* blocking = nullptr;  ///< for fsync
  std::string directory;             ///< the metadata log dir: where bootstrap.checkpoint stands
  std::string cluster_id;            ///< of meta.properties
  Uuid directory_id;                 ///< of that directory
  std::vector<Uuid> online;  ///< ids of the data directories that can be used; empty: that one
  ControllerConfig controller;
  /// Advertised endpoints of the broker, as clients get them; ports are the real ones (listeners
  /// are bound).
  std::vector<BrokerEndpoint> endpoints;
  std::optional<std::string> rack;
};

/// Follows the image: called on the service's shard after the records are committed and before
/// anybody sees the new image, in order, one at a time. The answer to the request waits for it, so
/// a topic's logs exist before its creator hears of them.
using MetadataListener = std::function<Task<void>(ImagePtr next, MetadataChanges changes)>;

/// Lives on one shard (the first): start() runs there. The changes may be called on any shard and
/// resume there. Calling order: open(), follow() for each listener, start(), changes, stop(). What
/// a returned change means: its records are on disk (fsync), the listeners have followed, the cache
/// shows it. Changes happen one at a time, each decided on the outcome of the one before; a caller
/// that goes away does not interrupt one.
class MetadataService {
 public:
  struct Impl;

  MetadataService(const Clock& clock, Shard& shard);
  ~MetadataService();
  MetadataService(const MetadataService&) = delete;
  MetadataService& operator=(const MetadataService&) = delete;

  /// Replays the log and starts a new leader epoch; writes the bootstrap records where the log is
  /// empty. Blocking (start-up only; any thread). Errors: kCorruptData, kIo.
  [[nodiscard]] Status open(MetadataOptions options);
  /// As of the last publication; for any shard.
  [[nodiscard]] MetadataCache& cache();
  void follow(MetadataListener listener);
  /// Tells the listeners of what was replayed, registers and unfences this broker.
  [[nodiscard]] Task<Status> start();
  /// Waits for the running change, fences this broker in the log (a clean stop). Later changes
  /// fail.
  [[nodiscard]] Task<void> stop();
  /// This run's broker epoch (the offset of its registration), for the clean-shutdown marker; -1
  /// before start.
  [[nodiscard]] std::int64_t brokerEpoch() const;

  [[nodiscard]] Task<protocol::CreateTopicsResponse> createTopics(
      protocol::CreateTopicsRequest request);
  [[nodiscard]] Task<protocol::DeleteTopicsResponse> deleteTopics(
      protocol::DeleteTopicsRequest request, std::int16_t version);
  [[nodiscard]] Task<protocol::CreatePartitionsResponse> createPartitions(
      protocol::CreatePartitionsRequest request);
  [[nodiscard]] Task<protocol::IncrementalAlterConfigsResponse> incrementalAlterConfigs(
      protocol::IncrementalAlterConfigsRequest request);
  [[nodiscard]] Task<protocol::AlterConfigsResponse> alterConfigs(
      protocol::AlterConfigsRequest request);
  /// Only these data directories are left: takes the leadership of the partitions on the others
  /// away. `settle` lets go of their logs before that, while no other change is under way. Errors:
  /// of the metadata log; kClosed where the broker stops.
  [[nodiscard]] Task<Status> directoriesFailed(std::vector<Uuid> online,
                                               std::function<Task<void>()> settle);
  /// Which replicas of this node lie elsewhere now: what `settle` says, which runs while no other
  /// change is under way. Errors: its own; of the metadata log; kClosed where the broker stops.
  [[nodiscard]] Task<Status> replicasMoved(
      std::function<Task<Result<std::vector<ReplicaPlace>>>()> settle);
  /// The next idempotent producer's id, out of this broker's block (a new block goes through the
  /// log).
  [[nodiscard]] Task<Result<std::int64_t>> nextProducerId();

 private:
  template <class Response, class Decide>
  [[nodiscard]] Task<Response> onOwnShard(Decide decide);

  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::broker
