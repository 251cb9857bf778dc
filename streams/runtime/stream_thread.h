// One thread of an application: polls, restores, processes, punctuates, commits.
#pragma once

#include "client/consumer.h"
#include "streams/runtime/active_task.h"
#include "streams/runtime/group_assignor.h"
#include "streams/runtime/restorer.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace millrace::streams {

/// What the owner learns from a thread. Called on that thread.
struct ThreadEvents {
  std::function<void()> on_change = {};               ///< tasks or activity() changed
  std::function<void(const Error&)> on_failure = {};  ///< it is about to end because of an error
};

/// Owns a consumer, a producer and the tasks assigned to them; nothing of these is touched by
/// another thread.
class StreamThread {
 public:
  enum class Activity : std::uint8_t { kStarting, kRebalancing, kRestoring, kRunning, kStopped };

  StreamThread(Application& application, std::string name, std::int64_t cache_bytes,
               ThreadEvents events);
  /// Stops and joins.
  ~StreamThread();
  StreamThread(const StreamThread&) = delete;
  StreamThread& operator=(const StreamThread&) = delete;

  void start();
  /// Asks it to commit, close its tasks and end. From any thread.
  void requestStop();
  void join();
  [[nodiscard]] Activity activity() const { return activity_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] ThreadMetadata metadata() const;
  /// Rejoins the group soon. From any thread.
  void requestRebalance();

  /// Runs `call` between two records with the thread's running tasks, and waits. False where the
  /// thread has ended.
  bool visitTasks(const std::function<void(ActiveTask&)>& call);

 private:
  struct Visit {
    const std::function<void(ActiveTask&)>* call = nullptr;
    bool done = false;
    bool ran = false;
  };

  void run();
  [[nodiscard]] Status open();
  [[nodiscard]] Status loop();
  [[nodiscard]] Status runOnce();
  [[nodiscard]] Status closeAll(bool clean);

  // Polling.
  [[nodiscard]] Status poll();
  [[nodiscard]] std::chrono::milliseconds pollTimeout() const;
  [[nodiscard]] Status addRecords(const ConsumerRecords& records);
  void pauseAndResume(ActiveTask& task);
  [[nodiscard]] Status checkAssignment();

  // Rebalancing.
  void onAssigned(const std::vector<TopicPartition>& partitions);
  void onRevoked(const std::vector<TopicPartition>& partitions);
  void onLost(const std::vector<TopicPartition>& partitions);
  [[nodiscard]] Status createTasks();
  [[nodiscard]] Status createTask(TaskId id, const std::vector<TopicPartition>& inputs);
  [[nodiscard]] Status closeTasks(const std::set<TaskId>& ids, bool clean);
  [[nodiscard]] std::set<TaskId> tasksOf(const std::vector<TopicPartition>& partitions) const;
  [[nodiscard]] std::vector<TaskOffsetSum> offsetSums() const;
  void remember(const Status& status);

  // Working.
  [[nodiscard]] Status restore();
  [[nodiscard]] Result<std::size_t> process();
  [[nodiscard]] Status punctuate();
  [[nodiscard]] Status maybeCommit();
  [[nodiscard]] Status commit(const std::vector<ActiveTask*>& tasks);
  [[nodiscard]] std::vector<ActiveTask*> allTasks() const;
  void maybePurge();
  void serveVisits();
  void refuseVisits();
  void publish();

  Application& application_;
  std::string name_;
  ThreadEvents events_;
  CacheBudget cache_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  std::atomic<bool> rebalance_{false};
  std::atomic<Activity> activity_{Activity::kStarting};

  // The thread's own.
  std::shared_ptr<StreamsGroupAssignor> assignor_;
  std::unique_ptr<ProducerCollector> collector_;
  std::unique_ptr<Restorer> restorer_;
  std::map<TaskId, std::unique_ptr<ActiveTask>> tasks_;
  std::map<TopicPartition, std::pair<ActiveTask*, std::size_t>> routes_;  // task and its input
  std::map<TaskId, std::vector<TopicPartition>> waiting_;  // assigned, not opened yet
  std::set<TopicPartition> paused_;
  CommitOffsets purgeable_;
  bool purges_ = true;  ///< false once a broker turned out not to know DeleteRecords
  std::optional<Error> callback_error_;
  bool assigned_once_ = false;
  bool tasks_changed_ = true;  ///< since publish()
  Millis now_ms_ = 0;
  Millis last_commit_ms_ = 0;
  Millis last_purge_ms_ = 0;
  // Last, so that its callbacks never outlive what they use.
  std::unique_ptr<Consumer> consumer_;

  mutable std::mutex mutex_;
  std::condition_variable visited_;
  std::deque<Visit*> visits_;
  bool ended_ = false;
  ThreadMetadata metadata_;
  std::atomic<Consumer*> wakeable_{nullptr};
};

}  // namespace millrace::streams
