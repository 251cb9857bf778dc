#include "connect/task_runner.h"

#include "base/log.h"

#include <fmt/format.h>
#include <pthread.h>

namespace millrace::connect {

TaskRunner::TaskRunner(std::string connector, int id, std::chrono::milliseconds call_timeout)
    : name_(connector + "-" + std::to_string(id)), id_(id), call_timeout_(call_timeout) {}

TaskRunner::InCall::InCall(TaskRunner& runner, const char* what) : runner_(runner) {
  const std::lock_guard lock(runner_.mutex_);
  runner_.call_ = what;
  runner_.call_began_ = std::chrono::steady_clock::now();
}

TaskRunner::InCall::~InCall() {
  const std::lock_guard lock(runner_.mutex_);
  runner_.call_ = nullptr;
}

void TaskRunner::start() {
  // Detached, and kept alive by its own reference: a plugin that never returns must not keep the
  // process from going on. waitEnded is what others wait for.
  std::thread([self = shared_from_this()] { self->body(); }).detach();
}

void TaskRunner::body() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  Status outcome = run();
  release();
  end(std::move(outcome));
}

void TaskRunner::end(Status outcome) {
  const std::lock_guard lock(mutex_);
  if (!ended_) {
    state_ = !outcome           ? TaskState::kFailed
             : stopping_.load() ? TaskState::kStopped
                                : TaskState::kFinished;
    if (!outcome) MILLRACE_LOG_ERROR("task {} failed: {}", name_, outcome.error().toString());
    outcome_ = std::move(outcome);
  }
  ended_ = true;
  changed_.notify_all();
}

void TaskRunner::requestStop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true, std::memory_order_release);
    changed_.notify_all();
    if (ended_) return;
  }
  interrupt();
}

bool TaskRunner::waitEnded(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return ended_; });
}

bool TaskRunner::pauseFor(std::chrono::milliseconds time) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, time, [this] { return stopping_.load(); });
}

void TaskRunner::checkDeadline() {
  std::string problem;
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || call_ == nullptr) return;
    if (std::chrono::steady_clock::now() - call_began_ <= call_timeout_) return;
    problem = fmt::format("{} has not returned for {} ms", call_, call_timeout_.count());
  }
  end(fail(Errc::kTimeout, problem));
  requestStop();
}

bool TaskRunner::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

Status TaskRunner::outcome() const {
  const std::lock_guard lock(mutex_);
  return outcome_;
}

TaskStatus TaskRunner::status() const {
  TaskStatus status{.id = id_, .records = records()};
  const std::lock_guard lock(mutex_);
  status.state = state_;
  if (!outcome_) status.error = outcome_.error().toString();
  return status;
}

}  // namespace millrace::connect
