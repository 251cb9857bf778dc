#include "broker/data/fetch_session.h"

#include <gtest/gtest.h>

namespace millrace::broker {
namespace {

const FetchTopicPtr kOrders = std::make_shared<const FetchTopic>(FetchTopic{{}, "orders"});

FetchPartition partition(std::int32_t index, std::int64_t offset = 0) {
  FetchPartition p;
  p.topic = kOrders;
  p.partition = index;
  p.fetch_offset = offset;
  p.max_bytes = 1000;
  return p;
}

FetchSessionRequest request(std::int32_t id, std::int32_t epoch,
                            std::vector<FetchPartition> partitions = {}) {
  FetchSessionRequest r;
  r.session_id = id;
  r.epoch = epoch;
  r.partitions = std::move(partitions);
  return r;
}

FetchSessionResult at(std::int64_t high_watermark, bool records = false) {
  return {records, false, high_watermark, 0};
}

struct FetchSessions : ::testing::Test {
  SeededRandom random{7};
  FetchSessionCache cache{2, random};
  std::vector<bool> mention;

  /// A full fetch of `n` partitions; the id of its session, 0 where none was made.
  std::int32_t open(std::int32_t n, Millis now) {
    std::vector<FetchPartition> all;
    for (std::int32_t i = 0; i < n; ++i) all.push_back(partition(i));
    const auto context = cache.begin(request(0, 0, std::move(all)), now);
    const std::vector<FetchSessionResult> results(static_cast<std::size_t>(n), at(5));
    return cache.finish(*context, results, now, mention);
  }
};

TEST_F(FetchSessions, SessionlessFetchLeavesNothing) {
  const auto context = cache.begin(request(0, -1, {partition(0)}), 0);
  EXPECT_EQ(cache.finish(*context, {at(5)}, 0, mention), 0);
  EXPECT_EQ(mention, std::vector<bool>{true});
  EXPECT_EQ(cache.size(), 0U);
}

TEST_F(FetchSessions, IncrementalAnswerMentionsOnlyWhatChanged) {
  const std::int32_t id = open(3, 0);
  ASSERT_NE(id, 0);
  const auto second = cache.begin(request(id, 1), 1);
  ASSERT_EQ(second->partitions.size(), 3U);
  EXPECT_EQ(cache.finish(*second, {at(5), at(6, true), at(5)}, 1, mention), id);
  EXPECT_EQ(mention, (std::vector<bool>{false, true, false}));
  const auto third = cache.begin(request(id, 2), 2);
  EXPECT_EQ(third->partitions.back().partition, 1);  // what had records is read last next time
}

TEST_F(FetchSessions, ErrorIsMentionedUntilItIsGone) {
  const std::int32_t id = open(1, 0);
  const FetchSessionResult failed{false, true, -1, -1};
  for (std::int32_t epoch = 1; epoch < 4; ++epoch) {
    const auto context = cache.begin(request(id, epoch), 1);
    ASSERT_TRUE(context);
    EXPECT_EQ(cache.finish(*context, {failed}, 1, mention), id);
    EXPECT_EQ(mention, std::vector<bool>{true});
  }
  const auto well = cache.begin(request(id, 4), 1);
  EXPECT_EQ(cache.finish(*well, {at(5)}, 1, mention), id);
  EXPECT_EQ(mention, std::vector<bool>{true});
  const auto still = cache.begin(request(id, 5), 1);
  EXPECT_EQ(cache.finish(*still, {at(5)}, 1, mention), id);
  EXPECT_EQ(mention, std::vector<bool>{false});
}

TEST_F(FetchSessions, AddsAndForgetsPartitions) {
  const std::int32_t id = open(2, 0);
  auto change = request(id, 1, {partition(7), partition(0, 42)});
  change.forgotten = {partition(1)};
  const auto context = cache.begin(std::move(change), 1);
  ASSERT_EQ(context->partitions.size(), 2U);
  EXPECT_EQ(context->partitions[0].fetch_offset, 42);
  EXPECT_EQ(context->partitions[1].partition, 7);
}

TEST_F(FetchSessions, SaysWhatIsWrongWithASession) {
  const std::int32_t id = open(1, 0);
  EXPECT_EQ(cache.begin(request(id, 7), 1).error().code, Errc::kInvalidFetchSessionEpoch);
  EXPECT_EQ(cache.begin(request(id + 1, 1), 1).error().code, Errc::kFetchSessionIdNotFound);
  auto by_id = request(id, 1);
  by_id.by_topic_id = true;
  EXPECT_EQ(cache.begin(std::move(by_id), 1).error().code, Errc::kFetchSessionTopicIdError);
}

TEST_F(FetchSessions, FinalEpochEndsTheSession) {
  const std::int32_t id = open(1, 0);
  ASSERT_TRUE(cache.begin(request(id, -1, {partition(0)}), 1));
  EXPECT_EQ(cache.begin(request(id, 1), 1).error().code, Errc::kFetchSessionIdNotFound);
}

TEST_F(FetchSessions, FullCacheEvictsTheStaleAndTheSmall) {
  EXPECT_NE(open(5, 0), 0);
  EXPECT_NE(open(1, 0), 0);
  EXPECT_EQ(open(3, 1'000), 0);  // both are young
  const std::int32_t id = open(3, 121'000);
  EXPECT_NE(id, 0);  // both are stale
  EXPECT_EQ(cache.size(), 2U);
}

}  // namespace
}  // namespace millrace::broker
