#include "broker/metadata/delta.h"

#include <fmt/core.h>

namespace millrace::broker {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

constexpr std::int32_t kNoLeaderChange = -2;

void assign(std::vector<std::int32_t>& to, const std::optional<std::vector<std::int32_t>>& from) {
  if (from) to = *from;
}

std::shared_ptr<BrokerImage> copyOf(const MetadataImage& image, std::int32_t id) {
  const auto broker = image.broker(id);
  return broker ? std::make_shared<BrokerImage>(*broker) : nullptr;
}

}  // namespace

Status MetadataDelta::apply(const MetadataRecord& record, std::int64_t offset) {
  next_.offset = offset;
  return std::visit(
      Overloaded{
          [&](const protocol::TopicRecord& r) { return applyTopic(r); },
          [&](const protocol::PartitionRecord& r) { return applyPartition(r); },
          [&](const protocol::PartitionChangeRecord& r) { return applyPartitionChange(r); },
          [&](const protocol::RemoveTopicRecord& r) { return applyRemoveTopic(r); },
          [&](const protocol::ConfigRecord& r) { return applyConfig(r), Status{}; },
          [&](const protocol::RegisterBrokerRecord& r) { return applyRegisterBroker(r), Status{}; },
          [&](const protocol::BrokerRegistrationChangeRecord& r) { return applyBrokerChange(r); },
          [&](const protocol::UnregisterBrokerRecord& r) {
            next_.brokers.erase(r.broker_id);
            return Status{};
          },
          [&](const protocol::FeatureLevelRecord& r) {
            next_.features.insert_or_assign(r.name.str(), r.feature_level);
            return Status{};
          },
          [&](const protocol::ProducerIdsRecord& r) {
            next_.next_producer_id = r.next_producer_id;
            return Status{};
          },
          [](const auto&) { return Status{}; },
      },
      record);
}

void MetadataDelta::setPosition(std::int64_t offset, std::int32_t leader_epoch) {
  next_.offset = offset;
  next_.leader_epoch = leader_epoch;
}

TopicImage* MetadataDelta::touch(const Uuid& id) {
  const auto known = touched_.find(id);
  if (known != touched_.end()) return known->second.get();
  const TopicPtr topic = next_.topic(id);
  if (!topic) return nullptr;
  return touched_.emplace(id, std::make_shared<TopicImage>(*topic)).first->second.get();
}

Status MetadataDelta::applyTopic(const protocol::TopicRecord& r) {
  flush();
  if (next_.topic(r.name.view())) {
    return fail(Errc::kCorruptData, fmt::format("topic {} is created twice", r.name.view()));
  }
  auto topic = std::make_shared<TopicImage>();
  topic->name = r.name.str();
  topic->id = r.topic_id;
  next_.topics.put(topic->name, topic);
  next_.topics_by_id.put(topic->id, topic);
  // Stays changeable until flush(): nobody else sees it before.
  touched_.emplace(topic->id, std::move(topic));
  return {};
}

Status MetadataDelta::applyPartition(const protocol::PartitionRecord& r) {
  TopicImage* topic = touch(r.topic_id);
  if (!topic) {
    return fail(Errc::kCorruptData,
                fmt::format("partition of unknown topic {}", r.topic_id.toString()));
  }
  const auto index = static_cast<std::size_t>(r.partition_id);
  if (r.partition_id < 0 || index > topic->partitions.size()) {
    return fail(Errc::kCorruptData, fmt::format("{}-{} leaves a gap", topic->name, r.partition_id));
  }
  PartitionImage p;
  p.replicas = r.replicas;
  p.isr = r.isr;
  p.adding_replicas = r.adding_replicas;
  p.removing_replicas = r.removing_replicas;
  p.directories = r.directories;
  p.leader = r.leader;
  p.leader_epoch = r.leader_epoch;
  p.partition_epoch = r.partition_epoch;
  p.leader_recovery_state = r.leader_recovery_state;
  assign(p.eligible_leader_replicas, r.eligible_leader_replicas);
  assign(p.last_known_elr, r.last_known_elr);
  if (index == topic->partitions.size()) {
    topic->partitions.push_back(std::move(p));
  } else {
    topic->partitions[index] = std::move(p);
  }
  return {};
}

