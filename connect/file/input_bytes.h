// Where a file source reads from: a file by position, or the standard input.
#pragma once

#include "base/file.h"
#include "base/result.h"

#include <memory>
#include <string>

namespace millrace::connect {

/// Reads forward from a position. A file stays the one that was opened, as tail's does, when its
/// name goes to another file.
class InputBytes {
 public:
  /// An empty path: standard input. Errors: kNotFound where the file does not exist (yet).
  [[nodiscard]] static Result<InputBytes> open(const std::string& path);

  /// Goes on from a byte of the file; nothing where the input has no positions.
  void seek(std::uint64_t position) { position_ = position; }
  /// Appends up to `limit` bytes that are there now. 0: nothing new.
  [[nodiscard]] Result<std::size_t> read(Bytes& out, std::size_t limit);
  /// Bytes that are there and not read; for standard input 1 where there are some.
  [[nodiscard]] Result<std::uint64_t> available() const;
  /// Standard input was closed; never true for files.
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  std::shared_ptr<File> file_;  // null: standard input
  std::uint64_t position_ = 0;
  bool closed_ = false;
};

}  // namespace millrace::connect
