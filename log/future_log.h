// A log's copy on its way to another data directory (KIP-113): what Kafka calls a future replica.
#pragma once

#include "base/file.h"
#include "base/uuid.h"
#include "log/data_directory.h"
#include "log/io_pace.h"
#include "log/log_files.h"
#include "log/types.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace millrace::log {

/// What the directory of a future replica is called: "orders-3.<32 digits>-future".
struct FutureName {
  TopicPartition partition;
  std::string id;
  [[nodiscard]] std::string toString() const {
    return partition.toString() + "." + id + std::string(kFutureDirSuffix);
  }
};
/// Nothing for other names.
[[nodiscard]] std::optional<FutureName> parseFutureName(std::string_view name);

/// Copies the files of a log byte by byte, segment after segment; so offsets, gaps, indexes,
/// transactions and snapshots are the same. A segment gets its name when all of it is on disk;
/// until then its files end with .cleaned, and whoever opens the directory drops them, Kafka, too.
/// What an earlier process left is compared, and kept where it is the same.
///
/// The log itself is only read. copy() and complete() are called by one thread at a time and block:
/// not on a shard. The rest may be called from any thread.
class FutureLog {
 public:
  FutureLog(FileSystem& files, FutureName name, const std::string& data_directory);

  [[nodiscard]] const FutureName& name() const { return name_; }
  /// Its directory.
  [[nodiscard]] const std::string& path() const { return to_.directory; }
  /// How far it reaches.
  [[nodiscard]] Offset endOffset() const { return Offset{end_offset_.load()}; }
  [[nodiscard]] std::uint64_t sizeInBytes() const { return size_.load(); }
  /// From now on copy() ends with kCancelled at its next step.
  void cancel() { cancelled_ = true; }
  [[nodiscard]] bool isCancelled() const { return cancelled_; }

  /// Whose disk the last call of copy() or complete() failed for.
  enum class Fault : std::uint8_t { kNone, kSource, kTarget };
  [[nodiscard]] Fault fault() const { return fault_; }

  /// Makes the directory, on disk.
  [[nodiscard]] Status begin(const Uuid& topic_id);
  /// Bytes of segments that are not copied yet.
  [[nodiscard]] std::uint64_t missing(const MoveSource& source) const;
  /// Copies up to about `most` of them at this pace; what is copied is on disk, but for names. Each
  /// batch's CRC is checked. Errors: kCorruptData, kIo, kDiskFull, kCancelled, kNotFound where one
  /// of the directories is gone.
  [[nodiscard]] Status copy(const MoveSource& source, std::uint64_t most, IoPace& pace);
  /// Everything of a log that does not grow any more, with the marker. Errors: kState where more
  /// than a moment's work is missing.
  [[nodiscard]] Status complete(const MoveSource& source);

 private:
  struct Progress {
    std::uint64_t bytes = 0;
    bool begun = false;
    /// All of it has its name and is on disk.
    bool done = false;
  };
  /// How a pass goes about it.
  struct Step {
    LogFiles from;
    IoPace* pace = nullptr;  ///< null: without a limit
    std::uint64_t left = 0;
    bool last = false;  ///< the last segment does not grow, either
  };

  void follow(const MoveSource& source);
  /// One pass over what there is.
  [[nodiscard]] Status copyAll(const MoveSource& source, Step& step);
  /// After the last pass: what else a log has, and nothing more.
  [[nodiscard]] Status finish(const MoveSource& source, const LogFiles& from);
  [[nodiscard]] Status dropMissing(const MoveSource& source);
  [[nodiscard]] Status copyParts(const MoveSource& source, Step& step);
  [[nodiscard]] Status copyPart(const MoveSource::Part& part, bool sealed, Step& step);
  [[nodiscard]] Status copyBatches(const MoveSource::Part& part, Progress& progress, Step& step);
  /// The indexes of a segment, then its name.
  [[nodiscard]] Status finishPart(Offset base, const LogFiles& from);
  /// Whether an earlier process left all of a segment.
  [[nodiscard]] Result<bool> isThere(const MoveSource::Part& part, Step& step);
  [[nodiscard]] Result<bool> isSame(Offset base, FileKind kind, Step& step);
  [[nodiscard]] Status copySnapshots(const MoveSource& source, const LogFiles& from);
  [[nodiscard]] Status removePart(Offset base);
  [[nodiscard]] Status removeOthers();
  /// Errors: kCorruptData.
  [[nodiscard]] Status mustBeWhole(const MoveSource& source) const;
  /// A whole small file, on disk; false where there is none.
  [[nodiscard]] Result<bool> copyFile(const std::string& from, const std::string& to);
  /// Null where it does not exist.
  [[nodiscard]] Result<std::shared_ptr<File>> openIfThere(const std::string& path, OpenMode mode);
  [[nodiscard]] Status spend(Step& step, std::uint64_t bytes) const;
  void publish();
  /// Notes where an error came from that ends the pass.
  template <class R>
  [[nodiscard]] R ofSource(R result) {
    if (!result) fault_ = Fault::kSource;
    return result;
  }
  [[nodiscard]] Status judged(Status status);

  FileSystem& files_;
  const FutureName name_;
  const LogFiles to_;
  const LogFiles unfinished_;
  MoveSource::Version version_;
  std::map<Offset, Progress> progress_;
  std::set<Offset> snapshots_;
  std::atomic<Fault> fault_{Fault::kNone};
  std::atomic<bool> cancelled_{false};
  std::atomic<std::int64_t> end_offset_{0};
  std::atomic<std::uint64_t> size_{0};
};

}  // namespace millrace::log
