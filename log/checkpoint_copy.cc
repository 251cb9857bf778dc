#include "log/checkpoint_copy.h"

#include "base/checksum.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace millrace::log {
namespace {

/// The text up to the next line end, which is taken off with it; nothing where there is none.
std::optional<BytesView> takeLine(BytesView& bytes) {
  const std::size_t end = bytes.find('\n');
  if (end == BytesView::npos) return std::nullopt;
  const BytesView line = bytes.substr(0, end);
  bytes.remove_prefix(end + 1);
  return line;
}

}  // namespace

Bytes encodeCheckpointCopy(const CheckpointTexts& texts) {
  Bytes rest;
  for (const auto& [name, file] : texts) {
    rest += fmt::format("{} {} {}\n", name, file.text.size(), file.stamp);
    rest += file.text;
  }
  return fmt::format("1 {:08x}\n", crc32c(rest)) + rest;
}

Result<CheckpointTexts> decodeCheckpointCopy(const std::string& path, BytesView bytes) {
  const auto bad = [&](std::string_view why) {
    return fail(Errc::kCorruptData, fmt::format("{}: {}", path, why));
  };
  const auto head = takeLine(bytes);
  if (!head || *head != fmt::format("1 {:08x}", crc32c(bytes)))
    return bad("it has not the checksum that it says");
  CheckpointTexts out;
  while (!bytes.empty()) {
    const auto line = takeLine(bytes);
    const std::size_t space = line ? line->find(' ') : BytesView::npos;
    const std::size_t second = line ? line->find(' ', space + 1) : BytesView::npos;
    if (space == BytesView::npos || second == BytesView::npos)
      return bad("a file's name, size and stamp are missing");
    std::size_t size = 0;
    const char* const end = line->data() + second;
    const auto parsed = std::from_chars(line->data() + space + 1, end, size);
    if (parsed.ec != std::errc{} || parsed.ptr != end || size > bytes.size())
      return bad("a file's size makes no sense");
    out[std::string(line->substr(0, space))] = {Bytes(bytes.substr(0, size)),
                                                std::string(line->substr(second + 1))};
    bytes.remove_prefix(size);
  }
  return out;
}

}  // namespace millrace::log
