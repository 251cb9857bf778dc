#include "connect/standalone.h"

#include "base/log.h"
#include "connect/file/builtin.h"
#include "connect/plugins.h"
#include "connect/sink_runner.h"
#include "connect/source_runner.h"

#include <fmt/format.h>

#include <map>

namespace millrace::connect {

namespace {
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
constexpr milliseconds kWatchInterval{200};
}  // namespace

std::string_view taskStateName(TaskState state) {
  switch (state) {
    case TaskState::kRunning: return "RUNNING";
    case TaskState::kFinished: return "FINISHED";
    case TaskState::kFailed: return "FAILED";
    case TaskState::kStopped: return "STOPPED";
  }
  return "";
}

/// The connectors and the thread that watches them.
class StandaloneCore {
 public:
  explicit StandaloneCore(std::shared_ptr<WorkerContext> worker) : worker_(std::move(worker)) {}
  ~StandaloneCore() { (void)stop(); }
  StandaloneCore(const StandaloneCore&) = delete;
  StandaloneCore& operator=(const StandaloneCore&) = delete;

  Status prepare();
  Status add(const Properties& properties);
  Status remove(const std::string& name);
  Result<bool> waitUntilFinished(milliseconds timeout);
  std::vector<ConnectorStatus> status() const;
  Status stop();

 private:
  struct Connector {
    ConnectorConfig config;
    std::vector<std::shared_ptr<TaskRunner>> tasks;
  };
  void watch();
  Status stopTasks(const std::vector<std::shared_ptr<TaskRunner>>& tasks);
  std::vector<std::shared_ptr<TaskRunner>> sources() const;

  const std::shared_ptr<WorkerContext> worker_;
  PluginRegistry plugins_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Connector> connectors_;
  std::thread watcher_;
  bool stopped_ = false;
};

Status StandaloneCore::prepare() {
  for (const ConnectorFactory& factory : fileConnectors()) plugins_.add(factory);
  MILLRACE_CHECK_OK(plugins_.loadAll(worker_->config.getList("plugin.path")));
  for (const std::string& key : worker_->config.unknown()) {
    if (key.starts_with("producer.") || key.starts_with("consumer.") || key.starts_with("admin.") ||
        key.starts_with("key.converter.") || key.starts_with("value.converter.")) {
      continue;
    }
    MILLRACE_LOG_WARN("the worker's configuration has an unknown key {}", key);
  }
  watcher_ = std::thread([this] { watch(); });
  return {};
}

void StandaloneCore::watch() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, kWatchInterval, [this] { return stopped_; })) {
    std::vector<std::shared_ptr<TaskRunner>> tasks;
    for (const auto& [name, connector] : connectors_) {
      tasks.insert(tasks.end(), connector.tasks.begin(), connector.tasks.end());
    }
    lock.unlock();
    for (const auto& task : tasks) task->checkDeadline();
    lock.lock();
  }
}

Status StandaloneCore::add(const Properties& properties) {
  MILLRACE_TRY(ConnectorConfig config, readConnectorConfig(plugins_, properties));
  for (const char* side : {"key", "value"}) {
    MILLRACE_TRY(const auto converter, converterFor(config.config, worker_->config, side));
    (void)converter;
  }
  MILLRACE_TRY(auto settings, taskSettings(config));
  const std::lock_guard lock(mutex_);
  if (stopped_) return fail(Errc::kClosed, "the worker is stopped");
  if (connectors_.contains(config.name)) {
    return fail(Errc::kState, "there is a connector " + config.name + " already");
  }
  Connector& connector = connectors_[config.name];
  connector.config = config;
  int id = 0;
  for (auto& one : settings) {
    if (config.factory->kind == ConnectorKind::kSource) {
      connector.tasks.push_back(
          std::make_shared<SourceRunner>(worker_, config, id, std::move(one)));
    } else {
      connector.tasks.push_back(std::make_shared<SinkRunner>(worker_, config, id, std::move(one)));
    }
    connector.tasks.back()->start();
    ++id;
  }
  return {};
}

