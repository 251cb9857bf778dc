// What a node may ask and do while a record is processed.
#pragma once

#include "base/assert.h"
#include "base/result.h"
#include "streams/record_collector.h"
#include "streams/record_meta.h"
#include "streams/store.h"
#include "streams/task_id.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace millrace::streams {

/// What time a punctuator follows.
enum class PunctuationType : std::uint8_t { kStreamTime, kWallClockTime };
/// Called with the time that fired.
using Punctuator = std::function<void(Millis)>;

/// Stops a punctuator; does nothing where it is stopped or its task is gone.
class Cancellable {
 public:
  Cancellable() = default;
  explicit Cancellable(std::shared_ptr<bool> cancelled) : cancelled_(std::move(cancelled)) {}
  void cancel() {
    if (cancelled_) *cancelled_ = true;
  }

 private:
  std::shared_ptr<bool> cancelled_;
};

class ProcessorContext;

/// The typed store of one task: built on a bytes store, flushed at commit.
class TaskStore {
 public:
  virtual ~TaskStore() = default;
  /// Takes its bytes store from the provider. Once, before any node's init().
  [[nodiscard]] virtual Status init(ProcessorContext& context, StoreProvider& provider) = 0;
  /// Writes cached updates down and forwards them to the owner's children.
  virtual void flushCache() {}
};

/// Cache memory shared by the stores of one thread (statestore.cache.max.bytes / threads). One
/// thread.
struct CacheBudget {
  std::int64_t max_bytes = 10'485'760;
  std::int64_t used_bytes = 0;
};

/// One per task. Errors are sticky: the first one fails the task; nodes go on without effect until
/// the record's call chain is unwound.
class ProcessorContext {
 public:
  ProcessorContext(TaskId task, std::string application_id, RecordCollector& collector,
                   CacheBudget& cache);

  [[nodiscard]] TaskId taskId() const { return task_; }
  [[nodiscard]] const std::string& applicationId() const { return application_id_; }
  /// Largest timestamp of the records that this task took so far; -1 before the first.
  [[nodiscard]] Millis streamTime() const { return stream_time_; }
  [[nodiscard]] Millis wallClock() const { return wall_ms_; }
  [[nodiscard]] const RecordOrigin& origin() const { return origin_; }
  [[nodiscard]] RecordCollector& collector() { return collector_; }
  [[nodiscard]] CacheBudget& cache() { return cache_; }

  /// Calls `punctuator` every `interval_ms` (> 0): stream time from 0, wall clock from now.
  Cancellable schedule(Millis interval_ms, PunctuationType type, Punctuator punctuator);
  /// Asks for a commit after the current record.
  void commit() { commit_requested_ = true; }

  /// Counts a record that an operator skips, as dropped-records-total.
  void drop(std::uint64_t records = 1) { dropped_ += records; }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }

  void fail(Error error);
  void check(const Status& status) {
    if (!status) fail(status.error());
  }
  [[nodiscard]] bool failed() const { return failed_; }

  /// The task's store of that name and type; the topology connected it, or the process stops.
  template <class S>
  [[nodiscard]] S& store(std::string_view name) {
    auto* found = dynamic_cast<S*>(findStore(name));
    MILLRACE_ASSERT(found != nullptr, name);
    return *found;
  }
  [[nodiscard]] TaskStore* findStore(std::string_view name);

 private:
  friend class Task;
  struct Schedule {
    Millis interval;
    Millis next;
    std::shared_ptr<bool> cancelled;
    Punctuator call;
  };

  TaskId task_;
  std::string application_id_;
  RecordCollector& collector_;
  CacheBudget& cache_;
  Millis stream_time_ = -1;
  Millis wall_ms_ = 0;
  RecordOrigin origin_;
  std::uint64_t dropped_ = 0;
  bool failed_ = false;
  bool commit_requested_ = false;
  Error error_;
  std::unordered_map<std::string, std::unique_ptr<TaskStore>> stores_;
  std::vector<Schedule> stream_time_schedules_;
  std::vector<Schedule> wall_clock_schedules_;
};

}  // namespace millrace::streams
