#include "dsl/json.h"

#include "dsl/json_serde.h"

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/static_resource.hpp>
#include <boost/json/value.hpp>

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>

namespace millrace::json {
namespace {

const boost::json::value& nodeOf(const void* node) {
  return *static_cast<const boost::json::value*>(node);
}

/// Reads exactly `digits` digits at `at`; -1 where there are none.
int number(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  const char* const begin = text.data() + at;
  const auto parsed = std::from_chars(begin, begin + digits, value);
  return parsed.ec == std::errc{} && parsed.ptr == begin + digits ? value : -1;
}

/// "2013-01-01T05:00:00[.fff]Z" or with a blank instead of T, without seconds' fraction or Z.
std::optional<std::int64_t> parseTime(std::string_view text) {
  using std::chrono::year_month_day;
  if (text.size() < 19) return std::nullopt;
  const year_month_day day{std::chrono::year(number(text, 0, 4)),
                           std::chrono::month(static_cast<unsigned>(number(text, 5, 2))),
                           std::chrono::day(static_cast<unsigned>(number(text, 8, 2)))};
  const int hour = number(text, 11, 2);
  const int minute = number(text, 14, 2);
  const int second = number(text, 17, 2);
  if (!day.ok() || hour < 0 || minute < 0 || second < 0) return std::nullopt;
  std::int64_t ms = std::chrono::sys_days(day).time_since_epoch().count() * 86'400'000LL;
  ms += hour * 3'600'000LL + minute * 60'000LL + second * 1000LL;
  std::string_view rest = text.substr(19);
  if (rest.starts_with('.')) {
    if (number(rest, 1, 3) < 0) return std::nullopt;
    ms += number(rest, 1, 3);
    const std::size_t end = rest.find_first_not_of("0123456789", 1);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
  }
  if (!rest.empty() && rest != "Z") return std::nullopt;
  return ms;
}

}  // namespace

void writeString(std::string_view text, Bytes& out) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte >= 0x20) {
      out.push_back(c);
    } else if (c == '\n') {
      out.append("\\n");
    } else if (c == '\t') {
      out.append("\\t");
    } else {
      char escaped[8];
      std::snprintf(escaped, sizeof escaped, "\\u%04x", byte);
      out.append(escaped);
    }
  }
  out.push_back('"');
}

void writeInteger(std::int64_t value, Bytes& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void writeUnsigned(std::uint64_t value, Bytes& out) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void writeDouble(double value, Bytes& out) {
  if (!std::isfinite(value)) {
    out.append("null");
    return;
  }
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

void writeTime(std::int64_t ms_since_1970, Bytes& out) {
  const std::chrono::sys_time<std::chrono::milliseconds> time{
      std::chrono::milliseconds(ms_since_1970)};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  char text[64];
  std::snprintf(text, sizeof text, "\"%04d-%02u-%02uT%02ld:%02ld:%02ld",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<long>(clock.hours().count()),
                static_cast<long>(clock.minutes().count()),
                static_cast<long>(clock.seconds().count()));
  out.append(text);
  if (clock.subseconds().count() != 0) {
    std::snprintf(text, sizeof text, ".%03ld", static_cast<long>(clock.subseconds().count()));
    out.append(text);
  }
  out.append("Z\"");
}

std::unexpected<Error> wrongType(std::string_view expected) {
  return fail(Errc::kMalformed, "expected " + std::string(expected));
}
std::unexpected<Error> inMember(std::string_view name, Error error) {
  return fail(error.code, std::string(name) + ": " + error.detail);
}

bool Value::isNull() const { return nodeOf(node_).is_null(); }
bool Value::isObject() const { return nodeOf(node_).is_object(); }

std::optional<Value> Value::member(std::string_view name) const {
  const auto* object = nodeOf(node_).if_object();
  const auto* found = object == nullptr ? nullptr : object->if_contains({name.data(), name.size()});
  return found == nullptr ? std::nullopt : std::optional(Value(found));
}
std::optional<std::size_t> Value::arraySize() const {
  const auto* array = nodeOf(node_).if_array();
  return array == nullptr ? std::nullopt : std::optional(array->size());
}
Value Value::element(std::size_t index) const { return Value(&nodeOf(node_).get_array()[index]); }
std::size_t Value::memberCount() const { return nodeOf(node_).get_object().size(); }
std::string_view Value::memberName(std::size_t index) const {
  const auto name =
      (nodeOf(node_).get_object().begin() + static_cast<std::ptrdiff_t>(index))->key();
  return {name.data(), name.size()};
}
Value Value::memberValue(std::size_t index) const {
  return Value(&(nodeOf(node_).get_object().begin() + static_cast<std::ptrdiff_t>(index))->value());
}

std::optional<std::string_view> Value::text() const {
  const auto* text = nodeOf(node_).if_string();
  return text == nullptr ? std::nullopt
                         : std::optional(std::string_view(text->data(), text->size()));
}
std::optional<bool> Value::boolean() const {
  const auto* boolean = nodeOf(node_).if_bool();
  return boolean == nullptr ? std::nullopt : std::optional(*boolean);
}
std::optional<std::int64_t> Value::integer() const {
  boost::json::error_code error;
  const auto value = nodeOf(node_).to_number<std::int64_t>(error);
  return error ? std::nullopt : std::optional(value);
}
std::optional<std::uint64_t> Value::unsignedInteger() const {
  boost::json::error_code error;
  const auto value = nodeOf(node_).to_number<std::uint64_t>(error);
  return error ? std::nullopt : std::optional(value);
}
std::optional<double> Value::number() const {
  boost::json::error_code error;
  const auto value = nodeOf(node_).to_number<double>(error);
  return error ? std::nullopt : std::optional(value);
}
std::optional<std::int64_t> Value::timeMs() const {
  const auto iso = text();
  return iso ? parseTime(*iso) : integer();
}

struct Document::Tree {
  boost::json::monotonic_resource memory;  // one allocation for a small document, freed at once
  boost::json::value root;
};

Document::Document(std::unique_ptr<Tree> tree) : tree_(std::move(tree)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;
Value Document::root() const { return Value(&tree_->root); }

Result<Document> Document::parse(std::string_view text) {
  auto tree = std::make_unique<Tree>();
  boost::json::error_code error;
  auto root = boost::json::parse({text.data(), text.size()}, error, &tree->memory);
  if (error) return fail(Errc::kMalformed, "not JSON: " + error.message());
  std::construct_at(&tree->root, std::move(root));
  return Document(std::move(tree));
}

}  // namespace millrace::json
