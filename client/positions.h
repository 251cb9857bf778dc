// Where a consumer stands in each of its partitions: positions, resets, pauses, prefetched records.
// Pure.
#pragma once

#include "client/fetch_decoder.h"
#include "client/fetch_session.h"
#include "client/metadata.h"
#include "client/record.h"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::client {

/// What to do without a position (auto.offset.reset).
struct ResetPolicy {
  enum class Kind : std::uint8_t { kNone, kEarliest, kLatest, kByDuration };
  Kind kind = Kind::kLatest;
  Millis duration_ms = 0;

  /// The timestamp to look up: -1 latest, -2 earliest; nullopt for none.
  [[nodiscard]] std::optional<std::int64_t> timestamp(Millis now_wall_ms) const;
};
/// "earliest", "latest", "none", "by_duration:PT1H" (ISO-8601 days to seconds). Errors: kConfig.
[[nodiscard]] Result<ResetPolicy> parseResetPolicy(const std::string& text);

/// One assigned partition.
struct PartitionPosition {
  std::optional<std::int64_t> offset;  ///< next record to hand out
  std::int32_t offset_epoch = -1;      ///< leader epoch of the record before it
  std::optional<std::int64_t> reset;   ///< timestamp to look up; then no offset yet
  bool looking_up = false;             ///< an offset request is on its way
  bool paused = false;
  bool revoking = false;          ///< about to go: no new records
  std::int64_t fetch_offset = 0;  ///< behind what is prefetched
  std::deque<RecordSlice> prefetched;
  std::size_t prefetched_bytes = 0;  ///< as estimated by the answers they came in
  std::int64_t high_watermark = -1;
  std::int64_t last_stable = -1;
  Millis not_before_ms = 0;       ///< back-off after an error, monotonic
  std::uint64_t incarnation = 0;  ///< grows with each assignment, seek and reset
  std::optional<Error> error;     ///< met behind what is prefetched; poll reports it

  [[nodiscard]] bool needsCommitted() const { return !offset && !reset; }
};

/// All assigned partitions of a consumer. The caller locks.
class Positions {
 public:
  struct Options {
    ResetPolicy reset;
    std::int32_t partition_max_bytes = 1 << 20;
    bool read_committed = false;
  };
  explicit Positions(Options options) : options_(options) {}

  /// Replaces the set; partitions that stay keep their state.
  void assign(const std::vector<TopicPartition>& partitions);
  [[nodiscard]] bool contains(const TopicPartition& tp) const { return map_.contains(tp); }
  [[nodiscard]] PartitionPosition* find(const TopicPartition& tp);
  [[nodiscard]] const PartitionPosition* find(const TopicPartition& tp) const;
  [[nodiscard]] std::map<TopicPartition, PartitionPosition>& all() { return map_; }
  [[nodiscard]] const std::map<TopicPartition, PartitionPosition>& all() const { return map_; }

  /// Drops what is prefetched and goes on at `offset`.
  void seek(PartitionPosition& p, std::int64_t offset, std::int32_t epoch = -1);
  /// Drops what is prefetched and looks the offset of this timestamp up.
  void reset(PartitionPosition& p, std::int64_t timestamp);
  /// What was committed; nullopt falls back on the policy. False where the policy is none: nowhere
  /// to start.
  bool applyCommitted(PartitionPosition& p, const std::optional<OffsetAndMetadata>& committed,
                      Millis now_wall_ms);

  /// Partitions that can be fetched now, by leader. Those without a known leader are counted in
  /// `leaderless`.
  [[nodiscard]] std::map<NodeId, FetchWishes> wishes(const ClusterImage& image, Millis now_ms,
                                                     int& leaderless) const;
  /// Adds a decoded answer to a fetch at `asked_offset`; false where the position has moved since.
  bool addFetched(const TopicPartition& tp, std::uint64_t incarnation, std::int64_t asked_offset,
                  DecodedFetch decoded, std::size_t bytes);
  /// Hands out at most `max_records`, in turn by partition, and moves the positions behind them.
  [[nodiscard]] std::vector<RecordSlice> collect(std::size_t max_records);
  /// The positions to commit: offset of the next record, of every partition that has one.
  [[nodiscard]] std::map<TopicPartition, OffsetAndMetadata> committable() const;
  [[nodiscard]] bool hasRecords() const;
  [[nodiscard]] const Options& options() const { return options_; }

 private:
  void collectFrom(PartitionPosition& p, std::size_t& room, std::vector<RecordSlice>& out);

  Options options_;
  std::map<TopicPartition, PartitionPosition> map_;
  TopicPartition last_served_;
  std::uint64_t next_incarnation_ = 1;
};

}  // namespace millrace::client
