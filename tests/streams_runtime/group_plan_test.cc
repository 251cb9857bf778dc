#include "streams/runtime/group_plan.h"

#include <gmock/gmock.h>

namespace millrace::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class GroupPlanTest : public ::testing::Test {
 protected:
  GroupPlanTest() {
    TopologyBuilder builder;
    EXPECT_TRUE(builder.addSource({.name = "in", .kind = NodeKind::kSource, .topics = {"in"}}));
    topology_ = *builder.build();
    input_.topology = &topology_;
    input_.application_id = "app";
    input_.topics = *planTopics(topology_, "app", {{"in", 4}});
  }
  void member(const std::string& id, std::uint64_t process, std::vector<std::int32_t> owned = {}) {
    GroupMember& m = input_.members[id];
    m.info.process_id = {0, process};
    for (const auto p : owned) {
      m.owned.insert({"in", p});
      m.info.task_offset_sums.push_back({{0, p}, kLatestOffset});
    }
  }
  static std::vector<std::int32_t> partitions(const MemberPlan& plan) {
    std::vector<std::int32_t> out;
    for (const auto& p : plan.partitions) out.push_back(p.partition);
    return out;
  }
  Topology topology_;
  GroupPlanInput input_;
};

TEST_F(GroupPlanTest, ThreadsOfOneProcessShareEvenly) {
  member("a", 1);
  member("b", 1);
  const auto plan = planGroup(input_);
  EXPECT_THAT(plan.at("a").partitions, SizeIs(2));
  EXPECT_THAT(plan.at("b").partitions, SizeIs(2));
  EXPECT_THAT(plan.at("a").info.active, SizeIs(2));
}

TEST_F(GroupPlanTest, NothingMovesBeforeItsOwnerGaveItUp) {
  member("a", 1, {0, 1, 2, 3});
  member("b", 2);
  const auto first = planGroup(input_);
  EXPECT_THAT(first.at("a").partitions, SizeIs(2));
  EXPECT_THAT(partitions(first.at("b")), IsEmpty());

  input_.members.clear();
  member("a", 1, partitions(first.at("a")));
  member("b", 2);
  const auto second = planGroup(input_);
  EXPECT_EQ(partitions(second.at("a")), partitions(first.at("a")));
  EXPECT_THAT(second.at("b").partitions, SizeIs(2));
}

TEST_F(GroupPlanTest, OwnersKeepWhatTheyHave) {
  member("a", 1, {1, 3});
  member("b", 1, {0, 2});
  const auto plan = planGroup(input_);
  EXPECT_THAT(partitions(plan.at("a")), ElementsAre(1, 3));
  EXPECT_THAT(partitions(plan.at("b")), ElementsAre(0, 2));
}

TEST_F(GroupPlanTest, TheOldestVersionIsSpoken) {
  member("a", 1);
  member("b", 2);
  input_.members["b"].info.version = 9;
  for (const auto& [id, plan] : planGroup(input_)) EXPECT_EQ(plan.info.version, 9);
}

TEST_F(GroupPlanTest, RefusalReachesEveryMember) {
  member("a", 1);
  member("b", 2);
  const auto plans = refuseGroup(input_.members, AssignorError::kIncompleteSourceTopicMetadata);
  EXPECT_THAT(plans, SizeIs(2));
  for (const auto& [id, plan] : plans) EXPECT_EQ(plan.info.error_code, 1);
}

}  // namespace
}  // namespace millrace::streams
