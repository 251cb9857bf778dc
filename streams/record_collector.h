// Where a task's output goes: raw bytes to topics.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "streams/record_meta.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::streams {

/// One output record. The views are valid during send() only.
struct OutputRecord {
  std::int32_t topic = 0;  ///< handle from RecordCollector::topicHandle
  /// kByKey: Kafka's default partitioner decides (murmur2 of the key, sticky without one).
  std::int32_t partition = kByKey;
  std::optional<BytesView> key;
  std::optional<BytesView> value;
  Millis timestamp = 0;
  const Headers* headers = nullptr;

  static constexpr std::int32_t kByKey = -1;
};

/// The seam between tasks and whatever produces: a producer, a transaction, the test driver.
/// Used by one thread. An error is sticky at the task: it fails and commits nothing more.
class RecordCollector {
 public:
  virtual ~RecordCollector() = default;
  /// A small number for a topic, stable for the collector's life. `internal`: a repartition topic
  /// of the topology, named without the application id (the collector adds it).
  [[nodiscard]] virtual std::int32_t topicHandle(std::string_view topic, bool internal) = 0;
  /// Partitions of that topic; at least 1. Asked only where a sink chooses the partition itself.
  [[nodiscard]] virtual Result<std::int32_t> partitionCount(std::int32_t topic) = 0;
  [[nodiscard]] virtual Status send(const OutputRecord& record) = 0;
};

}  // namespace millrace::streams
