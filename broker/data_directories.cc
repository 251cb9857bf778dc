#include "broker/data_directories.h"

#include "broker/metadata/image.h"
#include "log/log_manager.h"

#include <fmt/format.h>
#include <system_error>

#include <algorithm>
#include <filesystem>

namespace millrace::broker {

namespace {
constexpr std::int32_t kFirstNodeId = 1;

std::vector<std::string> withMetadata(std::vector<std::string> directories,
                                      const std::string& metadata_directory) {
  if (std::find(directories.begin(), directories.end(), metadata_directory) == directories.end())
    directories.push_back(metadata_directory);
  return directories;
}

/// One formatted directory; `first` is the one that said first who this node is.
Status takeIn(DirectoryIdentity& identity, const std::string& directory,
              const log::MetaProperties& meta, std::string& first) {
  if (!meta.directory_id.isZero()) identity.ids.emplace(directory, meta.directory_id);
  if (first.empty()) {
    first = directory;
    identity.cluster_id = meta.cluster_id;
    identity.node_id = meta.node_id;
    return {};
  }
  if (identity.cluster_id == meta.cluster_id && identity.node_id == meta.node_id) return {};
  return fail(
      Errc::kConfig,
      fmt::format("log.dirs: {} belongs to cluster {} node {}, but {} to cluster {} node {}",
                  directory, meta.cluster_id, meta.node_id, first, identity.cluster_id,
                  identity.node_id));
}

Status format(FileSystem& files, DirectoryIdentity& identity, const std::string& directory) {
  const Uuid id = randomUuid();
  MILLRACE_CHECK_OK(
      log::writeMetaProperties(files, directory, {identity.cluster_id, identity.node_id, id}));
  identity.ids.emplace(directory, id);
  return {};
}

/// As Kafka's LogManager.createAndValidateLogDirs: one directory by two names, a link perhaps. And
/// one in another, which could be taken for a log there; Kafka's loadLogs refuses most of these.
Status refuseOverlaps(const std::vector<std::string>& directories) {
  std::map<std::string, std::string> seen;
  for (const std::string& directory : directories) {
    std::error_code error;
    auto real = std::filesystem::weakly_canonical(directory, error).string();
    if (error) continue;  // whoever opens it will tell
    if (real.ends_with('/')) real.pop_back();
    const auto [other, fresh] = seen.emplace(std::move(real), directory);
    if (!fresh)
      return fail(Errc::kConfig, fmt::format("log.dirs: {} and {} are the same directory",
                                             other->second, directory));
  }
  for (const auto& [outer, outer_name] : seen)
    for (const auto& [inner, inner_name] : seen)
      if (inner.starts_with(outer + "/"))
        return fail(Errc::kConfig, fmt::format("log.dirs: {} lies in {}", inner_name, outer_name));
  return {};
}

/// As Kafka's MetaPropertiesEnsemble.verify.
Status checkDirectoryIds(const std::map<std::string, Uuid>& ids) {
  constexpr std::uint64_t kReserved = 100;  // Kafka's DirectoryId
  std::map<Uuid, std::string> seen;
  for (const auto& [directory, id] : ids) {
    if (id.high == 0 && id.low < kReserved)
      return fail(Errc::kConfig, fmt::format("{}: directory.id={} has a meaning of its own",
                                             directory, id.toString()));
    const auto [other, fresh] = seen.emplace(id, directory);
    if (!fresh)
      return fail(Errc::kConfig, fmt::format("{} and {} both have directory.id={}: one is a copy",
                                             other->second, directory, id.toString()));
  }
  return {};
}

/// A node whose other directories are formatted has a metadata log somewhere. Begun anew, it would
/// know none of their topics. Kafka's KafkaRaftServer refuses both, too.
Status checkMetadataDirectory(FileSystem& files, const std::vector<std::string>& directories,
                              const std::vector<std::string>& fresh,
                              const std::string& metadata_directory, const std::string& formatted) {
  if (!formatted.empty() && std::ranges::find(fresh, metadata_directory) != fresh.end())
    return fail(
        Errc::kConfig,
        fmt::format("{} is to hold the metadata log and has no meta.properties, but {} has "
                    "data: is it mounted, and metadata.log.dir (else the first of log.dirs) "
                    "what it was?",
                    metadata_directory, formatted));
  for (const std::string& directory : directories) {
    const std::string path = fmt::format("{}/{}-0", directory, kMetadataTopic);
    if (directory == metadata_directory) continue;
    if (const auto found = files.exists(path); found && *found)
      return fail(
          Errc::kConfig,
          fmt::format("the metadata log lies in {}, but metadata.log.dir (else the first of "
                      "log.dirs) says {}",
                      directory, metadata_directory));
  }
  return {};
}

}  // namespace

Result<DirectoryIdentity> identifyDirectories(FileSystem& files,
                                              const std::vector<std::string>& directories,
                                              const std::string& metadata_directory,
                                              std::optional<std::int32_t> node_id) {
  const std::vector<std::string> all = withMetadata(directories, metadata_directory);
  MILLRACE_CHECK_OK(refuseOverlaps(all));
  DirectoryIdentity identity;
  std::vector<std::string> fresh;
  std::vector<std::string> unnamed;  // by a Kafka that had no directory ids yet
  std::string first;
  for (const std::string& directory : all) {
    const auto meta = log::readMetaProperties(files, directory);
    if (!meta && directory == metadata_directory) return std::unexpected(meta.error());
    if (!meta) {
      identity.broken.emplace(directory, meta.error());
      continue;
    }
    if (!*meta) {
      // The metadata log's first: where that fails, the others must not look like ones with data.
      fresh.insert(directory == metadata_directory ? fresh.begin() : fresh.end(), directory);
      continue;
    }
    MILLRACE_CHECK_OK(takeIn(identity, directory, **meta, first));
    if ((*meta)->directory_id.isZero()) unnamed.push_back(directory);
  }
  MILLRACE_CHECK_OK(checkDirectoryIds(identity.ids));
  MILLRACE_CHECK_OK(checkMetadataDirectory(files, all, fresh, metadata_directory, first));
  if (first.empty()) {
    identity.cluster_id = randomUuid().toString();
    identity.node_id = node_id.value_or(kFirstNodeId);
  } else if (node_id && *node_id != identity.node_id) {
    return fail(Errc::kConfig, fmt::format("node.id={}, but {} was formatted for node {}", *node_id,
                                           first, identity.node_id));
  }
  fresh.insert(fresh.end(), unnamed.begin(), unnamed.end());
  for (const std::string& directory : fresh) {
    const Status written = format(files, identity, directory);
    if (!written && directory == metadata_directory) return std::unexpected(written.error());
    if (!written) identity.broken.emplace(directory, written.error());
  }
  identity.metadata_directory_id = identity.ids[metadata_directory];
  return identity;
}

}  // namespace millrace::broker
