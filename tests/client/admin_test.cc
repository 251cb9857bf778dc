// The administrator's shell against a cluster in memory: retries, moves, errors per thing.
#include "client/admin.h"

#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/delete_groups_request.h"
#include "protocol/messages/delete_groups_response.h"
#include "protocol/messages/describe_groups_request.h"
#include "protocol/messages/describe_groups_response.h"
#include "protocol/messages/list_groups_request.h"
#include "protocol/messages/list_groups_response.h"
#include "tests/client/support/fake_cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::client {
namespace {

using namespace protocol;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const TopicPartition kT0{"t", 0};
const TopicPartition kT1{"t", 1};

std::int16_t wire(Errc code) { return static_cast<std::int16_t>(code); }

class AdminShell : public ::testing::Test {
 protected:
  AdminShell() {
    cluster_->addTopic("t", 2);
    cluster_->on<CreateTopicsRequest>(
        [this](const CreateTopicsRequest& request, NodeId, Errc error) {
          auto answer = std::make_shared<CreateTopicsResponse>();
          for (const auto& topic : request.topics) {
            auto& result = answer->topics.emplace_back();
            result.name = topic.name;
            const bool taken = topic.name.view() == "t";
            result.error_code = wire(error != Errc::kNone ? error
                                     : taken              ? Errc::kTopicAlreadyExists
                                                          : Errc::kNone);
            if (taken) result.error_message = Text("it is there");
            created_.push_back(topic.name.str());
          }
          return answer;
        });
  }

  ~AdminShell() override { cluster_->stop(); }

  Admin admin(const std::string& timeout_ms = "20000") {
    return Admin({.properties = {{"retry.backoff.ms", "1"},
                                 {"retry.backoff.max.ms", "2"},
                                 {"default.api.timeout.ms", timeout_ms},
                                 {"request.timeout.ms", timeout_ms}},
                  .transport = cluster_});
  }

  std::vector<std::string> created_;
  std::shared_ptr<FakeCluster> cluster_ = std::make_shared<FakeCluster>();
};

TEST_F(AdminShell, CreatesThroughErrorsThatPass) {
  cluster_->breakNext(ApiKey::kCreateTopics, Errc::kNetworkException);
  cluster_->breakNext(ApiKey::kCreateTopics, Errc::kRequestTimedOut);
  cluster_->failNext(ApiKey::kCreateTopics, Errc::kNotController, 2);
  const Status created = admin().createTopic({.name = "new", .partitions = 3});
  EXPECT_TRUE(created) << created.error().toString();
  EXPECT_EQ(cluster_->count(ApiKey::kCreateTopics), 5);
}

TEST_F(AdminShell, EachTopicHasItsOwnFate) {
  const auto results = admin().createTopics({{.name = "new"}, {.name = "t"}});
  ASSERT_TRUE(results) << results.error().toString();
  EXPECT_TRUE(results->at("new"));
  ASSERT_FALSE(results->at("t"));
  EXPECT_EQ(results->at("t").error().code, Errc::kTopicAlreadyExists);
  EXPECT_THAT(results->at("t").error().detail, HasSubstr("it is there"));
  EXPECT_THAT(created_, ElementsAre("new", "t")) << "asked once";
}

TEST_F(AdminShell, FinalErrorsAreNotAskedAgain) {
  cluster_->breakNext(ApiKey::kCreateTopics, Errc::kUnsupportedVersion);
  const auto results = admin().createTopics({{.name = "new"}});
  ASSERT_FALSE(results);
  EXPECT_EQ(results.error().code, Errc::kUnsupportedVersion);
  EXPECT_EQ(cluster_->count(ApiKey::kCreateTopics), 1);
}

TEST_F(AdminShell, GivesUpWhenTheTimeIsOver) {
  cluster_->breakNext(ApiKey::kCreateTopics, Errc::kNetworkException, 1'000'000);
  cluster_->breakNext(ApiKey::kMetadata, Errc::kNetworkException, 1'000'000);
  Admin impatient = admin("50");
  EXPECT_FALSE(impatient.createTopics({{.name = "new"}}));
  EXPECT_FALSE(impatient.describeTopics({"t"}));
  EXPECT_FALSE(impatient.listTopics());
}

TEST_F(AdminShell, DescribesWhatIsThereAndNamesWhatIsNot) {
  cluster_->moveLeader(kT1, 2);
  cluster_->breakNext(ApiKey::kMetadata);
  const auto topics = admin().describeTopics({"t", "missing"});
  ASSERT_TRUE(topics) << topics.error().toString();
  ASSERT_EQ(topics->at("t")->partitions.size(), 2U);
  EXPECT_EQ(topics->at("t")->partitions[0].leader, 1);
  EXPECT_EQ(topics->at("t")->partitions[1].leader, 2);
  EXPECT_EQ(topics->at("missing").error().code, Errc::kUnknownTopicOrPartition);
  const auto listed = admin().listTopics();
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_EQ(listed->front().name, "t");
}

TEST_F(AdminShell, OffsetsComeFromEachLeader) {
  cluster_->append(kT0, {"a", "b"});
  cluster_->append(kT1, {"c"});
  cluster_->moveLeader(kT1, 2);
  cluster_->failNext(ApiKey::kListOffsets, Errc::kNotLeaderOrFollower);
  cluster_->breakNext(ApiKey::kListOffsets);
  const auto offsets =
      admin().listOffsets({{kT0, OffsetSpec::kLatest}, {kT1, OffsetSpec::kLatest}});
  ASSERT_TRUE(offsets) << offsets.error().toString();
  EXPECT_EQ(offsets->at(kT0)->offset, 2);
  EXPECT_EQ(offsets->at(kT1)->offset, 1);
  // A topic may still be about to come: it is given up when the time is over, as in Kafka.
  const TopicPartition missing{"missing", 0};
  const auto none = admin("50").listOffsets({{missing, OffsetSpec::kLatest}});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->at(missing).error().code, Errc::kUnknownTopicOrPartition);
}