Status MetadataDelta::applyPartitionChange(const protocol::PartitionChangeRecord& r) {
  TopicImage* topic = touch(r.topic_id);
  if (!topic || r.partition_id < 0 ||
      static_cast<std::size_t>(r.partition_id) >= topic->partitions.size()) {
    return fail(Errc::kCorruptData, fmt::format("change of unknown partition {} of topic {}",
                                                r.partition_id, r.topic_id.toString()));
  }
  PartitionImage& p = topic->partitions[static_cast<std::size_t>(r.partition_id)];
  assign(p.isr, r.isr);
  assign(p.replicas, r.replicas);
  assign(p.adding_replicas, r.adding_replicas);
  assign(p.removing_replicas, r.removing_replicas);
  assign(p.eligible_leader_replicas, r.eligible_leader_replicas);
  assign(p.last_known_elr, r.last_known_elr);
  if (r.directories) p.directories = *r.directories;
  if (r.leader_recovery_state != -1) p.leader_recovery_state = r.leader_recovery_state;
  // Naming a leader, even the same one, begins a new leader epoch (Kafka's
  // PartitionRegistration.merge).
  if (r.leader != kNoLeaderChange) {
    p.leader = r.leader;
    ++p.leader_epoch;
  }
  ++p.partition_epoch;
  return {};
}

Status MetadataDelta::applyRemoveTopic(const protocol::RemoveTopicRecord& r) {
  flush();
  const TopicPtr topic = next_.topic(r.topic_id);
  if (!topic) {
    return fail(Errc::kCorruptData,
                fmt::format("removal of unknown topic {}", r.topic_id.toString()));
  }
  removed_.push_back(r.topic_id);
  changed_.erase(r.topic_id);
  next_.topics.erase(std::string_view(topic->name));
  next_.topics_by_id.erase(r.topic_id);
  const ConfigResource resource{ConfigResourceType::kTopic, topic->name};
  next_.configs.erase(resource);
  configs_.erase(resource);
  return {};
}

void MetadataDelta::applyConfig(const protocol::ConfigRecord& r) {
  const ConfigResource resource{static_cast<ConfigResourceType>(r.resource_type),
                                r.resource_name.str()};
  const ConfigMapPtr before = next_.configs.find(resource);
  auto after = before ? std::make_shared<ConfigMap>(*before) : std::make_shared<ConfigMap>();
  if (r.value) {
    after->insert_or_assign(r.name.str(), r.value->str());
  } else if (const auto found = after->find(r.name.view()); found != after->end()) {
    after->erase(found);
  }
  configs_.insert(resource);
  if (after->empty()) {
    next_.configs.erase(resource);
  } else {
    next_.configs.put(resource, std::move(after));
  }
}

void MetadataDelta::applyRegisterBroker(const protocol::RegisterBrokerRecord& r) {
  auto broker = std::make_shared<BrokerImage>();
  broker->id = r.broker_id;
  broker->epoch = r.broker_epoch;
  broker->incarnation_id = r.incarnation_id;
  for (const auto& e : r.end_points) {
    broker->endpoints.push_back({e.name.str(), e.host.str(), e.port, e.security_protocol});
  }
  for (const auto& f : r.features) {
    broker->features.push_back({f.name.str(), f.min_supported_version, f.max_supported_version});
  }
  if (r.rack) broker->rack = r.rack->str();
  broker->fenced = r.fenced;
  broker->in_controlled_shutdown = r.in_controlled_shutdown;
  broker->log_dirs = r.log_dirs;
  next_.brokers.insert_or_assign(r.broker_id, std::move(broker));
}

Status MetadataDelta::applyBrokerChange(const protocol::BrokerRegistrationChangeRecord& r) {
  auto broker = copyOf(next_, r.broker_id);
  if (!broker || broker->epoch != r.broker_epoch) {
    return fail(Errc::kCorruptData,
                fmt::format("change of unknown broker {} epoch {}", r.broker_id, r.broker_epoch));
  }
  if (r.fenced != 0) broker->fenced = r.fenced > 0;
  if (r.in_controlled_shutdown != 0) broker->in_controlled_shutdown = r.in_controlled_shutdown > 0;
  if (!r.log_dirs.empty()) broker->log_dirs = r.log_dirs;
  next_.brokers.insert_or_assign(r.broker_id, std::move(broker));
  return {};
}

void MetadataDelta::flush() {
  for (auto& [id, topic] : touched_) {
    next_.topics.put(topic->name, topic);
    next_.topics_by_id.put(id, topic);
    changed_.insert(id);
  }
  touched_.clear();
}

const MetadataImage& MetadataDelta::current() {
  flush();
  return next_;
}

MetadataDelta::Outcome MetadataDelta::finish() {
  flush();
  Outcome outcome;
  for (const Uuid& id : changed_) outcome.changes.topics.push_back(next_.topic(id));
  for (const Uuid& id : removed_) {
    if (TopicPtr before = base_.topic(id)) outcome.changes.deleted.push_back(std::move(before));
  }
  outcome.changes.configs.assign(configs_.begin(), configs_.end());
  next_.topics.seal();
  next_.topics_by_id.seal();
  next_.configs.seal();
  outcome.image = std::make_shared<const MetadataImage>(std::move(next_));
  return outcome;
}

}  // namespace millrace::broker
