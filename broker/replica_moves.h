// Replicas on their way to another data directory (Kafka's ReplicaAlterLogDirsManager, KIP-113).
#pragma once

#include "base/config.h"
#include "base/net/blocking_pool.h"
#include "base/net/gate.h"
#include "base/net/waiter.h"
#include "broker/metadata/controller.h"
#include "broker/metadata/image.h"
#include "broker/services.h"
#include "broker/topic_id_partition.h"
#include "log/io_pace.h"
#include "log/log_manager.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::broker {

/// Copies logs to the directories that were asked for, num.replica.alter.log.dirs.threads of them
/// at a time (one for each entry of log.dirs where that is not set), together no faster than
/// replica.alter.log.dirs.io.max.bytes.per.second. A copy that has caught up takes the log's place,
/// and the metadata log says so. What a stop interrupts goes on at the next start. A failure ends
/// a move with a line in the log; the replica stays where it is.
///
/// Lives on the first shard, with threads of its own.
class ReplicaMoves {
 public:
  ReplicaMoves(Services& services, const Config& config);
  /// Goes on with what the last stop interrupted, and tells the metadata log of replicas that lie
  /// elsewhere than it says.
  void start();
  /// Copies stop where they are; a log that is changing its place gets there (its change of the
  /// metadata is not interrupted). Blocks; not on a shard.
  void stop();
  /// Settings may have changed, topics or directories may be gone. On the first shard.
  void follow(const MetadataImage& image);
  /// One entry of AlterReplicaLogDirs, on any shard: the replica is to lie in this directory. The
  /// answer is Kafka's (ReplicaManager.alterReplicaLogDirs); the copy may have begun.
  struct Wanted {
    log::TopicPartition partition;
    std::string directory;
  };
  [[nodiscard]] Task<Errc> move(Wanted wanted);

 private:
  /// A log that moves.
  struct Job {
    TopicIdPartition id;
    log::LogManager::Move move;
  };
  struct Begun {
    Errc refused = Errc::kNone;
    std::shared_ptr<log::FutureLog> future;  ///< null: there is nothing to do
  };
  [[nodiscard]] Task<Errc> begin(Wanted wanted);
  [[nodiscard]] Task<Result<std::vector<ReplicaPlace>>> tryToBegin(const Wanted* wanted,
                                                                   Begun* out);
  [[nodiscard]] Errc check(const Wanted& wanted) const;
  /// The partition's id; none where the topic or the partition does not exist.
  [[nodiscard]] std::optional<TopicIdPartition> idOf(const log::TopicPartition& name) const;
  [[nodiscard]] Task<> resume();
  /// Replicas that lie elsewhere than the metadata says.
  [[nodiscard]] Task<Result<std::vector<ReplicaPlace>>> misplaced();
  void launch(Job job);
  [[nodiscard]] Task<> run(Job job);
  /// Until the copy has taken the log's place.
  [[nodiscard]] Task<Status> copy(Job job);
  /// The copy takes the log's place. Errors: of PartitionStore::switchLog().
  [[nodiscard]] Task<Result<std::vector<ReplicaPlace>>> takePlace(const Job* job);

  Services& services_;
  const int threads_;
  log::IoPace pace_;
  BlockingPool pool_;
  int copying_ = 0;
  WaitList turns_;
  Gate gate_;
};

}  // namespace millrace::broker
