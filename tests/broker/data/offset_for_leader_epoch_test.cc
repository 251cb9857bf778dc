// Where epochs ended, asked of a real broker that was started three times.
#include "protocol/messages/offset_for_leader_epoch_request.h"
#include "protocol/messages/offset_for_leader_epoch_response.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>

namespace millrace::broker::testing {
namespace {

class EpochTest : public ::testing::Test {
 protected:
  /// `current`: what the client believes the leader's epoch to be.
  protocol::OffsetForLeaderEpochResponse::EpochEndOffset ask(std::int32_t epoch,
                                                             std::int32_t current = -1,
                                                             std::int32_t partition = 0) {
    WireClient client(broker_.port());
    protocol::OffsetForLeaderEpochRequest request;
    auto& topic = request.topics.emplace_back();
    topic.topic = Text("t");
    topic.partitions.push_back(
        {.partition = partition, .current_leader_epoch = current, .leader_epoch = epoch});
    return client.call(request, 4).topics.at(0).partitions.at(0);
  }

  void expectEnd(std::int32_t asked, std::int32_t epoch, std::int64_t offset) {
    const auto answer = ask(asked);
    EXPECT_EQ(answer.error_code, 0) << asked;
    EXPECT_EQ(answer.leader_epoch, epoch) << asked;
    EXPECT_EQ(answer.end_offset, offset) << asked;
  }

  TestBroker broker_;
};

TEST_F(EpochTest, EndsWhereTheNextBegan) {
  {
    WireClient client(broker_.port());
    ASSERT_EQ(createTopic(client, "t"), 0);
  }
  for (int start = 0; start < 3; ++start) {
    if (start > 0) {
      broker_.stop();
      broker_.start();
    }
    WireClient client(broker_.port());
    ASSERT_EQ(produce(client, "t", 0, {"a", "b", "c"}).error_code, 0);
  }
  // A clean stop gives the leadership up and a start takes it again: epochs 0, 2 and 4.
  expectEnd(0, 0, 3);
  expectEnd(1, 0, 3);  // nothing was written in it: the one before
  expectEnd(2, 2, 6);
  expectEnd(4, 4, 9);    // still written to: the end of the log
  expectEnd(5, -1, -1);  // never heard of
  expectEnd(-1, -1, -1);
  EXPECT_EQ(ask(0, 4).end_offset, 3);
  EXPECT_EQ(ask(0, 3).error_code, static_cast<int>(Errc::kFencedLeaderEpoch));
  EXPECT_EQ(ask(0, 5).error_code, static_cast<int>(Errc::kUnknownLeaderEpoch));
  EXPECT_EQ(ask(0, -1, 1).error_code, static_cast<int>(Errc::kUnknownTopicOrPartition));
}

}  // namespace
}  // namespace millrace::broker::testing
