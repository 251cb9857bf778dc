// Changes of configurations (Kafka's ConfigAdminManager on the broker and
// ConfigurationControlManager).
#include "base/config.h"
#include "broker/metadata/config_rules.h"
#include "broker/metadata/controller.h"
#include "protocol/messages/alter_configs_request.h"
#include "protocol/messages/alter_configs_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <set>

namespace millrace::broker {
namespace {

using protocol::AlterConfigsRequest;
using protocol::AlterConfigsResponse;
using protocol::IncrementalAlterConfigsRequest;
using protocol::IncrementalAlterConfigsResponse;

std::unexpected<Error> invalid(std::string detail) {
  return fail(Errc::kInvalidRequest, std::move(detail));
}

/// Names that stand more than once in `entries`.
template <class Entries>
bool hasDuplicateNames(const Entries& entries) {
  std::set<std::string_view> names;
  for (const auto& entry : entries) {
    if (!names.insert(entry.name.view()).second) return true;
  }
  return false;
}

/// Whether an entry's value will be a setting; what stands in a DELETE is not looked at.
template <class Entry>
bool setsValue(const Entry& entry) {
  if constexpr (requires { entry.config_operation; }) {
    if (entry.config_operation == static_cast<std::int8_t>(ConfigOperation::kDelete)) return false;
  }
  return entry.value.has_value();
}

/// A change of a broker's own keys: the id is this node's, and the keys can change while it runs.
template <class Entries>
Status checkBrokerChange(std::string_view name, const Entries& entries, std::int32_t node_id,
                         std::string_view verb) {
  if (!name.empty()) {
    std::int32_t id = 0;
    const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (error != std::errc{} || stop != name.data() + name.size()) {
      return invalid(fmt::format("Node id must be an integer, but it is: {}", name));
    }
    if (id != node_id) {
      return invalid(
          fmt::format("Unexpected broker id, expected {}, but received {}", node_id, name));
    }
  }
  std::string fixed;
  for (const auto& entry : entries) {
    const ConfigKey* key = brokerConfigDef().find(entry.name.view());
    if (!key) continue;  // unknown keys are kept, as Kafka does for plugins' sake
    const bool allowed = key->dynamic == ConfigDynamic::kClusterWide ||
                         (key->dynamic == ConfigDynamic::kPerBroker && !name.empty());
    if (!allowed) {
      fixed += fixed.empty() ? "" : ", ";
      fixed += entry.name.view();
      continue;
    }
    if (!setsValue(entry)) continue;
    // Kafka opens and closes listeners while it runs; here that takes a restart.
    if (key->name == "listeners") {
      return invalid("listeners cannot change while the broker runs: set it in server.properties");
    }
    const auto parsed = ConfigDef::parseValue(*key, entry.value->view());
    if (!parsed) return invalid(describeInvalidValue(*key, entry.value->view()));
  }
  if (!fixed.empty()) {
    return invalid(fmt::format("Cannot update these configs dynamically: {}({})", verb, fixed));
  }
  return {};
}

/// What is true of the thread counts in Kafka: at least one, and a change of at most the factor
/// two.
Status checkThreadCounts(const ConfigMap& after, const ConfigMap& current, const ConfigMap& given) {
  for (const std::string_view name :
       {"num.io.threads", "num.network.threads", "num.replica.fetchers",
        "num.recovery.threads.per.data.dir", "background.threads", "log.cleaner.threads"}) {
    const auto changed = after.find(name);
    const ConfigKey* key = brokerConfigDef().find(name);
    if (changed == after.end() || !key) continue;
    const auto wanted = ConfigDef::parseValue(*key, changed->second);
    if (!wanted || !std::holds_alternative<std::int64_t>(*wanted)) continue;
    std::int64_t now = std::get<std::int64_t>(ConfigDef::defaultOf(*key));
    for (const ConfigMap* layer : {&given, &current}) {
      const auto set = layer->find(name);
      if (set == layer->end()) continue;
      if (const auto parsed = ConfigDef::parseValue(*key, set->second))
        now = std::get<std::int64_t>(*parsed);
    }
    const std::int64_t count = std::get<std::int64_t>(*wanted);
    if (count <= 0) return invalid(fmt::format("{} must be at least 1, not {}", name, count));
    if (count > now * 2 || count < now / 2) {
      return invalid(
          fmt::format("{}={} is more than double or less than half of the current value {}: change "
                      "it in smaller steps",
                      name, count, now));
    }
  }
  return {};
}

Status checkExists(const MetadataImage& image, const ConfigResource& resource) {
  if (resource.type == ConfigResourceType::kTopic && !image.topic(resource.name)) {
    return fail(Errc::kUnknownTopicOrPartition,
                fmt::format("The topic '{}' does not exist.", resource.name));
  }
  return {};
}

/// With eligible leader replicas every broker must agree on min.insync.replicas (KIP-966).
Status checkMinIsr(const ConfigResource& resource, const ConfigMap& before,
                   const ConfigMap& after) {
  constexpr std::string_view kKey = "min.insync.replicas";
  if (resource.type != ConfigResourceType::kBroker) return {};
  if (!resource.name.empty() && after.contains(kKey)) {
    return fail(Errc::kInvalidConfig,
                "Broker-level min.insync.replicas cannot be altered while ELR is enabled.");
  }
  if (resource.name.empty() && before.contains(kKey) && !after.contains(kKey)) {
    return fail(Errc::kInvalidConfig,
                "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.");
  }
  return {};
}

template <class Resource>
ConfigResource resourceOf(const Resource& r) {
  return {static_cast<ConfigResourceType>(r.resource_type), r.resource_name.str()};
}

template <class Request>
std::map<ConfigResource, int> countResources(const Request& request) {
  std::map<ConfigResource, int> counts;
  for (const auto& r : request.resources) ++counts[resourceOf(r)];
  return counts;
}

template <class Response>
void fillError(Response& out, const Status& status) {
  out.error_message.reset();
  if (status) return;
  out.error_code = static_cast<std::int16_t>(toWire(status.error().code));
  if (!status.error().detail.empty()) out.error_message = status.error().detail;
}

std::string nullNames(const auto& entries, auto counts) {
  std::string names;
  for (const auto& entry : entries) {
    if (entry.value || !counts(entry)) continue;
    if (!names.empty()) names += ',';
    names += entry.name.view();
  }
  return names;
}

/// Errors: kUnknownServerError for an operation that nobody knows (as Kafka answers it).
Result<std::vector<ConfigChange>> changesOf(const auto& entries) {
  std::vector<ConfigChange> changes;
  for (const auto& c : entries) {
    if (c.config_operation < 0 || c.config_operation > 3) return fail(Errc::kUnknownServerError);
    std::optional<std::string> value;
    if (c.value) value = c.value->str();
    const auto operation = static_cast<ConfigOperation>(c.config_operation);
    changes.push_back({c.name.str(), operation, std::move(value)});
  }
  return changes;
}

bool isKnownType(ConfigResourceType type) {
  return type == ConfigResourceType::kTopic || type == ConfigResourceType::kBroker ||
         type == ConfigResourceType::kGroup || type == ConfigResourceType::kClientMetrics;
}

/// What both ways to alter refuse of an entry's shape; `times`: how often its resource stands in
/// the request; `needs_value(config)`: whether the config may not be null.
Status checkShape(const auto& entry, int times, auto needs_value) {
  if (times > 1) return invalid("Each resource must appear at most once.");
  const std::string nulls = nullNames(entry.configs, needs_value);
  if (!nulls.empty()) return invalid("Null value not supported for : " + nulls);
  if (hasDuplicateNames(entry.configs)) return invalid("Error due to duplicate config keys");
  return {};
}

/// Whether such a resource can be altered here.
Status checkAlterable(const ConfigResource& resource, const auto& configs, std::int32_t node_id) {
  if (!isKnownType(resource.type)) {
    return invalid(fmt::format("Unknown resource type {}", static_cast<int>(resource.type)));
  }
  if (resource.type != ConfigResourceType::kBroker) return {};
  return checkBrokerChange(resource.name, configs, node_id, "Set");
}

}  // namespace

Result<MetadataRecords> Controller::decideConfig(const MetadataImage& image,
                                                 const ConfigResource& resource,
                                                 MetadataRecords records) const {
  const ConfigMapPtr before = image.config(resource.type, resource.name);
  const ConfigMap after = configAfter(*before, records);
  MILLRACE_CHECK_OK(checkExists(image, resource));
  MILLRACE_CHECK_OK(checkMinIsr(resource, *before, after));
  MILLRACE_CHECK_OK(validateConfig(resource, after, config_.static_config));
  if (resource.type == ConfigResourceType::kBroker) {
    MILLRACE_CHECK_OK(checkThreadCounts(after, *before, config_.static_config));
    ConfigMap all = after;
    if (!resource.name.empty()) {
      const ConfigMapPtr of_all_brokers = image.config(ConfigResourceType::kBroker, "");
      all.insert(of_all_brokers->begin(), of_all_brokers->end());
    }
    all.insert(config_.static_config.begin(), config_.static_config.end());
    if (const Status fits = checkLogSettings(all); !fits) return invalid(fits.error().detail);
  }
  return records;
}

Decision<IncrementalAlterConfigsResponse> Controller::incrementalAlterConfigs(
    const MetadataImage& image, const IncrementalAlterConfigsRequest& request) const {
  Decision<IncrementalAlterConfigsResponse> decision;
  const auto counts = countResources(request);
  for (const auto& r : request.resources) {
    auto& out = decision.response.responses.emplace_back();
    out.resource_type = r.resource_type;
    out.resource_name = r.resource_name.str();
    const auto decided = [&]() -> Status {
      const ConfigResource resource = resourceOf(r);
      MILLRACE_CHECK_OK(checkShape(r, counts.at(resource), [](const auto& c) {
        return c.config_operation != static_cast<std::int8_t>(ConfigOperation::kDelete);
      }));
      if (resource.type == ConfigResourceType::kBrokerLogger) {
        // Loggers are Java's: there is none here to alter.
        const std::string name = r.configs.empty() ? std::string() : r.configs.front().name.str();
        return fail(Errc::kInvalidConfig, fmt::format("Logger {} does not exist!", name));
      }
      MILLRACE_CHECK_OK(checkAlterable(resource, r.configs, config_.node_id));
      MILLRACE_TRY(const auto changes, changesOf(r.configs));
      MILLRACE_TRY(
          MetadataRecords proposed,
          alterIncrementally(resource, *image.config(resource.type, resource.name), changes));
      MILLRACE_TRY(MetadataRecords records, decideConfig(image, resource, std::move(proposed)));
      if (!request.validate_only) std::ranges::move(records, std::back_inserter(decision.records));
      return {};
    }();
    fillError(out, decided);
  }
  return decision;
}

Decision<AlterConfigsResponse> Controller::alterConfigs(const MetadataImage& image,
                                                        const AlterConfigsRequest& request) const {
  Decision<AlterConfigsResponse> decision;
  const auto counts = countResources(request);
  for (const auto& r : request.resources) {
    auto& out = decision.response.responses.emplace_back();
    out.resource_type = r.resource_type;
    out.resource_name = r.resource_name.str();
    const auto decided = [&]() -> Status {
      const ConfigResource resource = resourceOf(r);
      MILLRACE_CHECK_OK(checkShape(r, counts.at(resource), [](const auto&) { return true; }));
      MILLRACE_CHECK_OK(checkAlterable(resource, r.configs, config_.node_id));
      ConfigMap after;
      for (const auto& c : r.configs) after.insert_or_assign(c.name.str(), c.value->str());
      MILLRACE_TRY(
          MetadataRecords records,
          decideConfig(image, resource,
                       alterWholly(resource, *image.config(resource.type, resource.name), after)));
      if (!request.validate_only) std::ranges::move(records, std::back_inserter(decision.records));
      return {};
    }();
    fillError(out, decided);
  }
  return decision;
}

}  // namespace millrace::broker
