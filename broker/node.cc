#include "broker/node.h"

#include "base/clock.h"
#include "base/log.h"
#include "broker/data/fetch_session.h"
#include "broker/data_directories.h"
#include "broker/directory_watch.h"
#include "broker/groups/group_service.h"
#include "broker/log_cleaner.h"
#include "broker/metadata/metadata_service.h"
#include "broker/net/connection_host.h"
#include "broker/net/listeners.h"
#include "broker/partitions.h"
#include "broker/replica_moves.h"
#include "broker/topic_settings.h"
#include "broker/upkeep.h"
#include "log/log_manager.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>

namespace millrace::broker {

namespace {

constexpr int kMaxBlockingThreads = 4;

/// What a wildcard listener is advertised as: the machine's name, as Kafka does.
std::string machineName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

bool isWildcard(const std::string& host) {
  return host.empty() || host == "0.0.0.0" || host == "::";
}

std::string textOf(const Endpoint& e) {
  return fmt::format("{}://{}:{}", e.listener_name, e.host, e.port);
}

}  // namespace

/// In the order in which they are made; stop() takes them apart backwards.
struct Node::Parts {
  Parts(const Clock& clock, const Config& config)
      : complaints(clock),
        budget(config.getInt("queued.max.requests"), config.getLong("queued.max.request.bytes")) {}

