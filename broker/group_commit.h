// flush.on.ack in the broker: who waits for which round of a journal, and who runs the rounds.
#pragma once

#include "base/net/blocking_pool.h"
#include "base/net/shard.h"
#include "broker/topic_id_partition.h"
#include "log/journal/journal.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace millrace::broker {

/// Group commit for one data directory. Appends of all shards gather in the journal's round; one
/// call on the blocking pool commits round after round until all that were noted are over, also
/// those that somebody else took to commit. When a round is on disk, every shard settles what it
/// noted (high watermarks move, fetches wake); then whoever waits for the round goes on: an
/// acknowledged record can be read. Who appended on one shard only waits for that one's settling.
///
/// Thread-safe but for note() and wait(), which belong to the shard they run on.
class GroupCommit {
 public:
  using Round = log::Journal::Round;
  /// An append that waits for its round.
  struct Noted {
    Round round = 0;
    TopicIdPartition partition;
    /// Behind its last record.
    Offset end;
    std::int64_t bytes = 0;
  };
  /// Called on the noting shard when the round is on disk, or failed.
  using Settle = std::function<void(const Noted&, const Status&)>;

  GroupCommit(ShardPool& shards, BlockingPool& blocking, log::Journal& journal, Settle settle);
  ~GroupCommit();
  GroupCommit(const GroupCommit&) = delete;
  GroupCommit& operator=(const GroupCommit&) = delete;

  /// After an append on this shard: it is settled here when its round is done. Begins a commit
  /// where none runs.
  void note(const Noted& appended);
  /// Where a round is to be settled before whoever waits for it goes on.
  enum class Settled { kOnThisShard, kOnAllShards };
  /// Goes on when the round is on disk and settled. Called on a shard. Errors: what the journal
  /// failed with.
  [[nodiscard]] Task<Status> wait(Round round, Settled where);
  /// Blocks until no commit runs. Nothing may be noted any more.
  void quiesce();

 private:
  struct Waiter {
    Round round;
    Resume resume;
  };
  /// Touched on its shard only.
  struct alignas(64) PerShard {
    /// In the order of rounds.
    std::vector<Noted> noted;
    std::vector<Waiter> for_this;
    std::vector<Waiter> for_all;
    Round settled = 0;
  };

  void begin(Round round);
  /// On the blocking pool: rounds until all that were noted are over.
  void run();
  void checkpointInBackground();
  /// The first round that is not on disk fails, and those behind it.
  void fails(const Status& cause);
  /// What was noted up to this round is settled; then who waits for it goes on.
  void settleEverywhere(Round round);
  void settleHere(Round round);
  void settledEverywhere(Round round);
  /// Lets those go on that wait for rounds up to this one; how many.
  static std::size_t wake(std::vector<Waiter>& waiters, Round round);
  [[nodiscard]] PerShard& here();
  [[nodiscard]] Status outcomeOf(Round round);

  ShardPool& shards_;
  BlockingPool& blocking_;
  log::Journal& journal_;
  const Settle settle_;
  std::vector<PerShard> shard_;
  /// The first round that failed; failure_ says why.
  std::atomic<Round> failed_{std::numeric_limits<Round>::max()};

  std::mutex mutex_;
  std::condition_variable idle_;
  Status failure_;
  /// The last round that somebody here appended to.
  Round noted_ = 0;
  /// Settled on all shards.
  Round settled_ = 0;
  /// How many wait for that.
  std::size_t waiting_for_all_ = 0;
  bool running_ = false;
  bool checkpointing_ = false;
};

/// What an append with flush.on.ack has to wait for before it is acknowledged.
struct CommitTicket {
  GroupCommit* commit = nullptr;  ///< null: nothing
  GroupCommit::Round round = 0;
  int shard = 0;  ///< where it was noted
};

/// The group commits of all data directories.
class GroupCommits {
 public:
  GroupCommits(ShardPool& shards, BlockingPool& blocking,
               const std::vector<log::Journal*>& journals, const GroupCommit::Settle& settle);

  /// After an append to a log with this journal, on the partition's shard.
  [[nodiscard]] CommitTicket note(const log::Journal* journal, const TopicIdPartition& partition,
                                  const log::AppendInfo& appended);
  /// Waits for all of them. Errors: kKafkaStorageError; nothing of that is to be acknowledged.
  [[nodiscard]] Task<Status> committed(std::vector<CommitTicket> tickets);
  /// Blocks until no commit runs.
  void quiesce();

 private:
  std::unordered_map<const log::Journal*, std::unique_ptr<GroupCommit>> commits_;
};

}  // namespace millrace::broker
