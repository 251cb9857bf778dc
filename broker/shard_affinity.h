// Which shard a connection's work belongs to.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace millrace::broker {

/// A request for another shard's partition costs two hops between shards, some 20 us and two
/// wake-ups of sleeping threads: nothing beside a large request, most of a small one. Counts how
/// many small requests in a row were for one shard.
class ShardAffinity {
 public:
  static constexpr int kInARow = 32;
  /// Of a request and its answer. What carries more is better off with a core for the network and
  /// one for the log.
  static constexpr std::size_t kSmallBytes = 16 << 10;

  /// A request has worked on partitions of these shards. Without partitions it says nothing.
  void note(const std::vector<int>& shards, std::size_t bytes) {
    if (shards.empty()) return;
    const bool counts = shards.size() == 1 && bytes <= kSmallBytes;
    const bool goes_on = counts && shards.front() == shard_;
    shard_ = counts ? shards.front() : -1;
    in_a_row_ = goes_on ? in_a_row_ + 1 : 1;
  }
  /// The shard that all of the last kInARow requests were for.
  [[nodiscard]] std::optional<int> shard() const {
    if (shard_ < 0 || in_a_row_ < kInARow) return std::nullopt;
    return shard_;
  }

 private:
  int shard_ = -1;
  int in_a_row_ = 0;
};

}  // namespace millrace::broker
