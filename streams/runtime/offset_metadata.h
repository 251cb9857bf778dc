// What a streams application notes beside a committed offset.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace millrace::streams {

/// Kafka's TopicPartitionMetadata: Base64 of 2 || partition time8 || n4 || n x (length4, key,
/// int64). Kafka's own keys are of emit-final stores; ours (kChangelogKey + store) hold the
/// changelog offsets that belong to the committed input, so that a restore after a crash stops
/// there.
struct OffsetMetadata {
  static constexpr std::string_view kChangelogKey = "changelog:";

  Millis partition_time = -1;
  std::map<std::string, std::int64_t> values = {};
  friend bool operator==(const OffsetMetadata&, const OffsetMetadata&) = default;
};

/// Drops the values where the text would pass `max_size` (the broker's offset.metadata.max.bytes).
[[nodiscard]] std::string encodeOffsetMetadata(const OffsetMetadata& metadata,
                                               std::size_t max_size = 4096);
/// Reads versions 1 (time only) and 2. Anything else, also another program's note, gives no time
/// and no values.
[[nodiscard]] OffsetMetadata decodeOffsetMetadata(std::string_view text);

}  // namespace millrace::streams
