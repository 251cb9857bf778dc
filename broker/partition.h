// One partition that this node leads: its log, and who waits for it to grow.
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "log/partition_log.h"

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::broker {

/// Somebody who wants to hear when partitions, on any shards, grow (a fetch with min.bytes).
/// Thread-safe.
class GrowthWatcher {
 public:
  virtual ~GrowthWatcher() = default;
  /// `bytes` more can be read, on the shard of their partition. True where the watcher needs to
  /// hear no more.
  virtual bool grown(std::int64_t bytes) = 0;
  /// The partition is no longer here.
  virtual void gone() = 0;
  /// Whoever waited has gone on.
  [[nodiscard]] virtual bool isDone() const = 0;
};

/// Counts what the partitions of one shard append, and tells of every step. On that shard.
struct GrowthMeter {
  static constexpr std::uint64_t kStep = 256 << 20;
  std::function<void()> on_step;
  std::uint64_t bytes = 0;

  void add(std::uint64_t appended) {
    bytes += appended;
    if (bytes < kStep) return;
    bytes = 0;
    on_step();
  }
};

/// What the metadata says of a partition.
struct PartitionSettings {
  LeaderEpoch leader_epoch;
  std::int32_t in_sync_replicas = 1;
  std::int32_t min_in_sync_replicas = 1;
  log::LogConfig log;
};

/// How an append is to be acknowledged: Produce's acks.
enum class Acks : std::int8_t { kAll = -1, kNone = 0, kLeader = 1 };

/// Lives on its shard and is used there only. The log belongs to the LogManager.
class Partition {
 public:
  Partition(std::string name, log::PartitionLog& log, PartitionSettings settings);
  ~Partition();
  Partition(const Partition&) = delete;
  Partition& operator=(const Partition&) = delete;

  /// "orders-3"
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] log::PartitionLog& log() { return *log_; }
  [[nodiscard]] const log::PartitionLog& log() const { return *log_; }
  [[nodiscard]] LeaderEpoch leaderEpoch() const { return settings_.leader_epoch; }

  /// Appends as leader, moves the high watermark and wakes watchers: when it returns, the batch is
  /// acknowledged as strongly as `acks` asks. With flush.on.ack (a round in the answer) nobody sees
  /// it before committed() says that it is on disk. Errors: kNotEnoughReplicas, and those of
  /// PartitionLog::append.
  [[nodiscard]] std::expected<log::AppendInfo, log::AppendFailure> append(
      const record::BatchView& batch, Acks acks, record::AppendOrigin origin, Millis now_ms);

  /// What was appended up to `end`, `bytes` of it not told to watchers before, is on disk.
  void committed(Offset end, std::int64_t bytes);

  /// kFencedLeaderEpoch or kUnknownLeaderEpoch where the client's idea of the epoch differs
  /// (KIP-320); -1 is no idea.
  [[nodiscard]] Errc checkEpoch(std::int32_t current_leader_epoch) const;

  /// Counts appends here; the meter outlives this.
  void countInto(GrowthMeter& meter) { meter_ = &meter; }
  /// Hears of appends from now on, until it is done.
  void watch(std::shared_ptr<GrowthWatcher> watcher);
  /// Tells every watcher that there is nothing more to wait for.
  void dismissWatchers();
  /// Whether flush.messages asks for a flush now.
  [[nodiscard]] bool isFlushDue() const {
    return log_->unflushedRecords() >= settings_.log.flush_messages;
  }
  /// Milliseconds until flush.ms asks for a flush, 0 or less where it does now; nothing where it
  /// never does. `now_ms` is monotonic.
  [[nodiscard]] std::optional<Millis> untilFlush(Millis now_ms) const {
    const Millis every = settings_.log.flush_ms;
    if (every == std::numeric_limits<Millis>::max() || log_->unflushedRecords() == 0)
      return std::nullopt;
    return every - (now_ms - flushed_ms_);
  }
  void flushedAt(Millis now_ms) { flushed_ms_ = now_ms; }
  /// Follows a change of metadata. Errors: of the log, when a new epoch cannot be noted.
  [[nodiscard]] Status update(PartitionSettings settings);
  /// The same log in another data directory; nothing was appended since it was made from the other.
  /// Errors: of the log before.
  [[nodiscard]] Status moveTo(log::PartitionLog& log);

  // Flushes that are under way, with files of the log in their hands.
  void beginFlush() { ++flushes_; }
  void endFlush() { --flushes_; }
  [[nodiscard]] bool isFlushing() const { return flushes_ > 0; }

 private:
  void notify(std::int64_t bytes);

  std::string name_;
  log::PartitionLog* log_;
  PartitionSettings settings_;
  int flushes_ = 0;
  GrowthMeter* meter_ = nullptr;
  Millis flushed_ms_ = 0;
  std::vector<std::shared_ptr<GrowthWatcher>> watchers_;
  /// Watchers that are done are swept out when the list reaches this length.
  std::size_t sweep_at_ = 8;
};

}  // namespace millrace::broker
