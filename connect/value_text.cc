#include "connect/value_text.h"

#include "base/java_real.h"
#include "connect/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

namespace millrace::connect {

namespace {

/// "Tue Jan 03 06:30:01 UTC 2017".
std::string javaDate(Millis ms) {
  static constexpr std::array kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  using std::chrono::floor;
  const std::chrono::sys_time<std::chrono::milliseconds> time{std::chrono::milliseconds(ms)};
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<std::chrono::seconds>(time - day));
  return fmt::format(
      "{} {} {:02} {:02}:{:02}:{:02} UTC {}", kDays[std::chrono::weekday(day).c_encoding()],
      kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<unsigned>(date.day()),
      clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
      static_cast<int>(date.year()));
}

void appendMap(const Map& map, std::string& out) {
  out += '{';
  for (std::size_t i = 0; i < map.size(); ++i) {
    if (i > 0) out += ", ";
    appendValueText(map[i].first, out);
    out += '=';
    appendValueText(map[i].second, out);
  }
  out += '}';
}

void appendList(const List& list, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += ", ";
    appendValueText(list[i], out);
  }
  out += ']';
}

/// Fields that are null are left out, as Java's Struct does.
void appendStruct(const Struct& structure, std::string& out) {
  out += "Struct{";
  bool first = true;
  for (std::size_t i = 0; i < structure.fields.size(); ++i) {
    if (structure.fields[i].isNull()) continue;
    if (!first) out += ',';
    first = false;
    out += structure.schema->fields[i].name;
    out += '=';
    appendValueText(structure.fields[i], out);
  }
  out += '}';
}

struct Printer {
  std::string& out;
  void operator()(std::monostate) const { out += "null"; }
  void operator()(bool v) const { out += v ? "true" : "false"; }
  template <std::integral T>
  void operator()(T v) const {
    out += std::to_string(static_cast<std::int64_t>(v));
  }
  void operator()(float v) const { out += javaFloat(v); }
  void operator()(double v) const { out += javaDouble(v); }
  void operator()(const std::string& v) const { out += v; }
  void operator()(const Blob& v) const { out += v.bytes; }
  void operator()(const Decimal& v) const { out += decimalText(v); }
  void operator()(Instant v) const { out += javaDate(v.ms); }
  void operator()(const std::shared_ptr<const List>& v) const { appendList(*v, out); }
  void operator()(const std::shared_ptr<const Map>& v) const { appendMap(*v, out); }
  void operator()(const std::shared_ptr<const Struct>& v) const { appendStruct(*v, out); }
};

}  // namespace

std::string decimalText(const Decimal& value) {
  const bool negative = value.unscaled.starts_with('-');
  const std::string digits = negative ? value.unscaled.substr(1) : value.unscaled;
  const std::int64_t exponent = static_cast<std::int64_t>(digits.size()) - 1 - value.scale;
  if (value.scale >= 0 && exponent >= -6) return decimalPlainText(value);
  std::string text = negative ? "-" : "";
  text += digits.substr(0, 1);
  if (digits.size() > 1) text += "." + digits.substr(1);
  if (exponent != 0) text += std::string(exponent > 0 ? "E+" : "E") + std::to_string(exponent);
  return text;
}

std::string decimalPlainText(const Decimal& value) {
  const bool negative = value.unscaled.starts_with('-');
  std::string digits = negative ? value.unscaled.substr(1) : value.unscaled;
  if (value.scale <= 0) {
    if (digits != "0") digits.append(static_cast<std::size_t>(-value.scale), '0');
  } else {
    const auto scale = static_cast<std::size_t>(value.scale);
    if (digits.size() <= scale) digits.insert(0, scale + 1 - digits.size(), '0');
    digits.insert(digits.size() - scale, ".");
  }
  return (negative ? "-" : "") + digits;
}

void appendValueText(const Value& value, std::string& out) {
  std::visit(Printer{out}, value.variant());
}

std::string valueText(const Value& value) {
  std::string text;
  appendValueText(value, text);
  return text;
}

}  // namespace millrace::connect
