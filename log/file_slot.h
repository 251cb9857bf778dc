// An open file that may be closed at any time and opened again. Files that were opened for a slot
// are counted until they are closed, so that a process with more logs than file descriptors keeps
// going: when they run low, logs close their files after each use.
#pragma once

#include "base/file.h"

#include <cstdint>
#include <memory>

namespace millrace::log {

class FileSlot {
 public:
  FileSlot() = default;
  ~FileSlot() = default;
  FileSlot(const FileSlot&) = delete;
  FileSlot& operator=(const FileSlot&) = delete;

  /// Takes a file that was opened just now.
  void set(std::shared_ptr<File> file);
  void reset() { file_.reset(); }
  [[nodiscard]] const std::shared_ptr<File>& get() const { return file_; }
  [[nodiscard]] explicit operator bool() const { return file_ != nullptr; }

  /// A file that was opened just now for something else, counted like those of slots.
  [[nodiscard]] static std::shared_ptr<File> counted(std::shared_ptr<File> file);
  /// How many threads may each have the files of a log open at once.
  [[nodiscard]] static std::size_t threadsAtOnce(std::size_t wanted);
  /// How many files are open that were opened for slots, whoever holds them now.
  [[nodiscard]] static std::int64_t openFiles();
  /// Whether more than half of the file descriptors that the process may have are open files of
  /// logs.
  [[nodiscard]] static bool runningLow();
  /// Whether more than a quarter are: nobody should hold files for later.
  [[nodiscard]] static bool gettingLow();

 private:
  std::shared_ptr<File> file_;
};

/// A call that may open files of a log: at its end the log is asked to close them where they run
/// low.
template <class Log>
class FilesInUse {
 public:
  explicit FilesInUse(Log& log) : log_(log) {}
  ~FilesInUse() { log_.releaseIfLow(); }
  FilesInUse(const FilesInUse&) = delete;
  FilesInUse& operator=(const FilesInUse&) = delete;

 private:
  Log& log_;
};

}  // namespace millrace::log
