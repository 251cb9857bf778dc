// A data directory fails while the broker runs: its partitions go offline, the rest serves on.
#pragma once

#include "base/metrics.h"
#include "base/net/gate.h"
#include "base/net/task.h"
#include "base/result.h"
#include "broker/services.h"

#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::broker {

/// Hears of failed directories from the LogManager, on any thread, and acts on the first shard: the
/// partitions of the directory answer KAFKA_STORAGE_ERROR and have no leader any more. Without the
/// metadata log's directory, or any other, the broker cannot go on: that is told to onFatal().
class DirectoryWatch {
 public:
  DirectoryWatch(Services& services, Gauge& offline, std::string metadata_directory)
      : services_(services),
        offline_(offline),
        metadata_directory_(std::move(metadata_directory)) {}

  /// LogManagerOptions::on_failure.
  void failed(const std::string& directory, const Error& cause);
  /// All parts of the broker are there: acts on what failed so far, and from now on at once.
  void start();
  /// Called once, on the first shard or here; must not block. The failure may have happened before.
  void onFatal(std::function<void(const Error&)> stop_broker);
  /// Blocks; not on a shard. Failures after it are only counted.
  void stop() { gate_.closeAndWait(); }

 private:
  struct Failure {
    std::string directory;
    Error cause;
  };
  void act(Failure failure);
  [[nodiscard]] Task<> handle(Failure failure);
  [[nodiscard]] Task<> dropPartitions(std::string directory);
  [[nodiscard]] bool isFatal(const Failure& failure) const;
  void giveUp(Error cause);

  Services& services_;
  Gauge& offline_;
  std::string metadata_directory_;
  Gate gate_;
  std::mutex mutex_;
  bool started_ = false;
  std::vector<Failure> waiting_;
  Status fatal_;
  std::function<void(const Error&)> stop_broker_;
};

}  // namespace millrace::broker
