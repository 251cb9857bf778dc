#include "base/java_real.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace millrace {

namespace {

/// Shortest decimal digits and the exponent of the first digit, as "d.ddde+xx" gives them.
struct Digits {
  std::string digits;
  int exponent = 0;
};

template <class T>
Digits shortest(T magnitude) {
  std::array<char, 64> buffer{};
  char* const first = buffer.data();
  char* const last = first + buffer.size();
  constexpr auto kForm = std::chars_format::scientific;
  const char* end = std::to_chars(first, last, magnitude, kForm).ptr;
  // Where one digit would do, Java takes the nearest number of two: 4.9E-324.
  if (buffer[1] == 'e') end = std::to_chars(first, last, magnitude, kForm, 1).ptr;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  const std::size_t e = text.find('e');
  Digits result;
  for (const char c : text.substr(0, e)) {
    if (c != '.') result.digits.push_back(c);
  }
  if (result.digits.size() == 2 && result.digits.back() == '0') result.digits.pop_back();
  std::string_view exponent = text.substr(e + 1);
  if (exponent.starts_with('+')) exponent.remove_prefix(1);
  std::from_chars(exponent.data(), exponent.data() + exponent.size(), result.exponent);
  return result;
}

/// Plain between 1e-3 and 1e7, otherwise scientific with one digit before the point; always a
/// point.
template <class T>
std::string javaReal(T value) {
  if (std::isnan(value)) return "NaN";
  std::string text = std::signbit(value) ? "-" : "";
  const T magnitude = std::fabs(value);
  if (std::isinf(magnitude)) return text + "Infinity";
  if (magnitude == 0) return text + "0.0";
  Digits d = shortest(magnitude);
  const bool plain = magnitude >= T(1e-3) && magnitude < T(1e7);
  if (!plain) {
    text += d.digits.substr(0, 1) + "." + (d.digits.size() > 1 ? d.digits.substr(1) : "0");
    return text + "E" + std::to_string(d.exponent);
  }
  if (d.exponent < 0) {
    return text + "0." + std::string(static_cast<std::size_t>(-d.exponent - 1), '0') + d.digits;
  }
  const auto whole = static_cast<std::size_t>(d.exponent) + 1;
  if (d.digits.size() < whole + 1) d.digits.resize(std::max(whole + 1, d.digits.size()), '0');
  return text + d.digits.substr(0, whole) + "." + d.digits.substr(whole);
}

}  // namespace

std::string javaDouble(double value) { return javaReal(value); }
std::string javaFloat(float value) { return javaReal(value); }

}  // namespace millrace
