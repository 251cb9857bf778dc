// Which tasks a stream thread has: created, restored and closed as its group decides.
#include "base/log.h"
#include "streams/runtime/stream_thread.h"

#include <algorithm>

namespace millrace::streams {

Status StreamThread::checkAssignment() {
  switch (assignor_->error()) {
    case AssignorError::kIncompleteSourceTopicMetadata:
      return fail(Errc::kUnknownTopicOrPartition,
                  "a source topic of the application does not exist; the log of the group's leader "
                  "names it");
    case AssignorError::kShutdownRequested:
      return fail(Errc::kClosed, "an instance asked for the shutdown of the application");
    case AssignorError::kAssignmentError:
      return fail(Errc::kState, "the group's leader could not assign; its log says why");
    default: return {};
  }
}

void StreamThread::remember(const Status& status) {
  if (!status && !callback_error_) callback_error_ = status.error();
}

void StreamThread::onAssigned(const std::vector<TopicPartition>&) {
  assigned_once_ = true;
  tasks_changed_ = true;
  for (const auto& [id, inputs] : assignor_->tasks()) {
    if (!tasks_.contains(id)) waiting_[id] = inputs;
  }
  // Nothing arrives for a task before it has been restored.
  for (const auto& [id, inputs] : waiting_) consumer_->pause(inputs);
}

std::set<TaskId> StreamThread::tasksOf(const std::vector<TopicPartition>& partitions) const {
  std::set<TaskId> ids;
  for (const TopicPartition& partition : partitions) {
    const auto route = routes_.find(partition);
    if (route != routes_.end()) ids.insert(route->second.first->id());
  }
  return ids;
}

void StreamThread::onRevoked(const std::vector<TopicPartition>& partitions) {
  std::erase_if(waiting_, [&](const auto& e) {
    return std::ranges::any_of(e.second, [&](const auto& p) {
      return std::ranges::find(partitions, p) != partitions.end();
    });
  });
  const auto ids = tasksOf(partitions);
  std::vector<ActiveTask*> tasks;
  for (const TaskId& id : ids) tasks.push_back(tasks_.at(id).get());
  const Status status = commit(tasks);
  // What was not committed is processed again by the next owner.
  if (!status)
    MILLRACE_LOG_WARN("{}: commit of revoked tasks: {}", name_, status.error().toString());
  remember(closeTasks(ids, status.has_value()));
}

void StreamThread::onLost(const std::vector<TopicPartition>& partitions) {
  MILLRACE_LOG_WARN("{}: lost its place in the group; {} partitions go without a commit", name_,
                    partitions.size());
  waiting_.clear();
  remember(closeTasks(tasksOf(partitions), false));
}

Status StreamThread::createTasks() {
  if (waiting_.empty()) return {};
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    // Another thread of this process may still be closing the task.
    if (application_.directory && !application_.directory->lock(it->first)) {
      ++it;
      continue;
    }
    const auto id = it->first;
    const auto inputs = it->second;
    it = waiting_.erase(it);
    MILLRACE_CHECK_OK(createTask(id, inputs));
  }
  return {};
}

Status StreamThread::createTask(TaskId id, const std::vector<TopicPartition>& inputs) {
  const auto committed = consumer_->committed(inputs);
  if (!committed) {
    if (application_.directory) application_.directory->unlock(id);
    return std::unexpected(committed.error());
  }
  auto task =
      std::make_unique<ActiveTask>(application_, id, inputs, *collector_, cache_, *committed);
  MILLRACE_CHECK_OK(task->open());
  MILLRACE_CHECK_OK(restorer_->add(*task));
  for (std::size_t i = 0; i < inputs.size(); ++i) routes_[inputs[i]] = {task.get(), i};
  if (!restorer_->restoring(*task)) {
    MILLRACE_CHECK_OK(task->start());
    consumer_->resume(inputs);
  }
  tasks_[id] = std::move(task);
  tasks_changed_ = true;
  return {};
}

Status StreamThread::closeTasks(const std::set<TaskId>& ids, bool clean) {
  std::vector<ActiveTask*> closing;
  for (const TaskId& id : ids) closing.push_back(tasks_.at(id).get());
  Status status = clean ? commit(closing) : Status{};
  if (!closing.empty() && !(clean && status)) {
    // What was written after the last commit must stand in the changelogs before the next owner,
    // maybe this thread, measures how much of them to take back.
    const Status flushed = collector_->flush();
    if (status) status = flushed;
  }
  for (ActiveTask* task : closing) {
    if (clean && status) status = task->suspend();
    task->report();
    restorer_->remove(*task);
    for (const TopicPartition& input : task->inputs()) {
      routes_.erase(input);
      paused_.erase(input);
      purgeable_.erase(input);
    }
    tasks_.erase(task->id());
  }
  tasks_changed_ = true;
  publish();
  return status;
}

Status StreamThread::closeAll(bool clean) {
  waiting_.clear();
  std::set<TaskId> ids;
  for (const auto& [id, task] : tasks_) ids.insert(id);
  Status status;
  if (clean) {
    // The consumer leaves the group only now: its last commit still counts.
    status = commit(allTasks());
    if (!status) MILLRACE_LOG_WARN("{}: last commit: {}", name_, status.error().toString());
  }
  const Status closed = closeTasks(ids, clean && status.has_value());
  if (status) status = closed;
  {
    const std::lock_guard lock(mutex_);
    wakeable_ = nullptr;
  }
  if (consumer_) {
    const Status left = consumer_->close();
    if (!left) MILLRACE_LOG_WARN("{}: leaving the group: {}", name_, left.error().toString());
  }
  restorer_.reset();
  collector_.reset();
  return status;
}

std::vector<TaskOffsetSum> StreamThread::offsetSums() const {
  std::vector<TaskOffsetSum> sums;
  for (const auto& [id, task] : tasks_) {
    if (task->started()) sums.push_back({id, kLatestOffset});
  }
  if (!application_.directory) return sums;
  for (const TaskId& id : application_.directory->tasksOnDisk()) {
    if (tasks_.contains(id)) continue;
    const auto sum = ActiveTask::offsetSumOnDisk(application_.directory->taskDirectory(id));
    if (sum) sums.push_back({id, *sum});
  }
  return sums;
}

void StreamThread::publish() {
  if (!tasks_changed_) return;
  tasks_changed_ = false;
  ThreadMetadata metadata{.name = name_};
  for (const auto& [id, task] : tasks_) {
    (task->started() ? metadata.active_tasks : metadata.restoring_tasks).push_back(id);
  }
  for (const auto& [id, inputs] : waiting_) metadata.restoring_tasks.push_back(id);
  Activity activity = activity_;
  if (activity != Activity::kStopped && assigned_once_) {
    activity = metadata.restoring_tasks.empty() ? Activity::kRunning : Activity::kRestoring;
  }
  const bool changed = activity != activity_;
  activity_ = activity;
  {
    const std::lock_guard lock(mutex_);
    metadata_ = std::move(metadata);
  }
  if (changed && events_.on_change) events_.on_change();
}

}  // namespace millrace::streams
