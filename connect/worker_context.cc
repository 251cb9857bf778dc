#include "connect/worker_context.h"

namespace millrace::connect {

namespace {

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ",") + item;
  return text;
}

void overlay(std::map<std::string, std::string>& properties, const Properties& with) {
  for (const auto& [key, value] : with) properties.insert_or_assign(key, value);
}

}  // namespace

const ConfigDef& workerConfigDef() {
  static const ConfigDef* const def = [] {
    auto* keys = new ConfigDef(connectStandaloneConfigDef());
    keys->merge(ConfigDef({{.name = "task.call.timeout.ms",
                            .type = ConfigType::kLong,
                            .default_value = "300000",
                            .valid = "1..",
                            .doc = "A call into a connector that takes longer fails its task."}}));
    return keys;
  }();
  return *def;
}

ProducerOptions WorkerContext::producerOptions(const ConnectorConfig& connector,
                                               const std::string& client_id) const {
  ProducerOptions options;
  options.bootstrapServers = joined(config.getList("bootstrap.servers"));
  options.clientId = client_id;
  options.transport = transport;
  options.properties = {{"acks", "all"},
                        {"enable.idempotence", "false"},
                        {"max.in.flight.requests.per.connection", "1"},
                        {"max.block.ms", "9223372036854775807"},
                        {"delivery.timeout.ms", "2147483647"}};
  overlay(options.properties, config.originalsWithPrefix("producer."));
  overlay(options.properties, connector.config.originalsWithPrefix("producer.override."));
  return options;
}

AdminOptions WorkerContext::adminOptions(const ConnectorConfig& connector) const {
  AdminOptions options;
  options.bootstrapServers = joined(config.getList("bootstrap.servers"));
  options.clientId = "connector-adminclient-" + connector.name;
  options.transport = transport;
  overlay(options.properties, config.originalsWithPrefix("admin."));
  overlay(options.properties, connector.config.originalsWithPrefix("admin.override."));
  return options;
}

ConsumerOptions WorkerContext::consumerOptions(const ConnectorConfig& connector, int task) const {
  ConsumerOptions options;
  options.bootstrapServers = joined(config.getList("bootstrap.servers"));
  options.groupId = "connect-" + connector.name;
  options.clientId = "connector-consumer-" + connector.name + "-" + std::to_string(task);
  options.transport = transport;
  options.properties = {{"auto.offset.reset", "earliest"}, {"enable.auto.commit", "false"}};
  overlay(options.properties, config.originalsWithPrefix("consumer."));
  overlay(options.properties, connector.config.originalsWithPrefix("consumer.override."));
  return options;
}

}  // namespace millrace::connect
