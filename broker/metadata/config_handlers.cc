// DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.
#include "base/config.h"
#include "broker/handler_table.h"
#include "broker/metadata/config_view.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/metadata_handlers.h"
#include "broker/metadata/metadata_service.h"
#include "broker/metadata/topic_names.h"
#include "broker/services.h"
#include "protocol/messages/alter_configs_request.h"
#include "protocol/messages/alter_configs_response.h"
#include "protocol/messages/describe_configs_request.h"
#include "protocol/messages/describe_configs_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"
#include "protocol/messages/list_config_resources_request.h"
#include "protocol/messages/list_config_resources_response.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace millrace::broker {
namespace {

using protocol::DescribeConfigsRequest;
using protocol::DescribeConfigsResponse;
using protocol::ListConfigResourcesRequest;
using protocol::ListConfigResourcesResponse;
using Resource = DescribeConfigsRequest::DescribeConfigsResource;
using ResourceResult = DescribeConfigsResponse::DescribeConfigsResult;

std::unexpected<Error> invalid(std::string detail) {
  return fail(Errc::kInvalidRequest, std::move(detail));
}

/// Null and empty mean all keys.
bool asksForAll(const Resource& resource) {
  return !resource.configuration_keys || resource.configuration_keys->empty();
}

bool isAsked(const Resource& resource, std::string_view key) {
  if (asksForAll(resource)) return true;
  return std::ranges::any_of(*resource.configuration_keys,
                             [&](const Text& k) { return k.view() == key; });
}

Result<std::vector<ConfigView>> viewTopic(const Resource& resource, const MetadataImage& image,
                                          const BrokerSettings& broker) {
  MILLRACE_CHECK_OK(validateTopicName(resource.resource_name));
  if (!image.topic(resource.resource_name.view())) return fail(Errc::kUnknownTopicOrPartition);
  const ConfigMapPtr overrides = image.config(ConfigResourceType::kTopic, resource.resource_name);
  std::vector<ConfigView> views;
  for (const ConfigKey* key : topicConfigDef().keys()) {
    const bool hidden = key->internal || (key->own && asksForAll(resource));
    if (!isAsked(resource, key->name) || (hidden && !overrides->contains(key->name))) continue;
    views.push_back(viewOf(*key, *overrides, ConfigSource::kTopic, broker));
  }
  return views;
}

/// "" is every broker: only what is set dynamically for all of them.
std::vector<ConfigView> viewAllBrokers(const Resource& resource, const BrokerSettings& broker) {
  std::vector<ConfigView> views;
  for (const auto& [name, value] : *broker.dynamic_default) {
    const ConfigKey* const key = findBrokerKey(name);
    if (!isAsked(resource, name)) continue;
    ConfigView view{.name = name, .value = value, .source = ConfigSource::kDynamicDefaultBroker};
    view.synonyms.push_back({name, value, view.source});
    if (key) {
      view.type = key->type;
      view.doc = key->doc;
    }
    if (!key || key->type == ConfigType::kPassword) {
      view.sensitive = true;  // a key that nobody knows may hold a secret
      view.value.reset();
      view.synonyms.front().value.reset();
    }
    views.push_back(std::move(view));
  }
  return views;
}

Result<std::int32_t> brokerId(std::string_view name) {
  std::int32_t id = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), id);
  if (error != std::errc{} || stop != name.data() + name.size()) {
    return invalid(fmt::format("Broker id must be an integer, but it is: {}", name));
  }
  return id;
}

Result<std::vector<ConfigView>> viewBroker(const Resource& resource, const BrokerSettings& broker) {
  if (resource.resource_name.empty()) return viewAllBrokers(resource, broker);
  MILLRACE_TRY(const std::int32_t id, brokerId(resource.resource_name));
  if (id != broker.node_id) {
    return invalid(fmt::format("Unexpected broker id, expected {} or empty string, but received {}",
                               broker.node_id, id));
  }
  std::vector<ConfigView> views;
  for (const ConfigKey* key : brokerConfigDef().keys()) {
    if (key->internal || !isAsked(resource, key->name)) continue;
    ConfigView view = viewOfBroker(*key, broker);
    const bool hidden = key->own && asksForAll(resource);
    if (!hidden || view.source != ConfigSource::kDefault) views.push_back(std::move(view));
  }
  for (ConfigView& view : viewsOfDynamicOnly(broker))
    if (isAsked(resource, view.name)) views.push_back(std::move(view));
  return views;
}

