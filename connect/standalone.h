// A standalone worker: runs connectors and their tasks in this process.
#pragma once

#include "base/properties.h"
#include "base/result.h"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace millrace {
namespace client {
class Transport;
}
}  // namespace millrace

namespace millrace::connect {

class StandaloneCore;

struct StandaloneOptions {
  /// Keys of Kafka's standalone worker (bootstrap.servers, key.converter, value.converter,
  /// offset.storage.file.filename, plugin.path, ...); unknown ones are warned about.
  Properties properties;
  /// Instead of bootstrap.servers: a way that needs no socket (Broker::transport()).
  std::shared_ptr<client::Transport> transport = {};
};

enum class TaskState { kRunning, kFinished, kFailed, kStopped };
[[nodiscard]] std::string_view taskStateName(TaskState state);  ///< "RUNNING", ...

struct TaskStatus {
  int id = 0;
  TaskState state = TaskState::kRunning;
  std::string error = {};     ///< why it failed
  std::uint64_t records = 0;  ///< acknowledged by the cluster, or put into the sink
};

struct ConnectorStatus {
  std::string name;
  std::string type;  ///< "source" or "sink"
  std::string version;
  std::vector<TaskStatus> tasks;
};

/// Thread-safe. Each task runs on a thread of its own; a watcher fails a task whose plugin does not
/// come back from a call in time (task.call.timeout.ms). Offsets of sources are stored in the
/// offset file every offset.flush.interval.ms and at stop, those of sinks in the cluster (group
/// connect-<name>).
class Standalone {
 public:
  /// Reads the configuration, loads plugins and stored offsets. Errors: kConfig; of the plugins.
  [[nodiscard]] static Result<Standalone> create(StandaloneOptions options);
  Standalone(Standalone&&) noexcept;
  Standalone& operator=(Standalone&&) noexcept;
  ~Standalone();  ///< stops

  /// Checks a connector's configuration (name, connector.class, ...) and starts its tasks. Errors:
  /// kConfig; kState where the name is taken.
  Status add(const Properties& connector);
  /// Stops the connector's tasks and stores its offsets. Errors: kNotFound.
  Status remove(const std::string& name);
  /// Waits until no source task runs any more. The error of the first task that failed, if one did.
  /// False: the timeout passed first.
  [[nodiscard]] Result<bool> waitUntilFinished(std::chrono::milliseconds timeout);
  [[nodiscard]] std::vector<ConnectorStatus> status() const;
  /// Stops everything, each task within task.shutdown.graceful.timeout.ms in total; a plugin that
  /// hangs is left behind with its thread. Idempotent.
  Status stop();

 private:
  explicit Standalone(std::shared_ptr<StandaloneCore> core);
  std::shared_ptr<StandaloneCore> core_;
};

}  // namespace millrace::connect
