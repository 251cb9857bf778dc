#include "broker/data_directories.h"

#include "log/log_manager.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::broker {

namespace {
constexpr std::int32_t kFirstNodeId = 1;

std::vector<std::string> withMetadata(std::vector<std::string> directories,
                                      const std::string& metadata_directory) {
  if (std::find(directories.begin(), directories.end(), metadata_directory) == directories.end())
    directories.push_back(metadata_directory);
  return directories;
}

}  // namespace

Result<DirectoryIdentity> identifyDirectories(FileSystem& files,
                                              const std::vector<std::string>& directories,
                                              const std::string& metadata_directory,
                                              std::optional<std::int32_t> node_id) {
  const std::vector<std::string> all = withMetadata(directories, metadata_directory);
  DirectoryIdentity identity;
  std::vector<std::string> fresh;
  std::string first;
  for (const std::string& directory : all) {
    MILLRACE_TRY(const auto meta, log::readMetaProperties(files, directory));
    if (!meta) {
      fresh.push_back(directory);
      continue;
    }
    if (directory == metadata_directory) identity.metadata_directory_id = meta->directory_id;
    if (first.empty()) {
      first = directory;
      identity.cluster_id = meta->cluster_id;
      identity.node_id = meta->node_id;
    } else if (identity.cluster_id != meta->cluster_id || identity.node_id != meta->node_id) {
      return fail(
          Errc::kConfig,
          fmt::format("log.dirs: {} belongs to cluster {} node {}, but {} to cluster {} node {}",
                      directory, meta->cluster_id, meta->node_id, first, identity.cluster_id,
                      identity.node_id));
    }
  }
  if (first.empty()) {
    identity.cluster_id = randomUuid().toString();
    identity.node_id = node_id.value_or(kFirstNodeId);
  } else if (node_id && *node_id != identity.node_id) {
    return fail(Errc::kConfig, fmt::format("node.id={}, but {} was formatted for node {}", *node_id,
                                           first, identity.node_id));
  }
  for (const std::string& directory : fresh) {
    const Uuid directory_id = randomUuid();
    MILLRACE_CHECK_OK(log::writeMetaProperties(
        files, directory, {identity.cluster_id, identity.node_id, directory_id}));
    if (directory == metadata_directory) identity.metadata_directory_id = directory_id;
  }
  return identity;
}

}  // namespace millrace::broker
