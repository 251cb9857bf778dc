// Formatting and naming: which cluster and node a set of data directories belongs to.
#pragma once

#include "base/file.h"
#include "base/result.h"
#include "base/uuid.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::broker {

struct DirectoryIdentity {
  std::string cluster_id;
  std::int32_t node_id = -1;
  Uuid metadata_directory_id;
  /// directory.id of every directory that can be used.
  std::map<std::string, Uuid> ids;
  /// The others, and why not.
  std::map<std::string, Error> broken;
};

/// Reads meta.properties of all directories, and writes it where it is missing: a fresh set gets a
/// new cluster id (as `kafka-storage format` would give it). `node_id` is the configured one,
/// nothing where none is given by hand. A directory whose meta.properties cannot be read or written
/// is broken; the metadata directory must not be. Errors: kConfig where the directories belong to
/// different clusters or another node, two are one or have one directory.id, or the metadata log is
/// not where it should be; and those of the metadata directory.
[[nodiscard]] Result<DirectoryIdentity> identifyDirectories(
    FileSystem& files, const std::vector<std::string>& directories,
    const std::string& metadata_directory, std::optional<std::int32_t> node_id);

}  // namespace millrace::broker
