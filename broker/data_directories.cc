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

/// One formatted directory; `first` is the one that said first who this node is.
Status takeIn(DirectoryIdentity& identity, const std::string& directory,
              const log::MetaProperties& meta, std::string& first) {
  identity.ids.emplace(directory, meta.directory_id);
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
    const auto meta = log::readMetaProperties(files, directory);
    if (!meta && directory == metadata_directory) return std::unexpected(meta.error());
    if (!meta) {
      identity.broken.emplace(directory, meta.error());
      continue;
    }
    if (!*meta) {
      fresh.push_back(directory);
      continue;
    }
    MILLRACE_CHECK_OK(takeIn(identity, directory, **meta, first));
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
    const Status written = log::writeMetaProperties(
        files, directory, {identity.cluster_id, identity.node_id, directory_id});
    if (!written && directory == metadata_directory) return std::unexpected(written.error());
    if (written) {
      identity.ids.emplace(directory, directory_id);
    } else {
      identity.broken.emplace(directory, written.error());
    }
  }
  identity.metadata_directory_id = identity.ids[metadata_directory];
  return identity;
}

}  // namespace millrace::broker
