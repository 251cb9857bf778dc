#include "client/group_membership.h"

#include <gtest/gtest.h>

namespace millrace::client {
namespace {

using State = GroupMembership::State;
using Step = GroupMembership::Step;

GroupMembership::Options options() {
  GroupMembership::Options o;
  o.group = "g";
  o.session_timeout_ms = 10'000;
  o.heartbeat_ms = 1'000;
  o.max_poll_interval_ms = 60'000;
  o.retry_backoff_ms = 100;
  return o;
}

/// A member with generation 3, stable since time 1000.
GroupMembership stableMember() {
  GroupMembership m(options());
  m.polled(1'000);
  m.joinSent();
  EXPECT_EQ(m.joined(Errc::kNone, 3, "m1", false, false, "range", 1'000), Step::kSync);
  m.syncSent();
  EXPECT_EQ(m.synced(Errc::kNone, 1'000), Step::kTakeAssignment);
  return m;
}

TEST(GroupMembership, MemberIdIsTakenAndTheJoinRepeated) {
  GroupMembership m(options());
  EXPECT_TRUE(m.wantsToJoin(0));
  m.joinSent();
  EXPECT_FALSE(m.wantsToJoin(0));
  EXPECT_EQ(m.joined(Errc::kMemberIdRequired, -1, "m1", false, false, "", 0), Step::kWait);
  EXPECT_EQ(m.memberId(), "m1");
  EXPECT_TRUE(m.wantsToJoin(0));
}

TEST(GroupMembership, LeaderAssignsFollowerSyncs) {
  GroupMembership leader(options());
  leader.joinSent();
  EXPECT_EQ(leader.joined(Errc::kNone, 1, "m1", true, false, "range", 0), Step::kAssign);
  EXPECT_EQ(leader.state(), State::kAssigning);
  GroupMembership returned(options());
  returned.joinSent();
  EXPECT_EQ(returned.joined(Errc::kNone, 1, "m1", true, true, "range", 0), Step::kSync);
}

TEST(GroupMembership, HeartbeatsAtTheInterval) {
  GroupMembership m = stableMember();
  EXPECT_FALSE(m.heartbeatDue(1'900));
  EXPECT_TRUE(m.heartbeatDue(2'000));
  m.heartbeatSent(2'000);
  EXPECT_FALSE(m.heartbeatDue(5'000));  // one at a time
  EXPECT_EQ(m.heartbeatAnswered(Errc::kNone, 2'010), Step::kWait);
  EXPECT_TRUE(m.heartbeatDue(3'000));
}

TEST(GroupMembership, RebalanceInProgressMeansRejoinAndKeepsTheMembership) {
  GroupMembership m = stableMember();
  m.heartbeatSent(2'000);
  EXPECT_EQ(m.heartbeatAnswered(Errc::kRebalanceInProgress, 2'010), Step::kWait);
  EXPECT_TRUE(m.wantsToJoin(2'010));
  EXPECT_EQ(m.generation(), 3);
  EXPECT_FALSE(m.takeLost());
}

TEST(GroupMembership, UnknownMemberLosesEverything) {
  GroupMembership m = stableMember();
  m.heartbeatSent(2'000);
  m.heartbeatAnswered(Errc::kUnknownMemberId, 2'010);
  EXPECT_TRUE(m.takeLost());
  EXPECT_FALSE(m.takeLost());
  EXPECT_EQ(m.generation(), -1);
  EXPECT_EQ(m.memberId(), "");
  EXPECT_TRUE(m.wantsToJoin(2'010));
}

TEST(GroupMembership, IllegalGenerationKeepsTheMemberId) {
  GroupMembership m = stableMember();
  m.heartbeatSent(2'000);
  m.heartbeatAnswered(Errc::kIllegalGeneration, 2'010);
  EXPECT_TRUE(m.takeLost());
  EXPECT_EQ(m.memberId(), "m1");
}

TEST(GroupMembership, FencedInstanceIsFatal) {
  GroupMembership m = stableMember();
  m.heartbeatSent(2'000);
  EXPECT_EQ(m.heartbeatAnswered(Errc::kFencedInstanceId, 2'010), Step::kFatal);
  EXPECT_EQ(m.fatal().code, Errc::kFencedInstanceId);
  EXPECT_TRUE(m.takeLost());
  EXPECT_FALSE(m.wantsToJoin(9'000));
}

TEST(GroupMembership, MovedCoordinatorIsLookedUp) {
  GroupMembership m(options());
  m.joinSent();
  EXPECT_EQ(m.joined(Errc::kNotCoordinator, -1, "", false, false, "", 500), Step::kFindCoordinator);
  EXPECT_FALSE(m.wantsToJoin(550));
  EXPECT_TRUE(m.wantsToJoin(600));
}

TEST(GroupMembership, SilenceOfTheCoordinatorEndsTheSession) {
  GroupMembership m = stableMember();
  EXPECT_FALSE(m.sessionExpired(10'999));
  EXPECT_TRUE(m.sessionExpired(11'000));
  EXPECT_FALSE(m.sessionExpired(11'000));
  EXPECT_TRUE(m.takeLost());
}

TEST(GroupMembership, UserWhoDoesNotPollLeaves) {
  GroupMembership m = stableMember();
  EXPECT_FALSE(m.pollExpired(60'999));
  EXPECT_TRUE(m.pollExpired(61'000));
  EXPECT_FALSE(m.pollExpired(61'000));
  EXPECT_TRUE(m.takeLost());
}

TEST(GroupMembership, AnswerToAnOlderStateIsIgnored) {
  GroupMembership m = stableMember();
  EXPECT_EQ(m.joined(Errc::kUnknownMemberId, -1, "", false, false, "", 1'500), Step::kWait);
  EXPECT_EQ(m.synced(Errc::kIllegalGeneration, 1'500), Step::kWait);
  EXPECT_EQ(m.generation(), 3);
}

TEST(GroupMembership, LostRequestIsRepeatedAfterABackoff) {
  GroupMembership m(options());
  m.joinSent();
  EXPECT_EQ(m.requestFailed(1'000), Step::kFindCoordinator);
  EXPECT_FALSE(m.wantsToJoin(1'050));
  EXPECT_TRUE(m.wantsToJoin(1'100));
}

}  // namespace
}  // namespace millrace::client
