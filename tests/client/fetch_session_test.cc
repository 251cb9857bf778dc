#include "client/fetch_session.h"

#include <gtest/gtest.h>

namespace millrace::client {
namespace {

const Uuid kTopic{1, 2};

FetchWish wish(std::int64_t offset, Uuid id = kTopic) { return FetchWish{id, offset, 0, 100}; }

TEST(FetchSession, FirstRequestNamesEverything) {
  FetchSession session;
  const FetchPlan plan = session.plan({{{"t", 0}, wish(5)}, {{"t", 1}, wish(6)}});
  EXPECT_EQ(plan.session_epoch, 0);
  EXPECT_EQ(plan.to_send.size(), 2U);
  EXPECT_TRUE(plan.by_id);
}

TEST(FetchSession, LaterRequestsNameWhatChanged) {
  FetchSession session;
  session.plan({{{"t", 0}, wish(5)}, {{"t", 1}, wish(6)}});
  EXPECT_TRUE(session.onAnswer(Errc::kNone, 77));
  const FetchPlan plan = session.plan({{{"t", 0}, wish(9)}, {{"t", 2}, wish(0)}});
  EXPECT_EQ(plan.session_id, 77);
  EXPECT_EQ(plan.session_epoch, 1);
  EXPECT_EQ(plan.to_send, (FetchWishes{{{"t", 0}, wish(9)}, {{"t", 2}, wish(0)}}));
  EXPECT_EQ(plan.forgotten, (std::map<TopicPartition, Uuid>{{{"t", 1}, kTopic}}));
  EXPECT_TRUE(session.onAnswer(Errc::kNone, 77));
  EXPECT_TRUE(session.plan({{{"t", 0}, wish(9)}, {{"t", 2}, wish(0)}}).to_send.empty());
}

TEST(FetchSession, BrokerWithoutSessionsGetsFullRequests) {
  FetchSession session;
  session.plan({{{"t", 0}, wish(5)}});
  EXPECT_TRUE(session.onAnswer(Errc::kNone, 0));
  const FetchPlan plan = session.plan({{{"t", 0}, wish(5)}});
  EXPECT_EQ(plan.session_epoch, 0);
  EXPECT_EQ(plan.to_send.size(), 1U);
}

TEST(FetchSession, ForgottenSessionStartsAnew) {
  FetchSession session;
  session.plan({{{"t", 0}, wish(5)}});
  session.onAnswer(Errc::kNone, 77);
  session.plan({{{"t", 0}, wish(5)}});
  EXPECT_FALSE(session.onAnswer(Errc::kFetchSessionIdNotFound, 0));
  const FetchPlan plan = session.plan({{{"t", 0}, wish(5)}});
  EXPECT_EQ(plan.session_id, 0);
  EXPECT_EQ(plan.session_epoch, 0);
  EXPECT_EQ(plan.to_send.size(), 1U);
}

TEST(FetchSession, LostAnswerClosesTheOldSession) {
  FetchSession session;
  session.plan({{{"t", 0}, wish(5)}});
  session.onAnswer(Errc::kNone, 77);
  session.plan({{{"t", 0}, wish(5)}});
  session.onFailure();
  const FetchPlan plan = session.plan({{{"t", 0}, wish(5)}});
  EXPECT_EQ(plan.session_id, 77);
  EXPECT_EQ(plan.session_epoch, 0);
}

TEST(FetchSession, RecreatedTopicIsForgottenUnderItsOldId) {
  FetchSession session;
  session.plan({{{"t", 0}, wish(5)}});
  session.onAnswer(Errc::kNone, 77);
  const Uuid fresh{3, 4};
  const FetchPlan plan = session.plan({{{"t", 0}, wish(0, fresh)}});
  EXPECT_EQ(plan.forgotten, (std::map<TopicPartition, Uuid>{{{"t", 0}, kTopic}}));
  EXPECT_EQ(plan.to_send, (FetchWishes{{{"t", 0}, wish(0, fresh)}}));
}

TEST(FetchSession, TopicWithoutIdFallsBackOnNames) {
  FetchSession session;
  session.plan({{{"t", 0}, wish(5)}});
  session.onAnswer(Errc::kNone, 77);
  const FetchPlan plan = session.plan({{{"t", 0}, wish(5)}, {{"old", 0}, wish(0, Uuid{})}});
  EXPECT_FALSE(plan.by_id);
  EXPECT_EQ(plan.session_epoch, 0);  // a session speaks either of names or of ids
}

}  // namespace
}  // namespace millrace::client
