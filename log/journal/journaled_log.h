// One log's part in the journal of its data directory.
#pragma once

#include "base/file.h"
#include "log/journal/format.h"
#include "log/journal/late_writes.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::log {

/// What of a log is in the journal and not known to be on disk otherwise. Made by the log with its
/// first journaled append; the journal keeps it for as long as it needs it. Guarded by the
/// journal's mutex, but for what is const, and what waits to be written.
class JournaledLog {
 public:
  /// `fresh`: the log's directory itself may not be on disk yet.
  JournaledLog(const journal::LogKey& key, std::string directory, bool fresh)
      : batches_prefix(journal::entryPrefix(journal::EntryKind::kBatches, key)),
        cancel_prefix(journal::entryPrefix(journal::EntryKind::kCancel, key)),
        directory_(std::move(directory)),
        fresh_(fresh) {}

  /// Remembers that `file` has bytes that are not on disk.
  void note(const std::shared_ptr<File>& file);
  /// A file that gets no more bytes is on disk: it need not be held.
  void synced(const std::string& path);
  /// Files of the log were removed: one that is made anew has an old path, but a new name to sync.
  void forgetNames() {
    named_.clear();
    ++removals_;
  }
  void forget() {
    unsynced_.clear();
    late_.giveBack();
  }
  /// What its segments lack. To be written before they are synced.
  [[nodiscard]] LateWrites& late() { return late_; }

  /// Whether the data directory still is where the names lead.
  using Present = std::function<Status()>;
  /// What to sync so that all of the log up to now is on disk. run() without the mutex, then
  /// settle() with it.
  struct Sync {
    struct Target {
      std::string path;
      /// Null where the process was short of file descriptors: it is opened again.
      std::shared_ptr<File> file;
      std::uint64_t version = 0;
    };
    std::vector<Target> targets;
    /// The newest segment among them.
    std::string newest;
    std::uint64_t removals = 0;
    std::vector<std::string> directories;
    /// `present` is asked where a name leads to nothing.
    [[nodiscard]] Status run(FileSystem& files, const Present& present) const;
  };
  [[nodiscard]] Sync plan() const;
  void settle(const Sync& done);

  const Bytes batches_prefix;
  const Bytes cancel_prefix;
  /// The generation of the journal file that lists this log, for each file.
  std::uint64_t listed_in[2] = {0, 0};
  /// The newest round with something of this log, and its place among that round's logs.
  std::uint64_t round = 0;
  std::size_t member = 0;

 private:
  struct Unsynced {
    std::string path;
    /// Null where the process was short of file descriptors.
    std::shared_ptr<File> file;
    /// Counts what was added.
    std::uint64_t version = 0;
  };
  const std::string directory_;
  LateWrites late_;
  /// In the order of their offsets, nearly always one.
  std::vector<Unsynced> unsynced_;
  /// The file whose name is known to be on disk.
  std::string named_;
  /// Counts removals: names that were synced before one may be gone.
  std::uint64_t removals_ = 0;
  bool fresh_;
};

}  // namespace millrace::log
