#include "connect/file/line_reader.h"

#include "connect/utf8.h"

namespace millrace::connect {

namespace {
constexpr std::size_t kReadSize = 64 << 10;
}

LineReader::LineReader(InputBytes input, std::uint64_t position, std::uint64_t bytes)
    : input_(std::move(input)), position_(position), bytes_(bytes) {
  input_.seek(bytes);
}

Result<bool> LineReader::fill() {
  if (raw_.size() < kReadSize) {
    MILLRACE_TRY(const std::size_t got, input_.read(raw_, kReadSize));
    (void)got;
  }
  const std::size_t before = raw_.size();
  moveWhatFits();
  return raw_.size() < before;
}

void LineReader::moveWhatFits() {
  if (begin_ > 0) {
    buffer_.erase(0, begin_);
    begin_ = 0;
  }
  std::size_t taken = 0;
  while (taken < raw_.size() && held_units_ < capacity_units_) {
    const Utf8Step step = utf8Step(std::string_view(raw_).substr(taken));
    if (step.bytes == 0) break;  // the rest of the character is not in the file yet
    if (held_units_ + step.units > capacity_units_) {
      capacity_units_ *= 2;  // one unit of room for a character of two
    }
    taken += step.bytes;
    held_units_ += step.units;
  }
  buffer_.append(raw_, 0, taken);
  raw_.erase(0, taken);
}

void LineReader::growIfFull() {
  if (held_units_ >= capacity_units_) capacity_units_ *= 2;
}

Line LineReader::take(std::size_t text_bytes, std::size_t whole_bytes) {
  const std::string_view whole = std::string_view(buffer_).substr(begin_, whole_bytes);
  const std::uint64_t units = utf16Units(whole);
  position_ += units;
  bytes_ += whole_bytes;
  held_units_ -= units;
  begin_ += whole_bytes;
  return {repairUtf8(whole.substr(0, text_bytes)), position_, bytes_};
}

std::optional<Line> LineReader::next() {
  const std::size_t end = buffer_.find_first_of("\r\n", begin_);
  if (end == std::string::npos) return std::nullopt;
  const std::size_t text_bytes = end - begin_;
  if (buffer_[end] == '\n') return take(text_bytes, text_bytes + 1);
  if (end + 1 == buffer_.size()) return std::nullopt;  // CR: is an LF to follow?
  return take(text_bytes, text_bytes + (buffer_[end + 1] == '\n' ? 2 : 1));
}

std::optional<Line> LineReader::rest() {
  buffer_ += raw_;
  held_units_ += utf16Units(raw_);
  raw_.clear();
  const std::size_t whole = buffer_.size() - begin_;
  if (whole == 0) return std::nullopt;
  return take(buffer_.back() == '\r' ? whole - 1 : whole, whole);
}

}  // namespace millrace::connect
