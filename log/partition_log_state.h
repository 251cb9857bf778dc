// What a PartitionLog is made of. Included by log/partition_log*.cc only.
#pragma once

#include "log/flushed_stable.h"
#include "log/journal/journal.h"
#include "log/leader_epochs.h"
#include "log/log_files.h"
#include "log/partition_log.h"
#include "log/producer_state.h"
#include "log/segment.h"
#include "log/unsynced_names.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
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
  /// Removes indexes without a log file, and notes segments that lack theirs.
  [[nodiscard]] Status matchIndexes(std::set<std::pair<Offset, FileKind>> indexes);
  [[nodiscard]] Status trustOrRecover();
  /// Errors: kCorruptData where records are missing that were flushed.
  [[nodiscard]] Status checkReaches(Offset end) const;
  /// The beginning of the batch that holds the offset. A high watermark is one, but its checkpoint
  /// may be of a time when other batches stood there.
  [[nodiscard]] Result<Offset> batchStart(Offset offset);
  /// The end of a log that was closed well; kCorruptData where it was not, after all.
  [[nodiscard]] Result<Offset> readEnd();
  [[nodiscard]] Result<Offset> recover();
  /// What of a segment was flushed, index included, and need not be scanned. Less, where it is
  /// damaged: the scan tells then.
  [[nodiscard]] Result<Segment::Boundary> flushedPart(Segment& segment);
  /// Scans one segment; cuts it, and the ones behind it, at damage. Returns the end offset, and in
  /// `sparse` whether offsets are missing in it that were not flushed: Kafka's compaction leaves
  /// gaps there, between segments, too.
  [[nodiscard]] Result<Offset> recoverSegment(std::size_t index, Segment::Boundary from,
                                              bool& sparse);
  /// Cuts a segment at a position and drops the ones behind it.
  [[nodiscard]] Status cutBehind(std::size_t index, std::uint64_t sound, std::uint64_t file_size,
                                 Offset next, const Error& damage);
  /// Whether records are missing in front of a segment that was not flushed: its file reached the
  /// disk before theirs. Where segments may be Kafka's and offsets are missing in front of it
  /// (`sparse`) or behind it, too, that is not so: Kafka leaves holes there.
  [[nodiscard]] Result<bool> isHole(Offset next, std::size_t index, bool sparse) const;
  [[nodiscard]] Status rebuildEpochs();
  /// Newest snapshot, then every batch behind it; the transaction index is made anew from
  /// `rebuild_from` on.
  [[nodiscard]] Status loadProducers(Offset end, std::optional<Offset> rebuild_from);
  [[nodiscard]] Status replayProducers(Offset from, Offset end, std::optional<Offset> rebuild_from);
  /// Looks for the batches that the loaded snapshot does not hold, once: see kRecalledBytes.
  [[nodiscard]] Status recallBatches();
  /// Holds a transaction index against its segment when it is first used; rebuilds it if need be.
  [[nodiscard]] Status checkTxnIndex(std::size_t index);
  /// The same in recovery: entries behind `from` are to be these.
  [[nodiscard]] Status renewTxnIndex(std::size_t index, Offset from,
                                     const std::vector<AbortedTransaction>& made);
  [[nodiscard]] Status rebuildTxnIndex(std::size_t index);

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
  /// Batches [from, end) in order, by header; control batches whole.
  template <class Visit>
  [[nodiscard]] Status walk(Offset from, Offset end, Visit visit);

  // Cutting (partition_log_cuts.cc).
  /// Drops the segments behind `index` for good, the last one first: a crash in between leaves no
  /// hole.
  [[nodiscard]] Status dropBehind(std::size_t index);
  [[nodiscard]] Status truncateAndSync(Segment& segment, std::uint64_t position, Offset next);
  /// Around everything that cuts records off: see kCutMarker.
  [[nodiscard]] Status beginCut();
  [[nodiscard]] Status endCut();
  /// Reads what was announced to an earlier process.
  [[nodiscard]] Status loadCut();
  [[nodiscard]] Status truncateFully(Offset start);
  /// The last segment that begins below an offset, or the first.
  [[nodiscard]] std::size_t lastBelow(Offset offset) const;
  /// Where the last batch ends that begins below an offset and does not hold it.
  [[nodiscard]] Result<Offset> endBelow(Offset offset) const;
  [[nodiscard]] Status disownAbove(Offset end);  ///< of own_segments.h, after a cut

  // Closing (partition_log.cc): what a clean stop writes before its flush, and does after it.
  [[nodiscard]] Status prepareClose();
  [[nodiscard]] Status closeFiles();

  // Flushing (partition_log_flush.cc).
  [[nodiscard]] Status collectNames(FlushJob& job);
  [[nodiscard]] Status collectSegments(FlushJob& job, std::size_t end);
  [[nodiscard]] Status syncNames();

  // Compaction (partition_log_compaction.cc).
  [[nodiscard]] Result<Offset> cleanableEnd(Millis now_ms) const;
  [[nodiscard]] Status putInPlace(const CompactedSegment& made);
  /// Whether the plan's segments are still what they were.
  [[nodiscard]] bool stillFits(const CompactionPlan& plan) const;
  [[nodiscard]] Result<std::vector<std::string>> finishSwaps(std::vector<std::string> names);
  /// Removes the old segments that a finished new one at `base` replaces.
  [[nodiscard]] Status removeReplaced(Offset base, const std::vector<Offset>& old);

  // Reading (partition_log_read.cc).
  /// Adds what a segment holds from out.next_offset to `end`, up to `left` bytes; false at the end.
  [[nodiscard]] Result<bool> readSegment(std::size_t index, Offset end, std::uint64_t& left,
                                         bool at_least_one, ReadResult& out);

  // Appending (partition_log_append.cc).
  [[nodiscard]] Status rollIfNeeded(std::uint64_t bytes, std::int64_t timestamp, Offset first,
                                    Offset last, Millis now_ms);
  /// A producer's earlier append of the batch, nothing where it is new, or why it may not follow.
  [[nodiscard]] Result<std::optional<ProducerState::Duplicate>> checkProducer(
      const record::BatchView& batch, record::AppendOrigin origin);
  /// Writes a validated batch at `first` and takes it into epochs, indexes and producers.
  [[nodiscard]] Status write(const record::BatchView& batch, const record::ValidBatch& valid,
                             Offset first, const AppendOptions& how);
  /// The same for a leader's batches, all of them into one segment by one write.
  [[nodiscard]] Status writeArrived(std::span<const Segment::Written> written,
                                    std::span<const record::BatchView> views, BytesView bytes);
  [[nodiscard]] Status ownSegments();  ///< before batches with gaps: see own_segments.h
  /// With flush.on.ack: adds what was just written, [first, end), to the journal.
  [[nodiscard]] Status addToJournal(std::span<const BytesView> batches, Offset first, Offset end);
  /// Where an append at `first` may leave its bytes: the journal has them. Null: nowhere.
  [[nodiscard]] LateWrites* lateWrites(Offset first) const;
  /// Everything below is on disk: sealed segments need not be held for the journal's sake.
  void tellJournal(Offset flushed);
  /// Before a cut: what the journal has at and above `end` does not count any more, and this is on
  /// disk when it returns: else a crash would bring it back, or miss what lay in front of it.
  [[nodiscard]] Status cutJournal(Offset end);
  /// Takes a batch into the producers' state.
  [[nodiscard]] Status noteProducer(const record::BatchView& batch, Offset first, Offset last,
                                    std::int64_t max_timestamp);

  void publish(Offset end);  ///< sets the numbers that other threads see
  void publishStable();
  /// The first error that took the log offline stays.
  [[nodiscard]] std::unexpected<Error> goOffline(Error error);
  [[nodiscard]] Status finish(Status status);
  /// A read that fails takes the log offline as a write does: its disk or its bytes are damaged.
  template <class T>
  [[nodiscard]] Result<T> checked(Result<T> result) {
    if (!result) (void)goOffline(result.error());
    return result;
  }
  [[nodiscard]] Millis maxAgeMs() const;
  /// Closes this log's files where the process is short of descriptors.
  void releaseIfLow();

  PartitionLog& log;
  OpenOptions options;
  LogFiles files;
  std::vector<std::unique_ptr<Segment>> segments;
  LeaderEpochs epochs;
  ProducerState producers;
  std::optional<Offset> producers_snapshot;  ///< loaded; none once recallBatches() was called
  Uuid topic_id;
  Status health;
  RecoveryInfo recovery;
  std::vector<Offset> snapshots;
  std::vector<DoomedFile> doomed;
  double jitter = 0;  ///< of segment_jitter_ms, the same for the life of this object
  UnsyncedNames unsynced;
  bool cut_found = false;  ///< a process died while it cut records off
  FlushedStable flushed_stable;
  std::optional<Offset> cut_to;  ///< where a cut of what was flushed, announced, is to end the log
  bool cut_pending = false;      ///< to an earlier process; the checkpoint file may not know yet
  /// How often records were cut off: a flush that began before says nothing about what came after.
  std::uint64_t cuts = 0;
  std::optional<Offset> own_from;           ///< see own_segments.h
  std::uint64_t unflushed_bytes = 0;        ///< behind the recovery point
  bool absent = false;                      ///< there is no directory: nothing was ever appended
  std::shared_ptr<JournaledLog> journaled;  ///< from the first journaled append on
  Offset journaled_to{-1};                  ///< below it, what is not flushed is in the journal
  std::uint64_t last_round = 0;             ///< the newest one with something of this log
};

}  // namespace millrace::log
