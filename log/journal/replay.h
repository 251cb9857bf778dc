// After an unclean stop: what the journal has and the logs lost goes back into the logs.
#pragma once

#include "base/file.h"
#include "base/result.h"
#include "log/journal/format.h"

#include <functional>
#include <string>

namespace millrace::log {

class PartitionLog;

/// What is done with a log that has no topic id (a crash may take partition.metadata), or that is
/// not there: nothing; it gets the entries' id; it is made, too.
enum class JournalLogUse : std::uint8_t { kNoId, kGetsId, kMade };
/// Finds the log that an entry belongs to, recovered and not yet journaled; null where its entries
/// are of no use any more.
using JournalLogFinder = std::function<PartitionLog*(const journal::LogKey&, JournalLogUse)>;
/// A log that lacks what lies in front of its entries, or cannot take them.
using JournalComplaint = std::function<void(const journal::LogKey&, const Error&)>;

struct ReplayReport {
  std::uint64_t frames = 0;
  /// Batches that the logs had lost.
  std::uint64_t batches = 0;
  std::uint64_t bytes = 0;
};

/// Appends what the logs lack, in order, and flushes them. May be repeated after a crash at any
/// instant. The files stay: see removeJournal. Errors: kCorruptData with file and position where
/// something that was on disk is damaged, kIo.
[[nodiscard]] Result<ReplayReport> replayJournal(FileSystem& files, const std::string& directory,
                                                 const JournalLogFinder& find,
                                                 const JournalComplaint& complain);
/// Whether a data directory has a journal.
[[nodiscard]] Result<bool> hasJournal(FileSystem& files, const std::string& directory);
/// Renames the journal's files to "....kept": somebody must look at them.
[[nodiscard]] Status keepJournal(FileSystem& files, const std::string& directory);
/// Removes the journal's files for good.
[[nodiscard]] Status removeJournal(FileSystem& files, const std::string& directory);

}  // namespace millrace::log
