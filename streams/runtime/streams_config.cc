#include "streams/runtime/streams_config.h"

#include "base/log.h"

#include <algorithm>
#include <charconv>

namespace millrace::streams {
namespace {

constexpr std::string_view kPrefixes[] = {"consumer.",   "producer.",       "admin.",
                                          "topic.",      "main.consumer.",  "restore.consumer.",
                                          "client.tag.", "global.consumer."};
/// KIP-892's key; Kafka has it with transactional state stores only.
constexpr const char* kMaxUncommitted = "statestore.uncommitted.max.bytes";

Properties gather(const StreamsOptions& options) {
  Properties given;
  if (!options.applicationId.empty()) given["application.id"] = options.applicationId;
  if (!options.bootstrapServers.empty()) given["bootstrap.servers"] = options.bootstrapServers;
  if (!options.stateDir.empty()) given["state.dir"] = options.stateDir;
  if (options.threads) given["num.stream.threads"] = std::to_string(*options.threads);
  if (options.guarantee == exactlyOnce) given["processing.guarantee"] = "exactly_once_v2";
  for (const auto& [key, value] : options.properties) given[key] = value;
  // The key is required; a broker in this process needs none.
  if (options.broker.transport()) given.try_emplace("bootstrap.servers", "embedded:0");
  return given;
}

bool isClientKey(const std::string& key) {
  if (std::ranges::any_of(kPrefixes, [&](std::string_view p) { return key.starts_with(p); }))
    return true;
  return consumerConfigDef().find(key) != nullptr || producerConfigDef().find(key) != nullptr ||
         adminConfigDef().find(key) != nullptr || key == kMaxUncommitted;
}

Result<std::size_t> parseBytes(const Properties& given, std::size_t fallback) {
  const auto found = given.find(kMaxUncommitted);
  if (found == given.end()) return fallback;
  const std::string& text = found->second;
  std::size_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size()) {
    return fail(Errc::kConfig,
                std::string(kMaxUncommitted) + "=" + text + " is not a number of bytes");
  }
  return value;
}

Status checkSupported(const Config& values) {
  if (values.getString("processing.guarantee") != "at_least_once") {
    return fail(Errc::kConfig, "processing.guarantee=" + values.getString("processing.guarantee") +
                                   " is not supported yet; use at_least_once");
  }
  const std::string& protocol = values.getString("group.protocol");
  if (protocol != "classic" && protocol != "CLASSIC") {
    return fail(Errc::kConfig, "group.protocol=" + protocol + " is not supported yet; use classic");
  }
  if (values.getInt("num.stream.threads") < 1)
    return fail(Errc::kConfig, "num.stream.threads must be at least 1");
  return {};
}

}  // namespace

Result<StreamsConfig> StreamsConfig::parse(const StreamsOptions& options) {
  StreamsConfig config;
  MILLRACE_TRY(config.values, Config::parse(streamsConfigDef(), gather(options)));
  const Config& values = config.values;
  MILLRACE_CHECK_OK(checkSupported(values));
  for (const std::string& key : values.unknown()) {
    if (!isClientKey(key)) MILLRACE_LOG_WARN("streams: unknown configuration {}", key);
  }
  config.application_id = values.getString("application.id");
  if (config.application_id.empty()) return fail(Errc::kConfig, "application.id must not be empty");
  config.state_dir = values.getString("state.dir");
  config.threads = values.getInt("num.stream.threads");
  config.transport = options.broker.transport();
  config.commit_interval_ms = values.getLong("commit.interval.ms");
  config.poll_ms = values.getLong("poll.ms");
  config.max_task_idle_ms = values.getLong("max.task.idle.ms");
  config.buffered_records =
      static_cast<std::size_t>(std::max(values.getInt("buffered.records.per.partition"), 1));
  config.cache_bytes =
      values.isSet("statestore.cache.max.bytes") || !values.isSet("cache.max.bytes.buffering")
          ? values.getLong("statestore.cache.max.bytes")
          : values.getLong("cache.max.bytes.buffering");
  config.purge_interval_ms = values.getLong("repartition.purge.interval.ms");
  MILLRACE_TRY(config.max_uncommitted_bytes,
               parseBytes(values.originals(), config.max_uncommitted_bytes));
  return config;
}

std::map<std::string, std::string> StreamsConfig::clientProperties(
    const ConfigDef& def, std::initializer_list<std::string_view> prefixes) const {
  std::map<std::string, std::string> properties;
  for (const auto& [key, value] : values.originals()) {
    if (key == "client.id" || key == "bootstrap.servers" || key == "group.protocol") continue;
    if (def.find(key) != nullptr) properties[key] = value;
  }
  for (const std::string_view prefix : prefixes) {
    for (const auto& [key, value] : values.originalsWithPrefix(prefix)) properties[key] = value;
  }
  if (!transport)
    properties["bootstrap.servers"] = values.originals().find("bootstrap.servers")->second;
  return properties;
}

ConsumerOptions StreamsConfig::mainConsumer(const std::string& client_id) const {
  ConsumerOptions options;
  options.clientId = client_id;
  options.groupId = application_id;
  options.transport = transport;
  options.properties = {{"max.poll.records", "1000"},
                        {"auto.offset.reset", "earliest"},
                        {"allow.auto.create.topics", "false"},
                        {"enable.auto.commit", "false"}};
  for (const auto& [key, value] :
       clientProperties(consumerConfigDef(), {"consumer.", "main.consumer."})) {
    options.properties[key] = value;
  }
  options.properties["enable.auto.commit"] = "false";
  options.properties["allow.auto.create.topics"] = "false";
  return options;
}

ConsumerOptions StreamsConfig::restoreConsumer(const std::string& client_id) const {
  ConsumerOptions options;
  options.clientId = client_id;
  options.transport = transport;
  options.properties = clientProperties(consumerConfigDef(), {"consumer.", "restore.consumer."});
  options.properties["auto.offset.reset"] = "earliest";
  options.properties["enable.auto.commit"] = "false";
  options.properties["allow.auto.create.topics"] = "false";
  options.properties.try_emplace("max.poll.records", "10000");
  options.properties.erase("group.id");
  options.properties.erase("group.instance.id");
  return options;
}

ProducerOptions StreamsConfig::producer(const std::string& client_id) const {
  ProducerOptions options;
  options.clientId = client_id;
  options.transport = transport;
  // Kafka's default of 16 KiB makes a request of some hundred records; batches fill within the
  // linger time anyway.
  options.properties = {{"linger.ms", "100"}, {"batch.size", "65536"}};
  for (const auto& [key, value] : clientProperties(producerConfigDef(), {"producer."}))
    options.properties[key] = value;
  return options;
}

AdminOptions StreamsConfig::admin(const std::string& client_id) const {
  AdminOptions options;
  options.clientId = client_id;
  options.transport = transport;
  options.properties = clientProperties(adminConfigDef(), {"admin."});
  return options;
}

}  // namespace millrace::streams
