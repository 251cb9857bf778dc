#include "streams/runtime/restorer.h"

#include "base/log.h"

#include <algorithm>

namespace millrace::streams {
namespace {

constexpr std::size_t kFlushBytes = 16 << 20;

}  // namespace

Result<std::map<TopicPartition, Restorer::Bounds>> Restorer::boundsOf(const ActiveTask& task) {
  if (!consumer_) {
    MILLRACE_TRY(Consumer consumer, Consumer::create(options_));
    consumer_ = std::make_unique<Consumer>(std::move(consumer));
  }
  std::vector<TopicPartition> partitions;
  for (const auto& changelog : task.changelogs()) partitions.push_back(changelog.partition);
  MILLRACE_TRY(const auto begins, consumer_->beginningOffsets(partitions));
  MILLRACE_TRY(const auto ends, consumer_->endOffsets(partitions));
  std::map<TopicPartition, Bounds> bounds;
  for (const auto& [partition, end] : ends) bounds[partition] = {begins.at(partition), end};
  return bounds;
}

Result<Restorer::Job> Restorer::makeJob(ActiveTask& task, const ActiveTask::Changelog& changelog,
                                        Bounds bounds, bool& stale) {
  Job job;
  job.task = &task;
  job.changelog = changelog;
  job.end = bounds.end;
  job.target = std::min(changelog.committed.value_or(bounds.end), bounds.end);
  if (!changelog.own) job.end = job.target;
  const auto local = task.stores().restoredTo(changelog.store);
  job.position = std::max(local.value_or(bounds.begin), bounds.begin);
  // A copy that is ahead of the committed input, or behind what the changelog still has, cannot be
  // completed.
  const bool lost_records = local && *local < bounds.begin && bounds.begin > 0;
  stale = local && (*local > job.target || lost_records);
  return job;
}

Status Restorer::add(ActiveTask& task) {
  if (task.changelogs().empty()) return {};
  MILLRACE_TRY(const auto bounds, boundsOf(task));
  std::vector<Job> jobs;
  for (int attempt = 0; attempt < 2; ++attempt) {
    bool any_stale = false;
    jobs.clear();
    for (const auto& changelog : task.changelogs()) {
      bool stale = false;
      MILLRACE_TRY(Job job, makeJob(task, changelog, bounds.at(changelog.partition), stale));
      any_stale = any_stale || stale;
      jobs.push_back(std::move(job));
    }
    if (!any_stale) break;
    MILLRACE_LOG_WARN(
        "streams: local state of task {} does not fit its changelogs; restoring it from the start",
        task.id().toString());
    MILLRACE_CHECK_OK(task.reset());
  }
  for (Job& job : jobs) {
    const auto& listener = application_.restore_listener.onRestoreStart;
    if (listener) listener(job.changelog.partition, job.changelog.store, job.position, job.target);
    jobs_[job.changelog.partition] = std::move(job);
  }
  MILLRACE_CHECK_OK(finishReached());
  return assign();
}

void Restorer::remove(const ActiveTask& task) {
  if (std::erase_if(jobs_, [&](const auto& e) { return e.second.task == &task; }) == 0) return;
  const Status status = assign();
  if (!status) MILLRACE_LOG_WARN("streams: {}", status.error().toString());
}

bool Restorer::restoring(const ActiveTask& task) const {
  return std::ranges::any_of(jobs_, [&](const auto& e) { return e.second.task == &task; });
}

Status Restorer::assign() {
  if (!consumer_) return {};
  std::vector<TopicPartition> partitions;
  for (const auto& [partition, job] : jobs_) partitions.push_back(partition);
  MILLRACE_CHECK_OK(consumer_->assign(partitions));
  for (const auto& [partition, job] : jobs_)
    MILLRACE_CHECK_OK(consumer_->seek(partition, job.position));
  return {};
}

Status Restorer::step(std::chrono::milliseconds timeout) {
  if (jobs_.empty()) return {};
  const ConsumerRecords records = consumer_->poll(timeout);
  if (!records.ok()) return std::unexpected(records.error());
  for (const RecordSlice& slice : records.slices()) {
    const auto job = jobs_.find({slice.topic(), slice.partition()});
    if (job != jobs_.end()) MILLRACE_CHECK_OK(apply(job->second, slice));
  }
  // Positions also move over what is no record (markers, compacted ranges).
  for (auto& [partition, job] : jobs_) {
    const auto position = consumer_->position(partition);
    if (position) job.position = std::max(job.position, *position);
  }
  const std::size_t before = jobs_.size();
  MILLRACE_CHECK_OK(finishReached());
  return jobs_.size() == before ? Status{} : assign();
}

Status Restorer::apply(Job& job, const RecordSlice& slice) {
  ManagedStore& store = job.task->stores().store(job.changelog.store);
  std::int64_t restored = 0;
  for (RecordIterator it(slice); it.valid(); it.next()) {
    const Record& record = *it;
    if (!record.hasKey() || record.offset() >= job.end) continue;
    if (record.offset() >= job.target) {
      job.tail[Bytes(record.key())] = record.timestamp();
      continue;
    }
    store.restore(record.key(), record.optionalValue(), record.timestamp());
    ++restored;
  }
  job.position = slice.next_offset;
  job.records += restored;
  application_.counters.restored += static_cast<std::uint64_t>(restored);
  const auto& listener = application_.restore_listener.onBatchRestored;
  if (listener && restored > 0)
    listener(job.changelog.partition, job.changelog.store, job.position, restored);
  if (job.task->stores().uncommittedBytes() < kFlushBytes) return {};
  return job.task->restored(job.changelog.store, std::min(job.position, job.target));
}

Status Restorer::finishReached() {
  for (auto it = jobs_.begin(); it != jobs_.end();) {
    if (it->second.position < it->second.end) {
      ++it;
      continue;
    }
    MILLRACE_CHECK_OK(finish(it->second));
    it = jobs_.erase(it);
  }
  return {};
}

Status Restorer::finish(Job& job) {
  MILLRACE_CHECK_OK(job.task->restored(job.changelog.store, job.target));
  for (const auto& [key, timestamp] : job.tail)
    MILLRACE_CHECK_OK(job.task->rewrite(job.changelog, key, timestamp));
  if (!job.tail.empty()) {
    MILLRACE_LOG_INFO("streams: took back {} uncommitted keys of {}", job.tail.size(),
                      job.changelog.partition.toString());
  }
  const auto& listener = application_.restore_listener.onRestoreEnd;
  if (listener) listener(job.changelog.partition, job.changelog.store, job.records);
  return {};
}

}  // namespace millrace::streams
