// The classic group protocol, event by event, with a clock that the test moves.
#include "broker/groups/group_machine.h"

#include "tests/broker_groups/support/group_driver.h"

#include <gmock/gmock.h>

namespace millrace::broker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(GroupMachine, FirstMemberLeadsGenerationOne) {
  GroupDriver d;
  const auto joined = d.joinAll({d.join("g", "")});
  ASSERT_EQ(joined.size(), 1U);
  EXPECT_EQ(joined[0].error_code, 0);
  EXPECT_EQ(joined[0].generation_id, 1);
  EXPECT_EQ(joined[0].leader.view(), joined[0].member_id.view());
  EXPECT_EQ(joined[0].members.size(), 1U);
}

TEST(GroupMachine, InitialDelayIsProlongedByNewcomersUpToTheRebalanceTimeout) {
  GroupDriver d({.initial_rebalance_delay_ms = 3000});
  const Token a = d.join("g", "", {.rebalance_timeout_ms = 7000});
  d.advance(2000);
  const Token b = d.join("g", "", {.rebalance_timeout_ms = 7000});
  d.advance(1000);
  EXPECT_FALSE(d.joinAnswer(a)) << "a newcomer prolongs the delay";
  d.advance(3000);
  EXPECT_TRUE(d.joinAnswer(a));
  ASSERT_TRUE(d.joinAnswer(b));
  EXPECT_EQ(d.joinAnswer(b)->generation_id, 1);
}

TEST(GroupMachine, RequiredMemberIdIsGivenOutAndMustComeBack) {
  GroupDriver d;
  const Token first = d.join("g", "", {.require_known_member_id = true});
  ASSERT_TRUE(d.joinAnswer(first));
  EXPECT_EQ(d.joinAnswer(first)->error_code, static_cast<int>(Errc::kMemberIdRequired));
  const std::string id = d.joinAnswer(first)->member_id.str();
  const auto joined = d.joinAll({d.join("g", id, {.require_known_member_id = true})});
  EXPECT_EQ(joined.at(0).error_code, 0);
  EXPECT_EQ(joined.at(0).member_id.view(), id);
}

