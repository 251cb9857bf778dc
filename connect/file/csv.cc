#include "connect/file/csv.h"

#include <algorithm>
#include <charconv>
#include <chrono>

namespace millrace::connect {

namespace {
constexpr std::size_t kReadSize = 256 << 10;
}

Result<bool> CsvReader::open(const std::string& path) {
  MILLRACE_TRY(input_, InputBytes::open(path));
  MILLRACE_TRY(const std::vector<CsvCell>* header, next(false));
  if (header == nullptr) return false;
  for (const CsvCell& cell : *header) names_.emplace_back(cell.text);
  if (names_.front().starts_with("\xEF\xBB\xBF")) names_.front().erase(0, 3);
  return true;
}

void CsvReader::seek(std::uint64_t position) {
  buffer_.clear();
  begin_ = 0;
  position_ = position;
  input_.seek(position);
}

Result<bool> CsvReader::readMore() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  MILLRACE_TRY(const std::size_t got, input_.read(buffer_, kReadSize));
  return got > 0;
}

Result<bool> CsvReader::nextRow(bool at_end) {
  while (scanRow(false) == Scan::kIncomplete) {
    MILLRACE_TRY(const bool more, readMore());
    if (more) continue;
    if (!at_end || begin_ == buffer_.size()) return false;
    if (scanRow(true) == Scan::kRow) break;
    return fail(Errc::kMalformed,
                "the row at byte " + std::to_string(position_) + " ends inside of quotes");
  }
  return true;
}

Result<const std::vector<CsvCell>*> CsvReader::next(bool at_end) {
  for (;;) {
    MILLRACE_TRY(const bool found, nextRow(at_end));
    if (!found) return nullptr;
    // An empty line has one empty cell: RFC 4180 has no such rows, files have them at their end.
    const bool blank = cells_.size() == 1 && cells_[0].text.empty() && !cells_[0].quoted;
    if (!blank || names_.size() == 1) break;
  }
  if (!names_.empty() && cells_.size() != names_.size()) {
    return fail(Errc::kMalformed, "the row that ends at byte " + std::to_string(position_) +
                                      " has " + std::to_string(cells_.size()) + " cells, not " +
                                      std::to_string(names_.size()));
  }
  return &cells_;
}

/// A cell in quotes that begins at `at`. False: its end is not there.
bool CsvReader::scanQuoted(std::size_t at, bool at_end, CsvCell& cell, std::size_t& end) {
  const std::string_view text(buffer_);
  std::size_t close = at + 1;
  bool doubled = false;
  for (;;) {
    close = text.find('"', close);
    if (close == std::string_view::npos) return false;
    if (close + 1 == text.size() && !at_end) return false;
    if (close + 1 == text.size() || text[close + 1] != '"') break;
    doubled = true;
    close += 2;
  }
  cell = {text.substr(at + 1, close - at - 1), true};
  end = close + 1;
  if (!doubled) return true;
  std::string plain;
  for (std::size_t i = 0; i < cell.text.size(); ++i) {
    plain += cell.text[i];
    if (cell.text[i] == '"') ++i;
  }
  cell.text = unquoted_.emplace_back(std::move(plain));
  return true;
}

CsvReader::Scan CsvReader::scanRow(bool at_end) {
  cells_.clear();
  unquoted_.clear();
  const std::string_view text(buffer_);
  const char stops[] = {delimiter_, '\n'};
  std::size_t at = begin_;
  for (bool last = false; !last;) {
    CsvCell cell;
    std::size_t end = at;
    if (at < text.size() && text[at] == '"' && !scanQuoted(at, at_end, cell, end)) {
      return Scan::kIncomplete;
    }
    const std::size_t stop = text.find_first_of(std::string_view(stops, 2), end);
    if (stop == std::string_view::npos && !at_end) return Scan::kIncomplete;
    const std::size_t stop_at = std::min(stop, text.size());
    last = stop == std::string_view::npos || text[stop] == '\n';
    if (!cell.quoted) {
      cell.text = text.substr(at, stop_at - at);
      if (last && cell.text.ends_with('\r')) cell.text.remove_suffix(1);
    }
    cells_.push_back(cell);
    at = std::min(stop_at + 1, text.size());
  }
  position_ += at - begin_;
  begin_ = at;
  return Scan::kRow;
}

namespace {

bool looksLikeNumber(std::string_view text) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const std::size_t whole = text.find_first_not_of("0123456789");
  const std::size_t digits = whole == std::string_view::npos ? text.size() : whole;
  if (digits == 0 || digits > 15 || (digits > 1 && text[0] == '0')) return false;
  if (digits == text.size()) return true;
  return text[digits] == '.' && digits + 1 < text.size() &&
         text.find_first_not_of("0123456789", digits + 1) == std::string_view::npos;
}

template <class T>
std::optional<T> wholeText(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Value csvValue(const CsvCell& cell, const CsvTyping& typing, std::size_t column) {
  if (!cell.quoted && !typing.null_text.empty() && cell.text == typing.null_text) return {};
  const bool text_column = column < typing.text_columns.size() && typing.text_columns[column];
  if (cell.quoted || text_column || !looksLikeNumber(cell.text)) return cell.text;
  if (const auto whole = wholeText<std::int64_t>(cell.text)) return *whole;
  return wholeText<double>(cell.text).value_or(0);
}

namespace {

/// A fixed number of digits at a place.
std::optional<int> digitsAt(std::string_view text, std::size_t at, std::size_t size) {
  return text.size() < at + size ? std::nullopt : wholeText<int>(text.substr(at, size));
}

/// Days of "YYYY-MM-DD", as ms.
std::optional<Millis> parseDate(std::string_view text) {
  const auto year = digitsAt(text, 0, 4);
  const auto month = digitsAt(text, 5, 2);
  const auto day = digitsAt(text, 8, 2);
  if (!year || !month || !day || text[4] != '-' || text[7] != '-') return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count() * Millis{86'400'000};
}

/// "", "Z" or "+hh:mm": what to subtract to get UTC.
std::optional<Millis> parseZone(std::string_view text) {
  if (text.empty() || text == "Z") return 0;
  const auto hours = digitsAt(text, 1, 2);
  const auto minutes = digitsAt(text, 4, 2);
  if (text.size() != 6 || text[3] != ':' || !hours || !minutes) return std::nullopt;
  const Millis shift = (*hours * 60 + *minutes) * Millis{60'000};
  if (text.front() == '+') return shift;
  return text.front() == '-' ? std::optional(-shift) : std::nullopt;
}

}  // namespace

std::optional<Millis> parseTime(std::string_view text) {
  if (const auto ms = wholeText<std::int64_t>(text)) return ms;
  const std::optional<Millis> date = parseDate(text);
  if (!date || text.size() == 10) return date;
  const auto hour = digitsAt(text, 11, 2);
  const auto minute = digitsAt(text, 14, 2);
  if (!hour || !minute || (text[10] != 'T' && text[10] != ' ') || text[13] != ':') {
    return std::nullopt;
  }
  Millis ms = *date + (*hour * 60 + *minute) * Millis{60'000};
  std::string_view rest = text.substr(16);
  if (rest.starts_with(':')) {
    const std::size_t end = std::min(rest.find_first_of("Z+-"), rest.size());
    const auto seconds = wholeText<double>(rest.substr(1, end - 1));
    if (!seconds) return std::nullopt;
    ms += static_cast<Millis>(*seconds * 1000 + 0.5);
    rest.remove_prefix(end);
  }
  const std::optional<Millis> shift = parseZone(rest);
  if (!shift) return std::nullopt;
  return ms - *shift;
}

}  // namespace millrace::connect
