// Groups on a real broker, stopped and started again on the same directory.
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

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>

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
    for (int i = 0; i < 500; ++i) {
      const auto response = client.call(request, 7);
      const Errc error = fromWire(response.error_code);
      if (error == Errc::kNone) return response.topics.at(0).partitions.at(0).committed_offset;
      EXPECT_EQ(error, Errc::kCoordinatorLoadInProgress);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return -2;
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
  std::string member;
  {
    WireClient client(broker_.port());
    protocol::JoinGroupRequest join;
    join.group_id = "g";
    join.session_timeout_ms = 30'000;
    join.rebalance_timeout_ms = 30'000;
    join.protocol_type = "consumer";
    auto& protocol = join.protocols.emplace_back();
    protocol.name = "range";
    protocol.metadata = "m";
    const auto joined = client.call(join, 2);
    ASSERT_EQ(joined.error_code, 0);
    member = joined.member_id.str();
    protocol::SyncGroupRequest sync;
    sync.group_id = "g";
    sync.generation_id = 1;
    sync.member_id = member;
    auto& assignment = sync.assignments.emplace_back();
    assignment.member_id = member;
    assignment.assignment = "a";
    const auto synced = client.call(sync, 1);
    ASSERT_EQ(synced.error_code, 0);
  }
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
  protocol::SyncGroupRequest sync;
  sync.group_id = "g";
  sync.generation_id = 1;
  sync.member_id = member;
  const auto synced = client.call(sync, 1);
  EXPECT_EQ(synced.error_code, 0);
  EXPECT_EQ(synced.assignment.view(), "a");
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

}  // namespace
}  // namespace millrace::broker::testing
