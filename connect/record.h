// Records as tasks see them, before and after the converters. Header-only, as value.h.
#pragma once

#include "connect/schema.h"
#include "connect/value.h"

namespace millrace::connect {

struct RecordHeader {
  std::string key;
  SchemaPtr schema = {};
  Value value = {};
};

/// What a source task delivers. `source_partition` and `source_offset` say where it came from: the
/// worker stores the offset of each partition once the record is acknowledged, and gives it back
/// after a restart.
struct SourceRecord {
  std::shared_ptr<const SourceMap> source_partition;  ///< shared by all records of one source
  SourceMap source_offset;
  std::string topic;
  std::optional<std::int32_t> partition = std::nullopt;  ///< unset: by key
  SchemaPtr key_schema = {};
  Value key = {};
  SchemaPtr value_schema = {};
  Value value = {};
  std::optional<Millis> timestamp = std::nullopt;  ///< unset: now
  std::vector<RecordHeader> headers = {};
};

/// What a sink task is given.
struct SinkRecord {
  std::string topic;
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  SchemaPtr key_schema = {};
  Value key = {};
  SchemaPtr value_schema = {};
  Value value = {};
  std::optional<Millis> timestamp = std::nullopt;
  std::vector<RecordHeader> headers = {};
};

/// A topic's partition, and the next offset to read there.
using TopicPartitionKey = std::pair<std::string, std::int32_t>;
using SinkOffsets = std::map<TopicPartitionKey, std::int64_t>;

}  // namespace millrace::connect
