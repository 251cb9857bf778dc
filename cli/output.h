// Printing: aligned tables and JSON to stdout, errors and progress to stderr.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "cli/context.h"

#include <boost/json/fwd.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// Columns as wide as their widest cell; numbers (cells of digits) to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> titles) { rows_.push_back(std::move(titles)); }
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string text() const;
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

/// One line of JSON on stdout.
void printJson(const boost::json::value& value);
/// Text as a string, bytes that are not UTF-8 as {"base64": "..."}, nothing as null.
[[nodiscard]] boost::json::value jsonText(const std::optional<BytesView>& bytes);
/// "error: ..." and, where one helps, what to do about it; with JSON output {"error","message"}. To
/// stderr.
void printError(const Error& error, Output output);
/// 1234567 as "1 234 567".
[[nodiscard]] std::string grouped(std::uint64_t n);
/// 1 500 000 as "1.5 MB".
[[nodiscard]] std::string byteSize(std::uint64_t n);
/// Milliseconds since 1970 as "2026-01-31T12:00:00.000Z".
[[nodiscard]] std::string isoTime(std::int64_t ms);
/// The reverse; date alone, with time, with or without fraction and Z. Errors: kConfig.
[[nodiscard]] Result<std::int64_t> parseIsoTime(std::string_view text);
/// "1, 2, 3".
[[nodiscard]] std::string joined(const std::vector<std::int32_t>& numbers);
[[nodiscard]] bool isUtf8(std::string_view bytes);

/// A line on stderr that counts records and bytes, rewritten five times a second; nothing when
/// stderr is no terminal.
class Progress {
 public:
  /// `what`: "sent", "received".
  Progress(std::string what, bool enabled);
  void add(std::uint64_t records, std::uint64_t bytes);
  /// Takes the line away again.
  void clear();
  [[nodiscard]] std::uint64_t records() const { return records_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  /// "12 000 records, 1.2 MB in 0.4 s (30 000/s)".
  [[nodiscard]] std::string summary() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool enabled_;
  bool shown_ = false;
  std::uint64_t records_ = 0;
  std::uint64_t bytes_ = 0;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_ = start_;
};

}  // namespace millrace::cli
