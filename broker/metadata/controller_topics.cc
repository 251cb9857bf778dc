// Creation and deletion of topics (Kafka's ReplicationControlManager and ControllerApis).
#include "broker/metadata/config_rules.h"
#include "broker/metadata/config_view.h"
#include "broker/metadata/controller.h"
#include "broker/metadata/replica_placer.h"
#include "broker/metadata/topic_names.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>

namespace millrace::broker {
namespace {

using protocol::CreateTopicsRequest;
using protocol::CreateTopicsResponse;
using protocol::DeleteTopicsRequest;
using protocol::DeleteTopicsResponse;
using CreatableTopic = CreateTopicsRequest::CreatableTopic;
using CreatableTopicResult = CreateTopicsResponse::CreatableTopicResult;

/// Kafka's ReplicationControlManager.MAX_PARTITIONS_PER_BATCH.
constexpr std::int64_t kMaxPartitionsPerRequest = 10'000;

/// How often each name stands in the request.
template <class Topics>
std::map<std::string_view, int> countNames(const Topics& topics) {
  std::map<std::string_view, int> counts;
  for (const auto& topic : topics) ++counts[topic.name.view()];
  return counts;
}

Result<std::vector<Placement>> placementsByHand(const MetadataImage& image,
                                                const CreatableTopic& topic) {
  if (topic.replication_factor != -1) {
    return fail(
        Errc::kInvalidRequest,
        "A manual partition assignment was specified, but replication factor was not set to -1.");
  }
  if (topic.num_partitions != -1) {
    return fail(
        Errc::kInvalidRequest,
        "A manual partition assignment was specified, but numPartitions was not set to -1.");
  }
  std::map<std::int32_t, Placement> placements;
  std::size_t factor = 0;
  for (const auto& assignment : topic.assignments) {
    if (placements.contains(assignment.partition_index)) {
      return fail(Errc::kInvalidReplicaAssignment,
                  fmt::format("Found multiple manual partition assignments for partition {}",
                              assignment.partition_index));
    }
    MILLRACE_TRY(Placement placement,
                 checkAssignment(image, assignment.partition_index, assignment.broker_ids, factor));
    factor = placement.replicas.size();
    placements.emplace(assignment.partition_index, std::move(placement));
  }
  std::vector<Placement> ordered;
  for (auto& [index, placement] : placements) {
    if (index != static_cast<std::int32_t>(ordered.size())) {
      return fail(Errc::kInvalidReplicaAssignment,
                  "partitions should be a consecutive 0-based integer sequence");
    }
    ordered.push_back(std::move(placement));
  }
  return ordered;
}

Result<std::vector<Placement>> placementsOf(const MetadataImage& image, const CreatableTopic& topic,
                                            const ControllerConfig& config) {
  if (!topic.assignments.empty()) return placementsByHand(image, topic);
  if (topic.replication_factor < -1 || topic.replication_factor == 0) {
    return fail(Errc::kInvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.");
  }
  if (topic.num_partitions < -1 || topic.num_partitions == 0) {
    return fail(Errc::kInvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.");
  }
  const std::int32_t partitions =
      topic.num_partitions == -1 ? config.default_partitions : topic.num_partitions;
  const std::int16_t factor =
      topic.replication_factor == -1 ? config.default_replication_factor : topic.replication_factor;
  return placeReplicas(image, 0, partitions, factor);
}

Result<ConfigMap> configsOf(const CreatableTopic& topic) {
  ConfigMap configs;
  std::string nulls;
  for (const auto& config : topic.configs) {
    if (config.value) {
      configs.insert_or_assign(config.name.str(), config.value->str());
    } else {
      if (!nulls.empty()) nulls += ',';
      nulls += config.name.view();
    }
  }
  if (!nulls.empty()) {
    return fail(Errc::kInvalidConfig, "Null value not supported for topic configs: " + nulls);
  }
  return configs;
}

void addRecords(MetadataRecords& records, const CreatableTopic& topic, const Uuid& id,
                std::vector<Placement> placements, const ConfigMap& configs,
                DirectoryChooser& directories) {
  protocol::TopicRecord topic_record;
  topic_record.name = topic.name.str();
  topic_record.topic_id = id;
  records.emplace_back(std::move(topic_record));
  for (const auto& [name, value] : configs) {
    protocol::ConfigRecord r;
    r.resource_type = static_cast<std::int8_t>(ConfigResourceType::kTopic);
    r.resource_name = topic.name.str();
    r.name = name;
    r.value = value;
    records.emplace_back(std::move(r));
  }
  for (std::size_t i = 0; i < placements.size(); ++i) {
    records.emplace_back(newPartitionRecord(id, static_cast<std::int32_t>(i),
                                            std::move(placements[i]), directories));
  }
}

/// Everything that names alone decide. Empty: no error.
Status checkName(const MetadataImage& image, const std::map<std::string, std::string>& unified,
                 std::string_view name) {
  if (name == kMetadataTopic) {
    return fail(Errc::kInvalidRequest,
                fmt::format("Creation of internal topic {} is prohibited.", name));
  }
  MILLRACE_CHECK_OK(validateTopicName(name));
  if (image.topic(name)) {
    return fail(Errc::kTopicAlreadyExists, fmt::format("Topic '{}' already exists.", name));
  }
  if (hasCollisionChars(name)) {
    const auto other = unified.find(unifyCollisionChars(name));
    if (other != unified.end()) {
      return fail(Errc::kInvalidTopicException,
                  fmt::format("Topic '{}' collides with existing topic: {}", name, other->second));
    }
  }
  return {};
}

/// Existing topics that could collide with one of the requested names, by unified name.
std::map<std::string, std::string> collisionCandidates(const MetadataImage& image,
                                                       const CreateTopicsRequest& request) {
  std::map<std::string, std::string> unified;
  const bool any =
      std::ranges::any_of(request.topics, [](const auto& t) { return hasCollisionChars(t.name); });
  if (!any) return unified;
  image.topics.forEach([&](const std::string& name, const TopicPtr&) {
    if (hasCollisionChars(name)) unified.emplace(unifyCollisionChars(name), name);
  });
  return unified;
}

void fillConfigs(CreatableTopicResult& result, const MetadataImage& image,
                 const ConfigMap& overrides, const ControllerConfig& config) {
  const auto broker = BrokerSettings::of(image, config.node_id, config.static_config);
  result.configs.emplace();
  for (const ConfigKey* key : topicConfigDef().keys()) {
    if ((key->internal || key->own) && !overrides.contains(key->name)) continue;
    ConfigView view = viewOf(*key, overrides, ConfigSource::kTopic, broker);
    auto& out = result.configs->emplace_back();
    out.name = view.name;
    if (view.value) out.value = *view.value;
    out.config_source = static_cast<std::int8_t>(view.source);
    out.is_sensitive = view.sensitive;
  }
}

void setError(CreatableTopicResult& result, const Error& error) {
  result.error_code = static_cast<std::int16_t>(toWire(error.code));
  result.error_message = error.detail;
  result.num_partitions = -1;
  result.replication_factor = -1;
  result.configs.emplace();
}

/// Partitions that the request asks for, all topics together.
std::int64_t totalPartitions(const CreateTopicsRequest& request, const ControllerConfig& config) {
  std::int64_t total = 0;
  for (const auto& topic : request.topics) {
    if (!topic.assignments.empty()) {
      total += static_cast<std::int64_t>(topic.assignments.size());
    } else {
      total += topic.num_partitions == -1 ? config.default_partitions
                                          : std::max(topic.num_partitions, 0);
    }
  }
  return total;
}

}  // namespace

Decision<CreateTopicsResponse> Controller::createTopics(const MetadataImage& image,
                                                        const CreateTopicsRequest& request) const {
  Decision<CreateTopicsResponse> decision;
  const auto counts = countNames(request.topics);
  const auto unified = collisionCandidates(image, request);
  const bool too_many = totalPartitions(request, config_) > kMaxPartitionsPerRequest;
  std::set<std::string_view> answered;
  DirectoryChooser directories(image);
  for (const CreatableTopic& topic : request.topics) {
    if (!answered.insert(topic.name.view()).second) continue;
    auto& result = decision.response.topics.emplace_back();
    result.name = topic.name.str();
    result.error_message.reset();
    const auto created = [&]() -> Status {
      if (too_many) {
        return fail(Errc::kPolicyViolation, "Excessively large number of partitions per request.");
      }
      if (counts.at(topic.name.view()) > 1)
        return fail(Errc::kInvalidRequest, "Duplicate topic name.");
      MILLRACE_CHECK_OK(checkName(image, unified, topic.name));
      MILLRACE_TRY(const ConfigMap configs, configsOf(topic));
      const ConfigResource resource{ConfigResourceType::kTopic, topic.name.str()};
      MILLRACE_CHECK_OK(validateConfig(resource, configs, config_.static_config));
      MILLRACE_TRY(auto placements, placementsOf(image, topic, config_));
      result.topic_id = new_id_();
      result.num_partitions = static_cast<std::int32_t>(placements.size());
      result.replication_factor = static_cast<std::int16_t>(placements.front().replicas.size());
      fillConfigs(result, image, configs, config_);
      if (!request.validate_only) {
        addRecords(decision.records, topic, result.topic_id, std::move(placements), configs,
                   directories);
      }
      return {};
    }();
    if (!created) setError(result, created.error());
  }
  return decision;
}

namespace {

/// One deletion: what was asked, and the topic it means.
struct Deletion {
  std::optional<std::string> name;
  Uuid id;
  Error error{Errc::kNone, {}};
};

void resolve(Deletion& d, const MetadataImage& image) {
  if (d.error.code != Errc::kNone) return;
  if (d.name) {
    const TopicPtr topic = image.topic(*d.name);
    if (topic) {
      d.id = topic->id;
    } else {
      d.error = {Errc::kUnknownTopicOrPartition,
                 std::string(errorMessage(Errc::kUnknownTopicOrPartition))};
    }
    return;
  }
  const TopicPtr topic = image.topic(d.id);
  if (topic) {
    d.name = topic->name;
  } else {
    d.error = {Errc::kUnknownTopicId, std::string(errorMessage(Errc::kUnknownTopicId))};
  }
}

/// The request's entries, one for each name and each id, with the errors that the request alone
/// shows.
std::vector<Deletion> deletionsOf(const DeleteTopicsRequest& request) {
  std::vector<Deletion> deletions;
  std::map<std::string, std::size_t, std::less<>> by_name;
  std::map<Uuid, std::size_t> by_id;
  const auto addName = [&](std::string_view name) {
    const auto [at, fresh] = by_name.emplace(std::string(name), deletions.size());
    if (fresh) {
      deletions.push_back({std::string(name), {}});
    } else {
      deletions[at->second].error = {Errc::kInvalidRequest, "Duplicate topic name."};
    }
  };
  for (const auto& name : request.topic_names) addName(name);
  for (const auto& topic : request.topics) {
    if (topic.name && !topic.topic_id.isZero()) {
      deletions.push_back(
          {topic.name->str(),
           topic.topic_id,
           {Errc::kInvalidRequest, "You may not specify both topic name and topic id."}});
    } else if (topic.name) {
      addName(*topic.name);
    } else if (topic.topic_id.isZero()) {
      deletions.push_back(
          {std::nullopt, {}, {Errc::kInvalidRequest, "Neither topic name nor id were specified."}});
    } else if (const auto [at, fresh] = by_id.emplace(topic.topic_id, deletions.size()); fresh) {
      deletions.push_back({std::nullopt, topic.topic_id});
    } else {
      deletions[at->second].error = {Errc::kInvalidRequest, "Duplicate topic id."};
    }
  }
  return deletions;
}

}  // namespace

Decision<DeleteTopicsResponse> Controller::deleteTopics(const MetadataImage& image,
                                                        const DeleteTopicsRequest& request,
                                                        std::int16_t version) const {
  Decision<DeleteTopicsResponse> decision;
  std::vector<Deletion> deletions = deletionsOf(request);
  std::map<Uuid, std::size_t> seen;
  std::vector<bool> dropped(deletions.size());
  for (std::size_t i = 0; i < deletions.size(); ++i) {
    Deletion& d = deletions[i];
    resolve(d, image);
    if (!config_.delete_topics) {
      d.error = {version < 3 ? Errc::kInvalidRequest : Errc::kTopicDeletionDisabled,
                 std::string(errorMessage(Errc::kTopicDeletionDisabled))};
    }
    if (d.error.code != Errc::kNone) continue;
    if (const auto [at, fresh] = seen.emplace(d.id, i); !fresh) {
      deletions[at->second].error = {
          Errc::kInvalidRequest,
          "The provided topic name maps to an ID that was already supplied."};
      dropped[i] = true;
    }
  }
  for (std::size_t i = 0; i < deletions.size(); ++i) {
    if (dropped[i]) continue;
    const Deletion& d = deletions[i];
    auto& result = decision.response.responses.emplace_back();
    result.name.reset();
    if (d.name) result.name = *d.name;
    result.error_message.reset();
    result.topic_id = d.id;
    result.error_code = static_cast<std::int16_t>(toWire(d.error.code));
    if (d.error.code != Errc::kNone) {
      result.error_message = d.error.detail;
      continue;
    }
    protocol::RemoveTopicRecord r;
    r.topic_id = d.id;
    decision.records.emplace_back(std::move(r));
  }
  return decision;
}

}  // namespace millrace::broker
