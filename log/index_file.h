// A sparse index beside a segment: fixed-size big-endian entries in order, exactly as Kafka writes
// them.
#pragma once

#include "base/bytes.h"
#include "base/file.h"
#include "log/entry_pages.h"
#include "log/file_slot.h"
#include "log/log_files.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

namespace millrace::log {

/// Entries of one size in a file that is opened when needed. New entries wait in memory until
/// save(): they are lost in a crash, and recovery, which scans what was not flushed, makes them
/// again.
class EntryFile {
 public:
  EntryFile(const LogFiles& files, Offset base, FileKind kind, std::uint32_t entry_size)
      : files_(&files), base_(base), entry_size_(entry_size), kind_(kind) {}

  [[nodiscard]] Result<std::uint32_t> count();
  /// The directory has no such file, and nothing was asked or added yet: it need not be looked for.
  void knowAbsent() { loaded_ = true; }
  /// Whether the file was found to end inside an entry.
  [[nodiscard]] bool torn() const { return torn_; }
  /// Copies entries [first, first+n) to `out`. They exist.
  [[nodiscard]] Status read(std::uint32_t first, std::uint32_t n, char* out);
  [[nodiscard]] Status append(BytesView entry);
  /// Keeps the first `count` entries.
  [[nodiscard]] Status truncate(std::uint32_t count);
  /// Writes what waits. Makes the file where `create` and there is none.
  [[nodiscard]] Status save(bool create = false);
  /// Closes the file after saving; it is opened again when needed.
  [[nodiscard]] Status release();
  /// Null where nothing was ever written.
  [[nodiscard]] Result<std::shared_ptr<File>> file();
  [[nodiscard]] std::string path() const { return files_->path(base_, kind_); }
  [[nodiscard]] Offset base() const { return base_; }
  /// Whether the file was made since the last call: its name is on disk only after a sync of the
  /// directory.
  [[nodiscard]] bool takeMade() { return std::exchange(made_, false); }

  /// An entry's bytes, valid until the next call. It exists.
  [[nodiscard]] Result<const char*> at(std::uint32_t index);
  /// The first entry for which `less(entry)` is false, by binary search: entries are in order.
  template <class Less>
  [[nodiscard]] Result<std::uint32_t> lowerBound(Less less) {
    MILLRACE_TRY(std::uint32_t high, count());
    std::uint32_t low = 0;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      MILLRACE_TRY(const char* const entry, at(middle));
      if (less(entry)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }
  /// The first entry for which `less(entry)` is false, by a look at each: for files that a crash
  /// may have left with anything, zeros for instance, behind the sound entries.
  template <class Less>
  [[nodiscard]] Result<std::uint32_t> firstNot(Less less) {
    MILLRACE_TRY(const std::uint32_t n, count());
    for (std::uint32_t i = 0; i < n; ++i) {
      MILLRACE_TRY(const char* const entry, at(i));
      if (!less(entry)) return i;
    }
    return n;
  }

 private:
  [[nodiscard]] Status load();
  [[nodiscard]] std::uint32_t perPage() const {
    return static_cast<std::uint32_t>(EntryPages::kPageBytes) / entry_size_;
  }

  const LogFiles* files_;
  Offset base_;
  FileSlot file_;
  Bytes pending_;
  /// Made by the first lookup.
  std::unique_ptr<EntryPages> pages_;
  std::uint32_t entry_size_;
  /// Entries in the file.
  std::uint32_t saved_ = 0;
  FileKind kind_;
  bool loaded_ = false;
  bool exists_ = false;
  bool made_ = false;
  bool torn_ = false;
};

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
  /// Errors: kCorruptData where the entries cannot belong to a log file of this size.
  [[nodiscard]] Status check(std::uint64_t log_size);
  [[nodiscard]] EntryFile& entries() { return entries_; }

 private:
  [[nodiscard]] Result<OffsetEntry> at(std::uint32_t index);
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
  /// Errors: kCorruptData where first and last entry cannot be right.
  [[nodiscard]] Status check();
  [[nodiscard]] EntryFile& entries() { return entries_; }

 private:
  [[nodiscard]] Result<TimeEntry> at(std::uint32_t index);
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
