// The partitions of this node, spread over its shards.
#pragma once

#include "base/bytes.h"
#include "base/ids.h"
#include "base/net/shard.h"
#include "base/net/task.h"
#include "base/result.h"
#include "base/uuid.h"
#include "broker/cleaning_queue.h"
#include "broker/metadata/delta.h"
#include "broker/topic_id_partition.h"
#include "log/types.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {
class BlockingPool;
class Clock;
class Config;
}  // namespace millrace
namespace millrace::log {
class FutureLog;
class LogManager;
struct CompactionLimits;
}  // namespace millrace::log

namespace millrace::broker {

class GroupCommits;
class HeldWork;
class Partition;

/// Where an appended batch went.
struct Appended {
  Offset base_offset;
  Offset last_offset;
  LeaderEpoch leader_epoch;
};

/// Whole batches as bytes, read back by a coordinator that loads its state.
struct BatchBytes {
  /// Zero or more whole record batches.
  Bytes batches;
  /// Where to read on; equal to the offset asked for at the end.
  Offset next_offset;
};

/// Owns every Partition; each lives on one shard, chosen by hash, and is touched there only.
/// Methods that return a Task may be called on any shard and resume there. apply() calls come one
/// at a time.
class PartitionStore {
 public:
  PartitionStore(ShardPool& shards, BlockingPool& blocking, log::LogManager& logs,
                 const Config& config, const Clock& clock, std::int32_t node_id);
  ~PartitionStore();

  /// The shard that owns a partition: groups of an offsets partition belong on the same one.
  [[nodiscard]] Shard& shardOf(const TopicIdPartition& id) const;

  /// Follows the metadata: creates, reopens (recovering where needed), reconfigures and deletes the
  /// logs of what changed, off the shards; done when all are ready for requests. On start: the
  /// changes from an empty image. Errors name the first log that could not be opened; the others
  /// are ready then.
  [[nodiscard]] Task<Status> apply(ImagePtr image, MetadataChanges changes);

  /// The partition, or null where this node has none. On its owning shard only; valid until the
  /// next co_await.
  [[nodiscard]] Partition* find(const TopicIdPartition& id);
  /// What to answer where find() has none, on the same shard: kKafkaStorageError where its log is
  /// offline, else kNotLeaderOrFollower.
  [[nodiscard]] Errc whyMissing(const TopicIdPartition& id) const;
  /// Lets go of the partitions in a data directory that failed; from then on their log is offline.
  /// Returns how many there were.
  [[nodiscard]] Task<std::size_t> dropDirectory(std::string directory);

  // Moves between data directories (partitions_moves.cc).
  /// False while the partition's log changes its place: nothing may change the log then. On its
  /// shard.
  [[nodiscard]] bool isOpen(const TopicIdPartition& id) const;
  /// Does work that changes the log: now, or when the log has its place, in the order of the calls.
  /// On the partition's shard.
  template <class Work>
  void whenOpen(const TopicIdPartition& id, HeldWork& held, Work work) {
    if (isOpen(id)) return work();
    holdBack(id, held, std::move(work));
  }
  /// No compaction of the log begins until endMove().
  [[nodiscard]] Task<> beginMove(TopicIdPartition id);
  /// What there is to copy. Errors: kCancelled where the partition is not here any more; the log's.
  [[nodiscard]] Task<Result<log::MoveSource>> moveSource(TopicIdPartition id);
  /// The copy takes the log's place: whoever wants to change the log waits meanwhile. While no
  /// change of the metadata is under way. Errors: of moveSource(); of LogManager::takePlace().
  [[nodiscard]] Task<Status> switchLog(TopicIdPartition id, std::shared_ptr<log::FutureLog> future);
  /// How the reading went: an error takes the log offline. What the move left behind goes.
  [[nodiscard]] Task<> endMove(TopicIdPartition id, Status read);

  /// Appends one batch made by the broker itself (coordinators); acknowledged as acks=all.
  /// Errors: kUnknownTopicOrPartition, kNotLeaderOrFollower, kKafkaStorageError, kMessageTooLarge.
  [[nodiscard]] Task<Result<Appended>> append(TopicIdPartition id, Bytes batch);

