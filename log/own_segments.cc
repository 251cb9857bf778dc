#include "log/own_segments.h"

#include "base/checksum.h"

#include <fmt/format.h>

#include <charconv>

namespace millrace::log {
namespace {

Bytes textOf(Offset from) {
  const std::string number = std::to_string(from.value());
  return formatCheckpoint({number, fmt::format("{:08x}", crc32c(number))});
}

}  // namespace

Result<std::optional<Offset>> readOwnSegments(const LogFiles& files) {
  const auto text = files.system.readAll(files.path(kOwnSegments));
  if (!text && text.error().code == Errc::kIo) return std::unexpected(text.error());
  const auto lines = text ? parseCheckpoint(files.path(kOwnSegments), *text)
                          : Result<std::vector<std::string>>(std::unexpected(text.error()));
  if (!lines || lines->empty()) return std::nullopt;
  std::int64_t from = 0;
  std::from_chars((*lines)[0].data(), (*lines)[0].data() + (*lines)[0].size(), from);
  if (*text != textOf(Offset{from})) return std::nullopt;
  return Offset{from};
}

Status writeOwnSegments(const LogFiles& files, Offset from) {
  return files.system.writeAtomically(files.path(kOwnSegments), textOf(from));
}

}  // namespace millrace::log
