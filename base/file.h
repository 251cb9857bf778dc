// Files as the log and the wire use them: positioned reads and writes, slices for sendfile. Errors
// are values that name the path. The virtual interface is the seam where tests inject faults.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace millrace {

/// An open file. Thread-safe as pread and pwrite are; closed with the last reference.
class File {
 public:
  virtual ~File() = default;
  /// Reads up to `size` bytes at `position` into `out`; fewer only at the end of the file. Returns
  /// bytes read.
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t position, char* out,
                                                 std::size_t size) const = 0;
  /// Writes all slices one after the other at `position` (pwritev, resumed after short writes).
  [[nodiscard]] virtual Status write(std::uint64_t position, std::span<const BytesView> slices) = 0;
  [[nodiscard]] virtual Status sync() = 0;
  /// Puts on disk what was written to any file of the file system that this one lies in, and all
  /// its names. Fails, too, where anything of it was lost since this file was opened. False, and
  /// nothing is promised, where the system cannot say that much.
  [[nodiscard]] virtual Result<bool> syncFileSystem() { return false; }
  [[nodiscard]] virtual Status truncate(std::uint64_t size) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> size() const = 0;
  /// One word that is another once the file was written to, or another file (a copy, too) took its
  /// name; damage by the disk does not change it. Empty where the system cannot say.
  [[nodiscard]] virtual Result<std::string> stamp() const { return std::string(); }
  /// For sendfile; -1 where there is none (fault-injecting files).
  [[nodiscard]] virtual int fd() const = 0;
  [[nodiscard]] virtual const std::string& path() const = 0;
};

/// A range of a file: what a fetch answers with, so that no byte passes through user space.
struct FileSlice {
  std::shared_ptr<const File> file;
  std::uint64_t position = 0;
  std::uint32_t size = 0;
};

enum class OpenMode {
  kRead,
  kReadWrite,
  kCreate,
  /// kReadWrite past the page cache where the file system can do that: for a file that is written
  /// in whole blocks and synced after each write. Positions, sizes and addresses of what is written
  /// are multiples of kDirectBlock; where they are not, the page cache takes it.
  kDirect
};
inline constexpr std::size_t kDirectBlock = 4096;

/// The directory operations the log needs. One real implementation; tests wrap it to lose and break
/// things.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  [[nodiscard]] virtual Result<std::shared_ptr<File>> open(const std::string& path,
                                                           OpenMode mode) = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> list(const std::string& directory) = 0;
  [[nodiscard]] virtual Status createDirectories(const std::string& path) = 0;
  [[nodiscard]] virtual Status remove(const std::string& path) = 0;
  [[nodiscard]] virtual Status removeAll(const std::string& path) = 0;
  [[nodiscard]] virtual Status rename(const std::string& from, const std::string& to) = 0;
  /// fsync of a directory, so that names in it survive a crash.
  [[nodiscard]] virtual Status syncDirectory(const std::string& path) = 0;
  [[nodiscard]] virtual Result<bool> exists(const std::string& path) = 0;
  /// The whole content of a small file. Errors: kMalformed above `limit` bytes.
  [[nodiscard]] virtual Result<Bytes> readAll(const std::string& path,
                                              std::size_t limit = 64 << 20) = 0;
  /// Replaces a file at once: temporary name, sync, rename, sync of the directory.
  [[nodiscard]] virtual Status writeAtomically(const std::string& path, BytesView content) = 0;
};

/// The machine's files. Never destroyed.
[[nodiscard]] FileSystem& systemFiles();

}  // namespace millrace
