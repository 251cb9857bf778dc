// From Kafka's configuration keys to what a partition's log needs to know.
#pragma once

#include "base/config.h"
#include "broker/metadata/image.h"
#include "broker/partition.h"

namespace millrace::broker {

/// The settings of a topic's logs. `topic` is a configuration of topicConfigDef(), `broker` one of
/// brokerConfigDef().
[[nodiscard]] log::LogConfig logConfigOf(const Config& topic, const Config& broker);

/// Derives the settings of topics from an image and the broker's static configuration; dynamic
/// broker configs (of this node and of all) win over the static ones.
class TopicSettings {
 public:
  TopicSettings(const Config& broker, std::int32_t node_id)
      : static_(broker), effective_(broker), node_id_(node_id) {}

  /// Takes the image's dynamic broker configs. Values that do not parse were refused by the
  /// controller.
  void follow(const MetadataImage& image);
  [[nodiscard]] PartitionSettings of(const MetadataImage& image, const TopicImage& topic,
                                     std::int32_t partition) const;
  /// min.insync.replicas and the log's settings, shared by the partitions of a topic.
  [[nodiscard]] PartitionSettings common(const MetadataImage& image, const TopicImage& topic) const;
  [[nodiscard]] const Config& broker() const { return effective_; }

 private:
  const Config& static_;
  Config effective_;
  std::int32_t node_id_;
};

}  // namespace millrace::broker