TEST(GroupMachine, PendingMemberThatNeverReturnsDoesNotHoldUpTheRebalance) {
  GroupDriver d;
  const auto first = d.joinAll({d.join("g", "")}).at(0);
  d.syncLeader("g", first);
  d.join("g", "", {.session_timeout_ms = 6000, .require_known_member_id = true});
  // The leader rejoins: the group waits for the one that was told its id.
  const Token again = d.join("g", first.member_id.str(), {.rebalance_timeout_ms = 60'000});
  EXPECT_FALSE(d.joinAnswer(again));
  d.advance(6000);
  ASSERT_TRUE(d.joinAnswer(again));
  EXPECT_EQ(d.joinAnswer(again)->generation_id, 2);
}

TEST(GroupMachine, ProtocolWithMostVotesAmongThoseAllSupportWins) {
  GroupDriver d;
  const Token a = d.join("g", "", {.protocols = {"range", "sticky"}});
  const Token b = d.join("g", "", {.protocols = {"sticky", "range"}});
  const Token c = d.join("g", "", {.protocols = {"other", "sticky", "range"}});
  const auto joined = d.joinAll({a, b, c});
  EXPECT_EQ(joined.at(0).protocol_name->view(), "sticky");
}

TEST(GroupMachine, NewcomerThatSharesNoProtocolIsRefused) {
  GroupDriver d;
  const auto first = d.joinAll({d.join("g", "", {.protocols = {"range"}})}).at(0);
  d.syncLeader("g", first);
  const Token other = d.join("g", "", {.protocols = {"sticky"}});
  EXPECT_EQ(d.joinAnswer(other)->error_code, static_cast<int>(Errc::kInconsistentGroupProtocol));
  const Token foreign = d.join("g", "", {.protocol_type = "connect", .protocols = {"range"}});
  EXPECT_EQ(d.joinAnswer(foreign)->error_code, static_cast<int>(Errc::kInconsistentGroupProtocol));
}

TEST(GroupMachine, FollowersWaitForTheLeadersAssignmentToBeInTheLog) {
  GroupDriver d;
  d.holdAppends();
  const auto joined = d.joinAll({d.join("g", ""), d.join("g", "")});
  const std::string leader = joined.at(0).leader.str();
  const std::string follower =
      joined[0].member_id.view() == leader ? joined[1].member_id.str() : joined[0].member_id.str();
  const Token f = d.sync("g", follower, 1, {});
  EXPECT_FALSE(d.syncAnswer(f));
  const Token l = d.sync("g", leader, 1, {{leader, "L"}, {follower, "F"}});
  EXPECT_FALSE(d.syncAnswer(l)) << "not before the record is in the log";
  d.completeAppends(Errc::kNone);
  EXPECT_EQ(d.syncAnswer(l)->assignment.view(), "L");
  EXPECT_EQ(d.syncAnswer(f)->assignment.view(), "F");
  EXPECT_EQ(d.machine().find("g")->state(), GroupState::kStable);
}

TEST(GroupMachine, AssignmentThatCannotBeStoredRebalancesTheGroup) {
  GroupDriver d;
  d.holdAppends();
  const auto joined = d.joinAll({d.join("g", "")}).at(0);
  const Token sync = d.sync("g", joined.member_id.str(), 1, {{joined.member_id.str(), "A"}});
  d.completeAppends(Errc::kNotCoordinator);
  EXPECT_EQ(d.syncAnswer(sync)->error_code, static_cast<int>(Errc::kNotCoordinator));
  EXPECT_EQ(d.machine().find("g")->state(), GroupState::kPreparingRebalance);
}

TEST(GroupMachine, RebalanceDuringSyncAnswersTheParkedSync) {
  GroupDriver d;
  const auto joined = d.joinAll({d.join("g", ""), d.join("g", "")});
  const std::string leader = joined.at(0).leader.str();
  const std::string follower =
      joined[0].member_id.view() == leader ? joined[1].member_id.str() : joined[0].member_id.str();
  const Token parked = d.sync("g", follower, 1, {});
  d.join("g", "");
  ASSERT_TRUE(d.syncAnswer(parked));
  EXPECT_EQ(d.syncAnswer(parked)->error_code, static_cast<int>(Errc::kRebalanceInProgress));
}

TEST(GroupMachine, MemberWithoutHeartbeatsExpiresAndTheOthersRebalance) {
  GroupDriver d;
  const auto joined = d.joinAll({d.join("g", "", {.session_timeout_ms = 10'000}),
                                 d.join("g", "", {.session_timeout_ms = 30'000})});
  d.syncLeader("g", joined.at(0), joined);
  d.advance(9000);
  const std::string lazy = joined[0].member_id.str();
  const std::string lively = joined[1].member_id.str();
  EXPECT_EQ(d.heartbeat("g", lively, 1), Errc::kNone);
  d.advance(1000);
  EXPECT_EQ(d.heartbeat("g", lazy, 1), Errc::kUnknownMemberId);
  EXPECT_EQ(d.heartbeat("g", lively, 1), Errc::kRebalanceInProgress);
  const auto again = d.joinAll({d.join("g", lively)});
  EXPECT_EQ(again.at(0).generation_id, 2);
  EXPECT_EQ(again.at(0).members.size(), 1U);
}

TEST(GroupMachine, MemberThatDoesNotRejoinInTimeIsLeftBehind) {
  GroupDriver d;
  const auto joined = d.joinAll({d.join("g", "", {.rebalance_timeout_ms = 5000}),
                                 d.join("g", "", {.rebalance_timeout_ms = 5000})});
  d.syncLeader("g", joined.at(0), joined);
  const std::string here = joined[0].leader.str();
  const Token rejoin = d.join("g", here, {.rebalance_timeout_ms = 5000});
  d.advance(4999);
  EXPECT_FALSE(d.joinAnswer(rejoin));
  d.advance(1);
  ASSERT_TRUE(d.joinAnswer(rejoin));
  EXPECT_EQ(d.joinAnswer(rejoin)->members.size(), 1U);
}

TEST(GroupMachine, MemberThatNeverSyncsIsRemovedAfterTheRebalanceTimeout) {
  GroupDriver d;
  const auto joined =
      d.joinAll({d.join("g", "", {.session_timeout_ms = 60'000, .rebalance_timeout_ms = 5000}),
                 d.join("g", "", {.session_timeout_ms = 60'000, .rebalance_timeout_ms = 5000})});
  const std::string leader = joined.at(0).leader.str();
  d.sync("g", leader, 1, {{leader, "A"}});
  d.advance(5000);
  EXPECT_EQ(d.machine().find("g")->members().size(), 1U);
}

TEST(GroupMachine, StaticMemberComesBackUnderANewIdInTheSameGeneration) {
  GroupDriver d;
  const auto first = d.joinAll({d.join("g", "", {.instance_id = "i"})}).at(0);
  d.syncLeader("g", first);
  const Token back = d.join("g", "", {.instance_id = "i", .may_skip_assignment = true});
  ASSERT_TRUE(d.joinAnswer(back));
  EXPECT_EQ(d.joinAnswer(back)->generation_id, 1);
  EXPECT_TRUE(d.joinAnswer(back)->skip_assignment);
  EXPECT_NE(d.joinAnswer(back)->member_id.view(), first.member_id.view());
  EXPECT_EQ(d.joinAnswer(back)->leader.view(), d.joinAnswer(back)->member_id.view());
  EXPECT_EQ(d.heartbeat("g", first.member_id.str(), 1, "i"), Errc::kFencedInstanceId);
  EXPECT_EQ(d.heartbeat("g", d.joinAnswer(back)->member_id.str(), 1, "i"), Errc::kNone);
}

TEST(GroupMachine, StaticMemberWhoseReplacementCannotBeStoredKeepsItsOldId) {
  GroupDriver d;
  const auto first = d.joinAll({d.join("g", "", {.instance_id = "i"})}).at(0);
  d.syncLeader("g", first);
  d.holdAppends();
  const Token back = d.join("g", "", {.instance_id = "i"});
  d.completeAppends(Errc::kCoordinatorNotAvailable);
  EXPECT_EQ(d.joinAnswer(back)->error_code, static_cast<int>(Errc::kCoordinatorNotAvailable));
  EXPECT_EQ(d.heartbeat("g", first.member_id.str(), 1, "i"), Errc::kNone);
}

TEST(GroupMachine, LastMemberThatLeavesEmptiesTheGroup) {
  GroupDriver d;
  const auto first = d.joinAll({d.join("g", "")}).at(0);
  d.syncLeader("g", first);
  EXPECT_THAT(d.leave("g", first.member_id.str()), ElementsAre(Errc::kNone));
  EXPECT_EQ(d.machine().find("g")->state(), GroupState::kEmpty);
  EXPECT_EQ(d.machine().find("g")->generation(), 2);
  EXPECT_THAT(d.leave("g", first.member_id.str()), ElementsAre(Errc::kUnknownMemberId));
}

TEST(GroupMachine, GroupIsFullAtItsLimit) {
  GroupDriver d({.max_size = 1});
  const auto first = d.joinAll({d.join("g", "")}).at(0);
  d.syncLeader("g", first);
  const Token second = d.join("g", "");
  EXPECT_EQ(d.joinAnswer(second)->error_code, static_cast<int>(Errc::kGroupMaxSizeReached));
}

TEST(GroupMachine, ResignationAnswersEverythingParked) {
  GroupDriver d({.initial_rebalance_delay_ms = 3000});
  const Token parked = d.join("g", "");
  d.perform(d.machine().resign(Errc::kNotCoordinator));
  ASSERT_TRUE(d.joinAnswer(parked));
  EXPECT_EQ(d.joinAnswer(parked)->error_code, static_cast<int>(Errc::kNotCoordinator));
  EXPECT_FALSE(d.machine().nextDeadline());
}

TEST(GroupMachine, GroupReadBackFromItsRecordIsStableWithTheSameAssignments) {
  GroupDriver d;
  const auto joined = d.joinAll({d.join("g", "", {.instance_id = "i"}), d.join("g", "")});
  d.syncLeader("g", joined.at(0), joined);
  const GroupRecord record = groupMetadataRecord(*d.machine().find("g"));
  auto loaded = parseGroupRecord(record.key, BytesView(*record.value));
  ASSERT_TRUE(loaded);
  GroupMachine other({}, [] { return std::string("x"); });
  other.restore(std::move(*std::get<LoadedGroup>(*loaded).group));
  const ClassicGroup& before = *d.machine().find("g");
  const ClassicGroup& after = *other.find("g");
  EXPECT_EQ(after.state(), GroupState::kStable);
  EXPECT_EQ(after.generation(), before.generation());
  EXPECT_EQ(after.leader(), before.leader());
  ASSERT_EQ(after.members().size(), 2U);
  for (const GroupMember& m : before.members()) {
    EXPECT_EQ(after.find(m.id)->assignment, m.assignment);
    EXPECT_EQ(after.find(m.id)->instance_id, m.instance_id);
  }
}

}  // namespace
}  // namespace millrace::broker::testing
