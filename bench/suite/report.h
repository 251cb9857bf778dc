// What a run of the suite found: named figures, printed as a table or as JSON.
#pragma once

#include <string>
#include <vector>

namespace millrace::bench {

/// One measured figure. `aim` is empty where none was set.
struct Figure {
  std::string section;
  std::string name;
  double value = 0;
  std::string unit;
  std::string aim;
};

/// Collects figures and prints each as soon as it is known.
class Report {
 public:
  explicit Report(bool json) : json_(json) {}
  /// Prints a line on a terminal run; with JSON only finish() prints.
  void add(Figure figure);
  /// Why a part was not measured.
  void skip(const std::string& section, const std::string& reason);
  void finish() const;

 private:
  bool json_;
  std::string last_section_;
  std::vector<Figure> figures_;
  std::vector<std::pair<std::string, std::string>> skipped_;
};

}  // namespace millrace::bench
