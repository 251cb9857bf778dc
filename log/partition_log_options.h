// What a PartitionLog is opened with, and what goes with an append.
#pragma once

#include "base/clock.h"
#include "base/uuid.h"
#include "log/config.h"
#include "log/types.h"

#include <functional>
#include <string>

namespace millrace::log {

class Journal;

struct OpenOptions {
  /// ".../orders-3"; made with the first append where it does not exist.
  std::string directory;
  LogConfig config;
  /// Written to partition.metadata of a new log; an existing one keeps its own.
  Uuid topic_id;
  /// From the checkpoint files of the data directory.
  Offset log_start_offset{0};
  Offset recovery_point{0};
  Offset high_watermark{0};
  Offset cleaned_to{0};
  /// Wall clock: producers that were silent for longer than producer.id.expiration.ms when the
  /// last snapshot was made are forgotten; what lies behind it counts as a sign of life. 0: none
  /// is.
  Millis now_ms = 0;
  /// The last stop was clean: files are trusted as they are.
  bool clean_shutdown = false;
  FileSystem* files = nullptr;  ///< systemFiles() where null
  /// Called once, on the thread of the call that failed, when the disk takes the log offline (kIo,
  /// kDiskFull, or kNotFound for a file that must be there).
  std::function<void(const Error&)> on_disk_failure;
  /// Of the data directory, for flush.on.ack; without one nothing is journaled.
  Journal* journal = nullptr;
};

struct AppendOptions {
  LeaderEpoch leader_epoch{0};
  Millis now_ms = 0;
  record::AppendOrigin origin = record::AppendOrigin::kClient;
};

}  // namespace millrace::log
