// A task with everything around it: its stores, its changelogs, its place in the inputs.
#pragma once

#include "client/consumer.h"
#include "streams/runtime/application.h"
#include "streams/runtime/producer_collector.h"
#include "streams/state/task_stores.h"
#include "streams/task.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::streams {

/// Created by a stream thread when the task is assigned, restored by the thread's Restorer, then
/// run. Used by that thread only. Destruction without suspend() drops what is not committed: the
/// directory keeps whole commits.
class ActiveTask {
 public:
  /// A store's changelog, and where its restore ends.
  struct Changelog {
    std::string store;
    TopicPartition partition;
    bool own = true;  ///< false: the source topic itself
    /// Offset that belongs to the committed input; after the restore: the offset restored to.
    std::optional<std::int64_t> committed = std::nullopt;
  };

  /// Takes the lock of the task's directory, which the caller has got from the StateDirectory.
  /// `committed`: by input.
  ActiveTask(Application& application, TaskId id, std::vector<TopicPartition> inputs,
             ProducerCollector& collector, CacheBudget& cache,
             const std::map<TopicPartition, std::optional<OffsetAndMetadata>>& committed);
  ~ActiveTask();
  ActiveTask(const ActiveTask&) = delete;
  ActiveTask& operator=(const ActiveTask&) = delete;

  /// Opens the stores.
  [[nodiscard]] Status open();
  /// Deletes local state and opens empty stores: what is on disk does not belong to the changelog.
  [[nodiscard]] Status reset();
  /// After the restore: builds the task's nodes. From now on puts are logged.
  [[nodiscard]] Status start();
  [[nodiscard]] bool started() const { return task_ != nullptr; }

  [[nodiscard]] TaskId id() const { return id_; }
  [[nodiscard]] const std::vector<TopicPartition>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<Changelog>& changelogs() const { return changelogs_; }
  [[nodiscard]] TaskStores& stores() { return *stores_; }
  [[nodiscard]] Task& task() { return *task_; }

  /// Writes a store's value for `key` to its changelog once more: takes back what a crash left
  /// behind it.
  [[nodiscard]] Status rewrite(const Changelog& changelog, const Bytes& key, Millis timestamp);
  /// The store reflects its changelog up to this offset: moves what was restored into the database.
  [[nodiscard]] Status restored(const std::string& store, std::int64_t offset);
  /// Whether the next record may be taken now (max.task.idle.ms, KIP-695).
  [[nodiscard]] bool ready(const Consumer& consumer, Millis now_ms);

  /// First half of a commit: caches go down. Second half, after the producer's flush: what to
  /// commit. Third: the offsets are committed, state may follow.
  [[nodiscard]] bool commitNeeded() const { return started() && task_->commitNeeded(); }
  [[nodiscard]] Status flush() { return task_->flush(); }
  void collectOffsets(Consumer& consumer, CommitOffsets& offsets);
  [[nodiscard]] Status committed();
  /// After a last commit: makes the state durable and notes its offsets, for a restart without
  /// restore.
  [[nodiscard]] Status suspend();
  /// Sum of changelog offsets of state on disk, for the leader; nullopt without state.
  [[nodiscard]] static std::optional<std::int64_t> offsetSumOnDisk(const std::string& directory);

 private:
  void readCommitted(const std::map<TopicPartition, std::optional<OffsetAndMetadata>>& committed);
  void describeChangelogs(const Subtopology& subtopology);
  [[nodiscard]] const Subtopology& subtopology() const;
  [[nodiscard]] std::map<std::string, std::int64_t> changelogOffsets() const;
  [[nodiscard]] bool inputIsSettled(const Consumer& consumer, std::size_t input, Millis now_ms);

  Application& application_;
  TaskId id_;
  std::vector<TopicPartition> inputs_;
  ProducerCollector& collector_;
  CacheBudget& cache_;
  std::string directory_;
  std::vector<Changelog> changelogs_;
  std::map<std::string, std::unique_ptr<ChangelogWriter>> writers_;
  std::unique_ptr<TaskStores> stores_;
  std::unique_ptr<Task> task_;
  std::vector<std::optional<OffsetAndMetadata>> last_committed_;  // by input
  std::vector<Millis> partition_times_;                           // by input
  std::vector<std::optional<Millis>> idle_since_;                 // by input
  std::uint64_t reported_processed_ = 0;
  std::uint64_t reported_dropped_ = 0;

 public:
  /// Adds what was processed since the last call to the application's counters.
  void report();
};

}  // namespace millrace::streams
