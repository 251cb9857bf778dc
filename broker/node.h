// The composition root: every part of a broker, in the order in which they start and stop.
#pragma once

#include "base/metrics.h"
#include "base/net/blocking_pool.h"
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/handler_table.h"
#include "broker/metadata/delta.h"
#include "broker/node_config.h"
#include "broker/services.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::log {
struct LogManagerOptions;
}

namespace millrace::broker {

class ConnectionHost;
class DirectoryWatch;
class Listeners;
class RequestBudget;

/// What a Broker holds. Started when it exists; stop() once, from a thread that is not a shard's.
class Node {
 public:
  /// Formats the directories if need be, recovers, listens. Errors: kConfig, kIo, kCorruptData,
  /// with the key or file concerned; nothing is left running then.
  [[nodiscard]] static Result<std::unique_ptr<Node>> start(const BrokerOptions& options);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void stop();

  [[nodiscard]] const NodeConfig& config() const { return config_; }
  [[nodiscard]] const std::vector<std::uint16_t>& ports() const;
  [[nodiscard]] const std::string& clusterId() const { return services_.identity.cluster_id; }
  [[nodiscard]] ShardPool& shards() { return *shards_; }
  [[nodiscard]] Services& services() { return services_; }
  [[nodiscard]] const HandlerTable& handlers() const { return handlers_; }
  [[nodiscard]] MetricsRegistry& metrics() { return metrics_; }
  [[nodiscard]] const RequestBudget& requestBudget() const;
  /// Tells when the broker cannot go on.
  [[nodiscard]] DirectoryWatch& directoryWatch();
  /// Holds requests of in-process clients; closed before the parts that serve them.
  [[nodiscard]] Gate& inProcessGate() { return in_process_gate_; }

 private:
  struct Parts;
  explicit Node(NodeConfig config);
  [[nodiscard]] Status open();
  [[nodiscard]] Status openLogs();
  void followDirectories(log::LogManagerOptions& options);
  [[nodiscard]] Gauge& offlineDirectories();
  [[nodiscard]] Status openListeners();
  [[nodiscard]] Status openMetadata();
  [[nodiscard]] Status startServices();
  void startUpkeep();
  Task<void> applyToPartitions(ImagePtr image, MetadataChanges changes);
  static Task<void> closeConnections(ConnectionHost* host);
  [[nodiscard]] std::vector<Endpoint> advertisedEndpoints() const;

  NodeConfig config_;
  MetricsRegistry metrics_;
  HandlerTable handlers_;
  Services services_;
  std::unique_ptr<ShardPool> shards_;
  std::unique_ptr<BlockingPool> blocking_;
  std::unique_ptr<Parts> parts_;
  Gate in_process_gate_;
  bool stopped_ = false;
};

}  // namespace millrace::broker
