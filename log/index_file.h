// A sparse index beside a segment: fixed-size big-endian entries in order, exactly as Kafka writes
// them.
#pragma once

#include "base/bytes.h"
#include "base/file.h"
#include "log/entry_file.h"
#include "log/log_files.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace millrace::log {

struct OffsetEntry {
  /// Last offset of the batch at `position`.
  Offset offset;
  std::uint32_t position = 0;
};

/// .index: 8 bytes an entry: relative offset i32, position i32.
class OffsetIndex {
 public:
  static constexpr std::uint32_t kEntrySize = 8;
  OffsetIndex(const LogFiles& files, Offset base)
      : entries_(files, base, FileKind::kOffsetIndex, kEntrySize) {}

  /// The last entry at or below `offset`, if any.
  [[nodiscard]] Result<std::optional<OffsetEntry>> floor(Offset offset);
  /// The entries on both sides of an offset: the last one at or below it, the first one above.
  struct Around {
    std::optional<OffsetEntry> below;
    std::optional<OffsetEntry> above;
  };
  [[nodiscard]] Result<Around> around(Offset offset);
  /// The last entry whose position is at or below `position`, if any.
  [[nodiscard]] Result<std::optional<OffsetEntry>> floorPosition(std::uint64_t position);
  [[nodiscard]] Result<std::optional<OffsetEntry>> last();
  [[nodiscard]] Status append(Offset offset, std::uint32_t position);
  /// Drops entries at and above this position in the log file.
  [[nodiscard]] Status truncateToPosition(std::uint64_t position);
  /// Whether the file is whole, and its entries in order.
  [[nodiscard]] Result<bool> rises();
  /// Errors: kCorruptData where the entries cannot belong to a log file of this size.
  [[nodiscard]] Status check(std::uint64_t log_size);
  [[nodiscard]] EntryFile& entries() { return entries_; }

 private:
  [[nodiscard]] Result<OffsetEntry> at(std::uint32_t index);
  [[nodiscard]] Result<std::uint32_t> risingBelow(std::uint64_t position);
  EntryFile entries_;
};

struct TimeEntry {
  std::int64_t timestamp = -1;
  /// Last offset of the batch that has this timestamp as its greatest.
  Offset offset;
};

/// .timeindex: 12 bytes an entry: timestamp i64, relative offset i32; timestamps rise.
class TimeIndex {
 public:
  static constexpr std::uint32_t kEntrySize = 12;
  TimeIndex(const LogFiles& files, Offset base)
      : entries_(files, base, FileKind::kTimeIndex, kEntrySize) {}

  /// The last entry with a timestamp at or below this one; {-1, base} where there is none.
  [[nodiscard]] Result<TimeEntry> floor(std::int64_t timestamp);
  [[nodiscard]] Result<TimeEntry> last();
  /// Nothing happens where the timestamp is not above the last entry's.
  [[nodiscard]] Status maybeAppend(std::int64_t timestamp, Offset offset);
  /// Drops entries at and above this offset.
  [[nodiscard]] Status truncateToOffset(Offset offset);
  /// Whether the file is whole, and its entries in order.
  [[nodiscard]] Result<bool> rises();
  /// The first entry at or above this offset, where they are in order.
  [[nodiscard]] Result<std::optional<TimeEntry>> firstFrom(Offset offset);
  /// Errors: kCorruptData where first and last entry cannot be right.
  [[nodiscard]] Status check();
  [[nodiscard]] EntryFile& entries() { return entries_; }

 private:
  [[nodiscard]] Result<TimeEntry> at(std::uint32_t index);
  [[nodiscard]] Result<std::uint32_t> risingBelow(Offset offset);
  EntryFile entries_;
};

/// The whole entries of a .txnindex file's bytes. Errors: kCorruptData, with `path`, for an entry
/// of an unknown version.
[[nodiscard]] Result<std::vector<AbortedTransaction>> decodeTxnEntries(const std::string& path,
                                                                       BytesView bytes);

[[nodiscard]] Bytes encodeTxnEntry(const AbortedTransaction& txn);
/// Whether an entry may stand behind one that ends at `last`: markers come in order, behind what
/// they decide about.
[[nodiscard]] bool mayFollow(const AbortedTransaction& txn, Offset last);

/// .txnindex: 34 bytes an entry: version i16, producer id, first, last, last stable offset (all
/// i64).
class TxnIndex {
 public:
  static constexpr std::uint32_t kEntrySize = 34;
  TxnIndex(const LogFiles& files, Offset base)
      : entries_(files, base, FileKind::kTxnIndex, kEntrySize) {}

  [[nodiscard]] Status append(const AbortedTransaction& txn);
  [[nodiscard]] Result<std::vector<AbortedTransaction>> all();
  /// The entries up to the first that ends at or above this offset, or cannot stand where it does
  /// (lost pages read as zeros), and the rest; part of an entry at the end as an empty one.
  struct Split {
    std::vector<AbortedTransaction> sound;
    std::vector<AbortedTransaction> rest;
  };
  [[nodiscard]] Result<Split> split(Offset below);
  /// Drops transactions that end at or above this offset.
  [[nodiscard]] Status truncateToOffset(Offset offset);
  [[nodiscard]] EntryFile& entries() { return entries_; }

 private:
  EntryFile entries_;
};

}  // namespace millrace::log
