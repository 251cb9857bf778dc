// Lines of a file or of stdin as records to send.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::cli {

/// How a line becomes a record.
struct LineRules {
  std::optional<std::string> key;  ///< the same for all
  std::optional<std::string>
      key_separator;  ///< key and value stand in the line, parted by the first one
  std::optional<std::string> null_text;  ///< a key or value of this text is null
};

/// Key and value of one line; both point into it or into the rules.
struct LineRecord {
  std::optional<BytesView> key;
  std::optional<BytesView> value;
};

/// Errors: kInvalidRequest where the separator is missing.
[[nodiscard]] Result<LineRecord> parseLine(std::string_view line, const LineRules& rules);

/// Reads lines of any length; the end of a line is \n or \r\n and not part of it.
class LineSource {
 public:
  explicit LineSource(std::FILE* file) : file_(file) {}
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;
  ~LineSource();
  /// False at the end, and where a signal interrupts the reading; then look at status().
  bool next(std::string_view& line);
  /// Everything that is left, as one. False when there is nothing.
  bool rest(std::string& all);
  /// Errors: kIo.
  [[nodiscard]] Status status() const;

 private:
  std::FILE* file_;
  char* buffer_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace millrace::cli
