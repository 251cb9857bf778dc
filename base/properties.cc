#include "base/properties.h"

#include "base/file.h"
#include "base/utf8.h"

#include <cstdint>
#include <optional>

namespace millrace {

namespace {

bool isBlank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

/// Reads the text line by line and gives logical lines: comments left out, continuations joined.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  bool next(std::string& logical) {
    logical.clear();
    bool continued = false;
    while (!rest_.empty()) {
      std::string_view natural = takeNatural();
      while (!natural.empty() && isBlank(natural.front())) natural.remove_prefix(1);
      if (!continued) {
        if (natural.empty() || natural.front() == '#' || natural.front() == '!') continue;
        first_line_ = line_;
      }
      continued = endsWithOddBackslashes(natural);
      if (continued) natural.remove_suffix(1);
      logical += natural;
      if (!continued) return true;
    }
    return continued;
  }
  /// Number of the line where the last logical line began, from 1.
  [[nodiscard]] int line() const { return first_line_; }

 private:
  std::string_view takeNatural() {
    const std::size_t end = rest_.find_first_of("\r\n");
    const std::string_view natural = rest_.substr(0, end);
    if (end == std::string_view::npos) {
      rest_ = {};
    } else {
      rest_.remove_prefix(end + (rest_.substr(end).starts_with("\r\n") ? 2 : 1));
    }
    ++line_;
    return natural;
  }
  static bool endsWithOddBackslashes(std::string_view line) {
    std::size_t count = 0;
    while (count < line.size() && line[line.size() - 1 - count] == '\\') ++count;
    return count % 2 == 1;
  }

  std::string_view rest_;
  int line_ = 0;
  int first_line_ = 0;
};

/// Where the key ends: the first '=', ':' or blank that no backslash protects.
std::size_t keyEnd(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\') {
      ++i;
    } else if (line[i] == '=' || line[i] == ':' || isBlank(line[i])) {
      return i;
    }
  }
  return line.size();
}

/// Four hexadecimal digits; nullopt where they are not.
std::optional<std::uint32_t> parseHex4(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  std::uint32_t value = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value << 4 | static_cast<std::uint32_t>(digit);
  }
  return value;
}

Result<std::string> unescape(std::string_view text, int line) {
  std::string out;
  out.reserve(text.size());
  std::uint32_t high = 0;  // a high surrogate that waits for its other half
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    const char c = text[++i];
    if (c != 'u') {
      out.push_back(c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 'f' ? '\f' : c);
      continue;
    }
    const std::optional<std::uint32_t> unit = parseHex4(text.substr(i + 1));
    if (!unit) {
      return fail(Errc::kMalformed,
                  "line " + std::to_string(line) + ": \\u needs four hexadecimal digits");
    }
    i += 4;
    if (*unit >= 0xD800 && *unit < 0xDC00) {
      high = *unit;
    } else if (*unit >= 0xDC00 && *unit < 0xE000 && high != 0) {
      appendUtf8(out, 0x10000 + ((high - 0xD800) << 10) + (*unit - 0xDC00));
      high = 0;
    } else {
      appendUtf8(out, *unit);
    }
  }
  return out;
}

}  // namespace

Result<Properties> parseProperties(std::string_view text) {
  Properties properties;
  LineReader reader(text);
  std::string line;
  while (reader.next(line)) {
    const std::size_t end = keyEnd(line);
    std::size_t value = end;
    while (value < line.size() && isBlank(line[value])) ++value;
    if (value < line.size() && (line[value] == '=' || line[value] == ':')) ++value;
    while (value < line.size() && isBlank(line[value])) ++value;
    const std::string_view whole(line);
    MILLRACE_TRY(std::string key, unescape(whole.substr(0, end), reader.line()));
    MILLRACE_TRY(std::string content, unescape(whole.substr(value), reader.line()));
    properties.insert_or_assign(std::move(key), std::move(content));
  }
  return properties;
}

Result<Properties> loadProperties(const std::string& path) {
  MILLRACE_TRY(const Bytes text, systemFiles().readAll(path, 1 << 20));
  Result<Properties> properties = parseProperties(text);
  if (!properties) return fail(properties.error().code, path + ": " + properties.error().detail);
  return properties;
}

}  // namespace millrace
