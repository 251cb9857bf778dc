#include "client/client_config.h"

#include "base/log.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>

namespace millrace::client {
namespace {

template <class T>
void put(Properties& given, const std::string& key, const std::optional<T>& value) {
  if (!value) return;
  if constexpr (std::is_same_v<T, std::string>) {
    given[key] = *value;
  } else if constexpr (std::is_same_v<T, bool>) {
    given[key] = *value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, std::chrono::milliseconds>) {
    given[key] = std::to_string(value->count());
  } else {
    given[key] = std::to_string(*value);
  }
}

void putText(Properties& given, const std::string& key, const std::string& value) {
  if (!value.empty()) given[key] = value;
}

/// Serialisers are classes of a Java program; here the type of the data decides.
void dropJavaKeys(Properties& given) {
  for (const char* key :
       {"key.serializer", "value.serializer", "key.deserializer", "value.deserializer"}) {
    given[key] = "millrace.Bytes";
  }
}

Status checkSecurity(const Config& config) {
  const std::string& protocol = config.getString("security.protocol");
  if (protocol == "PLAINTEXT") return {};
  return fail(Errc::kConfig,
              fmt::format("security.protocol={} is not supported yet: use PLAINTEXT", protocol));
}

Result<CommonConfig> commonOf(const Config& config, bool needs_bootstrap) {
  CommonConfig c;
  c.client_id = config.getString("client.id");
  if (needs_bootstrap) {
    for (const std::string& server : config.getList("bootstrap.servers")) {
      MILLRACE_TRY(auto address, parseHostPort(server));
      c.bootstrap.push_back(std::move(address));
    }
    if (c.bootstrap.empty()) {
      return fail(Errc::kConfig, "bootstrap.servers names no broker: give host:port");
    }
  }
  MILLRACE_CHECK_OK(checkSecurity(config));
  c.request_timeout_ms = config.getInt("request.timeout.ms");
  c.retry_backoff_ms = config.getLong("retry.backoff.ms");
  c.retry_backoff_max_ms = config.getLong("retry.backoff.max.ms");
  c.reconnect_backoff_ms = config.getLong("reconnect.backoff.ms");
  c.reconnect_backoff_max_ms = config.getLong("reconnect.backoff.max.ms");
  if (config.isSet("reconnect.backoff.ms") && !config.isSet("reconnect.backoff.max.ms")) {
    c.reconnect_backoff_max_ms = c.reconnect_backoff_ms;
  }
  c.connection_setup_timeout_ms = config.getLong("socket.connection.setup.timeout.ms");
  c.connections_max_idle_ms = config.getLong("connections.max.idle.ms");
  c.metadata_max_age_ms = config.getLong("metadata.max.age.ms");
  // Unset, the kernel tunes the buffers better than any fixed size.
  if (config.isSet("send.buffer.bytes")) c.send_buffer_bytes = config.getInt("send.buffer.bytes");
  if (config.isSet("receive.buffer.bytes")) {
    c.receive_buffer_bytes = config.getInt("receive.buffer.bytes");
  }
  return c;
}

Result<ClientConfig> parse(const ConfigDef& def, Properties given, bool own_transport) {
  if (own_transport && !given.contains("bootstrap.servers")) {
    given["bootstrap.servers"] = "in.process:1";
  }
  dropJavaKeys(given);
  ClientConfig out;
  MILLRACE_TRY(out.values, Config::parse(def, given));
  for (const std::string& key : out.values.unknown()) {
    if (key.ends_with("serializer") || key.starts_with("internal.")) continue;
    MILLRACE_LOG_WARN("client configuration: unknown key '{}' is ignored", key);
  }
  MILLRACE_TRY(out.common, commonOf(out.values, !own_transport));
  return out;
}

std::string runningName(const char* prefix) {
  static std::atomic<int> next{1};
  return fmt::format("{}-{}", prefix, next.fetch_add(1));
}

/// The checks of Kafka's ProducerConfig that concern several keys.
Status checkIdempotence(const Config& c) {
  const bool by_hand = c.isSet("enable.idempotence");
  const bool wanted = c.getBool("enable.idempotence");
  if (!wanted) return {};
  const std::string& acks = c.getString("acks");
  const bool all = acks == "all" || acks == "-1";
  if (by_hand && !all) {
    return fail(Errc::kConfig,
                fmt::format("acks={} contradicts enable.idempotence=true: set acks=all", acks));
  }
  if (by_hand && c.getInt("retries") == 0) {
    return fail(Errc::kConfig,
                "retries=0 contradicts enable.idempotence=true: leave retries unset");
  }
  if (c.getInt("max.in.flight.requests.per.connection") > 5) {
    return fail(Errc::kConfig,
                "max.in.flight.requests.per.connection must be at most 5 for an idempotent "
                "producer: lower it or set enable.idempotence=false");
  }
  return {};
}

Status checkDeliveryTimeout(const Config& c) {
  const std::int64_t least = c.getLong("linger.ms") + c.getInt("request.timeout.ms");
  if (!c.isSet("delivery.timeout.ms") || c.getInt("delivery.timeout.ms") >= least) return {};
  return fail(Errc::kConfig, fmt::format("delivery.timeout.ms={} must be at least linger.ms + "
                                         "request.timeout.ms = {}",
                                         c.getInt("delivery.timeout.ms"), least));
}

}  // namespace

Result<std::pair<std::string, std::uint16_t>> parseHostPort(const std::string& text) {
  const auto bad = [&] {
    return fail(
        Errc::kConfig,
        fmt::format("bootstrap.servers: '{}' is not host:port (e.g. localhost:9092)", text));
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return bad();
  std::string host = text.substr(0, colon);
  if (const auto scheme = host.find("://"); scheme != std::string::npos) {
    host = host.substr(scheme + 3);
  }
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  unsigned port = 0;
  const char* first = text.data() + colon + 1;
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(first, last, port);
  if (error != std::errc() || end != last || port == 0 || port > 65535 || host.empty())
    return bad();
  return std::pair(std::move(host), static_cast<std::uint16_t>(port));
}

Result<ClientConfig> parseProducerConfig(const ProducerOptions& options) {
  Properties given;
  putText(given, "bootstrap.servers", options.bootstrapServers);
  putText(given, "client.id", options.clientId);
  put(given, "acks", options.acks);
  put(given, "compression.type", options.compression);
  put(given, "linger.ms", options.linger);
  put(given, "batch.size", options.batchSize);
  put(given, "enable.idempotence", options.idempotence);
  put(given, "delivery.timeout.ms", options.deliveryTimeout);
  for (const auto& [key, value] : options.properties) given[key] = value;
  MILLRACE_TRY(ClientConfig config,
               parse(producerConfigDef(), std::move(given), options.transport != nullptr));
  MILLRACE_CHECK_OK(checkIdempotence(config.values));
  MILLRACE_CHECK_OK(checkDeliveryTimeout(config.values));
  if (!config.values.getString("transactional.id").empty()) {
    return fail(Errc::kConfig, "transactional.id: transactions are not supported yet");
  }
  if (config.common.client_id.empty()) config.common.client_id = runningName("producer");
  return config;
}

Result<ClientConfig> parseConsumerConfig(const ConsumerOptions& options) {
  Properties given;
  putText(given, "bootstrap.servers", options.bootstrapServers);
  putText(given, "client.id", options.clientId);
  putText(given, "group.id", options.groupId);
  put(given, "group.instance.id", options.groupInstanceId);
  put(given, "auto.offset.reset", options.autoOffsetReset);
  put(given, "enable.auto.commit", options.autoCommit);
  put(given, "max.poll.records", options.maxPollRecords);
  std::string assignors;
  for (const std::string& name : options.assignors) {
    assignors += (assignors.empty() ? "" : ",") + name;
  }
  putText(given, "partition.assignment.strategy", assignors);
  for (const auto& [key, value] : options.properties) given[key] = value;
  MILLRACE_TRY(ClientConfig config,
               parse(consumerConfigDef(), std::move(given), options.transport != nullptr));
  const Config& c = config.values;
  if (c.getString("group.protocol") != "classic" && c.getString("group.protocol") != "CLASSIC") {
    return fail(Errc::kConfig, "group.protocol: only classic is supported yet");
  }
  if (c.getString("group.id").empty() && c.isSet("enable.auto.commit") &&
      c.getBool("enable.auto.commit")) {
    return fail(Errc::kConfig, "enable.auto.commit=true needs a group.id");
  }
  config.common.api_timeout_ms = c.getInt("default.api.timeout.ms");
  if (config.common.client_id.empty()) {
    const std::string group = c.getString("group.id");
    config.common.client_id =
        group.empty() ? runningName("consumer") : runningName(("consumer-" + group).c_str());
  }
  return config;
}

Result<ClientConfig> parseAdminConfig(const AdminOptions& options) {
  Properties given;
  putText(given, "bootstrap.servers", options.bootstrapServers);
  putText(given, "client.id", options.clientId);
  for (const auto& [key, value] : options.properties) given[key] = value;
  MILLRACE_TRY(ClientConfig config,
               parse(adminConfigDef(), std::move(given), options.transport != nullptr));
  config.common.api_timeout_ms = config.values.getInt("default.api.timeout.ms");
  if (config.common.client_id.empty()) config.common.client_id = runningName("adminclient");
  return config;
}

}  // namespace millrace::client
