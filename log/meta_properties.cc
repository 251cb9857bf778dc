// meta.properties: whose directory this is.
#include "log/log_manager.h"

#include <fmt/format.h>

#include <charconv>

namespace millrace::log {
namespace {

constexpr std::string_view kMetaProperties = "meta.properties";

/// Key and value of a line of a Java properties file; empty for comments. Values here never need
/// escapes but "\:".
std::pair<std::string, std::string> parseLine(std::string_view line) {
  if (line.empty() || line[0] == '#' || line[0] == '!') return {};
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return {};
  std::string value;
  for (std::size_t i = equals + 1; i < line.size(); ++i) {
    if (line[i] == '\\' && i + 1 < line.size()) ++i;
    if (line[i] != '\r') value.push_back(line[i]);
  }
  return {std::string(line.substr(0, equals)), value};
}

std::string escaped(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

}  // namespace

Result<std::optional<MetaProperties>> readMetaProperties(FileSystem& files,
                                                         const std::string& directory) {
  const std::string path = fmt::format("{}/{}", directory, kMetaProperties);
  const auto text = files.readAll(path);
  if (!text && text.error().code == Errc::kNotFound) return std::nullopt;
  if (!text) return std::unexpected(text.error());
  MetaProperties meta;
  std::string version;
  BytesView rest = *text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const auto [key, value] = parseLine(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (key == "version") version = value;
    if (key == "cluster.id") meta.cluster_id = value;
    if (key == "node.id") {
      const auto parsed = std::from_chars(value.data(), value.data() + value.size(), meta.node_id);
      if (parsed.ec != std::errc{} || parsed.ptr != value.data() + value.size())
        return fail(Errc::kConfig, path + ": node.id is no number");
    }
    if (key == "directory.id") {
      const auto id = parseUuid(value);
      if (!id) return fail(Errc::kConfig, path + ": directory.id is no uuid");
      meta.directory_id = *id;
    }
  }
  if (version != "1")
    return fail(Errc::kConfig, fmt::format("{}: version '{}', this broker knows 1", path, version));
  if (meta.cluster_id.empty() || meta.node_id < 0)
    return fail(Errc::kConfig, path + " names no cluster.id or no node.id");
  return meta;
}

Status writeMetaProperties(FileSystem& files, const std::string& directory,
                           const MetaProperties& meta) {
  MILLRACE_CHECK_OK(files.createDirectories(directory));
  return files.writeAtomically(
      fmt::format("{}/{}", directory, kMetaProperties),
      fmt::format("#\ncluster.id={}\ndirectory.id={}\nnode.id={}\nversion=1\n",
                  escaped(meta.cluster_id), meta.directory_id.toString(), meta.node_id));
}

}  // namespace millrace::log
