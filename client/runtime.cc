#include "client/runtime.h"

#include "client/client_config.h"
#include "client/metadata.h"
#include "client/tcp_transport.h"

#include <boost/asio/post.hpp>
#include <pthread.h>

#include <chrono>
#include <future>
#include <utility>

namespace millrace::client {

ClientRuntime::ClientRuntime() : thread_([this] { run(); }) {}

ClientRuntime::~ClientRuntime() { stop(); }

void ClientRuntime::post(std::move_only_function<void()> fn) {
  boost::asio::post(context_, guard(std::move(fn)));
}

void ClientRuntime::run() {
  pthread_setname_np(pthread_self(), "client-io");
  std::unique_lock lock(mutex_);
  while (!ended_) {
    if (!ownThreadMayDrive()) {
      park(lock);
      continue;
    }
    driver_ = Driver::kOwnThread;
    lock.unlock();
    context_.run_one();
    lock.lock();
    driver_ = Driver::kNobody;
  }
}

bool ClientRuntime::ownThreadMayDrive() {
  if (driver_ != Driver::kNobody) return false;
  if (stopping_ || prefers_own_thread_ || caller_until_ == SteadyTime::min()) return true;
  if (std::chrono::steady_clock::now() < caller_until_) return false;
  caller_until_ = SteadyTime::min();
  return true;
}

/// A caller that polls often is looked after now and then rather than told of by each poll. One
/// that waits for long lets this thread sleep, and wakes it when it leaves.
void ClientRuntime::park(std::unique_lock<std::mutex>& lock) {
  const std::uint64_t seen = claims_;
  parked_.wait_for(lock, kGrace);
  if (driver_ != Driver::kCaller || claims_ != seen) return;
  own_thread_sleeps_ = true;
  parked_.wait(lock, [this] { return !own_thread_sleeps_; });
}

bool ClientRuntime::claim() {
  const std::lock_guard lock(mutex_);
  if (prefers_own_thread_ || stopping_) return false;
  caller_waits_ = driver_ != Driver::kNobody;
  if (caller_waits_) return false;
  driver_ = Driver::kCaller;
  ++claims_;
  caller_runs_.store(true);
  return true;
}

void ClientRuntime::runClaimed(SteadyTime deadline) {
  context_.run_one_until(deadline);
  caller_runs_.store(false);
  const std::lock_guard lock(mutex_);
  driver_ = Driver::kNobody;
  caller_until_ = std::chrono::steady_clock::now() + kGrace;
  if (std::exchange(own_thread_sleeps_, false) || stopping_) parked_.notify_one();
}

void ClientRuntime::tellCaller() {
  if (caller_runs_.load()) {
    if (!runsHere()) post([] {});
    return;
  }
  const std::lock_guard lock(mutex_);
  if (std::exchange(caller_waits_, false))
    caller_until_ = std::chrono::steady_clock::now() + kGrace;
}

void ClientRuntime::handOver() {
  const std::lock_guard lock(mutex_);
  if (caller_until_ == SteadyTime::min()) return;
  caller_until_ = SteadyTime::min();
  parked_.notify_one();
}

void ClientRuntime::preferOwnThread(bool prefer) {
  const std::lock_guard lock(mutex_);
  if (prefers_own_thread_ == prefer) return;
  prefers_own_thread_ = prefer;
  if (prefer) parked_.notify_one();
}

void ClientRuntime::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    stopping_ = true;
  }
  parked_.notify_one();
  std::promise<void> drained;
  post([&drained] { drained.set_value(); });
  drained.get_future().wait();
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  work_.reset();
  context_.stop();
  thread_.join();
}

struct Alarm::State {
  State(ClientRuntime& r, std::function<void()> f)
      : runtime(r), timer(r.context().get_executor()), fire(std::move(f)) {}
  ClientRuntime& runtime;
  SteadyTimer timer;
  std::function<void()> fire;
  SteadyTime due = SteadyTime::max();
  bool alive = true;
};

Alarm::Alarm(ClientRuntime& runtime, std::function<void()> fire)
    : state_(std::make_shared<State>(runtime, std::move(fire))) {}

Alarm::~Alarm() {
  state_->alive = false;
  state_->timer.cancel();
}

void Alarm::setWithin(Millis delay_ms) {
  const SteadyTime due =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(std::max<Millis>(delay_ms, 0));
  if (due >= state_->due) return;
  state_->due = due;
  state_->timer.expires_at(due);
  auto rung = [state = state_](const ErrorCode& error) {
    if (error || !state->alive) return;
    state->due = SteadyTime::max();
    state->fire();
  };
  state_->timer.async_wait(state_->runtime.guard(std::move(rung)));
}

void Alarm::cancel() {
  state_->due = SteadyTime::max();
  state_->timer.cancel();
}

ClientBase::ClientBase(const CommonConfig& config, std::shared_ptr<Transport> given,
                       bool auto_create)
    : runtime(std::make_shared<ClientRuntime>()) {
  if (given) {
    transport = std::move(given);
  } else {
    own_ = std::make_shared<TcpTransport>(*runtime, config);
    transport = own_;
  }
  MetadataService::Options options;
  options.max_age_ms = config.metadata_max_age_ms;
  options.retry_backoff_ms = config.retry_backoff_ms;
  options.retry_backoff_max_ms = config.retry_backoff_max_ms;
  options.request_timeout_ms = config.request_timeout_ms;
  options.auto_create = auto_create;
  metadata = std::make_shared<MetadataService>(runtime, transport, options);
}

ClientBase::~ClientBase() { shutdown(); }

void ClientBase::shutdown() {
  metadata->close();
  if (own_) own_->close();
  runtime->stop();
}

}  // namespace millrace::client
