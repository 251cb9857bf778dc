#include "broker/groups/group_service.h"

#include "base/checksum.h"
#include "base/config.h"
#include "base/log.h"
#include "base/net/shard.h"
#include "broker/groups/group_coordinator.h"
#include "broker/metadata/metadata_cache.h"
#include "broker/metadata/metadata_service.h"
#include "broker/partitions.h"
#include "broker/services.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace millrace::broker {
namespace {

/// Kafka's partitionFor: Utils.abs(hashCode) % partitions.
std::int32_t partitionFor(std::string_view group_id, std::size_t partitions) {
  const std::int32_t hash = javaStringHash(group_id);
  const std::int32_t positive =
      hash == std::numeric_limits<std::int32_t>::min() ? 0 : std::abs(hash);
  return positive % static_cast<std::int32_t>(partitions);
}

void addConfig(protocol::CreateTopicsRequest::CreatableTopic& topic, std::string_view name,
               std::string value) {
  auto& config = topic.configs.emplace_back();
  config.name = Text(name);
  config.value = Text(std::move(value));
}

/// One node has no three replicas: what is asked for is capped to the brokers that are there, so
/// that a first start works without further settings. Configs as Kafka's coordinators set them.
protocol::CreateTopicsRequest internalTopicRequest(std::string_view name, const Config& config,
                                                   const MetadataImage& image) {
  const bool offsets = name == kOffsetsTopic;
  const std::string prefix = offsets ? "offsets.topic." : "transaction.state.log.";
  protocol::CreateTopicsRequest request;
  auto& topic = request.topics.emplace_back();
  topic.name = Text(name);
  topic.num_partitions = config.getInt(prefix + "num.partitions");
  const auto live = std::max(static_cast<std::int32_t>(image.liveBrokers().size()), 1);
  const std::int32_t factor = std::min(config.getInt(prefix + "replication.factor"), live);
  topic.replication_factor = static_cast<std::int16_t>(factor);
  addConfig(topic, "compression.type", offsets ? "producer" : "uncompressed");
  addConfig(topic, "cleanup.policy", "compact");
  if (!offsets) {
    addConfig(topic, "min.insync.replicas",
              std::to_string(std::min(config.getInt(prefix + "min.isr"), factor)));
    addConfig(topic, "unclean.leader.election.enable", "false");
  }
  addConfig(topic, "segment.bytes", std::to_string(config.getInt(prefix + "segment.bytes")));
  return request;
}

}  // namespace

GroupService::GroupService(Services& services)
    : services_(services), shards_(static_cast<std::size_t>(services.shards->size())) {}
GroupService::~GroupService() = default;

GroupService::Route GroupService::routeOf(std::string_view group_id) const {
  const TopicPtr topic = services_.image->current()->topic(kOffsetsTopic);
  if (!topic || topic->partitions.empty()) return {};
  const std::int32_t partition = partitionFor(group_id, topic->partitions.size());
  return {Errc::kNone, partition, &services_.partitions->shardOf({topic->id, partition})};
}

std::shared_ptr<GroupCoordinator> GroupService::find(std::int32_t partition) const {
  const auto& here = shards_[static_cast<std::size_t>(Shard::current()->index())].coordinators;
  const auto found = here.find(partition);
  return found == here.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<GroupCoordinator>> GroupService::local() const {
  std::vector<std::shared_ptr<GroupCoordinator>> all;
  const auto& here = shards_[static_cast<std::size_t>(Shard::current()->index())].coordinators;
  for (const auto& [partition, coordinator] : here) all.push_back(coordinator);
  return all;
}

Task<Errc> GroupService::ensureInternalTopic(std::string_view name) {
  if (services_.image->current()->topic(name)) co_return Errc::kNone;
  auto request = internalTopicRequest(name, *services_.config, *services_.image->current());
  const auto response = co_await services_.metadata->createTopics(std::move(request));
  const auto& result = response.topics.front();
  const Errc error = fromWire(result.error_code);
  // Somebody else asked at the same time.
  if (error == Errc::kNone || error == Errc::kTopicAlreadyExists) co_return Errc::kNone;
  MILLRACE_LOG_WARN("{} cannot be created: {} {}", name, errorName(error),
                    result.error_message ? result.error_message->view() : std::string_view{});
  co_return Errc::kCoordinatorNotAvailable;
}

void GroupService::lead(std::int32_t partition, const Uuid& topic_id) {
  Shard& shard = *Shard::current();
  auto& slot = shards_[static_cast<std::size_t>(shard.index())].coordinators[partition];
  if (slot) return;
  slot = std::make_shared<GroupCoordinator>(TopicIdPartition{topic_id, partition},
                                            CoordinatorConfig::of(*services_.config),
                                            *services_.partitions, *services_.clock, shard);
  slot->start();
}

Task<> GroupService::followOffsetsTopic(TopicPtr topic) {
  // One hop for each shard, not for each partition.
  std::vector<std::vector<std::int32_t>> by_shard(shards_.size());
  for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
    if (topic->partitions[i].leader != services_.identity.node_id) continue;
    const auto partition = static_cast<std::int32_t>(i);
    const Shard& shard = services_.partitions->shardOf({topic->id, partition});
    by_shard[static_cast<std::size_t>(shard.index())].push_back(partition);
  }
  for (std::size_t s = 0; s < by_shard.size(); ++s) {
    if (by_shard[s].empty()) continue;
    auto lead_all = [this, &topic, &mine = by_shard[s]] {
      for (const std::int32_t partition : mine) lead(partition, topic->id);
    };
    co_await onShard(services_.shards->at(static_cast<int>(s)), lead_all);
  }
}

Task<> GroupService::dropTopicsHere(GroupService* self, std::vector<std::string> topics) {
  for (const auto& coordinator : self->local()) {
    co_await coordinator->dropTopics(topics);
  }
}

Task<> GroupService::dropTopics(std::vector<std::string> topics) {
  for (int s = 0; s < services_.shards->size(); ++s) {
    auto drop = [this, &topics] { return dropTopicsHere(this, topics); };
    co_await onShardAsync(services_.shards->at(s), drop);
  }
}

Task<void> GroupService::onMetadata(ImagePtr, MetadataChanges changes) {
  std::vector<std::string> deleted;
  for (const TopicPtr& topic : changes.deleted) {
    if (topic->name == kOffsetsTopic) {
      for (int s = 0; s < services_.shards->size(); ++s) {
        auto resign_all = [this, s] { return resignAll(s); };
        co_await onShardAsync(services_.shards->at(s), resign_all);
      }
    } else {
      deleted.push_back(topic->name);
    }
  }
  for (const TopicPtr& topic : changes.topics) {
    if (topic->name == kOffsetsTopic) co_await followOffsetsTopic(topic);
  }
  // A topic deleted and made again within one change has no offsets from before, either.
  if (!deleted.empty()) co_await dropTopics(std::move(deleted));
}

Task<> GroupService::resign(std::shared_ptr<GroupCoordinator> coordinator) {
  coordinator->resign();
  co_await coordinator->close();
}

Task<> GroupService::resignAll(int shard) {
  auto& here = shards_[static_cast<std::size_t>(shard)].coordinators;
  while (!here.empty()) {
    const auto coordinator = here.begin()->second;
    here.erase(here.begin());
    co_await resign(coordinator);
  }
}

Task<void> GroupService::stop() {
  for (int s = 0; s < services_.shards->size(); ++s) {
    auto resign_all = [this, s] { return resignAll(s); };
    co_await onShardAsync(services_.shards->at(s), resign_all);
  }
}

}  // namespace millrace::broker
