// Brings the stores of newly assigned tasks to where their inputs were committed.
#pragma once

#include "client/consumer.h"
#include "streams/runtime/active_task.h"

#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace millrace::streams {

/// Belongs to one stream thread. A store is restored from its local copy plus the changelog up to
/// the offset that was committed with the inputs. What lies behind that offset (written after the
/// last commit before a crash) is taken back: every key of it is written to the changelog again
/// with its committed value, so that records which are processed again do not count twice. Without
/// a noted offset everything is restored, as Kafka does.
class Restorer {
 public:
  Restorer(Application& application, ConsumerOptions options)
      : application_(application), options_(std::move(options)) {}

  /// The task's stores are open. It may be complete at once.
  [[nodiscard]] Status add(ActiveTask& task);
  /// Forgets a task that is going away.
  void remove(const ActiveTask& task);
  [[nodiscard]] bool idle() const { return jobs_.empty(); }
  [[nodiscard]] bool restoring(const ActiveTask& task) const;
  /// Reads once, waiting at most `timeout`, and applies.
  [[nodiscard]] Status step(std::chrono::milliseconds timeout);

 private:
  struct Job {
    ActiveTask* task = nullptr;
    ActiveTask::Changelog changelog;
    std::int64_t position = 0;
    std::int64_t target = 0;  ///< up to here it is restored
    std::int64_t end = 0;     ///< up to here it is taken back
    std::int64_t records = 0;
    std::map<Bytes, Millis> tail;
  };
  struct Bounds {
    std::int64_t begin = 0;
    std::int64_t end = 0;
  };
  [[nodiscard]] Result<std::map<TopicPartition, Bounds>> boundsOf(const ActiveTask& task);
  [[nodiscard]] static Result<Job> makeJob(ActiveTask& task, const ActiveTask::Changelog& changelog,
                                           Bounds bounds, bool& stale);
  [[nodiscard]] Status assign();
  [[nodiscard]] Status apply(Job& job, const RecordSlice& slice);
  [[nodiscard]] Status finish(Job& job);
  [[nodiscard]] Status finishReached();

  Application& application_;
  ConsumerOptions options_;
  std::unique_ptr<Consumer> consumer_;
  std::map<TopicPartition, Job> jobs_;
};

}  // namespace millrace::streams
