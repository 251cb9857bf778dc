// The shortest way from a file to a topic: one file source in this process, until the file ends.
#pragma once

#include "base/result.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace millrace {

namespace client {
class Transport;
}

/// What to stream and where to. Empty texts: unset.
struct StreamFileOptions {
  std::string file;
  std::string topic;
  /// A cluster to write to: either of the two.
  std::string bootstrapServers = {};
  std::shared_ptr<client::Transport> transport = {};
  /// "csv": first line has the names, each row becomes a JSON object. "lines": each line is a text.
  std::string format = "csv";
  /// CSV: the column whose text is the record's key.
  std::string keyColumn = {};
  /// CSV: event time, ISO 8601 in UTC or milliseconds since 1970; unset: now.
  std::string timeColumn = {};
  /// CSV: whole minutes to add to the event time.
  std::string timeMinutesColumn = {};
  /// CSV: the text that becomes null.
  std::string nullText = {};
  /// CSV: columns that stay text although they look like numbers.
  std::vector<std::string> textColumns = {};
  /// Connector and producer keys of one's own ("producer.override.linger.ms"); they win.
  std::map<std::string, std::string> properties = {};
  /// Called now and then with the number of acknowledged records.
  std::function<void(std::uint64_t)> onProgress = {};
};

/// Runs a standalone worker with one FileStreamSource until the whole file is acknowledged. Returns
/// the number of records. Blocks; call from any thread. Errors: of the file, of the configuration,
/// of the cluster.
[[nodiscard]] Result<std::uint64_t> streamFile(const StreamFileOptions& options);

}  // namespace millrace
