// Counts what is equal and what is not: one line per difference.
#pragma once

#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include <string>
#include <vector>

namespace millrace::conformance {

/// One file or partition: passes where no difference was noted.
class Case {
 public:
  explicit Case(std::string name) : name_(std::move(name)) {}
  void differ(const std::string& what) { differences_.push_back(name_ + ": " + what); }
  template <class A, class B>
  void equal(const std::string& what, const A& got, const B& want) {
    if (!(got == want)) differ(fmt::format("{} is {}, not {}", what, got, want));
  }
  void equalJson(const std::string& what, const boost::json::value& got,
                 const boost::json::value& want) {
    const std::string a = boost::json::serialize(got);
    const std::string b = boost::json::serialize(want);
    if (a != b) differ(fmt::format("{} is {}, not {}", what, a, b));
  }
  [[nodiscard]] const std::vector<std::string>& differences() const { return differences_; }

 private:
  std::string name_;
  std::vector<std::string> differences_;
};

}  // namespace millrace::conformance
