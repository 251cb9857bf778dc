// A file of entries of one size: what the indexes beside a segment are made of.
#pragma once

#include "base/bytes.h"
#include "base/file.h"
#include "log/entry_pages.h"
#include "log/file_slot.h"
#include "log/log_files.h"

#include <cstdint>
#include <memory>
#include <string>
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
  /// Begins without entries, beside the file, which stays as it is until settle() replaces it at
  /// once: what a crash leaves of an index that is made anew must not look like a whole one.
  [[nodiscard]] Status beginAnew();
  /// Returns whether the directory is to be synced: not where there is neither an entry nor a file.
  [[nodiscard]] Result<bool> settle();
  /// Closes the file, which is opened again when needed. What waits goes on waiting.
  void close() { file_.reset(); }
  /// Closes it after saving, and gives memory back, too.
  [[nodiscard]] Status release();
  /// Null where nothing was ever written.
  [[nodiscard]] Result<std::shared_ptr<File>> file();
  [[nodiscard]] std::string path() const {
    return files_->path(base_, kind_) + std::string(anew_ ? kTemporarySuffix : "");
  }
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
  bool anew_ = false;
  /// There is a file that settle() has to replace.
  bool replaces_ = false;
};

}  // namespace millrace::log
