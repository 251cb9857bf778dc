#include "cli/output.h"

#include "base/base64.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

namespace millrace::cli {

namespace {

/// Terminal columns of UTF-8 text: one a code point.
std::size_t widthOf(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool isNumber(const std::string& text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == '-'; });
}

/// What a person can do about the commonest failures.
std::string_view hint(Errc code) {
  switch (code) {
    case Errc::kNetworkException:
    case Errc::kTimeout:
    case Errc::kRequestTimedOut:
      return "Is a broker running there? `millrace broker` starts one; -b names another; -v shows "
             "what happened.";
    case Errc::kUnknownTopicOrPartition:
      return "`millrace topic list` shows the topics, `millrace topic create` makes one.";
    case Errc::kNonEmptyGroup: return "Stop the group's consumers first.";
    case Errc::kConfig: return "--help explains the options.";
    default: return "";
  }
}

}  // namespace

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], widthOf(row[i]));
  }
  std::string out;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - widthOf(row[i]), ' ');
      line += isNumber(row[i]) ? pad + row[i] : row[i] + pad;
      line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

void Table::print() const {
  const std::string all = text();
  std::fwrite(all.data(), 1, all.size(), stdout);
}

void printJson(const boost::json::value& value) {
  fmt::print("{}\n", boost::json::serialize(value));
}

boost::json::value jsonText(const std::optional<BytesView>& bytes) {
  if (!bytes) return nullptr;
  if (isUtf8(*bytes)) return boost::json::string(bytes->data(), bytes->size());
  return boost::json::object{{"base64", toBase64(*bytes)}};
}

void printError(const Error& error, Output output) {
  if (output == Output::kJson) {
    const boost::json::object json = {
        {"error", std::string(errorName(error.code))},
        {"message", error.detail.empty() ? std::string(errorMessage(error.code)) : error.detail}};
    fmt::print(stderr, "{}\n", boost::json::serialize(json));
    return;
  }
  const bool internal = error.code >= Errc::kIo && !error.detail.empty();
  fmt::print(stderr, "error: {}\n", internal ? error.detail : error.toString());
  const std::string_view advice = hint(error.code);
  if (!advice.empty()) fmt::print(stderr, "{}\n", advice);
}

std::string grouped(std::uint64_t n) {
  std::string digits = std::to_string(n);
  for (std::ptrdiff_t i = std::ssize(digits) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), 1, ' ');
  return digits;
}

std::string byteSize(std::uint64_t n) {
  if (n < 1000) return fmt::format("{} B", n);
  double value = static_cast<double>(n);
  for (const char* unit : {"kB", "MB", "GB"}) {
    value /= 1000;
    if (value < 1000) return fmt::format("{:.1f} {}", value, unit);
  }
  return fmt::format("{:.1f} TB", value / 1000);
}

std::string isoTime(std::int64_t ms) {
  const std::int64_t seconds = ms >= 0 ? ms / 1000 : (ms - 999) / 1000;
  const std::time_t t = seconds;
  std::tm parts{};
  gmtime_r(&t, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900,
                     parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                     ms - seconds * 1000);
}

Result<std::int64_t> parseIsoTime(std::string_view text) {
  std::string rest(text);
  std::tm parts{};
  const char* end = strptime(rest.c_str(), "%Y-%m-%d", &parts);
  if (end != nullptr && (*end == 'T' || *end == ' ')) {
    const char* clock = strptime(end + 1, "%H:%M:%S", &parts);
    if (clock == nullptr) clock = strptime(end + 1, "%H:%M", &parts);
    end = clock;
  }
  std::int64_t ms = 0;
  if (end != nullptr && *end == '.') {
    std::int64_t unit = 100;
    for (++end; *end >= '0' && *end <= '9'; ++end, unit /= 10) ms += (*end - '0') * unit;
  }
  if (end != nullptr && *end == 'Z') ++end;
  if (end == nullptr || *end != '\0') {
    return fail(Errc::kConfig, fmt::format("\"{}\" is no time as 2026-01-31T12:00:00 (UTC)", text));
  }
  return static_cast<std::int64_t>(timegm(&parts)) * 1000 + ms;
}

std::string joined(const std::vector<std::int32_t>& numbers) {
  return fmt::format("{}", fmt::join(numbers, ", "));
}

bool isUtf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t more = lead < 0x80                   ? 0
                             : lead >= 0xC2 && lead < 0xE0 ? 1
                             : lead >= 0xE0 && lead < 0xF0 ? 2
                             : lead >= 0xF0 && lead < 0xF5 ? 3
                                                           : 9;
    if (more == 9 || i + more >= bytes.size()) return false;
    std::uint32_t point = more == 0 ? lead : lead & (0x3FU >> more);
    for (std::size_t k = 1; k <= more; ++k) {
      const auto byte = static_cast<unsigned char>(bytes[i + k]);
      if ((byte & 0xC0) != 0x80) return false;
      point = point << 6 | (byte & 0x3FU);
    }
    // Overlong forms, surrogates and what lies beyond Unicode are not UTF-8 either.
    if ((more == 2 && point < 0x800) || (more == 3 && (point < 0x10000 || point > 0x10FFFF)))
      return false;
    if (point >= 0xD800 && point <= 0xDFFF) return false;
    i += more + 1;
  }
  return true;
}

Progress::Progress(std::string what, bool enabled)
    : what_(std::move(what)), enabled_(enabled && isatty(STDERR_FILENO) == 1) {}

void Progress::add(std::uint64_t records, std::uint64_t bytes) {
  records_ += records;
  bytes_ += bytes;
  if (!enabled_) return;
  const auto now = Clock::now();
  if (now - last_ < std::chrono::milliseconds(200)) return;
  last_ = now;
  shown_ = true;
  fmt::print(stderr, "\r\x1b[K{} {}", what_, summary());
  std::fflush(stderr);
}

void Progress::clear() {
  if (!shown_) return;
  fmt::print(stderr, "\r\x1b[K");
  std::fflush(stderr);
  shown_ = false;
}

std::string Progress::summary() const {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(records_) / seconds : 0;
  return fmt::format("{} records, {} in {:.1f} s ({}/s)", grouped(records_), byteSize(bytes_),
                     seconds, grouped(static_cast<std::uint64_t>(rate)));
}

}  // namespace millrace::cli
