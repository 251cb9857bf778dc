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
  /// Where a new log goes.
  [[nodiscard]] Result<DataDirectory*> place(const Uuid& directory_id) const;
  [[nodiscard]] Result<DataDirectory*> leastUsed() const;
  /// Takes a directory out of use while it is in use; returns the status it was given.
  [[nodiscard]] Status judge(DataDirectory& directory, Status status) const;
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
