// FileStreamSink: the value of each record as a line of a file.
#pragma once

#include "base/file.h"
#include "connect/plugin.h"

namespace millrace::connect {

/// Appends. Without a file it writes to standard output.
class FileSinkTask final : public SinkTask {
 public:
  [[nodiscard]] static std::vector<ConfigKey> config();

  Status start(const Settings& settings, SinkContext& context) override;
  Status put(const std::vector<SinkRecord>& records) override;
  Status flush(const SinkOffsets& offsets) override;

 private:
  Status write();

  std::shared_ptr<File> file_;  // null: standard output
  std::uint64_t end_ = 0;
  std::string pending_;
};

}  // namespace millrace::connect
