// Which shard a connection's work belongs to.
#pragma once

#include <cstddef>
#include <optional>
#include <set>

namespace millrace::broker {

/// A request for another shard's partition costs two hops between shards, which wake a sleeping
/// thread each: little beside a large request, much of a small one. Counts how many small requests
/// in a row were for one shard.
class ShardAffinity {
 public:
  static constexpr int kInARow = 32;
  /// Of a request and its answer. What carries more is better off with a core for the network and
  /// one for the log.
  static constexpr std::size_t kSmallBytes = 16 << 10;

  /// In place of a shard: the request worked on no partition, or on those of several shards.
  static constexpr int kNowhere = -1, kSeveral = -2;
  /// Where a request worked whose partitions belong to these shards.
  [[nodiscard]] static int placeOf(const std::set<int>& shards) {
    return shards.empty() ? kNowhere : shards.size() > 1 ? kSeveral : *shards.begin();
  }

  /// Of a request that worked there. Without partitions it says nothing.
  void note(int place, std::size_t bytes) {
    if (place == kNowhere) return;
    const int counted = bytes <= kSmallBytes ? place : kSeveral;
    in_a_row_ = counted == shard_ ? in_a_row_ + 1 : 1;
    shard_ = counted;
  }
  /// The shard that all of the last kInARow requests were for.
  [[nodiscard]] std::optional<int> shard() const {
    if (shard_ < 0 || in_a_row_ < kInARow) return std::nullopt;
    return shard_;
  }

 private:
  int shard_ = kSeveral;
  int in_a_row_ = 0;
};

}  // namespace millrace::broker
