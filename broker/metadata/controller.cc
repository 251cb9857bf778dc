#include "broker/metadata/controller.h"

#include <algorithm>

namespace millrace::broker {
namespace {

constexpr std::int32_t kProducerIdBlockSize = 1000;
/// PartitionChangeRecord.Leader: nobody leads.
constexpr std::int32_t kNoLeader = -1;

protocol::BrokerRegistrationChangeRecord fencing(const BrokerImage& broker, bool fence) {
  protocol::BrokerRegistrationChangeRecord r;
  r.broker_id = broker.id;
  r.broker_epoch = broker.epoch;
  r.fenced = fence ? 1 : -1;
  return r;
}

template <class Id>
bool contains(const std::vector<Id>& ids, const Id& id) {
  return std::ranges::find(ids, id) != ids.end();
}

/// Calls visit(topic, index, partition) for all partitions, topics in the order of their ids.
template <class F>
void forEachPartition(const MetadataImage& image, F&& visit) {
  std::map<Uuid, TopicPtr> topics;
  image.topics_by_id.forEach(
      [&](const Uuid& id, const TopicPtr& topic) { topics.emplace(id, topic); });
  for (const auto& [id, topic] : topics) {
    for (std::size_t i = 0; i < topic->partitions.size(); ++i) {
      visit(*topic, static_cast<std::int32_t>(i), topic->partitions[i]);
    }
  }
}

protocol::PartitionChangeRecord changeOf(const TopicImage& topic, std::int32_t index) {
  protocol::PartitionChangeRecord r;
  r.topic_id = topic.id;
  r.partition_id = index;
  return r;
}

/// Takes the leadership of `broker_id` away.
protocol::PartitionChangeRecord withdraw(const TopicImage& topic, std::int32_t index,
                                         const PartitionImage& p, std::int32_t broker_id) {
  protocol::PartitionChangeRecord r = changeOf(topic, index);
  std::vector<std::int32_t> isr = p.isr;
  std::erase(isr, broker_id);
  // Below min.insync.replicas it stays eligible: it holds all committed data (KIP-966).
  if (isr.empty()) {
    r.eligible_leader_replicas = std::vector<std::int32_t>{broker_id};
    r.last_known_elr = std::vector<std::int32_t>{broker_id};
    r.leader = kNoLeader;
  } else {
    r.leader = isr.front();
  }
  r.isr = std::move(isr);
  return r;
}

/// Whether nobody leads, and this replica holds all that was committed.
bool mayTakeLead(const PartitionImage& p, std::int32_t broker_id) {
  return p.leader == kNoLeader &&
         (contains(p.isr, broker_id) || contains(p.eligible_leader_replicas, broker_id) ||
          contains(p.last_known_elr, broker_id));
}

void takeLead(protocol::PartitionChangeRecord& r, const PartitionImage& p, std::int32_t broker_id) {
  if (!contains(p.isr, broker_id)) {
    std::vector<std::int32_t> isr = p.isr;
    isr.push_back(broker_id);
    r.isr = std::move(isr);
  }
  r.leader = broker_id;
  if (!p.eligible_leader_replicas.empty()) r.eligible_leader_replicas.emplace();
  if (!p.last_known_elr.empty()) r.last_known_elr.emplace();
}

}  // namespace

Controller::Controller(ControllerConfig config, std::function<Uuid()> new_id)
    : config_(std::move(config)), new_id_(std::move(new_id)) {}

Decision<ProducerIdBlock> Controller::allocateProducerIds(const MetadataImage& image,
                                                          std::int32_t broker_id) const {
  const auto broker = image.broker(broker_id);
  protocol::ProducerIdsRecord r;
  r.broker_id = broker_id;
  r.broker_epoch = broker ? broker->epoch : -1;
  r.next_producer_id = image.next_producer_id + kProducerIdBlockSize;
  Decision<ProducerIdBlock> decision;
  decision.records.emplace_back(std::move(r));
  decision.response = {image.next_producer_id, kProducerIdBlockSize};
  return decision;
}

MetadataRecords Controller::registerBroker(const BrokerImage& broker,
                                           std::int64_t next_offset) const {
  protocol::RegisterBrokerRecord r;
  r.broker_id = broker.id;
  r.incarnation_id = broker.incarnation_id;
  r.broker_epoch = next_offset;
  for (const BrokerEndpoint& e : broker.endpoints) {
    auto& out = r.end_points.emplace_back();
    out.name = e.name;
    out.host = e.host;
    out.port = e.port;
    out.security_protocol = e.security_protocol;
  }
  for (const FeatureRange& f : supportedFeatures()) {
    auto& out = r.features.emplace_back();
    out.name = f.name;
    out.min_supported_version = f.min;
    out.max_supported_version = f.max;
  }
  r.rack.reset();
  if (broker.rack) r.rack = *broker.rack;
  r.fenced = true;
  r.log_dirs = broker.log_dirs;
  MetadataRecords records;
  records.emplace_back(std::move(r));
  return records;
}

MetadataRecords Controller::unfenceBroker(const MetadataImage& image,
                                          std::int32_t broker_id) const {
  MetadataRecords records;
  const auto broker = image.broker(broker_id);
  if (!broker || !broker->fenced) return records;
  records.emplace_back(fencing(*broker, false));
  forEachPartition(
      image, [&](const TopicImage& topic, std::int32_t index, const PartitionImage& p) {
        const bool online = isOnline(*broker, p);
        if (p.leader == broker_id && !online)
          records.emplace_back(withdraw(topic, index, p, broker_id));
        if (!online) return;
        const bool leads =
            p.leader == broker_id;  // it stopped without saying so: a new epoch for a new run
        if (!leads && !mayTakeLead(p, broker_id)) return;
        protocol::PartitionChangeRecord r = changeOf(topic, index);
        takeLead(r, p, broker_id);
        records.emplace_back(std::move(r));
      });
  return records;
}

MetadataRecords Controller::fenceBroker(const MetadataImage& image, std::int32_t broker_id) const {
  MetadataRecords records;
  const auto broker = image.broker(broker_id);
  if (!broker || broker->fenced) return records;
  forEachPartition(image,
                   [&](const TopicImage& topic, std::int32_t index, const PartitionImage& p) {
                     if (p.leader == broker_id)
                       records.emplace_back(withdraw(topic, index, p, broker_id));
                   });
  records.emplace_back(fencing(*broker, true));
  return records;
}

MetadataRecords Controller::replicasMoved(const MetadataImage& image, std::int32_t broker_id,
                                          const std::vector<ReplicaPlace>& places) const {
  MetadataRecords records;
  const auto broker = image.broker(broker_id);
  for (const ReplicaPlace& place : places) {
    const TopicPtr topic = image.topic(place.id.topic_id);
    const PartitionImage* const p = topic ? topic->partition(place.id.partition) : nullptr;
    if (p == nullptr) continue;
    std::vector<Uuid> directories = p->directories;
    directories.resize(p->replicas.size());
    const auto replica = std::ranges::find(p->replicas, broker_id) - p->replicas.begin();
    const auto at = static_cast<std::size_t>(replica);
    if (at == directories.size() || directories[at] == place.directory) continue;
    directories[at] = place.directory;
    protocol::PartitionChangeRecord change = changeOf(*topic, place.id.partition);
    change.directories = std::move(directories);
    // Its directory before may be offline, or not be known any more.
    const bool online = broker && !broker->fenced && contains(broker->log_dirs, place.directory);
    if (online && mayTakeLead(*p, broker_id)) takeLead(change, *p, broker_id);
    records.emplace_back(std::move(change));
  }
  return records;
}

MetadataRecords Controller::directoriesFailed(const MetadataImage& image, std::int32_t broker_id,
                                              const std::vector<Uuid>& online) const {
  MetadataRecords records;
  const auto broker = image.broker(broker_id);
  if (!broker || broker->log_dirs == online) return records;
  BrokerImage after = *broker;
  after.log_dirs = online;
  protocol::BrokerRegistrationChangeRecord change;
  change.broker_id = broker_id;
  change.broker_epoch = broker->epoch;
  change.log_dirs = online;
  records.emplace_back(std::move(change));
  forEachPartition(image,
                   [&](const TopicImage& topic, std::int32_t index, const PartitionImage& p) {
                     if (p.leader == broker_id && !isOnline(after, p))
                       records.emplace_back(withdraw(topic, index, p, broker_id));
                   });
  return records;
}

MetadataRecords Controller::bootstrap() const {
  MetadataRecords records;
  protocol::BeginTransactionRecord begin;
  begin.name = "Bootstrap records";
  records.emplace_back(std::move(begin));
  for (const auto& [name, level] : bootstrapFeatures()) {
    protocol::FeatureLevelRecord r;
    r.name = name;
    r.feature_level = level;
    records.emplace_back(std::move(r));
  }
  // With eligible leader replicas the cluster's min.insync.replicas stands in the log (KIP-966).
  protocol::ConfigRecord min_isr;
  min_isr.resource_type = static_cast<std::int8_t>(ConfigResourceType::kBroker);
  min_isr.name = "min.insync.replicas";
  const auto given = config_.static_config.find("min.insync.replicas");
  min_isr.value = given == config_.static_config.end() ? std::string("1") : given->second;
  records.emplace_back(std::move(min_isr));
  records.emplace_back(protocol::EndTransactionRecord{});
  return records;
}

const std::vector<FeatureRange>& supportedFeatures() {
  static const std::vector<FeatureRange> kFeatures = {
      {"group.version", 0, 1},
      {"kraft.version", 0, 1},
      {"metadata.version", 7, 29},
      {"share.version", 0, 1},
      {"streams.version", 0, 1},
      {"transaction.version", 0, 2},
      {"eligible.leader.replicas.version", 0, 1},
  };
  return kFeatures;
}

const std::vector<std::pair<std::string, std::int16_t>>& bootstrapFeatures() {
  static const std::vector<std::pair<std::string, std::int16_t>> kLevels = {
      {"metadata.version", 29}, {"eligible.leader.replicas.version", 1},
      {"group.version", 1},     {"share.version", 1},
      {"streams.version", 1},   {"transaction.version", 2},
  };
  return kLevels;
}

}  // namespace millrace::broker
