#include "broker/topic_settings.h"

#include "base/log.h"

#include <algorithm>

namespace millrace::broker {

namespace {

bool contains(const std::vector<std::string>& list, std::string_view value) {
  return std::find(list.begin(), list.end(), value) != list.end();
}

std::optional<record::Codec> codecNamed(std::string_view name) {
  if (name == "uncompressed") return record::Codec::kNone;
  if (name == "gzip") return record::Codec::kGzip;
  if (name == "snappy") return record::Codec::kSnappy;
  if (name == "lz4") return record::Codec::kLz4;
  if (name == "zstd") return record::Codec::kZstd;
  return std::nullopt;  // "producer"
}

std::int32_t levelOf(const Config& topic, std::optional<record::Codec> codec) {
  if (codec == record::Codec::kGzip) return topic.getInt("compression.gzip.level");
  if (codec == record::Codec::kLz4) return topic.getInt("compression.lz4.level");
  if (codec == record::Codec::kZstd) return topic.getInt("compression.zstd.level");
  return record::kDefaultLevel;
}

}  // namespace

log::LogConfig logConfigOf(const Config& topic, const Config& broker) {
  log::LogConfig c;
  c.segment_bytes = topic.getInt("segment.bytes");
  c.segment_ms = topic.getLong("segment.ms");
  c.segment_jitter_ms = topic.getLong("segment.jitter.ms");
  c.segment_index_bytes = topic.getInt("segment.index.bytes");
  c.index_interval_bytes = topic.getInt("index.interval.bytes");
  c.retention_ms = topic.getLong("retention.ms");
  c.retention_bytes = topic.getLong("retention.bytes");
  c.file_delete_delay_ms = topic.getLong("file.delete.delay.ms");
  c.flush_messages = topic.getLong("flush.messages");
  c.flush_ms = topic.getLong("flush.ms");
  c.flush_on_ack = topic.getBool("flush.on.ack");
  c.preallocate = topic.getBool("preallocate");
  c.cleanup_delete = contains(topic.getList("cleanup.policy"), "delete");
  c.cleanup_compact = contains(topic.getList("cleanup.policy"), "compact");
  c.delete_retention_ms = topic.getLong("delete.retention.ms");
  c.min_compaction_lag_ms = topic.getLong("min.compaction.lag.ms");
  c.max_compaction_lag_ms = topic.getLong("max.compaction.lag.ms");
  c.min_cleanable_dirty_ratio = topic.getDouble("min.cleanable.dirty.ratio");
  c.max_message_bytes = topic.getInt("max.message.bytes");
  c.timestamp_type = topic.getString("message.timestamp.type") == "LogAppendTime"
                         ? record::TimestampType::kLogAppendTime
                         : record::TimestampType::kCreateTime;
  c.timestamp_before_max_ms = topic.getLong("message.timestamp.before.max.ms");
  c.timestamp_after_max_ms = topic.getLong("message.timestamp.after.max.ms");
  c.compression = codecNamed(topic.getString("compression.type"));
  c.compression_level = levelOf(topic, c.compression);
  c.producer_id_expiration_ms = broker.getInt("producer.id.expiration.ms");
  return c;
}

void TopicSettings::follow(const MetadataImage& image) {
  const ConfigMapPtr of_all = image.config(ConfigResourceType::kBroker, "");
  const ConfigMapPtr of_this = image.config(ConfigResourceType::kBroker, std::to_string(node_id_));
  if (of_all->empty() && of_this->empty()) {
    effective_ = static_;
    return;
  }
  Properties given = static_.originals();
  for (const auto& [key, value] : *of_all) given[key] = value;
  for (const auto& [key, value] : *of_this) given[key] = value;
  auto parsed = Config::parse(brokerConfigDef(), given);
  if (parsed) {
    effective_ = std::move(*parsed);
  } else {
    MILLRACE_LOG_ERROR("keeping the previous broker settings: {}", parsed.error().toString());
  }
}

PartitionSettings TopicSettings::common(const MetadataImage& image, const TopicImage& topic) const {
  const ConfigMapPtr overrides = image.config(ConfigResourceType::kTopic, topic.name);
  auto config = inheritConfig(topicConfigDef(), effective_, *overrides);
  if (!config) {
    MILLRACE_LOG_ERROR("topic {}: {}; using the broker's settings", topic.name,
                       config.error().toString());
    config = inheritConfig(topicConfigDef(), effective_, {});
  }
  PartitionSettings settings;
  settings.min_in_sync_replicas = config->getInt("min.insync.replicas");
  settings.log = logConfigOf(*config, effective_);
  return settings;
}

PartitionSettings TopicSettings::of(const MetadataImage& image, const TopicImage& topic,
                                    std::int32_t partition) const {
  PartitionSettings settings = common(image, topic);
  const PartitionImage& p = topic.partitions.at(static_cast<std::size_t>(partition));
  settings.leader_epoch = LeaderEpoch(p.leader_epoch);
  settings.in_sync_replicas = static_cast<std::int32_t>(p.isr.size());
  return settings;
}

}  // namespace millrace::broker
