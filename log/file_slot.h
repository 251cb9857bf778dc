// An open file that may be closed at any time and opened again. All slots are counted, so that a
// process with more logs than file descriptors keeps going: when they run low, logs close their
// files after each use.
#pragma once

#include "base/file.h"

#include <memory>

namespace millrace::log {

class FileSlot {
 public:
  FileSlot() = default;
  ~FileSlot() { reset(); }
  FileSlot(const FileSlot&) = delete;
  FileSlot& operator=(const FileSlot&) = delete;

  void set(std::shared_ptr<File> file);
  void reset();
  [[nodiscard]] const std::shared_ptr<File>& get() const { return file_; }
  [[nodiscard]] explicit operator bool() const { return file_ != nullptr; }

  /// Whether more than half of the process's file descriptors are held by slots.
  [[nodiscard]] static bool runningLow();
  /// Whether more than a quarter are: nobody should hold files for later.
  [[nodiscard]] static bool gettingLow();

 private:
  std::shared_ptr<File> file_;
};

}  // namespace millrace::log
