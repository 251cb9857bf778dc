// Which brokers hold a new partition.
#pragma once

#include "base/result.h"
#include "broker/metadata/image.h"
#include "protocol/messages/partition_record.h"

#include <cstdint>
#include <map>
#include <vector>

namespace millrace::broker {

/// A partition's replicas and those of them that start in sync.
struct Placement {
  std::vector<std::int32_t> replicas;
  std::vector<std::int32_t> isr;
};

/// Places partitions [first, first + count), each on `replication_factor` brokers: leaders round
/// robin over the live ones (a fenced broker never leads), so that load spreads evenly. Errors:
/// kInvalidReplicationFactor with Kafka's text (StripedReplicaPlacer) where there are too few
/// brokers.
[[nodiscard]] Result<std::vector<Placement>> placeReplicas(const MetadataImage& image,
                                                           std::int32_t first, std::int32_t count,
                                                           std::int16_t replication_factor);

/// A placement that the user gave. Errors: kInvalidReplicaAssignment with Kafka's text.
/// `expected_factor`: 0 where the first partition decides.
[[nodiscard]] Result<Placement> checkAssignment(const MetadataImage& image, std::int32_t partition,
                                                const std::vector<std::int32_t>& broker_ids,
                                                std::size_t expected_factor);

/// Gives new replicas to the data directories of their brokers, each to the one that holds the
/// fewest (as Kafka's LogManager chooses), counting those it gave. For one request.
class DirectoryChooser {
 public:
  explicit DirectoryChooser(const MetadataImage& image) : image_(image) {}
  /// Zero, which is unassigned, where the broker told of no directories.
  [[nodiscard]] Uuid choose(std::int32_t broker_id);

 private:
  void count();

  const MetadataImage& image_;
  bool counted_ = false;
  std::map<Uuid, std::int64_t> used_;
};

/// The record of a partition that begins with this placement.
[[nodiscard]] protocol::PartitionRecord newPartitionRecord(const Uuid& topic_id, std::int32_t index,
                                                           Placement placement,
                                                           DirectoryChooser& directories);

}  // namespace millrace::broker
