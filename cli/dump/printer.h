// Where dump-log prints: one line of text or JSON for each thing in a file.
#pragma once

#include <boost/json/object.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace millrace::cli {

/// Gets whole lines without their end.
using LineSink = std::function<void(std::string_view)>;

class Printer {
 public:
  Printer(std::string file, bool json, const LineSink& sink)
      : file_(std::move(file)), sink_(sink), json_(json) {}

  [[nodiscard]] bool json() const { return json_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  /// A line for people.
  void text(std::string_view line) const { sink_(line); }
  /// A line of JSON: {"file":...,"kind":...} and the fields.
  void object(std::string_view kind, const boost::json::object& fields) const;
  /// Either: as text the fields stand one after the other, "lastOffset" as "last offset".
  void entry(std::string_view kind, const boost::json::object& fields) const;

 private:
  std::string file_;
  const LineSink& sink_;
  bool json_;
};

}  // namespace millrace::cli
