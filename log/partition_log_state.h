// What a PartitionLog is made of. Included by log/partition_log*.cc only.
#pragma once

#include "log/journal/journal.h"
#include "log/leader_epochs.h"
#include "log/log_files.h"
#include "log/partition_log.h"
#include "log/producer_state.h"
#include "log/segment.h"

#include <memory>
#include <string>
#include <vector>

namespace millrace::log {

struct PartitionLog::State {
  State(PartitionLog& owner, OpenOptions&& options);

  // Opening (partition_log_open.cc).
  [[nodiscard]] Status open();
  /// A log that has no directory yet: it gets one with its first record.
  [[nodiscard]] Status openAbsent();
  [[nodiscard]] Status makeDirectory();
  [[nodiscard]] Status loadTopicId();
  [[nodiscard]] Status findFiles(const std::vector<std::string>& names);
  [[nodiscard]] Status trustOrRecover();
  /// The end of a log that was closed well; kCorruptData where it was not, after all.
  [[nodiscard]] Result<Offset> readEnd();
  [[nodiscard]] Result<Offset> recover();
  /// Scans one segment; cuts it, and the ones behind it, at damage. Returns the end offset.
  [[nodiscard]] Result<Offset> recoverSegment(std::size_t index, std::uint64_t from, Offset next);
  /// Cuts a segment at a position and drops the ones behind it.
  [[nodiscard]] Status cutBehind(std::size_t index, std::uint64_t sound, std::uint64_t file_size,
                                 Offset next, const Error& damage);
  [[nodiscard]] Status rebuildEpochs();
  /// Newest snapshot, then every batch behind it.
  [[nodiscard]] Status loadProducers(Offset end, bool rebuild_transactions);
  [[nodiscard]] Status replayProducers(Offset from, Offset end, bool rebuild_transactions);

  // Segments (partition_log_segments.cc).
  [[nodiscard]] Segment& active() { return *segments.back(); }
  /// The segment that holds an offset at or above the first base.
  [[nodiscard]] std::size_t indexFor(Offset offset) const;
  /// Seals the active segment and begins one at `base`.
  [[nodiscard]] Status rollTo(Offset base);
  [[nodiscard]] Status takeSnapshot(Offset offset);
  /// Takes the first `n` segments out; their files go after the delay.
  [[nodiscard]] Status dropFirst(std::size_t n, Millis now_ms);
  /// Renames a segment's files to .deleted and remembers when to unlink them.
  [[nodiscard]] Status doom(Segment& segment, Millis due_ms);
  [[nodiscard]] Status removeFiles(Offset base);
  [[nodiscard]] Status dropSnapshots(Offset from, Offset to);
  /// The end of segment `index` in offsets: where the next one begins, or the log ends.
  [[nodiscard]] Offset endOf(std::size_t index) const;
  [[nodiscard]] Status truncateFully(Offset start);
  /// Adds what a first flush must sync besides the segments; false where the log went offline.
  [[nodiscard]] bool collectNewDirectory(FlushJob& job);
  /// Batches [from, end) in order, by header; control batches whole.
  template <class Visit>
  [[nodiscard]] Status walk(Offset from, Offset end, Visit visit);

  // Compaction (partition_log_compaction.cc).
  [[nodiscard]] Result<Offset> cleanableEnd(Millis now_ms) const;
  [[nodiscard]] Status putInPlace(const CompactedSegment& made);
  /// Whether the plan's segments are still what they were.
  [[nodiscard]] bool stillFits(const CompactionPlan& plan) const;
  [[nodiscard]] Result<std::vector<std::string>> finishSwaps(std::vector<std::string> names);
  /// Removes the old segments that a finished new one at `base` replaces.
  [[nodiscard]] Status removeReplaced(Offset base, const std::vector<Offset>& old);

