#include "client/runtime.h"

#include "client/client_config.h"
#include "client/metadata.h"
#include "client/tcp_transport.h"

#include <chrono>
#include <future>

namespace millrace::client {

ClientRuntime::ClientRuntime() : shard_(0) { shard_.start(); }

ClientRuntime::~ClientRuntime() { stop(); }

void ClientRuntime::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
  }
  std::promise<void> drained;
  shard_.post([&drained] { drained.set_value(); });
  drained.get_future().wait();
  shard_.stop();
}

struct Alarm::State {
  State(IoContext& context, std::function<void()> f)
      : timer(context.get_executor()), fire(std::move(f)) {}
  SteadyTimer timer;
  std::function<void()> fire;
  SteadyTime due = SteadyTime::max();
  bool alive = true;
};

Alarm::Alarm(ClientRuntime& runtime, std::function<void()> fire)
    : state_(std::make_shared<State>(runtime.shard().context(), std::move(fire))) {}

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
  state_->timer.async_wait([state = state_](const ErrorCode& error) {
    if (error || !state->alive) return;
    state->due = SteadyTime::max();
    state->fire();
  });
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
