// Group commit: the journal of one data directory. What is appended to logs with flush.on.ack is
// written a second time here, for all logs together, and made durable by one sync.
#pragma once

#include "base/file.h"
#include "base/random.h"
#include "base/result.h"
#include "log/journal/company.h"
#include "log/journal/format.h"
#include "log/journal/journaled_log.h"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::log {

/// Names of the journal's files in a data directory.
inline constexpr std::string_view kJournalFiles[] = {"millrace-journal.0", "millrace-journal.1"};

/// Appends gather in a round; commit() makes the round durable while the next one gathers. A small
/// append is durable when the journal's frame is on disk; it is written to its segment when it is
/// needed there (LateWrites), and the segment's pages follow when a journal file is full
/// (checkpoint()), which is then used anew. A log that appended much in a round is not
/// written twice: its segment is synced instead.
///
/// Promise: when round r is committed, everything that was appended in rounds up to r, and
/// everything below it in the same log, survives the loss of all unsynced pages.
///
/// Thread-safe. commit() and checkpoint() block, the second by one thread at a time. After a failed
/// write or sync everything returns that error: what the disk holds is unknown then.
class Journal {
 public:
  /// Numbers rounds from 1 on; 0 is no round.
  using Round = std::uint64_t;
  struct Options {
    FileSystem* files = nullptr;
    /// The data directory.
    std::string directory;
    /// Whether the data directory still is where its path leads (DataDirectory::checkPresent).
    JournaledLog::Present present = [] { return Status{}; };
    /// Size of each of the two files.
    std::uint64_t file_bytes = 64ULL << 20;
    /// A log that appends as much in one round is synced itself.
    std::uint64_t direct_bytes = 1ULL << 20;
    /// Drawn anew for each run: frames of another one do not count.
    std::uint32_t salt = static_cast<std::uint32_t>(systemRandom().next());
    /// What time it is.
    std::function<Company::Clock::time_point()> now = Company::Clock::now;
    /// Whether a processor was idle since the last call (IdleProbe): else rounds are held back.
    std::function<bool()> processor_idled = [] { return true; };
    /// Hears of the first failure, on the thread that met it.
    std::function<void(const Error&)> on_failure = {};
  };

  explicit Journal(Options options);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Adds what was just written to `file`, a segment of this log. `alone`: something below it is
  /// not durable, so the log's files are to be synced in this round (see JournaledLog::note).
  /// Returns the round it belongs to. Errors: health().
  [[nodiscard]] Result<Round> append(const std::shared_ptr<JournaledLog>& log,
                                     const std::shared_ptr<File>& file,
                                     std::span<const BytesView> batches, bool alone = false);
  /// Entries of this log at and above `offset` do not count any more when the next round is on
  /// disk: the log is to be cut there, and not before.
  [[nodiscard]] Status cancel(const std::shared_ptr<JournaledLog>& log, Offset offset);
  /// A file of a log that is to be synced with its next round: not everything in it is durable.
  void noteUnsynced(JournaledLog& log, const std::shared_ptr<File>& file);
  /// A file that gets no more bytes is on disk.
  void noteSynced(JournaledLog& log, const std::string& path);
  /// Files of a log were removed; others may get their names.
  void noteRemoved(JournaledLog& log);
  /// The log was deleted, its directory renamed: nothing of it needs to reach the disk.
  void forget(JournaledLog& log);

  /// Whether a round waits for commit().
  [[nodiscard]] bool hasGathered() const;
  /// Makes what has gathered durable. Returns the last round that is; on failure nothing of this
  /// round may be acknowledged.
  struct Committed {
    Round round = 0;
    Status status;
  };
  [[nodiscard]] Committed commit();
  /// The last round that is durable.
  [[nodiscard]] Round committed() const { return committed_.load(std::memory_order_acquire); }

  /// Whether a full file waits for checkpoint().
  [[nodiscard]] bool checkpointDue() const;
  /// Syncs the segments behind a full file, so that it can be used anew. commit() does it itself
  /// where nobody did in time.
  [[nodiscard]] Status checkpoint();

  /// Removes the files: all logs are on disk. Nothing may be appended afterwards.
  [[nodiscard]] Status close();
  [[nodiscard]] Status health() const;

  struct Counters {
    std::uint64_t rounds = 0;
    std::uint64_t frame_bytes = 0;
    std::uint64_t direct_syncs = 0;
    std::uint64_t checkpoints = 0;
  };
  [[nodiscard]] Counters counters() const;

 private:
  struct Gathered;
  struct JournalFile;

  /// Waits a moment for those that the last round let go on, so that they share this round.
  void awaitCompany(std::unique_lock<std::mutex>& lock);

  [[nodiscard]] Status write(Gathered& round);
  [[nodiscard]] Status writeFrame(Gathered& round);
  /// Which file has room for a frame; begins the other one anew where needed.
  [[nodiscard]] Result<std::size_t> fileFor(std::uint64_t bytes);
  /// The file exists and nothing in it is needed.
  [[nodiscard]] Status makeReady(JournalFile& file);
  [[nodiscard]] Status create(JournalFile& file);
  /// Writes into the file that its frames, of this generation, are not needed any more.
  [[nodiscard]] Status retire(JournalFile& file, std::uint64_t generation) const;
  /// Lists the round's logs as those that a checkpoint of the file must sync.
  void list(const Gathered& round, std::size_t file);
  [[nodiscard]] Status syncLog(JournaledLog& log);
  using Logs = std::span<const std::shared_ptr<JournaledLog>>;
  /// Those with entries in this file: one after the other while the other file has room enough,
  /// then the rest together.
  [[nodiscard]] Status syncBehind(const JournalFile& file, Logs logs);
  [[nodiscard]] Status syncAll(Logs logs);
  /// The first failure stays.
  [[nodiscard]] Status settle(Status status);

  const Options options_;
  mutable std::mutex mutex_;
  std::unique_ptr<Gathered> gathering_;
  std::unique_ptr<Gathered> spare_;
  std::unique_ptr<JournalFile> journal_files_[2];
  Status health_;
  Counters counters_;
  std::atomic<Round> committed_{0};
  /// Held while a round is made durable.
  std::mutex commit_mutex_;
  /// Held while segments are synced for a file to be used anew.
  std::mutex checkpoint_mutex_;
  /// Hears of appends that commit() waits for.
  std::condition_variable company_came_;
  /// As many entries as commit() waits for; 0 while it does not wait.
  std::size_t wanted_ = 0;
  /// Logs were deleted since the data directory was synced last.
  bool unsynced_removals_ = false;
  // Only commit() touches these, with commit_mutex_.
  Company company_;
  std::optional<std::size_t> current_;
  std::uint64_t generation_ = 0;
  const std::uint32_t salt_;
};

}  // namespace millrace::log