  DirectoryIdentity identity;
  /// Outlives the logs, which tell it of failures until they are closed.
  std::unique_ptr<DirectoryWatch> directory_watch;
  std::unique_ptr<log::LogManager> logs;
  Complaints complaints;
  RequestBudget budget;
  std::vector<std::unique_ptr<ConnectionHost>> hosts;
  std::unique_ptr<Listeners> listeners;
  std::unique_ptr<MetadataService> metadata;
  std::unique_ptr<PartitionStore> partitions;
  std::unique_ptr<FetchSessionCache> fetch_sessions;
  std::unique_ptr<GroupService> groups;
  std::unique_ptr<Upkeep> upkeep;
  std::unique_ptr<LogCleaner> cleaner;
  std::unique_ptr<ReplicaMoves> replica_moves;
  bool metadata_started = false;
};

Node::Node(NodeConfig config) : config_(std::move(config)) {}

Node::~Node() { stop(); }

Result<std::unique_ptr<Node>> Node::start(const BrokerOptions& options) {
  MILLRACE_TRY(NodeConfig config, readNodeConfig(options));
  std::unique_ptr<Node> node(new Node(std::move(config)));
  MILLRACE_CHECK_OK(node->open());
  return node;
}

DirectoryWatch& Node::directoryWatch() { return *parts_->directory_watch; }

const std::vector<std::uint16_t>& Node::ports() const { return parts_->listeners->ports(); }

const RequestBudget& Node::requestBudget() const { return parts_->budget; }

Status Node::open() {
  const Clock& clock = systemClock();
  const Config& config = config_.config;
  shards_ = std::make_unique<ShardPool>(config_.shards);
  blocking_ = std::make_unique<BlockingPool>(
      std::min(config.getInt("background.threads"), kMaxBlockingThreads));
  parts_ = std::make_unique<Parts>(clock, config);
  services_.config = &config;
  services_.clock = &clock;
  services_.shards = shards_.get();
  services_.blocking = blocking_.get();
  services_.fetch_max_bytes = config.getInt("fetch.max.bytes");
  shards_->start();
  MILLRACE_CHECK_OK(openLogs());
  MILLRACE_CHECK_OK(openListeners());
  MILLRACE_CHECK_OK(openMetadata());
  MILLRACE_CHECK_OK(startServices());
  startUpkeep();
  parts_->listeners->start();
  for (const auto& endpoint : services_.identity.advertised) {
    MILLRACE_LOG_INFO("broker {} of cluster {} is ready at {}", services_.identity.node_id,
                      clusterId(), textOf(endpoint));
  }
  return {};
}

Status Node::openLogs() {
  const Config& config = config_.config;
  // Where node.id is not given, what the directory was formatted for counts.
  const std::optional<std::int32_t> node_id =
      config_.node_id_given ? std::optional(config.getInt("node.id")) : std::nullopt;
  MILLRACE_TRY(parts_->identity, identifyDirectories(systemFiles(), config_.directories,
                                                     config_.metadata_directory, node_id));
  services_.identity.node_id = parts_->identity.node_id;
  services_.identity.cluster_id = parts_->identity.cluster_id;
  services_.identity.rack = config.getString("broker.rack");
  log::LogManagerOptions options;
  options.directories = config_.directories;
  MILLRACE_TRY(const Config defaults, inheritConfig(topicConfigDef(), config, {}));
  options.defaults = logConfigOf(defaults, config);
  followDirectories(options);
  options.recovery_threads = config.getInt("num.recovery.threads.per.data.dir");
  options.watch_processors = true;
  MILLRACE_TRY(parts_->logs, log::LogManager::open(std::move(options)));
  services_.logs = parts_->logs.get();
  for (const auto& state : parts_->logs->directoryStates())
    if (!state.health) offlineDirectories().add(1);
  const log::LoadReport& report = parts_->logs->report();
  if (!report.clean && report.logs > 0) {
    MILLRACE_LOG_WARN(
        "the last stop was not clean: checked {} logs, {} bytes scanned, {} bytes cut off",
        report.logs, report.scanned_bytes, report.truncated_bytes);
  }
  for (const std::string& note : report.notes) MILLRACE_LOG_WARN("{}", note);
  return {};
}

Gauge& Node::offlineDirectories() {
  return metrics_.gauge("millrace_offline_log_directories",
                        "Entries of log.dirs that cannot be used");
}

/// What the log manager is told of the directories, and what it tells of them.
void Node::followDirectories(log::LogManagerOptions& options) {
  options.broken = parts_->identity.broken;
  options.directory_ids = parts_->identity.ids;
  options.metadata_directory = config_.metadata_directory;
  parts_->directory_watch =
      std::make_unique<DirectoryWatch>(services_, offlineDirectories(), config_.metadata_directory);
  options.on_failure = [watch = parts_->directory_watch.get()](const std::string& directory,
                                                               const Error& cause) {
    watch->failed(directory, cause);
  };
  options.on_progress = [](std::size_t opened, std::size_t total, std::uint64_t scanned) {
    MILLRACE_LOG_INFO("opening the logs: {} of {}, {} MiB checked", opened, total, scanned >> 20);
  };
}

Status Node::openListeners() {
  const Config& config = config_.config;
  ConnectionLimits limits;
  limits.max_request_bytes = config.getInt("socket.request.max.bytes");
  limits.max_idle_ms = config.getLong("connections.max.idle.ms");
  const NetworkMetrics metrics{
      metrics_.counter("millrace_requests_total", "Requests received"),
      metrics_.counter("millrace_network_bytes_in_total", "Bytes received from clients"),
      metrics_.gauge("millrace_connections", "Connections open now"),
      metrics_.counter("millrace_connection_moves_total",
                       "Connections that went to the shard of the partitions they use"),
  };
  for (int i = 0; i < shards_->size(); ++i) {
    parts_->hosts.push_back(
        std::make_unique<ConnectionHost>(parts_->hosts, shards_->at(i), handlers_, *services_.clock,
                                         parts_->complaints, parts_->budget, metrics, limits));
    parts_->hosts.back()->onFileFailure(
        [logs = parts_->logs.get()](const std::string& path, const Error& cause) {
          logs->fileFailed(path, cause);
        });
  }
  parts_->listeners =
      std::make_unique<Listeners>(*shards_, parts_->hosts, config, parts_->complaints);
  for (const ListenerSpec& spec : config_.listeners) {
    MILLRACE_CHECK_OK(parts_->listeners->bind(spec, config_.next_free_port));
  }
  services_.identity.advertised = advertisedEndpoints();
  return {};
}

/// advertised.listeners, or the listeners with the ports they got and a name that others can reach.
std::vector<Endpoint> Node::advertisedEndpoints() const {
  std::vector<Endpoint> endpoints;
  const bool given = !config_.advertised.empty();
  const auto& specs = given ? config_.advertised : config_.listeners;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    Endpoint endpoint;
    endpoint.listener_name = specs[i].name;
    endpoint.security_protocol = specs[i].security_protocol;
    endpoint.host = isWildcard(specs[i].host) ? machineName() : specs[i].host;
    endpoint.port = given ? specs[i].port : parts_->listeners->ports().at(i);
    // Port 0 advertises the real one of the listener of that name.
    for (std::size_t j = 0; endpoint.port == 0 && j < config_.listeners.size(); ++j) {
      if (config_.listeners[j].name == endpoint.listener_name)
        endpoint.port = parts_->listeners->ports().at(j);
    }
    endpoints.push_back(std::move(endpoint));
  }
  return endpoints;
}

