// Places in a topic as people name them: beginning, end, an offset, a time.
#pragma once

#include "base/result.h"
#include "client/admin.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::cli {

/// Where to start reading.
struct Place {
  enum class Kind { kBeginning, kEnd, kOffset, kTime } kind = Kind::kEnd;
  std::int64_t value = 0;  ///< the offset, or milliseconds since 1970
};

/// "beginning", "end", an offset ("1500"), a time ("2026-01-31T12:00", "@1769860800000"), or how
/// long ago
/// ("-15m", with s, m, h or d). Errors: kConfig.
[[nodiscard]] Result<Place> parsePlace(std::string_view text, std::int64_t now_ms);

/// "orders" (all partitions) or "orders:3". Errors: kConfig for a partition that is no number.
struct TopicSelection {
  std::string topic;
  std::vector<std::int32_t> partitions;  ///< empty: all
};
[[nodiscard]] Result<TopicSelection> parseSelection(const std::string& text);

/// The offset of a place in each partition; past the last record for a time that none reaches.
/// Offsets outside a partition's range move to its nearer end.
[[nodiscard]] Result<std::map<TopicPartition, std::int64_t>> offsetsOf(
    Admin& admin, const Place& place, const std::vector<TopicPartition>& partitions);

/// The partitions of a topic. Errors: kUnknownTopicOrPartition.
[[nodiscard]] Result<std::vector<TopicPartition>> partitionsOf(Admin& admin,
                                                               const std::string& topic);

}  // namespace millrace::cli
