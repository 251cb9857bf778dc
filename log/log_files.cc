#include "log/log_files.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace millrace::log {
namespace {

constexpr std::array<std::string_view, 5> kSuffixes = {".log", ".index", ".timeindex", ".txnindex",
                                                       ".snapshot"};
constexpr std::array<std::string_view, 4> kExtras = {kDeletedSuffix, kCleanedSuffix, kSwapSuffix,
                                                     kTemporarySuffix};
/// Digits of a base offset in a file name.
constexpr std::size_t kDigits = 20;

std::vector<std::string_view> linesOf(BytesView text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::string_view suffixOf(FileKind kind) { return kSuffixes[static_cast<std::size_t>(kind)]; }

std::optional<ParsedName> parseFileName(std::string_view name) {
  if (name.size() <= kDigits) return std::nullopt;
  std::int64_t base = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kDigits, base);
  if (error != std::errc{} || end != name.data() + kDigits || base < 0) return std::nullopt;
  std::string_view rest = name.substr(kDigits);
  ParsedName parsed{.base = Offset{base}};
  for (const std::string_view extra : kExtras) {
    if (!rest.ends_with(extra)) continue;
    parsed.extra = extra;
    rest.remove_suffix(extra.size());
    break;
  }
  for (std::size_t i = 0; i < kSuffixes.size(); ++i) {
    if (rest != kSuffixes[i]) continue;
    parsed.kind = static_cast<FileKind>(i);
    return parsed;
  }
  return std::nullopt;
}

std::string LogFiles::path(Offset base, FileKind kind) const {
  return fmt::format("{}/{:020d}{}{}", directory, base.value(), suffixOf(kind), suffix);
}

std::string LogFiles::path(std::string_view name) const {
  return fmt::format("{}/{}", directory, name);
}

namespace {

/// Another length costs more than to ask for it: it gives a file's last block to the disk at once.
Status setLength(File& file, std::uint64_t length) {
  MILLRACE_TRY(const std::uint64_t size, file.size());
  return size == length ? Status{} : file.truncate(length);
}

}  // namespace

Status writeFile(FileSystem& system, const std::string& path, BytesView content) {
  MILLRACE_TRY(const auto file, system.open(path, OpenMode::kCreate));
  MILLRACE_CHECK_OK(file->write(0, std::span(&content, 1)));
  return setLength(*file, content.size());
}

Status replaceFile(FileSystem& system, const std::string& path, BytesView content) {
  const std::string temporary = path + std::string(kTemporarySuffix);
  MILLRACE_CHECK_OK(writeFile(system, temporary, content));
  return system.rename(temporary, path);
}

Result<std::optional<Uuid>> readPartitionMetadata(const LogFiles& files) {
  const std::string path = files.path(kPartitionMetadata);
  const auto text = files.system.readAll(path);
  if (!text && text.error().code == Errc::kNotFound) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  constexpr std::string_view kKey = "topic_id: ";
  for (const std::string_view line : linesOf(*text)) {
    if (!line.starts_with(kKey)) continue;
    const auto id = parseUuid(line.substr(kKey.size()));
    if (!id) return fail(Errc::kCorruptData, fmt::format("{}: {}", path, id.error().detail));
    return *id;
  }
  return fail(Errc::kCorruptData, path + " names no topic_id");
}

std::string partitionMetadata(const Uuid& topic_id) {
  return fmt::format("version: 0\ntopic_id: {}", topic_id.toString());
}

Status writePartitionMetadata(const LogFiles& files, const Uuid& topic_id) {
  return writeFile(files.system, files.path(kPartitionMetadata), partitionMetadata(topic_id));
}

Result<std::vector<std::string>> parseCheckpoint(const std::string& path, BytesView text) {
  const auto lines = linesOf(text);
  const auto bad = [&](std::string_view why) {
    return fail(Errc::kCorruptData, fmt::format("{}: {}", path, why));
  };
  // Torn inside its last line, a number may look whole.
  if (!text.ends_with('\n')) return bad("it ends inside a line");
  if (lines.size() < 2) return bad("a checkpoint has a version and a count");
  if (lines[0] != "0") return bad("unknown version");
  std::size_t count = 0;
  const auto [end, error] =
      std::from_chars(lines[1].data(), lines[1].data() + lines[1].size(), count);
  if (error != std::errc{} || end != lines[1].data() + lines[1].size()) return bad("no count");
  if (count != lines.size() - 2) return bad("the count is not the number of lines");
  return std::vector<std::string>(lines.begin() + 2, lines.end());
}

Bytes formatCheckpoint(const std::vector<std::string>& lines) {
  Bytes text = fmt::format("0\n{}\n", lines.size());
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

}  // namespace millrace::log