  // Reading (partition_log_read.cc).
  /// Adds what segment `index` holds at out.next_offset and below `end`, up to `left` bytes; false
  /// where the read is over.
  [[nodiscard]] Result<bool> readSegment(std::size_t index, Offset end, std::uint64_t& left,
                                         bool at_least_one, ReadResult& out);

  // Appending (partition_log_append.cc).
  [[nodiscard]] Status rollIfNeeded(std::uint64_t bytes, std::int64_t timestamp, Offset first,
                                    Offset last, Millis now_ms);
  /// A producer's earlier append of the same batch, nothing where it is new, or why it may not
  /// follow.
  [[nodiscard]] Result<std::optional<ProducerState::Duplicate>> checkProducer(
      const record::BatchView& batch, record::AppendOrigin origin) const;
  /// Writes a validated batch at `first` and takes it into epochs, indexes and producers.
  [[nodiscard]] Status write(const record::BatchView& batch, const record::ValidBatch& valid,
                             Offset first, const AppendOptions& how);
  /// With flush.on.ack: adds what was just written, [first, end), to the journal.
  [[nodiscard]] Status addToJournal(std::span<const BytesView> batches, Offset first, Offset end);
  /// Everything below is on disk: sealed segments need not be held for the journal's sake.
  void tellJournal(Offset flushed);
  /// A cut of the log: what the journal has at and above `end` does not count any more.
  [[nodiscard]] Status cutJournal(Offset end);
  /// Takes a batch into the producers' state.
  [[nodiscard]] Status noteProducer(const record::BatchView& batch, Offset first, Offset last,
                                    std::int64_t max_timestamp);

  /// Sets the numbers that other threads see.
  void publish(Offset end);
  void publishStable();
  /// The first error that took the log offline stays.
  [[nodiscard]] std::unexpected<Error> goOffline(Error error);
  [[nodiscard]] Status finish(Status status);
  [[nodiscard]] Millis maxAgeMs() const;
  /// Closes this log's files where the process is short of descriptors.
  void releaseIfLow();

  struct Doomed {
    std::string path;
    Millis due_ms;
  };

  PartitionLog& log;
  OpenOptions options;
  LogFiles files;
  std::vector<std::unique_ptr<Segment>> segments;
  LeaderEpochs epochs;
  ProducerState producers;
  Uuid topic_id;
  Status health;
  RecoveryInfo recovery;
  std::vector<Offset> snapshots;
  std::vector<Doomed> doomed;
  /// Takes segment_jitter_ms into account, the same for the life of this object.
  double jitter = 0;
  /// Bytes behind the recovery point.
  std::uint64_t unflushed_bytes = 0;
  /// Names in the directory changed since it was synced.
  bool names_changed = false;
  /// There is no directory: nothing was ever appended.
  bool absent = false;
  /// The directory or its partition.metadata was made by this object and not synced since.
  bool fresh = false;

  /// This log's part in the journal, from its first journaled append on.
  std::shared_ptr<JournaledLog> journaled;
  /// Everything below that is not below the recovery point is in the journal.
  Offset journaled_to{-1};
  /// The newest round with something of this log.
  std::uint64_t last_round = 0;
};

template <class Visit>
Status PartitionLog::State::walk(Offset from, Offset end, Visit visit) {
  for (std::size_t i = indexFor(from); i < segments.size() && segments[i]->base() < end; ++i) {
    Segment& segment = *segments[i];
    if (segment.size() == 0) continue;
    MILLRACE_TRY(const std::uint64_t start, segment.locate(from));
    MILLRACE_TRY(const auto file, segment.file());
    BatchReader heads(*file, start, segment.size(), 64 << 10);
    BatchReader::Head head;
    for (;;) {
      MILLRACE_TRY(const bool more, heads.nextHead(head));
      if (!more || head.base_offset >= end) break;
      MILLRACE_CHECK_OK(visit(segment, *file, head));
    }
  }
  return {};
}

}  // namespace millrace::log
