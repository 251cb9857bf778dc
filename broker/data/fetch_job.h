// The reading part of one Fetch request: which partitions, what came of each, how it is answered.
#pragma once

#include "broker/data/fetch_session.h"
#include "broker/partition.h"
#include "broker/partitions.h"
#include "protocol/messages/fetch_response.h"

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

namespace millrace::broker {

struct Services;

struct FetchOptions {
  std::int64_t min_bytes = 0;
  std::int64_t max_bytes =
      0;  ///< of the whole answer; the first batch comes even if it is larger (KIP-74)
  bool committed_only = false;
  bool as_replica = false;
  bool by_topic_id = false;
};

/// Made on the connection's shard; read() and watch() are called on each shard of shards(), in
/// parallel; the rest again on the connection's shard.
class FetchJob {
 public:
  struct Found {
    std::int64_t bytes = 0;
    bool must_answer = false;  ///< see Slot::mustAnswer()
  };

  FetchJob(Services& services, FetchContext context, FetchOptions options);

  [[nodiscard]] const std::set<int>& shards() const { return shards_; }
  /// Reads what lives on this shard; what was read of it before is forgotten.
  Found read(int shard);
  /// Tells `watcher` of later appends on this shard.
  void watch(int shard, const std::shared_ptr<GrowthWatcher>& watcher);
  /// Whether one partition and no more lives on this shard.
  [[nodiscard]] bool readsOneOn(int shard) const;
  /// Whether the answer can go: enough bytes, an error, or nothing to wait for.
  [[nodiscard]] bool isComplete() const;
  /// Forgets what was read, and looks up again where to read.
  void reset();
  /// The answer. Applies max_bytes over all partitions, in their order, and the session's rules.
  /// `now` is monotonic ms.
  [[nodiscard]] protocol::FetchResponse answer(FetchSessionCache& sessions, Millis now);

 private:
  struct Slot {
    TopicIdPartition id;
    int shard = -1;  ///< -1: refused before any shard was asked
    Errc error = Errc::kNone;
    /// Kafka answers null aborted transactions where it has looked at the log, else an empty list.
    bool reached_partition = false;
    bool diverging = false;
    /// Its records wait for the next fetch: the answer holds files enough.
    bool left_out = false;
    log::EpochEnd epoch_end;
    log::ReadResult read;

    /// Whether the answer must not wait for more records.
    [[nodiscard]] bool mustAnswer() const { return error != Errc::kNone || diverging || left_out; }
  };

  void resolve(Slot& slot, const FetchPartition& want, const TopicImage* topic);
  enum class Take { kRecords, kPositions };
  void read(Slot& slot, const FetchPartition& want, Take take);
  [[nodiscard]] bool diverges(Slot& slot, const Partition& partition,
                              const FetchPartition& want) const;
  void applyMaxBytes();
  void add(protocol::FetchResponse& response, Slot& slot, const FetchPartition& want) const;
  [[nodiscard]] protocol::FetchResponse::PartitionData encode(Slot& slot,
                                                              const FetchPartition& want) const;

  Services& services_;
  FetchContext context_;
  FetchOptions options_;
  std::vector<Slot> slots_;
  std::set<int> shards_;
};

}  // namespace millrace::broker
