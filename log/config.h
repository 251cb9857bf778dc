// How one partition's log behaves: the topic's configuration in the form the log uses.
#pragma once

#include "record/batch.h"
#include "record/validator.h"

#include <cstdint>
#include <limits>
#include <optional>

namespace millrace::log {

/// Kafka's topic keys and defaults (configs topic.txt). Times in ms, sizes in bytes; -1 = unlimited
/// for retention.
struct LogConfig {
  std::int32_t segment_bytes = 1 << 30;
  std::int64_t segment_ms = 604'800'000;
  /// Up to this much is taken off segment_ms, different for each log, so that they do not all roll
  /// at once.
  std::int64_t segment_jitter_ms = 0;
  std::int32_t segment_index_bytes = 10 << 20;
  std::int32_t index_interval_bytes = 4096;
  std::int64_t retention_ms = 604'800'000;
  std::int64_t retention_bytes = -1;
  std::int64_t file_delete_delay_ms = 60'000;
  std::int64_t flush_messages = std::numeric_limits<std::int64_t>::max();
  std::int64_t flush_ms = std::numeric_limits<std::int64_t>::max();
  /// An append is acknowledged when it is on disk: see log/journal/journal.h.
  bool flush_on_ack = false;
  /// Segments get their disk space when they begin.
  bool preallocate = false;
  /// cleanup.policy; both may be set.
  bool cleanup_delete = true;
  bool cleanup_compact = false;
  std::int64_t delete_retention_ms = 86'400'000;
  std::int64_t min_compaction_lag_ms = 0;
  std::int64_t max_compaction_lag_ms = std::numeric_limits<std::int64_t>::max();
  double min_cleanable_dirty_ratio = 0.5;
  std::int32_t max_message_bytes = 1'048'588;
  record::TimestampType timestamp_type = record::TimestampType::kCreateTime;
  std::int64_t timestamp_before_max_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t timestamp_after_max_ms = 3'600'000;
  /// compression.type; nothing = producer.
  std::optional<record::Codec> compression;
  std::int32_t compression_level = record::kDefaultLevel;
  /// producer.id.expiration.ms of the broker.
  std::int64_t producer_id_expiration_ms = 86'400'000;
};

}  // namespace millrace::log
