#include "base/config_text_rules.h"

#include "base/config_rules.h"

#include <boost/regex.hpp>

#include <algorithm>
#include <charconv>

namespace millrace::detail {

namespace {

bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

bool isVersion(std::string_view text) {
  const auto allowed = [](char c) {
    return isLetter(c) || isDigit(c) || c == '.' || c == '-' || c == '_' || c == '+';
  };
  return !text.empty() && std::ranges::all_of(text, allowed);
}

/// What stands between the brackets. `exact`: both of them square, so that one version may stand
/// there alone.
bool isInterval(std::string_view text, bool exact) {
  const std::size_t comma = text.find(',');
  if (comma == std::string_view::npos) return exact && isVersion(trim(text));
  const std::string_view low = trim(text.substr(0, comma));
  const std::string_view high = trim(text.substr(comma + 1));
  const bool bounds = (low.empty() || isVersion(low)) && (high.empty() || isVersion(high));
  return bounds && (low.empty() || low != high || exact);
}

}  // namespace

bool isRegex(std::string_view text) {
  if (text.empty()) return true;  // in Java it matches the empty text
  const boost::regex regex(text.data(), text.data() + text.size(),
                           boost::regex::perl | boost::regex::no_except);
  return regex.status() == 0;
}

bool isVersionRange(std::string_view text) {
  text = trim(text);
  if (!text.starts_with('[') && !text.starts_with('(')) return isVersion(text);
  for (;;) {
    const std::size_t close = text.find_first_of("])");
    if (close == std::string_view::npos) return false;
    const bool exact = text.front() == '[' && text[close] == ']';
    if (!isInterval(text.substr(1, close - 1), exact)) return false;
    text = trim(text.substr(close + 1));
    if (text.empty()) return true;
    if (text.front() != ',') return false;
    text = trim(text.substr(1));
    if (!text.starts_with('[') && !text.starts_with('(')) return false;
  }
}

bool isClassName(std::string_view text) {
  bool at_start = true;  // of an identifier
  for (const char c : text) {
    if (c == '.') {
      if (at_start) return false;
      at_start = true;
      continue;
    }
    if (!isLetter(c) && c != '_' && c != '$' && (at_start || !isDigit(c))) return false;
    at_start = false;
  }
  return !at_start;
}

bool isPort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= 0 && port <= 65535;
}

bool isListenerUrl(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::string_view name = text.substr(0, scheme);
  if (name != "http" && name != "https") return false;
  const std::string_view address = text.substr(scheme + 3);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos || !isPort(address.substr(colon + 1))) return false;
  const std::string_view host = address.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  return bracketed || host.find_first_of(":/[] ") == std::string_view::npos;
}

}  // namespace millrace::detail
