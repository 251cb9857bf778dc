// JSON text to values with exact numbers. Boost.JSON's parser computes doubles quickly but up to
// one unit in the last place off (1.81 has no option for it); the handler below takes the digits to
// from_chars instead.
#include "protocol/json.h"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>
#include <fmt/format.h>

#include <charconv>

namespace millrace::protocol {

namespace {

namespace json = boost::json;

struct Handler {
  static constexpr std::size_t max_object_size = 1U << 24;
  static constexpr std::size_t max_array_size = 1U << 24;
  static constexpr std::size_t max_key_size = 1U << 16;
  static constexpr std::size_t max_string_size = 1U << 30;

  using Error = json::error_code;
  using View = json::string_view;

  json::value_stack stack;
  std::string digits;

  bool on_document_begin(Error&) { return true; }
  bool on_document_end(Error&) { return true; }
  bool on_object_begin(Error&) { return true; }
  bool on_object_end(std::size_t n, Error&) {
    stack.push_object(n);
    return true;
  }
  bool on_array_begin(Error&) { return true; }
  bool on_array_end(std::size_t n, Error&) {
    stack.push_array(n);
    return true;
  }
  bool on_key_part(View s, std::size_t, Error&) {
    stack.push_chars(s);
    return true;
  }
  bool on_key(View s, std::size_t, Error&) {
    stack.push_key(s);
    return true;
  }
  bool on_string_part(View s, std::size_t, Error&) {
    stack.push_chars(s);
    return true;
  }
  bool on_string(View s, std::size_t, Error&) {
    stack.push_string(s);
    return true;
  }
  bool on_number_part(View s, Error&) {
    digits.append(s.data(), s.size());
    return true;
  }
  bool on_int64(std::int64_t v, View, Error&) {
    digits.clear();
    stack.push_int64(v);
    return true;
  }
  bool on_uint64(std::uint64_t v, View, Error&) {
    digits.clear();
    stack.push_uint64(v);
    return true;
  }
  bool on_double(double v, View s, Error&) {
    digits.append(s.data(), s.size());
    double exact = v;
    const auto end = digits.data() + digits.size();
    if (std::from_chars(digits.data(), end, exact).ec != std::errc()) exact = v;
    digits.clear();
    stack.push_double(exact);
    return true;
  }
  bool on_bool(bool v, Error&) {
    stack.push_bool(v);
    return true;
  }
  bool on_null(Error&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(View, Error&) { return true; }
  bool on_comment(View, Error&) { return true; }
};

}  // namespace

Result<json::value> parseJson(std::string_view text) {
  json::basic_parser<Handler> parser{json::parse_options{}};
  parser.handler().stack.reset();
  json::error_code error;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  if (!error && used != text.size()) error = json::error::extra_data;
  if (error) return fail(Errc::kMalformed, fmt::format("JSON, byte {}: {}", used, error.message()));
  return parser.handler().stack.release();
}

}  // namespace millrace::protocol
