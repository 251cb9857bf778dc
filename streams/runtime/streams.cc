#include "streams/runtime/streams.h"

#include "base/log.h"
#include "streams/runtime/application.h"
#include "streams/runtime/stream_thread.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace millrace {

using streams::Application;
using streams::StreamThread;

std::string_view toString(StreamsState state) {
  switch (state) {
    case StreamsState::kCreated: return "CREATED";
    case StreamsState::kRebalancing: return "REBALANCING";
    case StreamsState::kRunning: return "RUNNING";
    case StreamsState::kPendingShutdown: return "PENDING_SHUTDOWN";
    case StreamsState::kNotRunning: return "NOT_RUNNING";
    case StreamsState::kPendingError: return "PENDING_ERROR";
    case StreamsState::kError: return "ERROR";
  }
  return "?";
}

namespace {

bool isTerminal(StreamsState state) {
  return state == StreamsState::kNotRunning || state == StreamsState::kError;
}
bool isStopping(StreamsState state) {
  return isTerminal(state) || state == StreamsState::kPendingShutdown ||
         state == StreamsState::kPendingError;
}

bool hasPersistentStores(const streams::Topology& topology) {
  for (const auto& sub : topology.subtopologies()) {
    for (const std::string& store : sub.stores) {
      if (topology.store(store).spec().persistent) return true;
    }
  }
  return false;
}

}  // namespace

class Streams::Impl {
 public:
  Impl(streams::Topology topology, streams::StreamsConfig config) {
    application_.topology = std::move(topology);
    application_.config = std::move(config);
  }
  ~Impl() { close(std::chrono::milliseconds::max()); }

  Status start();
  bool close(std::chrono::milliseconds timeout);

  Application application_;
  std::function<void(StreamsState, StreamsState)> state_listener_;
  std::function<UncaughtResponse(const Error&)> uncaught_handler_;

  StreamsState state() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }
  bool waitFor(const std::function<bool(StreamsState)>& reached,
               std::chrono::milliseconds timeout) const {
    std::unique_lock lock(mutex_);
    const auto done = [&] { return reached(state_); };
    if (timeout == std::chrono::milliseconds::max()) {
      changed_.wait(lock, done);
      return true;
    }
    return changed_.wait_for(lock, timeout, done);
  }
  std::optional<Error> error() const {
    const std::lock_guard lock(mutex_);
    return error_;
  }
  std::vector<std::shared_ptr<StreamThread>> threads() const {
    const std::lock_guard lock(mutex_);
    return threads_;
  }

 private:
  void addThread();
  void onChange();
  void onFailure(const Error& error);
  /// Moves to `next` where Kafka Streams' table of states allows it. Listeners are called without
  /// the lock.
  void moveTo(StreamsState next);
  void stopThreads(StreamsState terminal);

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  StreamsState state_ = StreamsState::kCreated;
  std::optional<Error> error_;
  std::vector<std::shared_ptr<StreamThread>> threads_;
  std::int32_t next_thread_ = 1;
  std::thread closer_;
  std::mutex listener_mutex_;
};

Status Streams::Impl::start() {
  {
    const std::lock_guard lock(mutex_);
    if (state_ != StreamsState::kCreated)
      return fail(Errc::kState, "the application was started before");
  }
  const streams::StreamsConfig& config = application_.config;
  if (hasPersistentStores(application_.topology)) {
    MILLRACE_TRY(application_.directory,
                 streams::StateDirectory::open(config.state_dir, config.application_id));
    application_.process_id = application_.directory->processId();
  } else {
    application_.process_id = randomUuid();
  }
  application_.memory = streams::makeStateMemory();
  MILLRACE_TRY(Admin admin, Admin::create(config.admin(config.application_id + "-admin")));
  application_.admin = std::make_unique<Admin>(std::move(admin));
  moveTo(StreamsState::kRebalancing);
  for (std::int32_t i = 0; i < config.threads; ++i) addThread();
  return {};
}

void Streams::Impl::addThread() {
  std::shared_ptr<StreamThread> thread;
  {
    const std::lock_guard lock(mutex_);
    const std::string name = application_.config.application_id + "-" +
                             application_.process_id.toString() + "-StreamThread-" +
                             std::to_string(next_thread_++);
    streams::ThreadEvents events;
    events.on_change = [this] { onChange(); };
    events.on_failure = [this](const Error& error) { onFailure(error); };
    thread = std::make_shared<StreamThread>(
        application_, name, application_.config.cache_bytes / application_.config.threads, events);
    threads_.push_back(thread);
  }
  thread->start();
}

void Streams::Impl::moveTo(StreamsState next) {
  // One listener call at a time, in the order of the changes.
  const std::lock_guard listener_lock(listener_mutex_);
  StreamsState before;
  {
    const std::lock_guard lock(mutex_);
    before = state_;
    if (before == next || isTerminal(before)) return;
    if (isStopping(before) && !isTerminal(next)) return;
    state_ = next;
    changed_.notify_all();
  }
  MILLRACE_LOG_INFO("streams {}: {} -> {}", application_.config.application_id, toString(before),
                    toString(next));
  if (state_listener_) state_listener_(next, before);
}

void Streams::Impl::onChange() {
  using Activity = StreamThread::Activity;
  std::size_t alive = 0;
  std::size_t running = 0;
  for (const auto& thread : threads()) {
    const Activity activity = thread->activity();
    alive += activity != Activity::kStopped ? 1 : 0;
    running += activity == Activity::kRunning ? 1 : 0;
  }
  if (alive > 0) moveTo(running == alive ? StreamsState::kRunning : StreamsState::kRebalancing);
}

