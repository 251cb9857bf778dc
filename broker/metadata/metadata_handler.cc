// Metadata: who leads what; topics that come into being by being asked for.
#include "base/config.h"
#include "broker/groups/group_service.h"
#include "broker/handler_table.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/metadata_handlers.h"
#include "broker/metadata/metadata_service.h"
#include "broker/metadata/topic_names.h"
#include "broker/services.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"

#include <algorithm>
#include <set>

namespace millrace::broker {
namespace {

using protocol::MetadataRequest;
using protocol::MetadataResponse;
using ResponseTopic = MetadataResponse::MetadataResponseTopic;

/// Topics can be asked for by id from here on; versions 10 and 11 have the field and refuse it.
constexpr std::int16_t kTopicIdVersion = 12;

void fillBrokers(MetadataResponse& response, const MetadataImage& image,
                 std::string_view listener) {
  for (const auto& [id, broker] : image.brokers) {
    if (broker->fenced) continue;
    const BrokerEndpoint endpoint = endpointFor(*broker, listener);
    auto& out = response.brokers.emplace_back();
    out.node_id = id;
    out.host = endpoint.host;
    out.port = endpoint.port;
    if (broker->rack) out.rack = *broker->rack;
  }
}

ResponseTopic topicError(std::optional<std::string_view> name, const Uuid& id, Errc error) {
  ResponseTopic out;
  out.error_code = static_cast<std::int16_t>(error);
  out.name.reset();
  if (name) {
    out.name = Text(*name);
    out.is_internal = isInternalTopic(*name);
  }
  out.topic_id = id;
  return out;
}

bool isAlive(const MetadataImage& image, std::int32_t id) {
  const auto broker = image.broker(id);
  return broker && !broker->fenced;
}

ResponseTopic describe(const TopicImage& topic, const MetadataImage& image) {
  ResponseTopic out;
  out.name = topic.name;
  out.topic_id = topic.id;
  out.is_internal = isInternalTopic(topic.name);
  out.partitions.reserve(topic.partitions.size());
  for (std::size_t i = 0; i < topic.partitions.size(); ++i) {
    const PartitionImage& p = topic.partitions[i];
    auto& partition = out.partitions.emplace_back();
    partition.partition_index = static_cast<std::int32_t>(i);
    const bool led = p.leader >= 0 && isAlive(image, p.leader);
    partition.error_code = static_cast<std::int16_t>(led ? Errc::kNone : Errc::kLeaderNotAvailable);
    partition.leader_id = led ? p.leader : -1;
    partition.leader_epoch = p.leader_epoch;
    partition.replica_nodes = p.replicas;
    partition.isr_nodes = p.isr;
    for (const std::int32_t id : p.replicas) {
      const auto broker = image.broker(id);
      if (!broker || broker->fenced || !isOnline(*broker, p))
        partition.offline_replicas.push_back(id);
    }
  }
  return out;
}

/// The whole request is wrong: every topic says so, nothing else is told.
MetadataResponse refuse(const MetadataRequest& request, std::int16_t version, Errc error,
                        const Services& services) {
  MetadataResponse response;
  response.cluster_id = services.identity.cluster_id;
  if (version >= 13) response.error_code = static_cast<std::int16_t>(error);
  for (const auto& t : *request.topics) {
    auto& out =
        response.topics.emplace_back(topicError(t.name ? t.name->view() : "", t.topic_id, error));
    out.is_internal = false;
  }
  return response;
}

/// What a request breaks before anything is looked up; kNone where nothing.
Errc checkRequest(const MetadataRequest& request, std::int16_t version) {
  if (!request.topics || version < 10) return Errc::kNone;
  for (const auto& t : *request.topics) {
    if (version < kTopicIdVersion && (!t.topic_id.isZero() || !t.name))
      return Errc::kInvalidRequest;
    if (version >= kTopicIdVersion && t.topic_id.isZero() && !t.name)
      return Errc::kUnknownServerError;
  }
  return Errc::kNone;
}

/// Creates topics with the broker's defaults. Returns the error each creation ended with.
Task<std::map<std::string, Errc>> createMissing(Services& services, std::set<std::string> names) {
  std::map<std::string, Errc> outcome;
  protocol::CreateTopicsRequest request;
  for (const std::string& name : names) {
    if (name == kOffsetsTopic || name == kTransactionTopic) {
      const Errc made = co_await services.groups->ensureInternalTopic(name);
      outcome[name] = made;
      continue;
    }
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = -1;
    topic.replication_factor = -1;
  }
  if (request.topics.empty()) co_return outcome;
  const auto response = co_await services.metadata->createTopics(std::move(request));
  for (const auto& result : response.topics)
    outcome[result.name.str()] = fromWire(result.error_code);
  co_return outcome;
}

/// What a client hears of a topic that it has just called into being: to ask again, as Kafka says
/// it.
Errc answerToCreation(Errc created) {
  switch (created) {
    case Errc::kNone:
    case Errc::kTopicAlreadyExists: return Errc::kUnknownTopicOrPartition;
    default: return created;
  }
}

std::set<std::string> missingTopics(const MetadataRequest& request, const MetadataImage& image) {
  std::set<std::string> missing;
  for (const auto& t : *request.topics) {
    if (!t.topic_id.isZero() || !t.name || image.topic(t.name->view())) continue;
    if (validateTopicName(*t.name)) missing.insert(t.name->str());
  }
  return missing;
}

ResponseTopic lookUp(const MetadataRequest::MetadataRequestTopic& asked, const MetadataImage& image,
                     const std::map<std::string, Errc>& created) {
  if (!asked.topic_id.isZero()) {
    const TopicPtr topic = image.topic(asked.topic_id);
    return topic ? describe(*topic, image)
                 : topicError(std::nullopt, asked.topic_id, Errc::kUnknownTopicId);
  }
  const std::string_view name = asked.name->view();
  if (const auto made = created.find(std::string(name)); made != created.end()) {
    return topicError(name, {}, answerToCreation(made->second));
  }
  if (const TopicPtr topic = image.topic(name)) return describe(*topic, image);
  const bool legal = validateTopicName(name).has_value();
  return topicError(name, {},
                    legal ? Errc::kUnknownTopicOrPartition : Errc::kInvalidTopicException);
}

void fillTopics(MetadataResponse& response, const MetadataRequest& request, bool all,
                const MetadataImage& image, const std::map<std::string, Errc>& created) {
  if (all) {
    image.topics.forEach([&](const std::string&, const TopicPtr& topic) {
      response.topics.push_back(describe(*topic, image));
    });
    return;
  }
  std::set<std::pair<std::string_view, Uuid>> seen;
  for (const auto& t : *request.topics) {
    const std::string_view name = t.name ? t.name->view() : std::string_view{};
    if (!seen.emplace(t.topic_id.isZero() ? name : std::string_view{}, t.topic_id).second) continue;
    response.topics.push_back(lookUp(t, image, created));
  }
}

}  // namespace

Task<MetadataResponse> handleMetadata(Services& services, RequestContext context,
                                      MetadataRequest request) {
  const Errc wrong = checkRequest(request, context.version);
  if (wrong != Errc::kNone) co_return refuse(request, context.version, wrong, services);
  ImagePtr image = services.image->current();
  const bool all = !request.topics || (context.version == 0 && request.topics->empty());
  const bool may_create = (context.version < 4 || request.allow_auto_topic_creation) &&
                          services.config->getBool("auto.create.topics.enable");
  std::map<std::string, Errc> created;
  if (!all && may_create) {
    std::set<std::string> missing = missingTopics(request, *image);
    if (!missing.empty()) created = co_await createMissing(services, std::move(missing));
  }
  MetadataResponse response;
  fillBrokers(response, *image, context.session->listener_name);
  response.cluster_id = services.identity.cluster_id;
  response.controller_id = services.identity.node_id;
  fillTopics(response, request, all, *image, created);
  if (request.include_topic_authorized_operations) {
    for (auto& topic : response.topics) {
      if (topic.error_code == 0) topic.topic_authorized_operations = kAllTopicOperations;
    }
  }
  if (request.include_cluster_authorized_operations) {
    response.cluster_authorized_operations = kAllClusterOperations;
  }
  co_return response;
}

void registerMetadataHandlers(HandlerTable& table, Services& services) {
  Services* const s = &services;
  table.add<MetadataRequest, MetadataResponse>(
      [s](RequestContext c, MetadataRequest r) { return handleMetadata(*s, c, std::move(r)); });
  registerTopicHandlers(table, services);
  registerConfigHandlers(table, services);
  registerClusterHandlers(table, services);
  registerReplicaHandlers(table, services);
  registerLogDirHandlers(table, services);
  registerAclHandlers(table);
  registerQuorumHandlers(table, services);
}

}  // namespace millrace::broker
