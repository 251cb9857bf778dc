// The files of one log's directory: their names, and small text files written and read whole.
#pragma once

#include "base/clock.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/uuid.h"
#include "log/types.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace millrace::log {

enum class FileKind : std::uint8_t { kLog, kOffsetIndex, kTimeIndex, kTxnIndex, kSnapshot };
/// The files of a segment, and those of them that are made from its log.
inline constexpr FileKind kSegmentKinds[] = {FileKind::kLog, FileKind::kOffsetIndex,
                                             FileKind::kTimeIndex, FileKind::kTxnIndex};
inline constexpr std::span<const FileKind> kIndexKinds{kSegmentKinds + 1, 3};
/// ".log", ".index", ".timeindex", ".txnindex", ".snapshot".
[[nodiscard]] std::string_view suffixOf(FileKind kind);

inline constexpr std::string_view kDeletedSuffix = ".deleted", kCleanedSuffix = ".cleaned",
                                  kSwapSuffix = ".swap", kTemporarySuffix = ".tmp";
inline constexpr std::string_view kPartitionMetadata = "partition.metadata",
                                  kEpochCheckpoint = "leader-epoch-checkpoint";
/// There while records are cut off. A process that dies meanwhile leaves it, and the next one puts
/// on disk what it finds: the old bytes must not stand behind new ones after a power failure. Where
/// flushed records are to go, it says (as a checkpoint of one line) at which offset the log is to
/// end, and the next process makes the cut. Ours; Kafka does not look at it.
inline constexpr std::string_view kCutMarker = "millrace-cut";

/// Of a move to another data directory (future_log.h, docs/formats/moves.md). In the log while its
/// copy takes its place: the copy's id. In the copy, from the moment on from which it may: its own
/// id. Where a start finds two logs of one name, the copy counts if both say the same.
inline constexpr std::string_view kMovingMarker = "millrace-moving",
                                  kMovedMarker = "millrace-moved";

/// What a file name in a log directory says; `extra` is one of the suffixes above or empty.
struct ParsedName {
  Offset base;
  FileKind kind = FileKind::kLog;
  std::string_view extra;
};
/// Nothing for names that are no segment files; extra points to a constant.
[[nodiscard]] std::optional<ParsedName> parseFileName(std::string_view name);

/// Where a log's files are. Shared by everything that belongs to one log; outlives it.
struct LogFiles {
  FileSystem& system;
  std::string directory;
  /// Behind every segment file's name: kCleanedSuffix while compaction writes it.
  std::string suffix = {};

  [[nodiscard]] std::string path(Offset base, FileKind kind) const;
  [[nodiscard]] std::string path(std::string_view name) const;
  /// The data directory that the log's own lies in.
  [[nodiscard]] std::string parent() const { return directory.substr(0, directory.rfind('/')); }
};

/// `time` and `delay`, at or above 0, together; the end of time where a setting asks for more.
[[nodiscard]] constexpr Millis laterBy(Millis time, Millis delay) {
  constexpr Millis kEnd = std::numeric_limits<Millis>::max();
  return time > kEnd - delay ? kEnd : time + delay;
}

/// A file that is to be unlinked.
struct DoomedFile {
  std::string path;
  Millis due_ms;
};

/// Writes a small file where there is none, or a torn one: a crash may tear it, so its reader can
/// tell. Not synced.
[[nodiscard]] Status writeFile(FileSystem& system, const std::string& path, BytesView content);
/// Replaces a small file: temporary name, write, rename. Not synced: for what recovery can rebuild.
[[nodiscard]] Status replaceFile(FileSystem& system, const std::string& path, BytesView content);

/// partition.metadata: "version: 0\ntopic_id: <uuid>". Nothing where the file is missing. Errors:
/// kCorruptData.
[[nodiscard]] Result<std::optional<Uuid>> readPartitionMetadata(const LogFiles& files);
[[nodiscard]] std::string partitionMetadata(const Uuid& topic_id);
/// Written in place and not synced: it is the same at every time, and a log's first flush syncs it.
[[nodiscard]] Status writePartitionMetadata(const LogFiles& files, const Uuid& topic_id);

/// A checkpoint's text: version 0, number of lines, lines. Errors: kCorruptData.
[[nodiscard]] Result<std::vector<std::string>> parseCheckpoint(const std::string& path,
                                                               BytesView text);
[[nodiscard]] Bytes formatCheckpoint(const std::vector<std::string>& lines);

}  // namespace millrace::log
