// A partition's name that no other partition ever gets.
#pragma once

#include "base/uuid.h"

#include <cstddef>
#include <cstdint>

namespace millrace::broker {

/// Names a partition for good: a topic made again under the same name has another id.
struct TopicIdPartition {
  Uuid topic_id;
  std::int32_t partition = 0;
  friend bool operator==(const TopicIdPartition&, const TopicIdPartition&) = default;
};

struct TopicIdPartitionHash {
  std::size_t operator()(const TopicIdPartition& p) const noexcept {
    const std::uint64_t mixed =
        (p.topic_id.high ^ (p.topic_id.low + static_cast<std::uint32_t>(p.partition))) *
        0x9E3779B97F4A7C15ULL;
    return mixed ^ (mixed >> 32);
  }
};

}  // namespace millrace::broker