Status StandaloneCore::stopTasks(const std::vector<std::shared_ptr<TaskRunner>>& tasks) {
  const auto deadline = Clock::now() + worker_->interval("task.shutdown.graceful.timeout.ms");
  for (const auto& task : tasks) task->requestStop();
  std::string hanging;
  for (const auto& task : tasks) {
    if (!task->waitEnded(deadline)) hanging += (hanging.empty() ? "" : ", ") + task->name();
  }
  if (hanging.empty()) return {};
  return fail(Errc::kTimeout, "tasks that did not stop in time were left behind: " + hanging);
}

Status StandaloneCore::remove(const std::string& name) {
  std::vector<std::shared_ptr<TaskRunner>> tasks;
  {
    const std::lock_guard lock(mutex_);
    const auto found = connectors_.find(name);
    if (found == connectors_.end()) return fail(Errc::kNotFound, "there is no connector " + name);
    tasks = std::move(found->second.tasks);
    connectors_.erase(found);
  }
  return stopTasks(tasks);
}

std::vector<std::shared_ptr<TaskRunner>> StandaloneCore::sources() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<TaskRunner>> tasks;
  for (const auto& [name, connector] : connectors_) {
    if (connector.config.factory->kind != ConnectorKind::kSource) continue;
    tasks.insert(tasks.end(), connector.tasks.begin(), connector.tasks.end());
  }
  return tasks;
}

Result<bool> StandaloneCore::waitUntilFinished(milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const auto tasks = sources();
  for (const auto& task : tasks) {
    if (!task->waitEnded(deadline)) return false;
  }
  for (const auto& task : tasks) {
    const Status outcome = task->outcome();
    if (!outcome) return std::unexpected(outcome.error());
  }
  return true;
}

std::vector<ConnectorStatus> StandaloneCore::status() const {
  const std::lock_guard lock(mutex_);
  std::vector<ConnectorStatus> all;
  for (const auto& [name, connector] : connectors_) {
    const ConnectorFactory& factory = *connector.config.factory;
    ConnectorStatus one{.name = name,
                        .type = factory.kind == ConnectorKind::kSource ? "source" : "sink",
                        .version = std::string(factory.info.version),
                        .tasks = {}};
    for (const auto& task : connector.tasks) one.tasks.push_back(task->status());
    all.push_back(std::move(one));
  }
  return all;
}

Status StandaloneCore::stop() {
  std::vector<std::shared_ptr<TaskRunner>> tasks;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_) return {};
    stopped_ = true;
    wake_.notify_all();
    for (const auto& [name, connector] : connectors_) {
      tasks.insert(tasks.end(), connector.tasks.begin(), connector.tasks.end());
    }
  }
  if (watcher_.joinable()) watcher_.join();
  const Status stopped = stopTasks(tasks);
  MILLRACE_CHECK_OK(worker_->offsets->flush());
  return stopped;
}

Result<Standalone> Standalone::create(StandaloneOptions options) {
  auto worker = std::make_shared<WorkerContext>();
  // With a transport of its own the address is not used, but Kafka's definition requires one.
  if (options.transport) options.properties.try_emplace("bootstrap.servers", "in-process:0");
  MILLRACE_TRY(worker->config, Config::parse(workerConfigDef(), options.properties));
  worker->transport = std::move(options.transport);
  MILLRACE_TRY(worker->offsets,
               OffsetStore::open(worker->config.getString("offset.storage.file.filename")));
  auto core = std::make_shared<StandaloneCore>(std::move(worker));
  MILLRACE_CHECK_OK(core->prepare());
  return Standalone(std::move(core));
}

Standalone::Standalone(std::shared_ptr<StandaloneCore> core) : core_(std::move(core)) {}
Standalone::Standalone(Standalone&&) noexcept = default;
Standalone& Standalone::operator=(Standalone&&) noexcept = default;
Standalone::~Standalone() = default;

Status Standalone::add(const Properties& connector) { return core_->add(connector); }
Status Standalone::remove(const std::string& name) { return core_->remove(name); }
Result<bool> Standalone::waitUntilFinished(std::chrono::milliseconds timeout) {
  return core_->waitUntilFinished(timeout);
}
std::vector<ConnectorStatus> Standalone::status() const { return core_->status(); }
Status Standalone::stop() { return core_->stop(); }

}  // namespace millrace::connect
