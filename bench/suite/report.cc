#include "bench/suite/report.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace millrace::bench {

namespace {

void printLine(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

std::string inWords(double value) {
  if (value >= 100'000) return fmt::format("{:.0f}", value);
  if (value >= 100) return fmt::format("{:.1f}", value);
  return fmt::format("{:.3f}", value);
}

}  // namespace

void Report::add(Figure figure) {
  if (!json_) {
    if (figure.section != last_section_) printLine("\n" + figure.section);
    last_section_ = figure.section;
    const std::string aim = figure.aim.empty() ? "" : "   (aim " + figure.aim + ")";
    printLine(
        fmt::format("  {:<58} {:>12} {}{}", figure.name, inWords(figure.value), figure.unit, aim));
  }
  figures_.push_back(std::move(figure));
}

void Report::skip(const std::string& section, const std::string& reason) {
  if (!json_) printLine(fmt::format("\n{}\n  not measured: {}", section, reason));
  last_section_ = section;
  skipped_.emplace_back(section, reason);
}

void Report::finish() const {
  if (!json_) return;
  boost::json::array figures;
  for (const Figure& f : figures_) {
    figures.push_back(boost::json::object{{"section", f.section},
                                          {"name", f.name},
                                          {"value", f.value},
                                          {"unit", f.unit},
                                          {"aim", f.aim}});
  }
  boost::json::array skipped;
  for (const auto& [section, reason] : skipped_) {
    skipped.push_back(boost::json::object{{"section", section}, {"reason", reason}});
  }
  printLine(
      boost::json::serialize(boost::json::object{{"figures", figures}, {"skipped", skipped}}));
}

}  // namespace millrace::bench