/// Loggers are Java's; there are none here, and the answer for this node is empty.
Result<std::vector<ConfigView>> viewLoggers(const Resource& resource,
                                            const BrokerSettings& broker) {
  if (resource.resource_name.empty()) return invalid("Broker id must not be empty");
  MILLRACE_TRY(const std::int32_t id, brokerId(resource.resource_name));
  if (id != broker.node_id) {
    return invalid(
        fmt::format("Unexpected broker id, expected {} but received {}", broker.node_id, id));
  }
  return std::vector<ConfigView>{};
}

/// Groups and client metrics: what is set, else the default, which is given under the key's own
/// name.
std::vector<ConfigView> viewPlain(const Resource& resource, const ConfigDef& def,
                                  const ConfigMap& set, ConfigSource source,
                                  const BrokerSettings& broker, bool show_defaults) {
  std::vector<ConfigView> views;
  for (const ConfigKey* key : def.keys()) {
    if (!isAsked(resource, key->name)) continue;
    ConfigView view = viewOf(*key, set, source, broker);
    const bool given = set.contains(key->name);
    view.source = given ? source : ConfigSource::kDefault;
    view.synonyms.clear();
    if (given || show_defaults) view.synonyms.push_back({view.name, view.value, view.source});
    views.push_back(std::move(view));
  }
  return views;
}

Result<std::vector<ConfigView>> viewGroup(const Resource& resource, const MetadataImage& image,
                                          const BrokerSettings& broker) {
  if (resource.resource_name.empty()) return invalid("Group name must not be empty");
  const ConfigMapPtr set = image.config(ConfigResourceType::kGroup, resource.resource_name);
  return viewPlain(resource, groupConfigDef(), *set, ConfigSource::kGroup, broker, true);
}

Result<std::vector<ConfigView>> viewClientMetrics(const Resource& resource,
                                                  const MetadataImage& image,
                                                  const BrokerSettings& broker) {
  if (resource.resource_name.empty())
    return invalid("Client metrics subscription name must not be empty");
  const ConfigMapPtr set = image.config(ConfigResourceType::kClientMetrics, resource.resource_name);
  return viewPlain(resource, clientMetricsConfigDef(), *set, ConfigSource::kClientMetrics, broker,
                   false);
}

Result<std::vector<ConfigView>> viewResource(const Resource& resource, const MetadataImage& image,
                                             const BrokerSettings& broker) {
  switch (static_cast<ConfigResourceType>(resource.resource_type)) {
    case ConfigResourceType::kTopic: return viewTopic(resource, image, broker);
    case ConfigResourceType::kBroker: return viewBroker(resource, broker);
    case ConfigResourceType::kBrokerLogger: return viewLoggers(resource, broker);
    case ConfigResourceType::kGroup: return viewGroup(resource, image, broker);
    case ConfigResourceType::kClientMetrics: return viewClientMetrics(resource, image, broker);
    case ConfigResourceType::kUnknown: break;
  }
  return invalid(std::string(errorMessage(Errc::kInvalidRequest)));
}

std::optional<Text> textOf(const std::optional<std::string>& value) {
  return value ? std::optional<Text>(Text(*value)) : std::nullopt;
}

void fill(ResourceResult& result, std::vector<ConfigView> views,
          const DescribeConfigsRequest& request) {
  for (ConfigView& view : views) {
    auto& out = result.configs.emplace_back();
    out.name = view.name;
    out.value = textOf(view.value);
    out.read_only = view.read_only;
    out.config_source = static_cast<std::int8_t>(view.source);
    out.is_sensitive = view.sensitive;
    out.config_type = wireType(view.type);
    out.documentation.reset();
    if (request.include_documentation) out.documentation = Text(view.doc);
    if (!request.include_synonyms) continue;
    for (const ConfigSynonymView& s : view.synonyms) {
      auto& synonym = out.synonyms.emplace_back();
      synonym.name = s.name;
      synonym.value = textOf(s.value);
      synonym.source = static_cast<std::int8_t>(s.source);
    }
  }
}

