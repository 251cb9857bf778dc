// A task on a thread of its own, watched from outside.
#pragma once

#include "connect/standalone.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace millrace::connect {

/// Runs run() on a new thread. Owned by shared_ptr: a thread whose plugin hangs is left behind
/// together with the runner. Methods are called by the worker, run() and call() by the thread.
class TaskRunner : public std::enable_shared_from_this<TaskRunner> {
 public:
  TaskRunner(std::string connector, int id, std::chrono::milliseconds call_timeout);
  virtual ~TaskRunner() = default;
  TaskRunner(const TaskRunner&) = delete;
  TaskRunner& operator=(const TaskRunner&) = delete;

  void start();
  /// Asks the task to end soon.
  void requestStop();
  /// Waits until it has ended; false: it had not by the deadline.
  bool waitEnded(std::chrono::steady_clock::time_point deadline);
  /// Fails the task where a plugin's call takes longer than it may.
  void checkDeadline();
  [[nodiscard]] bool ended() const;
  [[nodiscard]] TaskStatus status() const;
  /// The error that failed the task; no error otherwise.
  [[nodiscard]] Status outcome() const;
  [[nodiscard]] const std::string& name() const { return name_; }

 protected:
  /// The whole life of the task. Success: finished, or stopped.
  virtual Status run() = 0;
  /// Ends what run() made: clients and the plugin's task. On the task's thread, before anybody is
  /// told that it has ended.
  virtual void release() = 0;
  /// Makes what run() waits in return. On another thread, possibly while release() runs.
  virtual void interrupt() = 0;
  [[nodiscard]] virtual std::uint64_t records() const = 0;

  [[nodiscard]] bool stopping() const { return stopping_.load(std::memory_order_acquire); }
  /// Waits until stopping or until the time has passed; true: stopping.
  bool pauseFor(std::chrono::milliseconds time);

  /// Marks a call into the plugin, for checkDeadline.
  class InCall {
   public:
    InCall(TaskRunner& runner, const char* what);
    ~InCall();
    InCall(const InCall&) = delete;
    InCall& operator=(const InCall&) = delete;

   private:
    TaskRunner& runner_;
  };

 private:
  void body();
  void end(Status outcome);

  const std::string name_;  // "orders-0"
  const int id_;
  const std::chrono::milliseconds call_timeout_;
  std::atomic<bool> stopping_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  TaskState state_ = TaskState::kRunning;
  bool ended_ = false;  // failed by the watcher, or run() has returned
  Status outcome_;
  const char* call_ = nullptr;
  std::chrono::steady_clock::time_point call_began_;
};

}  // namespace millrace::connect