void Streams::Impl::onFailure(const Error& error) {
  const UncaughtResponse response =
      uncaught_handler_ ? uncaught_handler_(error) : UncaughtResponse::kShutdownClient;
  if (response == UncaughtResponse::kReplaceThread) {
    addThread();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
  }
  if (response == UncaughtResponse::kShutdownApplication) {
    application_.shutdown_requested = true;
    for (const auto& thread : threads()) thread->requestRebalance();
  }
  moveTo(StreamsState::kPendingError);
  const std::lock_guard lock(mutex_);
  if (!closer_.joinable()) closer_ = std::thread([this] { stopThreads(StreamsState::kError); });
}

void Streams::Impl::stopThreads(StreamsState terminal) {
  const auto all = threads();
  for (const auto& thread : all) thread->requestStop();
  for (const auto& thread : all) thread->join();
  moveTo(terminal);
}

bool Streams::Impl::close(std::chrono::milliseconds timeout) {
  if (state() == StreamsState::kCreated) {
    moveTo(StreamsState::kPendingShutdown);
    moveTo(StreamsState::kNotRunning);
  }
  moveTo(StreamsState::kPendingShutdown);
  {
    const std::lock_guard lock(mutex_);
    if (!isTerminal(state_) && !closer_.joinable()) {
      closer_ = std::thread([this] { stopThreads(StreamsState::kNotRunning); });
    }
  }
  if (!waitFor(isTerminal, timeout)) return false;
  std::thread closer;
  {
    const std::lock_guard lock(mutex_);
    closer.swap(closer_);
  }
  if (closer.joinable()) closer.join();
  return true;
}

Streams::Streams(streams::Topology topology, StreamsOptions options) {
  auto made = create(std::move(topology), std::move(options));
  if (!made) throw std::invalid_argument(made.error().toString());
  impl_ = std::move(made->impl_);
}

Result<Streams> Streams::create(streams::Topology topology, StreamsOptions options) {
  if (topology.empty()) return fail(Errc::kConfig, "the topology has no source");
  MILLRACE_TRY(auto config, streams::StreamsConfig::parse(options));
  return Streams(std::make_unique<Impl>(std::move(topology), std::move(config)));
}

Streams::Streams(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Streams::Streams(Streams&&) noexcept = default;
Streams& Streams::operator=(Streams&&) noexcept = default;
Streams::~Streams() = default;

Status Streams::start() { return impl_->start(); }
bool Streams::close(std::chrono::milliseconds timeout) { return impl_->close(timeout); }
StreamsState Streams::state() const { return impl_->state(); }
std::optional<Error> Streams::error() const { return impl_->error(); }
const streams::Topology& Streams::topology() const { return impl_->application_.topology; }

bool Streams::waitFor(const std::function<bool(StreamsState)>& reached,
                      std::chrono::milliseconds timeout) const {
  return impl_->waitFor(reached, timeout);
}

bool Streams::waitUntilRunning(std::chrono::milliseconds timeout) const {
  const auto settled = [](StreamsState s) { return s == StreamsState::kRunning || isStopping(s); };
  return impl_->waitFor(settled, timeout) && impl_->state() == StreamsState::kRunning;
}

void Streams::setStateListener(std::function<void(StreamsState, StreamsState)> listener) {
  impl_->state_listener_ = std::move(listener);
}
void Streams::setUncaughtHandler(std::function<UncaughtResponse(const Error&)> handler) {
  impl_->uncaught_handler_ = std::move(handler);
}
void Streams::setRestoreListener(RestoreListener listener) {
  impl_->application_.restore_listener = std::move(listener);
}

Status Streams::cleanUp() {
  const StreamsState now = state();
  if (now != StreamsState::kCreated && !isTerminal(now)) {
    return fail(Errc::kState, "local state can be deleted only before start and after close");
  }
  impl_->application_.directory.reset();
  const streams::StreamsConfig& config = impl_->application_.config;
  return streams::StateDirectory::removeAll(config.state_dir, config.application_id);
}

StreamsMetrics Streams::metrics() const {
  const streams::Counters& counters = impl_->application_.counters;
  StreamsMetrics metrics;
  metrics.processed = counters.processed;
  metrics.dropped = counters.dropped;
  metrics.restored = counters.restored;
  metrics.commits = counters.commits;
  for (const auto& thread : impl_->threads()) {
    if (thread->activity() == StreamThread::Activity::kStopped) continue;
    const ThreadMetadata metadata = thread->metadata();
    ++metrics.alive_threads;
    metrics.running_tasks += static_cast<std::uint32_t>(metadata.active_tasks.size());
    metrics.restoring_tasks += static_cast<std::uint32_t>(metadata.restoring_tasks.size());
  }
  return metrics;
}

std::vector<ThreadMetadata> Streams::threads() const {
  std::vector<ThreadMetadata> all;
  for (const auto& thread : impl_->threads()) {
    if (thread->activity() != StreamThread::Activity::kStopped) all.push_back(thread->metadata());
  }
  return all;
}

Status Streams::query(
    const std::string& store,
    const std::function<void(streams::TaskId, streams::TaskStore&)>& query) const {
  if (isStopping(state()) || state() == StreamsState::kCreated) {
    return fail(Errc::kState, "stores can be asked only while the application runs");
  }
  bool found = false;
  for (const auto& thread : impl_->threads()) {
    thread->visitTasks([&](streams::ActiveTask& task) {
      streams::TaskStore* const local = task.task().store(store);
      if (local == nullptr) return;
      found = true;
      query(task.id(), *local);
    });
  }
  if (!found)
    return fail(Errc::kNotFound, "no running task of this instance has a store named " + store);
  return {};
}

}  // namespace millrace
