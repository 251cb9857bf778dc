// From options and properties to a checked configuration, with Kafka's rules across keys.
#pragma once

#include "base/config.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::client {

/// What every client has in common.
struct CommonConfig {
  std::string client_id;
  std::vector<std::pair<std::string, std::uint16_t>>
      bootstrap;  ///< empty with a transport of one's own
  Millis request_timeout_ms = 30'000;
  Millis api_timeout_ms = 60'000;
  Millis retry_backoff_ms = 100;
  Millis retry_backoff_max_ms = 1'000;
  Millis reconnect_backoff_ms = 50;
  Millis reconnect_backoff_max_ms = 1'000;
  Millis connection_setup_timeout_ms = 10'000;
  Millis connections_max_idle_ms = 540'000;
  Millis metadata_max_age_ms = 300'000;
  std::int32_t send_buffer_bytes = -1;
  std::int32_t receive_buffer_bytes = -1;
};

/// A parsed configuration and the common part of it.
struct ClientConfig {
  Config values;
  CommonConfig common;
};

/// Errors of all three: kConfig, naming the key and what to write instead.
[[nodiscard]] Result<ClientConfig> parseProducerConfig(const ProducerOptions& options);
[[nodiscard]] Result<ClientConfig> parseConsumerConfig(const ConsumerOptions& options);
[[nodiscard]] Result<ClientConfig> parseAdminConfig(const AdminOptions& options);

/// "host:port" or "[v6]:port". Errors: kConfig.
[[nodiscard]] Result<std::pair<std::string, std::uint16_t>> parseHostPort(const std::string& text);

}  // namespace millrace::client
