// What a LogManager is made of. Included by log/log_manager*.cc only.
#pragma once

#include "log/data_directory.h"
#include "log/journal/journal.h"
#include "log/journal/replay.h"
#include "log/log_manager.h"

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace millrace::log {

struct LogManager::State {
  struct Entry {
    std::unique_ptr<PartitionLog> log;
    DataDirectory* directory = nullptr;
    /// A process ended while a copy took its place, and that is in none of log.dirs.
    bool may_have_moved = false;
  };
  /// Destroyed after the logs, which use them.
  std::unordered_map<const DataDirectory*, std::unique_ptr<Journal>> journals;
  struct Doomed {
    std::string path;
    Millis due_ms;
  };
  /// What the checkpoint files say of one log.
  struct Points {
    Offset recovery_point{0};
    Offset log_start{0};
    Offset high_watermark{0};
    Offset cleaned_to{0};
    void addTo(DataDirectory::Checkpoints& all, const TopicPartition& tp) const;
  };

  LogManagerOptions options;
  FileSystem& files;
  RandomSource& random;
  LoadReport report;
  mutable std::mutex mutex;
  std::vector<std::unique_ptr<DataDirectory>> directories;
  std::unordered_map<TopicPartition, Entry> logs;
  std::vector<Doomed> doomed;
  /// Where logs were removed and the directory not synced since.
  std::set<DataDirectory*> unsynced;
  /// Logs that cannot be used, and why: they must not be made anew.
  struct Offline {
    Error cause;
    DataDirectory* directory = nullptr;
    /// Its checkpoints. Forgotten, the next start would take damage of flushed records for a tail
    /// that was not, and cut it off.
    Points points = {};
  };
  std::unordered_map<TopicPartition, Offline> offline;
  /// Logs that were removed: the checkpoint files, the directory on disk and the journal may still
  /// know them. Until forgetRemoved().
  std::set<TopicPartition> removed;

  /// A log that moves to another directory.
  struct Moving {
    std::shared_ptr<FutureLog> future;
    DataDirectory* to = nullptr;
    /// Its checkpoints there, from shortly before it takes the log's place.
    std::optional<Points> points = {};
    /// The one that it took the place of, and where that lies.
    Entry left = {};
  };
  std::unordered_map<TopicPartition, Moving> moves;

  explicit State(LogManagerOptions given)
      : options(std::move(given)),
        files(options.files != nullptr ? *options.files : systemFiles()),
        random(options.random != nullptr ? *options.random : systemRandom()) {}

  [[nodiscard]] LogConfig configOf(const std::string& topic) const {
    return options.config_of ? options.config_of(topic) : options.defaults;
  }
  [[nodiscard]] Status openDirectory(const std::string& path);
  [[nodiscard]] Status openAll();
  [[nodiscard]] Result<std::unique_ptr<PartitionLog>> openLog(DataDirectory& directory,
                                                              const TopicPartition& tp,
                                                              Millis now_ms);
  [[nodiscard]] Status takeIn(DataDirectory& directory, const TopicPartition& tp,
                              Result<std::unique_ptr<PartitionLog>> opened);
  /// Cuts that opening made, because they had been announced, are over.
  [[nodiscard]] Status confirmCuts();
  /// All logs of a directory that can be opened are.
  void takeIntoUse(DataDirectory& directory);
  /// Fails where too little is left to go on with.
  [[nodiscard]] Status checkDirectories() const;
  [[nodiscard]] Uuid idOf(const DataDirectory& directory) const;
  /// Whether it is an entry of log.dirs.
  [[nodiscard]] bool isLogDir(const DataDirectory& directory) const;
  /// Whether an id is a directory's. Those below 100 have meanings of their own in Kafka
  /// (DirectoryId): unassigned, lost, migrating.
  [[nodiscard]] static bool isGiven(const Uuid& id) { return id.high != 0 || id.low >= 100; }
  /// Where a new log goes.
  [[nodiscard]] Result<DataDirectory*> place(const Uuid& directory_id) const;
  [[nodiscard]] Result<DataDirectory*> leastUsed() const;
  /// Takes a directory out of use while it is in use; returns the status it was given.
  [[nodiscard]] Status judge(DataDirectory& directory, Status status) const;
  /// The same, but for a disk that is full.
  [[nodiscard]] Status judgeUnlessFull(DataDirectory& directory, Status status) const;
  /// The same, for the directory that a file lies in.
  [[nodiscard]] Status judgeAt(const std::string& path, Status status) const;
  [[nodiscard]] std::function<void(const Error&)> failureOf(DataDirectory& directory);
  [[nodiscard]] std::function<void(const Error&)> journalFailureOf(DataDirectory& directory);
  void abandon(const DataDirectory& directory);
  /// Renames a log's directory to end with this; returns its new path.
  [[nodiscard]] Result<std::string> moveAway(DataDirectory& directory, const TopicPartition& tp,
                                             std::string_view suffix);
  /// The same, to be removed when it is due.
  [[nodiscard]] Status doom(DataDirectory& directory, const TopicPartition& tp, Millis due_ms);
  // Moves (log_manager_moves.cc).
  /// Of logs that stand in two directories, those that were left for the other one go.
  [[nodiscard]] std::set<std::pair<const DataDirectory*, TopicPartition>> settleMoves();
  /// What the markers say of logs that stand in one directory, once these are in use.
  void settleMarkers();
  /// A log that may have moved is used only where nobody says that it lies elsewhere.
  [[nodiscard]] Status mustLieIn(const TopicPartition& tp, Entry& entry, const Uuid& directory_id);
  /// From now on no start takes a copy for this log. Errors: kNotFound where none would.
  [[nodiscard]] Status stay(DataDirectory& directory, const std::string& log) const;
  /// Goes on with what was on its way, drops what makes no sense any more.
  void adoptFutures();
  [[nodiscard]] const char* whyNotToMove(const DataDirectory& to, const FutureName& name) const;
  /// Null where it is not wanted any more.
  [[nodiscard]] Moving* moveOf(const FutureLog& future);
  /// Ends a move, takes its copy away.
  [[nodiscard]] Status dropMove(const TopicPartition& tp, Millis due_ms);
  /// The copy has its name and is the log; or nothing is changed.
  [[nodiscard]] Result<std::unique_ptr<PartitionLog>> putInPlace(DataDirectory& from,
                                                                 Moving& moving,
                                                                 const MoveSource& source,
                                                                 const LogConfig& config);
  /// A directory in this one gets a name that ends with this; returns its new path.
  [[nodiscard]] Result<std::string> setAside(DataDirectory& directory, const std::string& name,
                                             const TopicPartition& tp, std::string_view suffix);
  [[nodiscard]] std::string uniqueId();
  /// Puts logs aside that have records and, after a crash, no topic id: see log_manager_journal.cc.
  void setOwnerlessAside(DataDirectory& directory);
  /// Brings back what only the journal has, then begins a new one. Where it is damaged, the
  /// directory goes offline.
  void openJournal(DataDirectory& directory);
  [[nodiscard]] Status replayJournal(DataDirectory& directory);
  /// The log that an entry of a directory's journal belongs to; null where it is gone or offline.
  [[nodiscard]] PartitionLog* logForReplay(DataDirectory& directory, const journal::LogKey& key,
                                           JournalLogUse state);
  [[nodiscard]] Status writeCheckpoints();
  /// Closes a directory's logs; what became of all of them.
  [[nodiscard]] Status closeLogs(DataDirectory& directory);
  [[nodiscard]] static Points pointsOf(const PartitionLog& log);
  [[nodiscard]] static Points pointsIn(const DataDirectory& directory, const TopicPartition& tp);
  /// Makes sure that a new log of this name takes nothing over from one that was removed.
  [[nodiscard]] Status forgetRemoved(const TopicPartition& tp);
};

}  // namespace millrace::log
