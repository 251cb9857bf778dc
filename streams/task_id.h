// The name of a task: which subtopology it runs and which partition of the inputs it reads.
#pragma once

#include <charconv>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::streams {

/// "0_3": subtopology 0, partition 3. Ordered by subtopology, then partition, as Kafka's TaskId.
struct TaskId {
  std::int32_t subtopology = 0;
  std::int32_t partition = 0;

  [[nodiscard]] std::string toString() const {
    return std::to_string(subtopology) + "_" + std::to_string(partition);
  }
  friend auto operator<=>(const TaskId&, const TaskId&) = default;
};

/// Nothing where `text` is not "<number>_<number>".
[[nodiscard]] inline std::optional<TaskId> parseTaskId(std::string_view text) {
  TaskId id;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, id.subtopology);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '_') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, id.partition);
  if (second.ec != std::errc{} || second.ptr != end) return std::nullopt;
  if (id.subtopology < 0 || id.partition < 0) return std::nullopt;
  return id;
}

}  // namespace millrace::streams

template <>
struct std::hash<millrace::streams::TaskId> {
  std::size_t operator()(const millrace::streams::TaskId& id) const noexcept {
    const auto high = static_cast<std::uint64_t>(static_cast<std::uint32_t>(id.subtopology));
    return std::hash<std::uint64_t>{}((high << 32) | static_cast<std::uint32_t>(id.partition));
  }
};
