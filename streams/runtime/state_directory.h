// Where an application keeps its state: <state.dir>/<application id>/<task>/, as Kafka Streams lays
// it out.
#pragma once

#include "base/result.h"
#include "base/uuid.h"
#include "streams/task_id.h"

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace millrace::streams {

/// Locked for this process while the object lives. Thread-safe.
class StateDirectory {
 public:
  /// Opens, creates and locks. The process id lives in `kafka-streams-process-metadata`, so that a
  /// restart is recognised. Errors: kIo; kState where another process uses the directory.
  [[nodiscard]] static Result<std::shared_ptr<StateDirectory>> open(
      const std::string& state_dir, const std::string& application_id);
  ~StateDirectory();
  StateDirectory(const StateDirectory&) = delete;
  StateDirectory& operator=(const StateDirectory&) = delete;

  [[nodiscard]] const Uuid& processId() const { return process_id_; }
  /// Of an application without persistent stores nothing is created; tasks have paths all the same.
  [[nodiscard]] std::string taskDirectory(TaskId task) const;
  /// Only one thread of the process may use a task's directory. False where another one does now.
  [[nodiscard]] bool lock(TaskId task);
  void unlock(TaskId task);
  /// Tasks that have a directory.
  [[nodiscard]] std::vector<TaskId> tasksOnDisk() const;
  /// Deletes one task's directory. The caller holds its lock.
  [[nodiscard]] Status removeTask(TaskId task) const;
  /// Deletes everything that belongs to the application. Errors: kState while another process uses
  /// it; kIo.
  [[nodiscard]] static Status removeAll(const std::string& state_dir,
                                        const std::string& application_id);

 private:
  explicit StateDirectory(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Status lockProcess();
  [[nodiscard]] Status loadProcessId();

  std::string path_;
  int lock_fd_ = -1;
  Uuid process_id_;
  std::mutex mutex_;
  std::set<TaskId> locked_;
};

}  // namespace millrace::streams
