// Small batches that are in the journal and not in their segment yet.
#pragma once

#include "base/file.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>

namespace millrace::log {

/// A log's newest bytes, gathered until somebody needs them in the file: a reader, a sync, a cut,
/// or the next ones that do not fit. One write for many appends instead of one each.
/// Thread-safe.
class LateWrites {
 public:
  /// Larger ones are written at once: few of them would share a write.
  static constexpr std::size_t kLargest = 16 << 10;
  /// So much gathers for one log.
  static constexpr std::size_t kMost = 64 << 10;
  /// So much room all logs of the process have together.
  static constexpr std::int64_t kMostOfAll = 64 << 20;

  LateWrites() = default;
  ~LateWrites();
  LateWrites(const LateWrites&) = delete;
  LateWrites& operator=(const LateWrites&) = delete;

  /// Takes bytes that belong at `position` of `file`. False where they are to be written now; what
  /// was taken before is in its file then. Errors: write()'s.
  [[nodiscard]] Result<bool> add(const std::shared_ptr<File>& file, std::uint64_t position,
                                 std::span<const BytesView> slices);
  /// Writes what was taken. An error stays: what the file holds is unknown then.
  [[nodiscard]] Status write();
  /// The log is deleted, or its files are closed for long: gives the room back. Nothing waits.
  void giveBack();

 private:
  [[nodiscard]] Status writeLocked();
  void resize(std::size_t capacity);

  std::mutex mutex_;
  std::shared_ptr<File> file_;
  std::uint64_t position_ = 0;
  std::unique_ptr<char[]> room_;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  Status failed_;
};

}  // namespace millrace::log
