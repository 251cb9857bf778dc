// Comma-separated values (RFC 4180) with a line of names, read row by row from a growing file.
#pragma once

#include "connect/file/input_bytes.h"
#include "connect/value.h"

#include <deque>
#include <optional>
#include <string>
#include <vector>

namespace millrace::connect {

struct CsvCell {
  std::string_view text;  ///< in the reader's buffer: valid until the next call
  bool quoted = false;
};

/// Reads rows. Cells may be quoted, with doubled quotes and line ends inside; lines end at LF or
/// CRLF.
class CsvReader {
 public:
  explicit CsvReader(char delimiter) : delimiter_(delimiter) {}

  /// Opens the file and reads the line of names; false: there is no whole line yet.
  [[nodiscard]] Result<bool> open(const std::string& path);
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  /// Goes on after the row that ended at byte `position`.
  void seek(std::uint64_t position);
  /// The next row; nullptr: there is no whole one now. `at_end`: a last line without its end
  /// counts. Errors: kMalformed with the byte where the row begins.
  [[nodiscard]] Result<const std::vector<CsvCell>*> next(bool at_end);
  /// Byte after the row that next() gave last.
  [[nodiscard]] std::uint64_t position() const { return position_; }

 private:
  enum class Scan { kRow, kIncomplete };
  Scan scanRow(bool at_end);
  [[nodiscard]] Result<bool> readMore();
  [[nodiscard]] Result<bool> nextRow(bool at_end);
  bool scanQuoted(std::size_t at, bool at_end, CsvCell& cell, std::size_t& end);

  char delimiter_;
  InputBytes input_;
  std::vector<std::string> names_;
  Bytes buffer_;
  std::size_t begin_ = 0;       // of the next row in buffer_
  std::uint64_t position_ = 0;  // of begin_ in the file
  std::vector<CsvCell> cells_;
  std::deque<std::string> unquoted_;  // texts of cells with doubled quotes; a deque, so views stay
};

/// How cells become values.
struct CsvTyping {
  std::string null_text;             ///< an unquoted cell of this text is null
  std::vector<bool> text_columns{};  ///< by index: never a number
};

/// A number where an unquoted cell looks like one ("7", "-1.5"; not "007", "1e5"), else text, or
/// null.
[[nodiscard]] Value csvValue(const CsvCell& cell, const CsvTyping& typing, std::size_t column);

/// "2013-01-01T10:00:00Z" (with fraction, or +hh:mm), "2013-01-01", or milliseconds since 1970.
[[nodiscard]] std::optional<Millis> parseTime(std::string_view text);

}  // namespace millrace::connect
