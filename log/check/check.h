// Reads logs without touching them and says what is wrong: CRCs, order, counts, indexes, producer
// snapshots, epochs, checkpoint files. For `millrace check-log` and tests.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace millrace::log {

/// One thing that is not as it must be.
struct Problem {
  std::string file;
  /// Byte position in the file, where there is one.
  std::optional<std::uint64_t> position;
  std::string what;
};

/// What was looked at.
struct CheckTotals {
  std::int64_t logs = 0;
  std::int64_t segments = 0;
  std::int64_t batches = 0;
  std::int64_t records = 0;
  /// Of the .log files.
  std::uint64_t bytes = 0;
  std::int64_t problems = 0;
};

using ProblemSink = std::function<void(const Problem&)>;

/// Checks a data directory with all its logs, or the directory of one log. Millrace's and Apache
/// Kafka's alike; nothing is written, no lock is taken. What a crash may leave behind the recovery
/// point of a directory without clean-shutdown marker (indexes that lag, zeros at the end) is no
/// problem; a batch that is cut off is one, and the text says that the next start cuts it.
/// Errors: kNotFound, kIo for a path that cannot be listed; a file that cannot be read is a
/// problem.
[[nodiscard]] Result<CheckTotals> checkLogs(FileSystem& files, const std::string& path,
                                            const ProblemSink& sink);

}  // namespace millrace::log