Status Node::openMetadata() {
  const Config& config = config_.config;
  MetadataOptions options;
  options.logs = parts_->logs.get();
  options.blocking = blocking_.get();
  options.directory = config_.metadata_directory;
  options.cluster_id = services_.identity.cluster_id;
  options.directory_id = parts_->identity.metadata_directory_id;
  for (const auto& state : parts_->logs->directoryStates())
    if (state.health) options.online.push_back(state.id);
  std::ranges::sort(options.online);
  options.controller.node_id = services_.identity.node_id;
  options.controller.default_partitions = config.getInt("num.partitions");
  options.controller.default_replication_factor =
      static_cast<std::int16_t>(config.getInt("default.replication.factor"));
  options.controller.delete_topics = config.getBool("delete.topic.enable");
  for (const auto& [key, value] : config.originals()) options.controller.static_config[key] = value;
  for (const Endpoint& e : services_.identity.advertised) {
    options.endpoints.push_back({e.listener_name, e.host, e.port, 0});
  }
  if (!services_.identity.rack.empty()) options.rack = services_.identity.rack;
  parts_->metadata = std::make_unique<MetadataService>(*services_.clock, shards_->at(0));
  MILLRACE_CHECK_OK(parts_->metadata->open(std::move(options)));
  services_.metadata = parts_->metadata.get();
  services_.image = &parts_->metadata->cache();
  return {};
}

Status Node::startServices() {
  const Config& config = config_.config;
  parts_->partitions = std::make_unique<PartitionStore>(
      *shards_, *blocking_, *parts_->logs, config, *services_.clock, services_.identity.node_id);
  services_.partitions = parts_->partitions.get();
  parts_->fetch_sessions = std::make_unique<FetchSessionCache>(
      static_cast<std::size_t>(config.getInt("max.incremental.fetch.session.cache.slots")),
      systemRandom());
  services_.fetch_sessions = parts_->fetch_sessions.get();
  parts_->groups = std::make_unique<GroupService>(services_);
  services_.groups = parts_->groups.get();
  parts_->replica_moves = std::make_unique<ReplicaMoves>(services_, config);
  services_.replica_moves = parts_->replica_moves.get();
  parts_->metadata->follow([this](ImagePtr image, MetadataChanges changes) {
    return applyToPartitions(std::move(image), std::move(changes));
  });
  parts_->metadata->follow([this](ImagePtr image, MetadataChanges changes) {
    return parts_->groups->onMetadata(std::move(image), std::move(changes));
  });
  parts_->metadata->follow([this](ImagePtr image, MetadataChanges) -> Task<void> {
    parts_->replica_moves->follow(*image);
    co_return;
  });
  registerDataHandlers(handlers_, services_);
  registerMetadataHandlers(handlers_, services_);
  registerGroupHandlers(handlers_, services_);
  const Status started = runAndWait(shards_->at(0).executor(), parts_->metadata->start());
  parts_->metadata_started = started.has_value();
  if (started) parts_->directory_watch->start();
  return started;
}

Task<void> Node::applyToPartitions(ImagePtr image, MetadataChanges changes) {
  const Status applied = co_await parts_->partitions->apply(std::move(image), std::move(changes));
  // The metadata stands; a log that cannot be opened stays offline, and the others serve.
  if (!applied) MILLRACE_LOG_ERROR("some partitions are offline: {}", applied.error().toString());
}

void Node::startUpkeep() {
  parts_->upkeep = std::make_unique<Upkeep>(services_, config_.config);
  parts_->upkeep->start();
  parts_->cleaner = std::make_unique<LogCleaner>(services_, config_.config);
  parts_->cleaner->start();
  parts_->replica_moves->start();
  for (auto& host : parts_->hosts)
    spawn(host->gate(), host->shard(), "idle watch", host->watchIdle());
}

void Node::stop() {
  if (stopped_ || !parts_) return;
  stopped_ = true;
  Parts& parts = *parts_;
  const Executor executor = shards_->at(0).executor();
  if (parts.listeners) parts.listeners->stop();
  for (auto& host : parts.hosts) {
    // Parked requests end with their connections.
    runAndWait(host->shard().executor(), closeConnections(host.get()));
  }
  if (parts.groups) runAndWait(executor, parts.groups->stop());
  in_process_gate_.closeAndWait();
  for (auto& host : parts.hosts) host->gate().closeAndWait();
  if (parts.replica_moves) parts.replica_moves->stop();
  if (parts.cleaner) parts.cleaner->stop();
  if (parts.upkeep) parts.upkeep->stop();
  if (parts.directory_watch) parts.directory_watch->stop();
  const std::int64_t epoch = parts.metadata_started ? parts.metadata->brokerEpoch() : -1;
  if (parts.metadata_started) runAndWait(executor, parts.metadata->stop());
  if (parts.partitions) runAndWait(executor, parts.partitions->close());
  if (parts.logs) {
    const Status closed = parts.logs->close(epoch);
    if (!closed) MILLRACE_LOG_ERROR("closing the logs: {}", closed.error().toString());
  }
  shards_->stop();
  blocking_->stop();
}

Task<void> Node::closeConnections(ConnectionHost* host) {
  host->closeAll();
  co_return;
}

}  // namespace millrace::broker
