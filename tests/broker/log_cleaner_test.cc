// Which log is compacted next, and what a cleaner may take for it.
#include "broker/log_cleaner.h"

#include "broker/node.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"
#include "tests/broker/support/test_broker.h"
#include "tests/broker/support/wire_client.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace::broker::testing {
namespace {

TopicIdPartition idOf(std::int32_t partition) { return {Uuid{1, 1}, partition}; }

class CleaningQueueTest : public ::testing::Test {
 protected:
  /// The next one's partition; -1 where there is none.
  std::int32_t take() {
    const auto id = queue_.take();
    return id ? id->partition : -1;
  }
  CleaningQueue queue_;
};

TEST_F(CleaningQueueTest, TheDirtiestLogComesFirst) {
  EXPECT_TRUE(queue_.empty());
  queue_.fill({{idOf(1), 0.6}, {idOf(2), 0.9}, {idOf(3), 0.7}});
  EXPECT_EQ(take(), 2);
  EXPECT_EQ(take(), 3);
  EXPECT_EQ(take(), 1);
  EXPECT_TRUE(queue_.empty());
  EXPECT_EQ(take(), -1);
}

TEST_F(CleaningQueueTest, ALogHasOneCleanerAtATime) {
  queue_.fill({{idOf(1), 0.6}});
  EXPECT_EQ(take(), 1);
  queue_.fill({{idOf(1), 0.6}, {idOf(2), 0.5}});
  EXPECT_EQ(take(), 2) << "the other one is being compacted";
  EXPECT_EQ(take(), -1);
  EXPECT_TRUE(queue_.done(idOf(1), {}));
  queue_.fill({{idOf(1), 0.6}});
  EXPECT_EQ(take(), 1);
}

TEST_F(CleaningQueueTest, WhatAnotherCleanerHasFoundMeanwhileStands) {
  queue_.fill({{idOf(1), 0.6}});
  queue_.fill({{idOf(2), 0.9}});
  EXPECT_EQ(take(), 1);
  EXPECT_EQ(take(), -1);
}

TEST_F(CleaningQueueTest, ALogThatCannotBeReadIsLeftAlone) {
  queue_.fill({{idOf(1), 0.9}, {idOf(2), 0.6}});
  EXPECT_EQ(take(), 1);
  EXPECT_FALSE(queue_.done(idOf(1), fail(Errc::kCorruptData, "a batch")));
  EXPECT_EQ(take(), 2) << "the others are compacted all the same";
  EXPECT_TRUE(queue_.done(idOf(2), {}));
  queue_.fill({{idOf(1), 0.9}, {idOf(2), 0.6}});
  EXPECT_EQ(take(), 2);
  EXPECT_EQ(take(), -1);
}

TEST_F(CleaningQueueTest, ALogWhoseFilesAreGoneIsNotTriedAgainAndAgain) {
  queue_.fill({{idOf(1), 0.9}});
  EXPECT_EQ(take(), 1);
  EXPECT_FALSE(queue_.done(idOf(1), fail(Errc::kNotFound, "cannot open"))) << "rest first";
  queue_.fill({{idOf(1), 0.9}});
  EXPECT_EQ(take(), -1);
}

TEST_F(CleaningQueueTest, AFullDiskMayBeOverAfterAWhile) {
  queue_.fill({{idOf(1), 0.9}});
  EXPECT_EQ(take(), 1);
  EXPECT_FALSE(queue_.done(idOf(1), fail(Errc::kDiskFull, "no room"))) << "rest first";
  queue_.fill({{idOf(1), 0.9}});
  EXPECT_EQ(take(), 1);
}

TEST_F(CleaningQueueTest, ADeletedLogDoesNotHoldUpTheNextOne) {
  queue_.fill({{idOf(1), 0.9}, {idOf(2), 0.6}});
  EXPECT_EQ(take(), 1);
  EXPECT_TRUE(queue_.done(idOf(1), fail(Errc::kUnknownTopicOrPartition, "went away")));
  EXPECT_FALSE(queue_.takeCompacted());
  EXPECT_EQ(take(), 2);
  queue_.fill({{idOf(1), 0.9}});
  EXPECT_EQ(take(), 1) << "one of the same name may come";
}

TEST_F(CleaningQueueTest, AStopEndsTheRunAndTheLogCountsAsNothing) {
  queue_.fill({{idOf(1), 0.9}});
  EXPECT_EQ(take(), 1);
  EXPECT_FALSE(queue_.done(idOf(1), fail(Errc::kCancelled, "stopped")));
  EXPECT_FALSE(queue_.takeCompacted());
  queue_.fill({{idOf(1), 0.9}});
  EXPECT_EQ(take(), 1);
}

TEST_F(CleaningQueueTest, TheCheckpointIsDueOnceAfterACompaction) {
  EXPECT_FALSE(queue_.takeCompacted());
  queue_.fill({{idOf(1), 0.9}});
  EXPECT_EQ(take(), 1);
  EXPECT_TRUE(queue_.done(idOf(1), {}));
  EXPECT_TRUE(queue_.takeCompacted());
  EXPECT_FALSE(queue_.takeCompacted());
}

Config leastConfig() {
  return Config::parse(brokerConfigDef(), {{"node.id", "1"},
                                           {"process.roles", "broker,controller"},
                                           {"controller.listener.names", "C"}})
      .value();
}

TEST(CleanerLimits, CleanersShareMemoryCoresAndPace) {
  const Config config = leastConfig();
  log::IoPace pace(std::numeric_limits<double>::max());
  const auto one = cleanerLimits(config, 1, 8, pace);
  EXPECT_EQ(one.map_bytes, 134217728U);
  EXPECT_EQ(one.buffer_bytes, 262144U);
  EXPECT_EQ(one.threads, 4);
  EXPECT_EQ(one.pace, &pace);
  const auto three = cleanerLimits(config, 3, 8, pace);
  EXPECT_EQ(three.map_bytes, 134217728U / 3);
  EXPECT_EQ(three.buffer_bytes, 262144U / 3);
  EXPECT_EQ(three.threads, 1);
  EXPECT_EQ(cleanerLimits(config, 1, 1, pace).threads, 1);
  EXPECT_EQ(cleanerLimits(config, 1, 64, pace).threads, 4);
}

/// Of all brokers.
std::int16_t setBrokerConfig(WireClient& client, const std::string& key, const std::string& value) {
  protocol::IncrementalAlterConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = 4;
  resource.resource_name = Text("");
  auto& config = resource.configs.emplace_back();
  config.name = Text(key);
  config.value = Text(value);
  return client.call(request, 1).responses.at(0).error_code;
}

TEST(CleanerLimits, FollowWhatIsSetWhileTheBrokerRuns) {
  TestBroker broker;
  const Config config = leastConfig();
  LogCleaner cleaner(broker->node().services(), config);
  EXPECT_EQ(cleaner.limits().map_bytes, 134217728U);
  WireClient client(broker.port());
  ASSERT_EQ(setBrokerConfig(client, "log.cleaner.dedupe.buffer.size", "50000000"), 0);
  EXPECT_EQ(cleaner.limits().map_bytes, 50'000'000U);
  ASSERT_EQ(setBrokerConfig(client, "log.cleaner.threads", "2"), 0);
  EXPECT_EQ(cleaner.limits().map_bytes, 25'000'000U);
}

}  // namespace
}  // namespace millrace::broker::testing
