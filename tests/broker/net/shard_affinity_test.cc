#include "broker/shard_affinity.h"

#include <gtest/gtest.h>

namespace millrace::broker {
namespace {

void note(ShardAffinity& affinity, const std::set<int>& shards, int times,
          std::size_t bytes = 100) {
  for (int i = 0; i < times; ++i) affinity.note(ShardAffinity::placeOf(shards), bytes);
}

TEST(ShardAffinity, IsTheShardOfManySmallRequestsInARow) {
  ShardAffinity affinity;
  note(affinity, {1}, ShardAffinity::kInARow - 1);
  EXPECT_EQ(affinity.shard(), std::nullopt);
  note(affinity, {}, 1);  // a heartbeat
  note(affinity, {1}, 1);
  EXPECT_EQ(affinity.shard(), 1);
  note(affinity, {0}, ShardAffinity::kInARow - 1);
  EXPECT_EQ(affinity.shard(), std::nullopt);
  note(affinity, {0}, 1);
  EXPECT_EQ(affinity.shard(), 0);
}

TEST(ShardAffinity, EndsWithARequestForSeveralShardsOrALargeOne) {
  ShardAffinity affinity;
  note(affinity, {1}, ShardAffinity::kInARow);
  note(affinity, {0, 1}, 1);
  EXPECT_EQ(affinity.shard(), std::nullopt);
  note(affinity, {1}, ShardAffinity::kInARow);
  note(affinity, {1}, 1, ShardAffinity::kSmallBytes + 1);
  EXPECT_EQ(affinity.shard(), std::nullopt);
  note(affinity, {1}, ShardAffinity::kInARow, ShardAffinity::kSmallBytes);
  EXPECT_EQ(affinity.shard(), 1);
}

TEST(ShardAffinity, RequestsForSeveralShardsAreNoRow) {
  ShardAffinity affinity;
  note(affinity, {0, 1}, 2 * ShardAffinity::kInARow);
  EXPECT_EQ(affinity.shard(), std::nullopt);
}

}  // namespace
}  // namespace millrace::broker
