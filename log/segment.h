// One segment: a log file and its indexes, from a base offset on.
#pragma once

#include "base/clock.h"
#include "base/file.h"
#include "log/batch_reader.h"
#include "log/config.h"
#include "log/index_file.h"
#include "log/journal/late_writes.h"
#include "log/sound_ranges.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::log {

/// Owned by one PartitionLog. Files are opened when needed and let go by release().
class Segment {
 public:
  Segment(const LogFiles& files, Offset base)
      : offset_index_(files, base), time_index_(files, base), files_(&files), base_(base) {}

  [[nodiscard]] Offset base() const { return base_; }
  /// Bytes of whole batches.
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// For a file that was found: nothing says yet that its bytes are sound.
  void setSize(std::uint64_t size) {
    size_ = size;
    sound_.startAt(size);
  }

  /// The log file with all batches in it; made where there is none.
  [[nodiscard]] Result<std::shared_ptr<File>> file();
  /// The same, but it may lack batches that are to be written later.
  [[nodiscard]] Result<std::shared_ptr<File>> openFile();
  [[nodiscard]] std::string path() const { return files_->path(base_, FileKind::kLog); }

  /// What is known of a batch once it is written.
  struct Written {
    Offset base_offset;
    Offset last_offset;
    std::int64_t max_timestamp = -1;
    std::uint32_t size = 0;
  };
  /// Writes `batches` behind the last: one pwritev, now, or with others where `late` takes them.
  [[nodiscard]] Status append(std::span<const BytesView> slices, std::span<const Written> batches,
                              const LogConfig& config, LateWrites* late = nullptr);
  /// Takes a batch at the end of what is known into the indexes: append and recovery share it.
  [[nodiscard]] Status noteBatch(const Written& batch, const LogConfig& config);

  /// Where a batch stands, and its header where that was looked at.
  struct Place {
    std::uint64_t position = 0;
    std::optional<BatchReader::Head> head;
  };
  /// Where the first batch stands that holds or follows `offset`; size() where there is none.
  [[nodiscard]] Result<Place> find(Offset offset);
  [[nodiscard]] Result<std::uint64_t> locate(Offset offset);
  /// Where a range of batches ends.
  struct Boundary {
    std::uint64_t position = 0;
    /// What is behind it is found by this offset.
    Offset next;
  };
  /// The boundary at or below `position` (below size()) that is cheapest to find, not below `from`.
  /// Where that is `from`: the end of the batches that fit, or of the first if `at_least_one`.
  [[nodiscard]] Result<Boundary> boundary(const Place& from, std::uint64_t position,
                                          bool at_least_one);
  /// The header of the batch at a boundary below size().
  [[nodiscard]] Result<BatchReader::Head> headAt(std::uint64_t position);

  /// Checks the CRCs of the batches in [from, to), two boundaries, but for those that this process
  /// has written or checked: the disk may have changed what lay on it. Errors: kCorruptData.
  [[nodiscard]] Status checkSound(std::uint64_t from, std::uint64_t to);
  /// An offset was looked for and is missing in front of this boundary: a damaged header there may
  /// hide it.
  [[nodiscard]] Status checkGap(std::uint64_t position);

  /// Greatest timestamp and the last offset of its batch; -1 where no record has one.
  [[nodiscard]] Result<TimeEntry> maxTimestamp();
  /// Max timestamp of the first batch: what the segment's age counts from.
  [[nodiscard]] Result<std::optional<std::int64_t>> firstTimestamp();
  /// When the file was last written, ms since 1970.
  [[nodiscard]] Result<Millis> lastModifiedMs();
  /// The greatest timestamp; where no record has one, when the file was last written. As Kafka's
  /// LogSegment.largestTimestamp().
  [[nodiscard]] Result<Millis> newestMs();

