#include "base/config_rules.h"

#include "base/config_text_rules.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace millrace::detail {

namespace {

constexpr std::string_view kBlanks = " \t\n\r\f\v";

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// Cuts at '|' outside of braces.
std::vector<std::string_view> splitRules(std::string_view valid) {
  std::vector<std::string_view> rules;
  std::size_t start = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= valid.size(); ++i) {
    if (i == valid.size() || (valid[i] == '|' && depth == 0)) {
      if (i > start) rules.push_back(valid.substr(start, i - start));
      start = i + 1;
    } else if (valid[i] == '{') {
      ++depth;
    } else if (valid[i] == '}') {
      --depth;
    }
  }
  return rules;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// ISO-8601 as "PT1H30M" or "P2DT3.5S": at least one field, in the order D H M S.
bool isDuration(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  if (!text.starts_with('P')) return false;
  text.remove_prefix(1);
  static constexpr std::string_view kUnits = "DHMS";
  std::size_t next_unit = 0;
  bool after_t = false;
  bool any = false;
  while (!text.empty()) {
    if (text.front() == 'T' && !after_t) {
      after_t = true;
      text.remove_prefix(1);
      if (text.empty()) return false;
      continue;
    }
    const std::size_t digits = text.find_first_not_of("0123456789.-+");
    if (digits == 0 || digits == std::string_view::npos || !number(text.substr(0, digits))) {
      return false;
    }
    const std::size_t unit = kUnits.find(text[digits], next_unit);
    if (unit == std::string_view::npos || (unit == 0) == after_t) return false;
    next_unit = unit + 1;
    any = true;
    text.remove_prefix(digits + 1);
  }
  return any;
}

/// One of the words between the braces of "{a|b}". A word "x:P..." stands for x: and a duration.
bool isOneOf(std::string_view words, std::string_view text, bool any_case) {
  while (true) {
    const std::size_t bar = words.find('|');
    const std::string_view word = words.substr(0, bar);
    const std::size_t colon = word.find(":P");
    if (colon != std::string_view::npos) {
      if (text.starts_with(word.substr(0, colon + 1)) && isDuration(text.substr(colon + 1))) {
        return true;
      }
    } else if (any_case ? lowered(word) == lowered(text) : word == text) {
      return true;
    }
    if (bar == std::string_view::npos) return false;
    words.remove_prefix(bar + 1);
  }
}

bool isHostPort(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  return colon != std::string_view::npos && colon > 0 && isPort(text.substr(colon + 1));
}

bool isCount(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool isIdAtHostPort(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != std::string_view::npos && isCount(text.substr(0, at)) &&
         isHostPort(text.substr(at + 1));
}

bool isPartitionBroker(std::string_view text) {
  const std::size_t colon = text.find(':');
  return colon != std::string_view::npos && isCount(text.substr(0, colon)) &&
         isCount(text.substr(colon + 1));
}

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

/// Ranges and single numbers: one of them must hold.
std::string checkNumber(std::string_view valid, double value) {
  bool any_rule = false;
  for (const std::string_view rule : splitRules(valid)) {
    const std::size_t dots = rule.find("..");
    if (dots == std::string_view::npos) {
      const auto single = number(rule);
      if (single && *single == value) return {};
      any_rule |= single.has_value();
      continue;
    }
    any_rule = true;
    const auto low = number(rule.substr(0, dots));
    const auto high = number(rule.substr(dots + 2));
    if ((!low || value >= *low) && (!high || value <= *high)) return {};
  }
  return any_rule ? "must be in " + std::string(valid) : std::string();
}

std::string checkText(std::string_view valid, const std::string& text) {
  for (const std::string_view rule : splitRules(valid)) {
    if (rule.starts_with('{')) {
      const bool any_case = rule.ends_with('i');
      const std::string_view words = rule.substr(1, rule.size() - (any_case ? 3 : 2));
      if (!isOneOf(words, text, any_case)) return "must be one of " + std::string(words);
    } else if (rule == "nonempty" && trim(text).empty()) {
      return "must not be empty";
    } else if (rule == "nocontrol" &&
               std::ranges::any_of(text, [](char c) { return c >= 0 && c < 32; })) {
      return "must not contain control characters";
    } else if (rule == "regex" && !isRegex(text)) {
      return "must be a regular expression";
    } else if (rule == "version-range" && !isVersionRange(text)) {
      return "must be a version or a range of versions, as 1.2.0 or [1.0,2.0)";
    } else if (rule.starts_with("class:") && !isClassName(text)) {
      return "must be the name of a " + std::string(rule.substr(6)) + " class";
    }
  }
  return {};
}

std::string checkElement(std::string_view rule, const std::string& element) {
  if (rule.starts_with("list{")) {
    const std::string_view words = rule.substr(5, rule.size() - 6);
    if (!isOneOf(words, element, false)) return "each element must be one of " + std::string(words);
  } else if (rule == "host:port" && !isHostPort(element)) {
    return "each element must be host:port";
  } else if (rule == "id@host:port" && !isIdAtHostPort(element)) {
    return "each element must be id@host:port";
  } else if (rule == "partition:broker" && !isPartitionBroker(element)) {
    return "must be * or a list of partition:broker";
  } else if (rule == "urls" && !isListenerUrl(element)) {
    return "each element must be a URL, as http://host:8083";
  } else if (rule == "unique" && element.empty()) {
    return "must not have empty elements";
  }
  return {};
}

std::string checkList(std::string_view valid, const std::vector<std::string>& items) {
  const auto rules = splitRules(valid);
  const bool star = std::ranges::find(rules, "or-*") != rules.end();
  if (star && items.size() == 1 && items.front() == "*") return {};
  for (const std::string_view rule : rules) {
    if ((rule == "nonempty" || rule == "nonempty-list") && items.empty())
      return "must not be empty";
    if (rule.starts_with("max") &&
        static_cast<double>(items.size()) > number(rule.substr(3)).value_or(HUGE_VAL)) {
      return "must have at most " + std::string(rule.substr(3)) + " elements";
    }
    for (const std::string& item : items) {
      if (std::string problem = checkElement(rule, item); !problem.empty()) return problem;
    }
    if (rule == "unique") {
      auto sorted = items;
      std::ranges::sort(sorted);
      if (std::ranges::adjacent_find(sorted) != sorted.end()) {
        return "must not name an element twice: " + joined(items);
      }
    }
  }
  return {};
}

}  // namespace

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::vector<std::string> splitList(std::string_view text) {
  std::vector<std::string> items;
  text = trim(text);
  if (text.empty()) return items;
  for (;;) {
    const std::size_t comma = text.find(',');
    items.emplace_back(trim(text.substr(0, comma)));
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

std::string violatedRule(std::string_view valid, const ConfigValue& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    return checkNumber(valid, static_cast<double>(*integer));
  }
  if (const auto* real = std::get_if<double>(&value)) return checkNumber(valid, *real);
  if (const auto* text = std::get_if<std::string>(&value)) return checkText(valid, *text);
  if (const auto* items = std::get_if<std::vector<std::string>>(&value)) {
    return checkList(valid, *items);
  }
  return {};
}

}  // namespace millrace::detail
