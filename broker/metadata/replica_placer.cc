#include "broker/metadata/replica_placer.h"

#include <fmt/core.h>

#include <algorithm>

namespace millrace::broker {
namespace {

std::unexpected<Error> invalidAssignment(std::string why) {
  return fail(Errc::kInvalidReplicaAssignment, std::move(why));
}

bool isActive(const MetadataImage& image, std::int32_t id) {
  const auto broker = image.broker(id);
  return broker && !broker->fenced && !broker->in_controlled_shutdown;
}

}  // namespace

Result<std::vector<Placement>> placeReplicas(const MetadataImage& image, std::int32_t first,
                                             std::int32_t count, std::int16_t replication_factor) {
  const std::vector<std::int32_t> live = image.liveBrokers();
  const auto factor = static_cast<std::size_t>(replication_factor);
  const auto impossible = [&](std::string why) {
    return fail(
        Errc::kInvalidReplicationFactor,
        fmt::format("Unable to replicate the partition {} time(s): {}", replication_factor, why));
  };
  if (live.empty()) return impossible("All brokers are currently fenced.");
  if (factor > image.brokers.size()) {
    return impossible(
        fmt::format("The target replication factor of {} cannot be reached because only {} "
                    "broker(s) are registered.",
                    replication_factor, image.brokers.size()));
  }
  std::vector<std::int32_t> order = live;
  for (const auto& [id, broker] : image.brokers) {
    if (broker->fenced) order.push_back(id);
  }
  std::vector<Placement> placements(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < placements.size(); ++i) {
    Placement& p = placements[i];
    const std::size_t start = (static_cast<std::size_t>(first) + i) % live.size();
    // The live ones in turn from `start`, then the fenced ones.
    for (std::size_t k = 0; k < factor; ++k) {
      p.replicas.push_back(k < live.size() ? live[(start + k) % live.size()] : order[k]);
      if (isActive(image, p.replicas.back())) p.isr.push_back(p.replicas.back());
    }
  }
  return placements;
}

Result<Placement> checkAssignment(const MetadataImage& image, std::int32_t partition,
                                  const std::vector<std::int32_t>& broker_ids,
                                  std::size_t expected_factor) {
  if (broker_ids.empty()) {
    return invalidAssignment("The manual partition assignment includes an empty replica list.");
  }
  std::vector<std::int32_t> sorted = broker_ids;
  std::ranges::sort(sorted);
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (!image.broker(sorted[i])) {
      return invalidAssignment(fmt::format(
          "The manual partition assignment includes broker {}, but no such broker is registered.",
          sorted[i]));
    }
    if (i > 0 && sorted[i] == sorted[i - 1]) {
      return invalidAssignment(fmt::format(
          "The manual partition assignment includes the broker {} more than once.", sorted[i]));
    }
  }
  if (expected_factor != 0 && broker_ids.size() != expected_factor) {
    return invalidAssignment(fmt::format(
        "The manual partition assignment includes a partition with {} replica(s), but this is not "
        "consistent with previous partitions, which have {} replica(s).",
        broker_ids.size(), expected_factor));
  }
  Placement placement{broker_ids, {}};
  for (const std::int32_t id : broker_ids) {
    if (isActive(image, id)) placement.isr.push_back(id);
  }
  if (placement.isr.empty()) {
    return invalidAssignment(
        fmt::format("All brokers specified in the manual partition assignment for "
                    "partition {} are fenced or in controlled shutdown.",
                    partition));
  }
  return placement;
}

void DirectoryChooser::count() {
  counted_ = true;
  image_.topics.forEach([this](const std::string&, const TopicPtr& topic) {
    for (const PartitionImage& p : topic->partitions)
      for (const Uuid& directory : p.directories) ++used_[directory];
  });
}

Uuid DirectoryChooser::choose(std::int32_t broker_id) {
  const auto broker = image_.broker(broker_id);
  if (!broker || broker->log_dirs.empty()) return {};
  if (broker->log_dirs.size() == 1) return broker->log_dirs.front();
  if (!counted_) count();
  const Uuid chosen =
      *std::ranges::min_element(broker->log_dirs, {}, [this](const Uuid& id) { return used_[id]; });
  ++used_[chosen];
  return chosen;
}

protocol::PartitionRecord newPartitionRecord(const Uuid& topic_id, std::int32_t index,
                                             Placement placement, DirectoryChooser& directories) {
  protocol::PartitionRecord r;
  r.topic_id = topic_id;
  r.partition_id = index;
  r.leader = placement.isr.empty() ? -1 : placement.isr.front();
  r.leader_epoch = 0;
  r.partition_epoch = 0;
  for (const std::int32_t id : placement.replicas) r.directories.push_back(directories.choose(id));
  r.replicas = std::move(placement.replicas);
  r.isr = std::move(placement.isr);
  return r;
}

}  // namespace millrace::broker