TEST_F(AdminShell, GroupOffsetsFollowTheCoordinator) {
  cluster_->commit(kT0, 5);
  cluster_->moveCoordinator(2);
  cluster_->failNext(ApiKey::kFindCoordinator, Errc::kCoordinatorNotAvailable, 2);
  cluster_->failNext(ApiKey::kOffsetFetch, Errc::kNotCoordinator);
  cluster_->failNext(ApiKey::kOffsetFetch, Errc::kCoordinatorLoadInProgress);
  cluster_->breakNext(ApiKey::kOffsetFetch);
  Admin all = admin();
  const auto offsets = all.listGroupOffsets("g");
  ASSERT_TRUE(offsets) << offsets.error().toString();
  ASSERT_EQ(offsets->size(), 1U);
  EXPECT_EQ(offsets->at(kT0).offset, 5);
  EXPECT_THAT(all.listGroupOffsets("g", {kT1}).value(), IsEmpty());
}

TEST_F(AdminShell, AlteringOffsetsOfAnActiveGroupSaysWhatToDo) {
  cluster_->failNext(ApiKey::kOffsetCommit, Errc::kNotCoordinator);
  cluster_->failNext(ApiKey::kOffsetCommit, Errc::kUnknownMemberId);
  Admin all = admin();
  const auto refused = all.alterGroupOffsets("g", {{kT0, {3}}});
  ASSERT_TRUE(refused);
  EXPECT_THAT(refused->at(kT0).error().detail, HasSubstr("stop them first"));
  const auto altered = all.alterGroupOffsets("g", {{kT0, {3}}});
  ASSERT_TRUE(altered && altered->at(kT0));
  EXPECT_EQ(cluster_->committed().at(kT0), 3);
}

TEST_F(AdminShell, ListsGroupsOfAllBrokers) {
  cluster_->on<ListGroupsRequest>([](const ListGroupsRequest&, NodeId node, Errc error) {
    auto answer = std::make_shared<ListGroupsResponse>();
    answer->error_code = wire(error);
    if (error == Errc::kNone)
      answer->groups.emplace_back().group_id = Text("g" + std::to_string(node));
    return answer;
  });
  cluster_->failNext(ApiKey::kListGroups, Errc::kCoordinatorLoadInProgress);
  cluster_->breakNext(ApiKey::kListGroups);
  const auto groups = admin().listGroups();
  ASSERT_TRUE(groups) << groups.error().toString();
  ASSERT_EQ(groups->size(), 2U);
  EXPECT_EQ(groups->at(0).group_id, "g1");
  EXPECT_EQ(groups->at(1).group_id, "g2");
  cluster_->failNext(ApiKey::kListGroups, Errc::kClusterAuthorizationFailed);
  EXPECT_EQ(admin().listGroups().error().code, Errc::kClusterAuthorizationFailed);
}

TEST_F(AdminShell, DescribesAndDeletesGroupsWhereTheyAre) {
  cluster_->moveCoordinator(2);
  cluster_->on<DescribeGroupsRequest>([](const DescribeGroupsRequest& r, NodeId node, Errc error) {
    auto answer = std::make_shared<DescribeGroupsResponse>();
    auto& group = answer->groups.emplace_back();
    group.group_id = r.groups.front();
    group.error_code = wire(error == Errc::kNone && node != 2 ? Errc::kNotCoordinator : error);
    group.group_state = Text("Stable");
    return answer;
  });
  cluster_->on<DeleteGroupsRequest>([](const DeleteGroupsRequest& r, NodeId, Errc error) {
    auto answer = std::make_shared<DeleteGroupsResponse>();
    auto& result = answer->results.emplace_back();
    result.group_id = r.groups_names.front();
    result.error_code = wire(error);
    return answer;
  });
  cluster_->failNext(ApiKey::kDescribeGroups, Errc::kCoordinatorNotAvailable);
  Admin all = admin();
  const auto described = all.describeGroups({"g"});
  ASSERT_TRUE(described) << described.error().toString();
  EXPECT_EQ(described->at("g")->state, "Stable");
  EXPECT_EQ(described->at("g")->coordinator, 2);
  cluster_->failNext(ApiKey::kDeleteGroups, Errc::kCoordinatorLoadInProgress);
  cluster_->failNext(ApiKey::kDeleteGroups, Errc::kNonEmptyGroup);
  const auto deleted = all.deleteGroups({"g"});
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->at("g").error().code, Errc::kNonEmptyGroup);
  cluster_->failNext(ApiKey::kFindCoordinator, Errc::kGroupAuthorizationFailed);
  EXPECT_EQ(all.deleteGroups({"g"}).error().code, Errc::kGroupAuthorizationFailed);
}

}  // namespace
}  // namespace millrace::client
