// The loop and its work; rebalancing stands in stream_thread_tasks.cc.
#include "streams/runtime/stream_thread.h"

#include "base/log.h"

#include <pthread.h>

#include <algorithm>

namespace millrace::streams {
namespace {

using std::chrono::milliseconds;

/// Records of one task before another task and the clock get their turn.
constexpr std::size_t kRecordsPerTurn = 1'000;
/// Processing goes on without a poll for at most this long.
constexpr Millis kMaxTurns_ms = 100;

/// The member was thrown out: what it did since the last commit belongs to others now.
bool isMigrated(Errc code) {
  return code == Errc::kIllegalGeneration || code == Errc::kUnknownMemberId ||
         code == Errc::kFencedInstanceId;
}

}  // namespace

StreamThread::StreamThread(Application& application, std::string name, std::int64_t cache_bytes,
                           ThreadEvents events)
    : application_(application), name_(std::move(name)), events_(std::move(events)) {
  cache_.max_bytes = cache_bytes;
  metadata_.name = name_;
}

StreamThread::~StreamThread() {
  requestStop();
  join();
}

void StreamThread::start() {
  thread_ = std::thread([this] { run(); });
}

void StreamThread::requestStop() {
  stop_ = true;
  const std::lock_guard lock(mutex_);
  if (Consumer* consumer = wakeable_) consumer->wakeup();
}

void StreamThread::requestRebalance() {
  rebalance_ = true;
  const std::lock_guard lock(mutex_);
  if (Consumer* consumer = wakeable_) consumer->wakeup();
}

void StreamThread::join() {
  if (thread_.joinable()) thread_.join();
}

void StreamThread::run() {
  pthread_setname_np(pthread_self(), "stream");
  Status status = open();
  if (status) status = loop();
  const Status closed = closeAll(status.has_value());
  if (status) status = closed;
  refuseVisits();
  activity_ = Activity::kStopped;
  tasks_changed_ = true;
  publish();
  if (!status) {
    MILLRACE_LOG_ERROR("{}: {}", name_, status.error().toString());
    if (events_.on_failure) events_.on_failure(status.error());
  }
  if (events_.on_change) events_.on_change();
}

Status StreamThread::open() {
  assignor_ = std::make_shared<StreamsGroupAssignor>(application_, [this] { return offsetSums(); });
  const StreamsConfig& config = application_.config;
  MILLRACE_TRY(collector_, ProducerCollector::create(config.producer(name_ + "-producer"),
                                                     config.application_id));
  restorer_ =
      std::make_unique<Restorer>(application_, config.restoreConsumer(name_ + "-restore-consumer"));
  ConsumerOptions options = config.mainConsumer(name_ + "-consumer");
  options.customAssignor = assignor_;
  MILLRACE_TRY(Consumer consumer, Consumer::create(std::move(options)));
  consumer_ = std::make_unique<Consumer>(std::move(consumer));
  {
    const std::lock_guard lock(mutex_);
    wakeable_ = consumer_.get();
  }
  RebalanceListener listener;
  listener.onAssigned = [this](const auto& partitions) { onAssigned(partitions); };
  listener.onRevoked = [this](const auto& partitions) { onRevoked(partitions); };
  listener.onLost = [this](const auto& partitions) { onLost(partitions); };
  now_ms_ = last_commit_ms_ = last_purge_ms_ = application_.clock->wallMs();
  activity_ = Activity::kRebalancing;
  publish();
  return consumer_->subscribe(sourceTopics(application_.topology, config.application_id), listener);
}

Status StreamThread::loop() {
  while (!stop_) MILLRACE_CHECK_OK(runOnce());
  return {};
}

Status StreamThread::runOnce() {
  MILLRACE_CHECK_OK(poll());
  MILLRACE_CHECK_OK(createTasks());
  MILLRACE_CHECK_OK(restore());
  const Millis turn_start = now_ms_;
  for (;;) {
    MILLRACE_TRY(const std::size_t processed, process());
    now_ms_ = application_.clock->wallMs();
    MILLRACE_CHECK_OK(punctuate());
    MILLRACE_CHECK_OK(maybeCommit());
    serveVisits();
    if (processed == 0 || stop_ || now_ms_ - turn_start > kMaxTurns_ms) break;
  }
  maybePurge();
  publish();
  return {};
}

milliseconds StreamThread::pollTimeout() const {
  if (!restorer_->idle() || !waiting_.empty()) return milliseconds(0);
  for (const auto& [id, task] : tasks_) {
    if (task->started() && task->task().buffered() > 0) return milliseconds(0);
  }
  const Millis until_commit = last_commit_ms_ + application_.config.commit_interval_ms - now_ms_;
  return milliseconds(std::clamp<Millis>(until_commit, 0, application_.config.poll_ms));
}

Status StreamThread::poll() {
  if (rebalance_.exchange(false)) consumer_->enforceRebalance();
  if (assignor_->nextRebalance() <= now_ms_) {
    assignor_->clearNextRebalance();
    consumer_->enforceRebalance();
  }
  const ConsumerRecords records = consumer_->poll(pollTimeout());
  now_ms_ = application_.clock->wallMs();
  if (callback_error_) return std::unexpected(*callback_error_);
  if (!records.ok()) return std::unexpected(records.error());
  MILLRACE_CHECK_OK(checkAssignment());
  return addRecords(records);
}

Status StreamThread::addRecords(const ConsumerRecords& records) {
  std::set<ActiveTask*> touched;
  for (const RecordSlice& slice : records.slices()) {
    const auto route = routes_.find({slice.topic(), slice.partition()});
    if (route == routes_.end()) {
      return fail(Errc::kState, "records of " + slice.topic() + "-" +
                                    std::to_string(slice.partition()) +
                                    " arrived, which no task reads");
    }
    route->second.first->task().add(route->second.second, slice);
    touched.insert(route->second.first);
  }
  for (ActiveTask* task : touched) pauseAndResume(*task);
  return {};
}

void StreamThread::pauseAndResume(ActiveTask& task) {
  std::vector<TopicPartition> pause;
  std::vector<TopicPartition> resume;
  for (std::size_t i = 0; i < task.inputs().size(); ++i) {
    const TopicPartition& input = task.inputs()[i];
    const bool full = task.task().buffered(i) > application_.config.buffered_records;
    const auto known = paused_.find(input);
    if (full && known == paused_.end()) {
      pause.push_back(input);
      paused_.insert(input);
    } else if (!full && known != paused_.end()) {
      resume.push_back(input);
      paused_.erase(known);
    }
  }
  if (!pause.empty()) consumer_->pause(pause);
  if (!resume.empty()) consumer_->resume(resume);
}

Status StreamThread::restore() {
  if (restorer_->idle()) return {};
  MILLRACE_CHECK_OK(restorer_->step(milliseconds(10)));
  for (auto& [id, task] : tasks_) {
    if (task->started() || restorer_->restoring(*task)) continue;
    MILLRACE_CHECK_OK(task->start());
    tasks_changed_ = true;
    MILLRACE_LOG_INFO("{}: task {} is running", name_, id.toString());
    consumer_->resume(task->inputs());
  }
  return {};
}

Result<std::size_t> StreamThread::process() {
  std::size_t total = 0;
  for (auto& [id, task] : tasks_) {
    if (!task->started() || !task->ready(*consumer_, now_ms_)) continue;
    const std::size_t before = total;
    task->task().setWallClock(now_ms_);
    MILLRACE_TRY(const std::size_t taken, task->task().process(kRecordsPerTurn, true));
    total += taken;
    if (total != before) pauseAndResume(*task);
    task->report();
  }
  return total;
}

Status StreamThread::punctuate() {
  for (auto& [id, task] : tasks_) {
    if (!task->started()) continue;
    MILLRACE_TRY([[maybe_unused]] const bool any, task->task().punctuateWallClock(now_ms_));
  }
  return {};
}

std::vector<ActiveTask*> StreamThread::allTasks() const {
  std::vector<ActiveTask*> tasks;
  for (const auto& [id, task] : tasks_) tasks.push_back(task.get());
  return tasks;
}

Status StreamThread::maybeCommit() {
  bool due = now_ms_ - last_commit_ms_ >= application_.config.commit_interval_ms;
  std::size_t uncommitted = 0;
  for (const auto& [id, task] : tasks_) {
    if (!task->started()) continue;
    due = due || task->task().commitRequested();
    uncommitted += task->stores().uncommittedBytes();
  }
  if (!due && uncommitted <= application_.config.max_uncommitted_bytes) return {};
  const Status status = commit(allTasks());
  last_commit_ms_ = now_ms_ = application_.clock->wallMs();
  if (status) return {};
  const Errc code = status.error().code;
  // The next polls rejoin: a rebalance is under way (commit again afterwards), or the tasks are
  // lost.
  if (code == Errc::kRebalanceInProgress || isMigrated(code)) {
    MILLRACE_LOG_WARN("{}: commit refused: {}", name_, status.error().toString());
    return {};
  }
  return status;
}

Status StreamThread::commit(const std::vector<ActiveTask*>& tasks) {
  std::vector<ActiveTask*> dirty;
  std::ranges::copy_if(tasks, std::back_inserter(dirty),
                       [](const ActiveTask* t) { return t->commitNeeded(); });
  if (dirty.empty()) return {};
  for (ActiveTask* task : dirty) MILLRACE_CHECK_OK(task->flush());
  MILLRACE_CHECK_OK(collector_->flush());
  CommitOffsets offsets;
  for (ActiveTask* task : dirty) task->collectOffsets(*consumer_, offsets);
  if (!offsets.empty()) MILLRACE_CHECK_OK(consumer_->commitSync(offsets));
  for (ActiveTask* task : dirty) MILLRACE_CHECK_OK(task->committed());
  ++application_.counters.commits;
  const std::string prefix = application_.config.application_id + "-";
  for (const auto& [partition, offset] : offsets) {
    if (partition.topic.starts_with(prefix) &&
        application_.topology.isInternal(partition.topic.substr(prefix.size())))
      purgeable_[partition] = offset;
  }
  return {};
}

void StreamThread::maybePurge() {
  if (!purges_ || purgeable_.empty() ||
      now_ms_ - last_purge_ms_ < application_.config.purge_interval_ms)
    return;
  last_purge_ms_ = now_ms_;
  std::map<TopicPartition, std::int64_t> before;
  for (const auto& [partition, offset] : purgeable_) before[partition] = offset.offset;
  purgeable_.clear();
  const auto deleted = application_.admin->deleteRecords(before);
  // Only space: the next purge takes what this one could not.
  const auto note = [&](const Error& error) {
    if (error.code == Errc::kUnsupportedVersion)
      purges_ = false;
    else
      MILLRACE_LOG_WARN("{}: purge of repartition topics: {}", name_, error.toString());
  };
  if (!deleted) return note(deleted.error());
  for (const auto& [partition, result] : *deleted) {
    if (!result) note(result.error());
  }
}

bool StreamThread::visitTasks(const std::function<void(ActiveTask&)>& call) {
  Visit visit{&call};
  std::unique_lock lock(mutex_);
  if (ended_) return false;
  visits_.push_back(&visit);
  if (Consumer* consumer = wakeable_) consumer->wakeup();
  visited_.wait(lock, [&] { return visit.done; });
  return visit.ran;
}

void StreamThread::serveVisits() {
  std::deque<Visit*> visits;
  {
    const std::lock_guard lock(mutex_);
    visits.swap(visits_);
  }
  if (visits.empty()) return;
  for (Visit* visit : visits) {
    for (const auto& [id, task] : tasks_) {
      if (task->started()) (*visit->call)(*task);
    }
  }
  const std::lock_guard lock(mutex_);
  for (Visit* visit : visits) visit->ran = visit->done = true;
  visited_.notify_all();
}

void StreamThread::refuseVisits() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (Visit* visit : visits_) visit->done = true;
  visits_.clear();
  visited_.notify_all();
}

ThreadMetadata StreamThread::metadata() const {
  const std::lock_guard lock(mutex_);
  return metadata_;
}

}  // namespace millrace::streams
