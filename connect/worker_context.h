// What every task of a worker shares.
#pragma once

#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "connect/connector_config.h"
#include "connect/offset_store.h"

#include <chrono>
#include <memory>

namespace millrace::connect {

/// Keys of our own worker, beside those of Kafka's standalone worker.
[[nodiscard]] const ConfigDef& workerConfigDef();

/// Lives as long as the last task that uses it (shared_ptr).
struct WorkerContext {
  Config config;
  std::shared_ptr<client::Transport> transport;
  std::unique_ptr<OffsetStore> offsets;

  [[nodiscard]] std::chrono::milliseconds interval(std::string_view key) const {
    return std::chrono::milliseconds(config.getLong(key));
  }
  /// A source task's producer, or that of dead letters: what Connect needs (acks=all, one request
  /// in flight, patience), then the worker's producer.*, then the connector's producer.override.*.
  [[nodiscard]] ProducerOptions producerOptions(const ConnectorConfig& connector,
                                                const std::string& client_id) const;
  /// For topics: the worker's admin.*, then the connector's admin.override.*.
  [[nodiscard]] AdminOptions adminOptions(const ConnectorConfig& connector) const;
  /// A sink task's consumer in the group connect-<name>.
  [[nodiscard]] ConsumerOptions consumerOptions(const ConnectorConfig& connector, int task) const;
};

}  // namespace millrace::connect