  /// Committed batches from the one that holds `from` on, about `max_bytes` of them (at least one).
  [[nodiscard]] Task<Result<BatchBytes>> read(TopicIdPartition id, Offset from,
                                              std::uint32_t max_bytes);

  /// Group commit of appends with flush.on.ack.
  [[nodiscard]] GroupCommits& commits();

  /// Puts on disk what these partitions hold now: flush.messages, flush.ms. Errors:
  /// kKafkaStorageError; the log is offline then.
  [[nodiscard]] Task<Status> flush(std::vector<TopicIdPartition> ids,
                                   log::FlushScope scope = log::FlushScope::kAll);

  /// Retention and upkeep of every log.
  [[nodiscard]] Task<> runUpkeep();
  /// Unlinks old segments and deleted logs when their delay is over, off the shards, until
  /// cancelled; sleeps while there are none. On the first shard.
  [[nodiscard]] Task<> runRemovals();
  /// Flushes logs by flush.ms until cancelled; sleeps while no topic asks for that. On the metadata
  /// service's shard.
  [[nodiscard]] Task<> runTimedFlushes();
  /// Flushes rolled segments that are not on disk yet: a start after a crash need not look at them
  /// then.
  [[nodiscard]] Task<> flushRolled(bool only_compacted = false);
  /// The logs that want compaction, in no order.
  [[nodiscard]] Task<std::vector<DirtyLog>> dueForCompaction();
  /// Compacts one log: planned and put in place on its shard, done on the blocking pool. Errors:
  /// kUnknownTopicOrPartition where it went away; of log::runCompaction.
  [[nodiscard]] Task<Status> compact(TopicIdPartition id, log::CompactionLimits limits);

  /// Returns when the partitions have grown by some hundred MiB; false where it was cancelled. On
  /// the first shard.
  [[nodiscard]] Task<bool> waitForGrowth();
  /// Flushes the logs with the most unflushed bytes until all together have at most `budget` of
  /// them: a start after a crash scans no more. Returns how many were flushed.
  [[nodiscard]] Task<std::size_t> boundUnflushed(std::uint64_t budget);
  /// Changes when a partition grows, is flushed or loses its oldest records.
  [[nodiscard]] Task<std::uint64_t> fingerprint();

  /// First and next offset of a partition: {log start, high watermark}.
  struct Bounds {
    Offset start;
    Offset end;
  };
  [[nodiscard]] Task<Result<Bounds>> bounds(TopicIdPartition id);

  /// Lets go of all logs; the LogManager closes them.
  [[nodiscard]] Task<> close();

 private:
  struct FlushEnd {
    Status outcome;
    std::vector<TopicIdPartition> postponed;  ///< no file descriptors for them, or held
  };
  /// As many at once as the disk is glad to have.
  [[nodiscard]] Task<FlushEnd> flushTogether(std::vector<TopicIdPartition> ids,
                                             log::FlushScope scope);
  /// Tells a log that its compaction failed. Errors: always, the ones of compact().
  [[nodiscard]] Task<Status> compactionFailed(TopicIdPartition id, std::string directory,
                                              Error cause);
  /// Unlinks what is due. Returns when more will be, wall clock; kNever where nothing waits.
  [[nodiscard]] Task<Millis> removeLeftovers();
  /// Flushes what flush.ms asks for. Returns how long nothing more is due, ms.
  [[nodiscard]] Task<Millis> flushTimed();
  /// Returns when they are open.
  [[nodiscard]] Task<> untilOpen(std::vector<TopicIdPartition> ids);
  [[nodiscard]] Task<Status> switchClosed(TopicIdPartition id, log::FutureLog& future);
  void holdBack(const TopicIdPartition& id, HeldWork& held, std::move_only_function<void()> work);
  [[nodiscard]] Result<log::MoveSource> sourceHere(const TopicIdPartition& id, log::MovePass pass);

  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::broker