  /// Full, too old, or out of numbers for a batch of this size, time and last offset (Kafka's
  /// LogSegment.shouldRoll).
  [[nodiscard]] Result<bool> shouldRoll(std::uint64_t bytes, std::int64_t timestamp, Offset last,
                                        Millis now_ms, Millis max_age_ms, const LogConfig& config);
  /// Whether the file holds zeros from there on, as far as one block tells: room that was
  /// preallocated and not written.
  [[nodiscard]] Result<bool> isBlankFrom(std::uint64_t position);
  /// Closes the books of a segment that gets no more batches. Gives preallocated room back.
  [[nodiscard]] Status seal();
  [[nodiscard]] bool sealed() const { return sealed_; }
  void knowSealed() { sealed_ = !distrusted_; }  ///< after a clean stop
  /// Checks the indexes once; builds them anew where they cannot be right. Returns whether it did.
  [[nodiscard]] Result<bool> checkIndexes(const LogConfig& config);
  /// An index file is missing or was found to lie: checkIndexes() builds them anew.
  void distrustIndexes() {
    distrusted_ = true;
    checked_ = sealed_ = false;
  }
  [[nodiscard]] bool indexesDistrusted() const { return distrusted_; }
  /// Whether the indexes are in order, and what they say behind a boundary is true: else something
  /// may be missing in front of it, too.
  [[nodiscard]] Result<bool> indexesFit(Boundary from);
  /// Around a rescan from the beginning: new indexes replace the old at once, and are on disk then.
  [[nodiscard]] Status beginIndexes();
  [[nodiscard]] Status settleIndexes();
  /// Scans from a boundary on and takes every batch into the indexes; cutIndexes() comes first.
  /// `visit` sees each whole batch after its CRC was checked. Stops at damage: the returned error
  /// says where; size() is the end of what is sound. Defined in segment_rescan.h.
  template <class Visit>
  [[nodiscard]] Status rescan(Boundary from, std::uint64_t file_size, const LogConfig& config,
                              Visit visit);
  /// Cuts the file and the indexes at a boundary.
  [[nodiscard]] Status truncate(std::uint64_t position, Offset next_offset);
  /// Indexes and tail as they were before the batch at `from`. What they say of the batches in
  /// front of it is not written anew: it may be on disk for good. Errors: kCorruptData for damage
  /// there.
  [[nodiscard]] Status cutIndexes(Boundary from);

  /// Where the last batch in front of `position`, a boundary, ends; base() where there is none.
  [[nodiscard]] Result<Offset> endAt(std::uint64_t position);
  /// The header of the entry's batch: index files have no checksum. Nothing, and the indexes are
  /// distrusted, where another batch stands there or none.
  [[nodiscard]] Result<std::optional<BatchReader::Head>> believe(
      const std::optional<OffsetEntry>& entry);
  /// The same for an entry of the time index.
  [[nodiscard]] Result<bool> believes(const TimeEntry& entry);

  [[nodiscard]] OffsetIndex& offsetIndex() { return offset_index_; }
  [[nodiscard]] TimeIndex& timeIndex() { return time_index_; }
  /// Made on first use: most segments have no aborted transaction.
  [[nodiscard]] TxnIndex& txnIndex();
  /// Whether the transaction index was held against the log. From the call on it was.
  enum class TxnTrust : std::uint8_t { kUnchecked, kChecked };
  [[nodiscard]] TxnTrust takeTxnTrust() { return std::exchange(txn_trust_, TxnTrust::kChecked); }
  /// Puts another transaction index in its place, on disk, too.
  [[nodiscard]] Status replaceTxnIndex(std::span<const AbortedTransaction> all);

  [[nodiscard]] Status saveIndexes(bool create);
  /// Lets go of open files that were not used since the last call, and of the tail directory.
  [[nodiscard]] Status releaseUnused();
  void closeIndexes();  ///< their files: seldom written, and read from memory mostly
  /// Closes all files now; they are opened again when needed.
  [[nodiscard]] Status release();
  /// Files to sync so that everything written so far is on disk.
  [[nodiscard]] Status collectFiles(std::vector<std::shared_ptr<File>>& out);
  /// Whether index files were made since the last call.
  [[nodiscard]] bool takeNewNames();

 private:
  /// The newest batches: readers at the tail find theirs without looking at a file.
  struct TailEntry {
    Offset last_offset;
    std::uint64_t position;
  };
  static constexpr std::size_t kTailEntries = 64;

  [[nodiscard]] std::optional<std::uint64_t> locateInTail(Offset offset) const;
  [[nodiscard]] bool isMeant(const OffsetEntry& entry, const BatchReader::Head& head) const;
  [[nodiscard]] Result<Place> scanFor(Offset offset, const std::optional<OffsetEntry>& from,
                                      std::size_t buffer);
  [[nodiscard]] Result<std::optional<Boundary>> boundaryInTail(std::uint64_t from,
                                                               std::uint64_t position);
  [[nodiscard]] Result<Boundary> scanToBoundary(const Place& from, std::uint64_t position,
                                                bool at_least_one);

  OffsetIndex offset_index_;
  TimeIndex time_index_;
  std::unique_ptr<TxnIndex> txn_index_;
  TxnTrust txn_trust_ = TxnTrust::kUnchecked;
  const LogFiles* files_;
  FileSlot file_;
  /// What the file may lack; null where it lacks nothing.
  LateWrites* late_ = nullptr;
  SoundRanges sound_;
  std::vector<TailEntry> tail_;
  Offset base_;
  std::uint64_t size_ = 0;
  std::uint64_t bytes_since_index_ = 0;
  TimeEntry max_timestamp_;
  /// What the age of a segment without timestamps counts from.
  std::optional<Millis> began_ms_;
  std::int64_t first_timestamp_ = -1;
  bool max_timestamp_known_ = false;
  bool first_timestamp_known_ = false;
  bool used_ = false, preallocated_ = false;
  bool checked_ = false, distrusted_ = false, sealed_ = false;
};

}  // namespace millrace::log
