// Files of vectors, one JSON object a line, and what comes of checking them.
#pragma once

#include "base/result.h"

#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace millrace::wire_check {

/// Calls `line` for each non-empty line of a plain or gzip file. Errors: kIo with the path.
Status forEachLine(const std::string& path, const std::function<void(std::string_view)>& line);

/// Counts vectors and prints one line for each that fails.
class Tally {
 public:
  /// `problem` empty: passed.
  void add(std::string_view file, std::size_t line, std::string_view name,
           const std::string& problem);
  [[nodiscard]] std::size_t passed() const { return passed_; }
  [[nodiscard]] std::size_t failed() const { return failed_; }

 private:
  std::size_t passed_ = 0;
  std::size_t failed_ = 0;
};

/// Bytes of hexadecimal digits. Errors: kMalformed.
Result<std::string> fromHex(std::string_view hex);
std::string toHex(std::string_view bytes);
/// A string member. Errors: kMalformed when there is none.
Result<std::string_view> stringAt(const boost::json::object& vector, std::string_view name);

/// Each returns what is wrong with the vector; empty when nothing is.
std::string checkMessage(const boost::json::object& vector);
std::string checkBatch(const boost::json::object& vector);
std::string checkCrc(const boost::json::object& vector);
std::string checkMurmur2(const boost::json::object& vector);

}  // namespace millrace::wire_check
