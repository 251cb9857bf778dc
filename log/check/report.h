// Where the checks of log/check/ put what they find.
#pragma once

#include "log/check/check.h"

#include <string>

namespace millrace::log::detail {

/// Hands problems on and counts them.
class Report {
 public:
  explicit Report(const ProblemSink& sink) : sink_(sink) {}
  void problem(std::string file, std::optional<std::uint64_t> position, std::string what) {
    ++totals.problems;
    sink_({std::move(file), position, std::move(what)});
  }
  /// An error as a problem, without the file and position that its sentence may begin with.
  void problem(const std::string& file, std::optional<std::uint64_t> position, const Error& error) {
    std::string what = error.detail.empty() ? error.toString() : error.detail;
    if (what.starts_with(file)) {
      const std::size_t colon = what.find(": ", file.size());
      if (colon != std::string::npos) what.erase(0, colon + 2);
    }
    problem(file, position, std::move(what));
  }
  CheckTotals totals;

 private:
  const ProblemSink& sink_;
};

}  // namespace millrace::log::detail
