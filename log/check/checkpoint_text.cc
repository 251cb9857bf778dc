#include "log/check/checkpoint_text.h"

#include <fmt/format.h>

#include <charconv>

namespace millrace::log::detail {
namespace {

template <class Int>
bool parseWhole(std::string_view text, Int& out) {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, out);
  return parsed.ec == std::errc{} && parsed.ptr == end;
}

/// The lines behind version and count; reported and empty where the file is not a checkpoint.
std::vector<std::string> readLines(FileSystem& files, const std::string& path, Report& report) {
  const auto text = files.readAll(path);
  if (!text) {
    if (text.error().code != Errc::kNotFound) report.problem(path, std::nullopt, text.error());
    return {};
  }
  auto lines = parseCheckpoint(path, *text);
  if (lines) return std::move(*lines);
  report.problem(path, std::nullopt, lines.error());
  return {};
}

/// "line 3, 'a b'": lines count from 1, two stand before the first entry.
std::string lineName(std::size_t index, const std::string& line) {
  return fmt::format("line {}, '{}'", index + 3, line);
}

}  // namespace

std::vector<EpochEntry> readEpochsStrictly(const LogFiles& files, Report& report) {
  const std::string path = files.path(kEpochCheckpoint);
  std::vector<EpochEntry> out;
  const auto lines = readLines(files.system, path, report);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const std::size_t space = line.find(' ');
    std::int32_t epoch = -1;
    std::int64_t start = -1;
    if (space == std::string_view::npos || !parseWhole(line.substr(0, space), epoch) ||
        !parseWhole(line.substr(space + 1), start) || epoch < 0 || start < 0) {
      report.problem(path, std::nullopt, lineName(i, lines[i]) + " is no epoch and start offset");
      return out;
    }
    const EpochEntry entry{LeaderEpoch{epoch}, Offset{start}};
    if (!out.empty() &&
        (entry.epoch <= out.back().epoch || entry.start_offset < out.back().start_offset)) {
      report.problem(path, std::nullopt, lineName(i, lines[i]) + " does not follow the one before");
      return out;
    }
    out.push_back(entry);
  }
  return out;
}

OffsetMap readOffsetsStrictly(FileSystem& files, const std::string& path, Report& report) {
  OffsetMap out;
  const auto lines = readLines(files, path, report);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const std::size_t first = line.find(' ');
    const std::size_t second = line.find(' ', std::min(first, line.size() - 1) + 1);
    std::int32_t partition = -1;
    std::int64_t offset = -1;
    if (first == 0 || first == std::string_view::npos || second == std::string_view::npos ||
        !parseWhole(line.substr(first + 1, second - first - 1), partition) ||
        !parseWhole(line.substr(second + 1), offset) || partition < 0 || offset < 0) {
      report.problem(path, std::nullopt,
                     lineName(i, lines[i]) + " is no topic, partition and offset");
      continue;
    }
    const TopicPartition tp{std::string(line.substr(0, first)), PartitionIndex{partition}};
    if (!out.emplace(tp, Offset{offset}).second)
      report.problem(path, std::nullopt, lineName(i, lines[i]) + " names a partition again");
  }
  return out;
}

}  // namespace millrace::log::detail
