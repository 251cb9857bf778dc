#include "broker/metadata/image.h"

#include <algorithm>

namespace millrace::broker {

std::shared_ptr<const BrokerImage> MetadataImage::broker(std::int32_t id) const {
  const auto found = brokers.find(id);
  return found == brokers.end() ? nullptr : found->second;
}

std::vector<std::int32_t> MetadataImage::liveBrokers() const {
  std::vector<std::int32_t> live;
  for (const auto& [id, broker] : brokers) {
    if (!broker->fenced) live.push_back(id);
  }
  return live;
}

ConfigMapPtr MetadataImage::config(ConfigResourceType type, std::string_view name) const {
  static const ConfigMapPtr kEmpty = std::make_shared<const ConfigMap>();
  auto found = configs.find(ConfigResource{type, std::string(name)});
  return found ? found : kEmpty;
}

std::int16_t MetadataImage::feature(std::string_view name) const {
  const auto found = features.find(name);
  return found == features.end() ? std::int16_t{0} : found->second;
}

BrokerEndpoint endpointFor(const BrokerImage& broker, std::string_view listener) {
  const auto same = std::ranges::find(broker.endpoints, listener, &BrokerEndpoint::name);
  if (same != broker.endpoints.end()) return *same;
  if (!broker.endpoints.empty()) return broker.endpoints.front();
  return {std::string(listener), "in-process", 0, 0};
}

Uuid directoryOf(const PartitionImage& partition, std::int32_t broker_id) {
  const auto at = std::ranges::find(partition.replicas, broker_id);
  const auto index = static_cast<std::size_t>(at - partition.replicas.begin());
  return index < partition.directories.size() ? partition.directories[index] : Uuid{};
}

bool isOnline(const BrokerImage& broker, const PartitionImage& partition) {
  const Uuid directory = directoryOf(partition, broker.id);
  const bool assigned = directory.high != 0 || directory.low >= kReservedDirectoryIds;
  return !assigned || broker.log_dirs.empty() ||
         std::ranges::find(broker.log_dirs, directory) != broker.log_dirs.end();
}

bool isInternalTopic(std::string_view name) {
  return name == kOffsetsTopic || name == kTransactionTopic || name == kShareStateTopic;
}

}  // namespace millrace::broker