Task<DescribeConfigsResponse> describeConfigs(Services& services, RequestContext,
                                              DescribeConfigsRequest request) {
  const ImagePtr image = services.image->current();
  const auto broker =
      BrokerSettings::of(*image, services.identity.node_id, services.config->originals());
  DescribeConfigsResponse response;
  for (const Resource& resource : request.resources) {
    auto& result = response.results.emplace_back();
    result.resource_type = resource.resource_type;
    result.resource_name = resource.resource_name;
    auto views = viewResource(resource, *image, broker);
    if (views) {
      fill(result, std::move(*views), request);
    } else {
      result.error_code = static_cast<std::int16_t>(toWire(views.error().code));
      result.error_message = views.error().detail;
    }
  }
  co_return response;
}

Task<protocol::IncrementalAlterConfigsResponse> incrementalAlter(
    Services& services, RequestContext, protocol::IncrementalAlterConfigsRequest request) {
  co_return co_await services.metadata->incrementalAlterConfigs(std::move(request));
}
Task<protocol::AlterConfigsResponse> alter(Services& services, RequestContext,
                                           protocol::AlterConfigsRequest request) {
  co_return co_await services.metadata->alterConfigs(std::move(request));
}

/// The names of all resources of a type.
std::set<std::string> resourcesOf(ConfigResourceType type, const MetadataImage& image) {
  std::set<std::string> names;
  if (type == ConfigResourceType::kTopic) {
    image.topics.forEach([&](const std::string& name, const TopicPtr&) { names.insert(name); });
  } else if (type == ConfigResourceType::kBroker || type == ConfigResourceType::kBrokerLogger) {
    for (const auto& [id, broker] : image.brokers) names.insert(std::to_string(id));
  } else {
    image.configs.forEach([&](const ConfigResource& resource, const ConfigMapPtr&) {
      if (resource.type == type) names.insert(resource.name);
    });
  }
  return names;
}

Task<ListConfigResourcesResponse> listResources(Services& services, RequestContext context,
                                                ListConfigResourcesRequest request) {
  const ImagePtr image = services.image->current();
  static const std::vector<std::int8_t> kAll = {2, 4, 8, 16, 32};
  std::vector<std::int8_t> types = request.resource_types.empty() ? kAll : request.resource_types;
  // Version 0 knew client metrics only.
  if (context.version == 0) types = {static_cast<std::int8_t>(ConfigResourceType::kClientMetrics)};
  ListConfigResourcesResponse response;
  for (const std::int8_t type : types) {
    if (std::ranges::find(kAll, type) == kAll.end()) {
      ListConfigResourcesResponse refused;
      refused.error_code = static_cast<std::int16_t>(Errc::kUnsupportedVersion);
      co_return refused;
    }
    for (const std::string& name : resourcesOf(static_cast<ConfigResourceType>(type), *image)) {
      auto& out = response.config_resources.emplace_back();
      out.resource_name = name;
      out.resource_type = type;
    }
  }
  co_return response;
}

}  // namespace

void registerConfigHandlers(HandlerTable& table, Services& services) {
  Services* const s = &services;
  table.add<DescribeConfigsRequest, DescribeConfigsResponse>(
      [s](RequestContext c, DescribeConfigsRequest r) {
        return describeConfigs(*s, c, std::move(r));
      });
  table.add<protocol::IncrementalAlterConfigsRequest, protocol::IncrementalAlterConfigsResponse>(
      [s](RequestContext c, protocol::IncrementalAlterConfigsRequest r) {
        return incrementalAlter(*s, c, std::move(r));
      });
  table.add<protocol::AlterConfigsRequest, protocol::AlterConfigsResponse>(
      [s](RequestContext c, protocol::AlterConfigsRequest r) {
        return alter(*s, c, std::move(r));
      });
  table.add<ListConfigResourcesRequest, ListConfigResourcesResponse>(
      [s](RequestContext c, ListConfigResourcesRequest r) {
        return listResources(*s, c, std::move(r));
      });
}

}  // namespace millrace::broker
