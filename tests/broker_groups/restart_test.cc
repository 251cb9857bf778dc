// Groups on a real broker, stopped and started again on the same directory.
#include "broker/node.h"
#include "log/log_manager.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_groups_request.h"
#include "protocol/messages/delete_groups_response.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/heartbeat_request.h"
#include "protocol/messages/heartbeat_response.h"
#include "protocol/messages/join_group_request.h"
#include "protocol/messages/join_group_response.h"
#include "protocol/messages/offset_commit_request.h"
#include "protocol/messages/offset_commit_response.h"
#include "protocol/messages/offset_fetch_request.h"
#include "protocol/messages/offset_fetch_response.h"
#include "protocol/messages/sync_group_request.h"
#include "protocol/messages/sync_group_response.h"
#include "tests/broker/support/test_broker.h"
#include "tests/broker/support/wire_client.h"
#include "tests/support/eventually.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::broker::testing {
namespace {

class GroupRestart : public ::testing::Test {
 protected:
  GroupRestart()
      : broker_(
            {{"group.initial.rebalance.delay.ms", "0"}, {"offsets.topic.num.partitions", "4"}}) {}

  void createTopic(const std::string& name) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = 1;
    topic.replication_factor = 1;
    WireClient client(broker_.port());
    const auto response = client.call(request, 7);
    ASSERT_EQ(response.topics.at(0).error_code, 0);
  }
  void findCoordinator(const std::string& group) {
    protocol::FindCoordinatorRequest request;
    request.coordinator_keys.emplace_back(group);
    WireClient client(broker_.port());
    const auto response = client.call(request, 4);
    ASSERT_EQ(response.coordinators.at(0).error_code, 0);
  }
  protocol::OffsetCommitRequest commitRequest(const std::string& group, std::int64_t offset) {
    protocol::OffsetCommitRequest request;
    request.group_id = group;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    auto& partition = topic.partitions.emplace_back();
    partition.committed_offset = offset;
    partition.committed_metadata = Text("note");
    return request;
  }
  /// Asks until the coordinator has loaded.
  std::int64_t fetch(const std::string& group) {
    protocol::OffsetFetchRequest request;
    request.group_id = group;
    auto& topic = request.topics->emplace_back();
    topic.name = "t";
    topic.partition_indexes = {0};
    WireClient client(broker_.port());
    std::int64_t offset = -2;
    const bool loaded = millrace::testing::eventually([&] {
      const auto response = client.call(request, 7);
      const Errc error = fromWire(response.error_code);
      if (error == Errc::kCoordinatorLoadInProgress) return false;
      EXPECT_EQ(error, Errc::kNone);
      if (error == Errc::kNone) offset = response.topics.at(0).partitions.at(0).committed_offset;
      return true;
    });
    EXPECT_TRUE(loaded);
    return offset;
  }
  /// Alone in a new group; its member id.
  std::string joinAndSync(const std::string& group) {
    WireClient client(broker_.port());
    protocol::JoinGroupRequest join;
    join.group_id = group;
    join.session_timeout_ms = 30'000;
    join.rebalance_timeout_ms = 30'000;
    join.protocol_type = "consumer";
    auto& protocol = join.protocols.emplace_back();
    protocol.name = "range";
    protocol.metadata = "m";
    const auto joined = client.call(join, 2);
    EXPECT_EQ(joined.error_code, 0);
    std::string member = joined.member_id.str();
    EXPECT_EQ(sync(group, member, "a"), "a");
    return member;
  }
  /// The assignment that the member hears; `given`: what it assigns itself as the leader.
  std::string sync(const std::string& group, const std::string& member, const std::string& given) {
    WireClient client(broker_.port());
    protocol::SyncGroupRequest request;
    request.group_id = group;
    request.generation_id = 1;
    request.member_id = member;
    if (!given.empty()) {
      auto& assignment = request.assignments.emplace_back();
      assignment.member_id = member;
      assignment.assignment = given;
    }
    const auto answer = client.call(request, 1);
    EXPECT_EQ(answer.error_code, 0);
    return answer.assignment.str();
  }

  TestBroker broker_;
};

TEST_F(GroupRestart, CommittedOffsetsAreThereAgain) {
  createTopic("t");
  for (int i = 0; i < 20; ++i) {
    const std::string group = "g" + std::to_string(i);
    findCoordinator(group);
    ASSERT_EQ(fetch(group), -1);
    WireClient client(broker_.port());
    const auto response = client.call(commitRequest(group, 100 + i), 8);
    ASSERT_EQ(response.topics.at(0).partitions.at(0).error_code, 0);
  }
  broker_.stop();
  broker_.start();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(fetch("g" + std::to_string(i)), 100 + i);
}

TEST_F(GroupRestart, MembersOfAStableGroupGoOn) {
  createTopic("t");
  findCoordinator("g");
  ASSERT_EQ(fetch("g"), -1);
  const std::string member = joinAndSync("g");
  broker_.stop();
  broker_.start();
  ASSERT_EQ(fetch("g"), -1);
  WireClient client(broker_.port());
  protocol::HeartbeatRequest beat;
  beat.group_id = "g";
  beat.generation_id = 1;
  beat.member_id = member;
  const auto answered = client.call(beat, 1);
  EXPECT_EQ(answered.error_code, 0);
  EXPECT_EQ(sync("g", member, ""), "a");
}

TEST_F(GroupRestart, OffsetsOfADeletedGroupStayDeleted) {
  createTopic("t");
  findCoordinator("g");
  ASSERT_EQ(fetch("g"), -1);
  {
    WireClient client(broker_.port());
    const auto committed = client.call(commitRequest("g", 7), 8);
    ASSERT_EQ(committed.topics.at(0).partitions.at(0).error_code, 0);
  }
  ASSERT_EQ(fetch("g"), 7);
  {
    WireClient client(broker_.port());
    protocol::DeleteGroupsRequest request;
    request.groups_names.emplace_back("g");
    const auto deleted = client.call(request, 1);
    ASSERT_EQ(deleted.results.at(0).error_code, 0);
  }
  broker_.stop();
  broker_.start();
  EXPECT_EQ(fetch("g"), -1);
}

TEST(GroupFlush, FlushMessagesHoldsForOffsetsToo) {
  TestBroker broker({{"offsets.topic.num.partitions", "1"}, {"log.flush.interval.messages", "1"}});
  WireClient client(broker.port());
  protocol::FindCoordinatorRequest find;
  find.coordinator_keys.emplace_back("g");
  ASSERT_EQ(client.call(find, 4).coordinators.at(0).error_code, 0);
  protocol::CreateTopicsRequest create;
  auto& topic = create.topics.emplace_back();
  topic.name = "t";
  topic.num_partitions = 1;
  topic.replication_factor = 1;
  ASSERT_EQ(client.call(create, 7).topics.at(0).error_code, 0);
  const bool committed = millrace::testing::eventually([&] {
    protocol::OffsetCommitRequest request;
    request.group_id = "g";
    auto& of_topic = request.topics.emplace_back();
    of_topic.name = "t";
    of_topic.partitions.emplace_back().committed_offset = 0;
    return client.call(request, 8).topics.at(0).partitions.at(0).error_code == 0;
  });
  ASSERT_TRUE(committed);
  const log::PartitionLog* const log =
      broker->node().services().logs->find({"__consumer_offsets", PartitionIndex{0}});
  ASSERT_NE(log, nullptr);
  EXPECT_GT(log->endOffset(), Offset{0});
  EXPECT_EQ(log->recoveryPoint(), log->endOffset());
}

}  // namespace
}  // namespace millrace::broker::testing
