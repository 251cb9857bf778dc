// The consumer's shell against a cluster in memory: what it does when requests fail.
#include "client/consumer.h"

#include "tests/client/support/fake_cluster.h"
#include "tests/support/eventually.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::client {
namespace {

using millrace::testing::eventually;
using protocol::ApiKey;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const TopicPartition kT0{"t", 0};
const TopicPartition kT1{"t", 1};

class ConsumerShell : public ::testing::Test {
 protected:
  ConsumerShell() { cluster_->addTopic("t", 2); }
  ~ConsumerShell() override {
    EXPECT_EQ(cluster_->strays(), 0);  // they would wait behind fetches
    cluster_->stop();
  }

  Consumer consumer(std::map<std::string, std::string> properties = {}) {
    properties.try_emplace("auto.offset.reset", "earliest");
    properties.try_emplace("retry.backoff.ms", "1");
    properties.try_emplace("retry.backoff.max.ms", "2");
    properties.try_emplace("heartbeat.interval.ms", "20");
    properties.try_emplace("auto.commit.interval.ms", "3600000");
    properties.try_emplace("default.api.timeout.ms", "20000");
    return Consumer({.groupId = "g", .properties = std::move(properties), .transport = cluster_});
  }
  /// Polls until there are `count` values, or an error.
  std::vector<std::string> read(Consumer& consumer, std::size_t count) {
    std::vector<std::string> values;
    EXPECT_TRUE(eventually([&] {
      const ConsumerRecords records = consumer.poll(milliseconds(20));
      EXPECT_TRUE(records.ok()) << records.error().toString();
      for (const Record& record : records) values.emplace_back(record.value());
      return values.size() >= count;
    }));
    return values;
  }
  /// Polls until it fails.
  Error failure(Consumer& consumer) {
    Error error;
    EXPECT_TRUE(eventually([&] {
      const ConsumerRecords records = consumer.poll(milliseconds(20));
      if (!records.ok()) error = records.error();
      return !records.ok();
    }));
    return error;
  }
  /// Polls until `condition` holds.
  template <class Condition>
  void pollUntil(Consumer& consumer, Condition condition) {
    EXPECT_TRUE(eventually([&] {
      const ConsumerRecords records = consumer.poll(milliseconds(5));
      EXPECT_TRUE(records.ok()) << records.error().toString();
      return condition();
    }));
  }

  std::shared_ptr<FakeCluster> cluster_ = std::make_shared<FakeCluster>();
};

using Offsets = std::map<TopicPartition, std::int64_t>;

// Reading.

TEST_F(ConsumerShell, FetchErrorsThatPassAreRetried) {
  cluster_->append(kT0, {"a", "b"});
  cluster_->breakNext(ApiKey::kMetadata, Errc::kNetworkException, 2);
  cluster_->breakNext(ApiKey::kFetch, Errc::kNetworkException, 2);
  cluster_->failNext(ApiKey::kFetch, Errc::kUnknownTopicOrPartition, 2);
  cluster_->failNext(ApiKey::kFetch, Errc::kUnknownServerError);
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  EXPECT_THAT(read(reader, 2), ElementsAre("a", "b"));
  EXPECT_GE(cluster_->count(ApiKey::kFetch), 6);
}

TEST_F(ConsumerShell, FollowsALeaderThatMoves) {
  cluster_->append(kT0, {"a"});
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  EXPECT_THAT(read(reader, 1), ElementsAre("a"));
  cluster_->moveLeader(kT0, 2);
  cluster_->append(kT0, {"b"});
  EXPECT_THAT(read(reader, 1), ElementsAre("b"));
}

TEST_F(ConsumerShell, AnAuthorizationErrorIsTheCallers) {
  cluster_->append(kT0, {"a"});
  cluster_->failNext(ApiKey::kFetch, Errc::kTopicAuthorizationFailed);
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  EXPECT_EQ(failure(reader).code, Errc::kTopicAuthorizationFailed);
}

TEST_F(ConsumerShell, WaitsForATopicThatComesLater) {
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({{"late", 0}}));
  const ConsumerRecords none = reader.poll(milliseconds(30));
  EXPECT_TRUE(none.ok() && none.empty());
  EXPECT_THAT(reader.partitionsFor("late").value(), IsEmpty());
  cluster_->addTopic("late");
  cluster_->append({"late", 0}, {"a"});
  EXPECT_THAT(read(reader, 1), ElementsAre("a"));
}

TEST_F(ConsumerShell, PausedPartitionsKeepTheirPlace) {
  cluster_->append(kT0, {"a", "b"});
  cluster_->append(kT1, {"x"});
  Consumer reader = consumer({{"max.poll.records", "1"}});
  ASSERT_TRUE(reader.assign({kT0}));
  EXPECT_THAT(read(reader, 1), ElementsAre("a"));
  ASSERT_TRUE(reader.assign({kT0, kT1}));
  reader.pause({kT0});
  EXPECT_THAT(read(reader, 1), ElementsAre("x"));
  EXPECT_THAT(reader.paused(), ElementsAre(kT0));
  EXPECT_TRUE(reader.poll(milliseconds(30)).empty());
  EXPECT_EQ(reader.position(kT0).value(), 1);
  reader.resume({kT0});
  EXPECT_THAT(read(reader, 1), ElementsAre("b"));
}

TEST_F(ConsumerShell, SeekGoesWhereItIsTold) {
  cluster_->append(kT0, {"a", "b", "c", "d"});
  cluster_->deleteBefore(kT0, 1);
  Consumer reader = consumer({{"max.poll.records", "1"}});
  EXPECT_FALSE(reader.seek(kT0, 1)) << "not assigned";
  ASSERT_TRUE(reader.assign({kT0}));
  ASSERT_TRUE(reader.seek(kT0, 2));
  EXPECT_EQ(reader.position(kT0).value(), 2);
  EXPECT_THAT(read(reader, 1), ElementsAre("c"));
  ASSERT_TRUE(reader.seekToBeginning({kT0}));
  EXPECT_EQ(reader.position(kT0).value(), 1);
  EXPECT_THAT(read(reader, 1), ElementsAre("b"));
  ASSERT_TRUE(reader.seekToEnd({kT0}));
  EXPECT_EQ(reader.position(kT0).value(), 4);
  cluster_->append(kT0, {"e"});
  EXPECT_THAT(read(reader, 1), ElementsAre("e"));
}

TEST_F(ConsumerShell, WakeupEndsAPollEvenWhenItComesFirst) {
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  reader.wakeup();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(reader.poll(std::chrono::minutes(1)).empty());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
}

// Where to start.

TEST_F(ConsumerShell, StartsAtWhatIsCommittedOnceTheCoordinatorAnswers) {
  cluster_->append(kT0, {"a", "b", "c"});
  cluster_->commit(kT0, 2);
  cluster_->failNext(ApiKey::kFindCoordinator, Errc::kCoordinatorNotAvailable, 2);
  cluster_->failNext(ApiKey::kOffsetFetch, Errc::kCoordinatorLoadInProgress);
  cluster_->failNext(ApiKey::kOffsetFetch, Errc::kUnstableOffsetCommit);
  cluster_->breakNext(ApiKey::kOffsetFetch);
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  EXPECT_THAT(read(reader, 1), ElementsAre("c"));
}

TEST_F(ConsumerShell, ResetsByPolicyWhereNothingIsCommitted) {
  cluster_->append(kT0, {"a", "b"});
  cluster_->deleteBefore(kT0, 1);
  cluster_->failNext(ApiKey::kListOffsets, Errc::kNotLeaderOrFollower);
  cluster_->breakNext(ApiKey::kListOffsets);
  Consumer earliest = consumer({{"auto.offset.reset", "earliest"}});
  ASSERT_TRUE(earliest.assign({kT0}));
  EXPECT_THAT(read(earliest, 1), ElementsAre("b"));
  Consumer latest = consumer({{"auto.offset.reset", "latest"}});
  ASSERT_TRUE(latest.assign({kT0}));
  EXPECT_EQ(latest.position(kT0).value(), 2);
  // Records' times are their offsets, far before an hour ago: the first one that is there.
  Consumer duration = consumer({{"auto.offset.reset", "by_duration:P30000D"}});
  ASSERT_TRUE(duration.assign({kT0}));
  EXPECT_EQ(duration.position(kT0).value(), 1);
  Consumer none = consumer({{"auto.offset.reset", "none"}});
  ASSERT_TRUE(none.assign({kT0}));
  const Error error = failure(none);
  EXPECT_EQ(error.code, Errc::kNotFound);
  EXPECT_THAT(error.detail, HasSubstr("NO_OFFSET_FOR_PARTITION t-0"));
}

TEST_F(ConsumerShell, OutOfRangeFollowsThePolicy) {
  cluster_->append(kT0, {"a", "b", "c"});
  cluster_->commit(kT0, 0);
  cluster_->deleteBefore(kT0, 2);
  Consumer earliest = consumer();
  ASSERT_TRUE(earliest.assign({kT0}));
  EXPECT_THAT(read(earliest, 1), ElementsAre("c"));
  Consumer none = consumer({{"auto.offset.reset", "none"}});
  ASSERT_TRUE(none.assign({kT0}));
  EXPECT_EQ(failure(none).code, Errc::kOffsetOutOfRange);
  ASSERT_TRUE(none.seek(kT0, 2)) << "a seek repairs it";
  EXPECT_THAT(read(none, 1), ElementsAre("c"));
}

TEST_F(ConsumerShell, LookupsByTime) {
  cluster_->append(kT0, {"a", "b", "c"});
  cluster_->failNext(ApiKey::kListOffsets, Errc::kLeaderNotAvailable);
  Consumer reader = consumer();
  const auto found = reader.offsetsForTimes({{kT0, 1}, {kT1, 5}});
  ASSERT_TRUE(found) << found.error().toString();
  EXPECT_EQ(found->at(kT0)->offset, 1);
  EXPECT_EQ(found->at(kT1), std::nullopt);
  EXPECT_EQ(reader.beginningOffsets({kT0})->at(kT0), 0);
  EXPECT_EQ(reader.endOffsets({kT0})->at(kT0), 3);
}

TEST_F(ConsumerShell, CallsEndWithTheirTimeout) {
  cluster_->failNext(ApiKey::kListOffsets, Errc::kLeaderNotAvailable, 1'000'000);
  cluster_->failNext(ApiKey::kFindCoordinator, Errc::kCoordinatorNotAvailable, 1'000'000);
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  EXPECT_FALSE(reader.endOffsets({kT0}, milliseconds(50)));
  EXPECT_FALSE(reader.position(kT0, milliseconds(50)));
  const Status committed = reader.commitSync({{kT0, {1}}}, milliseconds(50));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::kTimeout);
  EXPECT_THAT(committed.error().detail, HasSubstr("no coordinator for group g"));
}

// Committing.

TEST_F(ConsumerShell, CommitsFollowTheCoordinator) {
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  ASSERT_TRUE(reader.commitSync({{kT0, {1}}}));
  cluster_->moveCoordinator(2);
  cluster_->breakNext(ApiKey::kOffsetCommit);
  const Status moved = reader.commitSync({{kT0, {2}}});
  EXPECT_TRUE(moved) << moved.error().toString();
  EXPECT_EQ(cluster_->committed(), (Offsets{{kT0, 2}}));
  EXPECT_EQ(reader.committed({kT0, kT1})->at(kT0)->offset, 2);
  EXPECT_EQ(reader.committed({kT0, kT1})->at(kT1), std::nullopt);
}

TEST_F(ConsumerShell, CommitsThatCannotSucceedFailAtOnce) {
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  cluster_->failNext(ApiKey::kOffsetCommit, Errc::kOffsetMetadataTooLarge);
  const Status refused = reader.commitSync({{kT0, {1}}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kOffsetMetadataTooLarge);
  EXPECT_EQ(cluster_->count(ApiKey::kOffsetCommit), 1);
}

TEST_F(ConsumerShell, AsyncCommitsTellTheirFateInALaterCall) {
  Consumer reader = consumer();
  ASSERT_TRUE(reader.assign({kT0}));
  std::vector<Errc> fates;
  const auto tell = [&](const Status& status, const CommitOffsets&) {
    fates.push_back(status ? Errc::kNone : status.error().code);
  };
  reader.commitAsync({{kT0, {1}}}, tell);
  pollUntil(reader, [&] { return fates.size() == 1; });
  cluster_->failNext(ApiKey::kOffsetCommit, Errc::kCoordinatorLoadInProgress);
  reader.commitAsync({{kT0, {2}}}, tell);
  pollUntil(reader, [&] { return fates.size() == 2; });
  EXPECT_THAT(fates, ElementsAre(Errc::kNone, Errc::kCoordinatorLoadInProgress)) << "not retried";
  EXPECT_EQ(cluster_->committed(), (Offsets{{kT0, 1}}));
}

TEST_F(ConsumerShell, AutoCommitHappensAtCloseAndByTime) {
  cluster_->append(kT0, {"a", "b"});
  {
    Consumer reader = consumer();
    ASSERT_TRUE(reader.assign({kT0}));
    read(reader, 2);
    EXPECT_THAT(cluster_->committed(), IsEmpty());
    cluster_->failNext(ApiKey::kOffsetCommit, Errc::kNotCoordinator);
    EXPECT_TRUE(reader.close());
  }
  EXPECT_EQ(cluster_->committed(), (Offsets{{kT0, 2}}));
  Consumer reader = consumer({{"auto.commit.interval.ms", "10"}});
  ASSERT_TRUE(reader.assign({kT0}));
  cluster_->append(kT0, {"c"});
  read(reader, 1);
  pollUntil(reader, [&] { return cluster_->committed() == Offsets{{kT0, 3}}; });
}

TEST_F(ConsumerShell, WithoutAutoCommitNothingIsCommitted) {
  cluster_->append(kT0, {"a"});
  {
    Consumer reader = consumer({{"enable.auto.commit", "false"}});
    ASSERT_TRUE(reader.assign({kT0}));
    read(reader, 1);
  }
  EXPECT_EQ(cluster_->count(ApiKey::kOffsetCommit), 0);
}

// The group.

/// Writes down what a listener is told. Outlives its consumer, whose end is told, too.
struct Diary {
  std::vector<std::string> lines;
  RebalanceListener listener() {
    const auto write = [this](const char* what, const std::vector<TopicPartition>& partitions) {
      std::string line = what;
      for (const TopicPartition& tp : partitions) line += " " + tp.toString();
      lines.push_back(line);
    };
    return {.onAssigned = [write](const auto& p) { write("assigned", p); },
            .onRevoked = [write](const auto& p) { write("revoked", p); },
            .onLost = [write](const auto& p) { write("lost", p); }};
  }
};

TEST_F(ConsumerShell, JoinsThroughErrorsThatPass) {
  cluster_->append(kT1, {"a"});
  cluster_->failNext(ApiKey::kFindCoordinator, Errc::kCoordinatorNotAvailable);
  cluster_->failNext(ApiKey::kJoinGroup, Errc::kCoordinatorLoadInProgress);
  cluster_->failNext(ApiKey::kJoinGroup, Errc::kNotCoordinator);
  cluster_->breakNext(ApiKey::kJoinGroup);
  cluster_->failNext(ApiKey::kSyncGroup, Errc::kRebalanceInProgress);
  cluster_->breakNext(ApiKey::kSyncGroup);
  Diary diary;
  Consumer reader = consumer();
  ASSERT_TRUE(reader.subscribe({"t"}, diary.listener()));
  EXPECT_THAT(read(reader, 1), ElementsAre("a"));
  EXPECT_THAT(diary.lines, ElementsAre("assigned t-0 t-1"));
  EXPECT_EQ(reader.groupMetadata().group_id, "g");
  EXPECT_FALSE(reader.groupMetadata().member_id.empty());
}

TEST_F(ConsumerShell, SubscribedTopicsMayComeLater) {
  Diary diary;
  Consumer reader = consumer();
  ASSERT_TRUE(reader.subscribe({"late"}, diary.listener()));
  pollUntil(reader, [&] { return diary.lines.size() == 1; });
  cluster_->addTopic("late");
  cluster_->append({"late", 0}, {"a"});
  EXPECT_THAT(read(reader, 1), ElementsAre("a"));
  EXPECT_THAT(diary.lines, ElementsAre("assigned", "assigned late-0"));
}

TEST_F(ConsumerShell, CommitsAndTellsBeforeARebalance) {
  cluster_->append(kT0, {"a"});
  Diary diary;
  Consumer reader = consumer();
  ASSERT_TRUE(reader.subscribe({"t"}, diary.listener()));
  read(reader, 1);
  cluster_->assignInstead({kT1});
  cluster_->failNext(ApiKey::kHeartbeat, Errc::kRebalanceInProgress);
  pollUntil(reader, [&] { return diary.lines.size() == 3; });
  EXPECT_THAT(diary.lines, ElementsAre("assigned t-0 t-1", "revoked t-0 t-1", "assigned t-1"));
  EXPECT_EQ(cluster_->committed().at(kT0), 1);
  EXPECT_THAT(reader.assignment(), ElementsAre(kT1));
}

TEST_F(ConsumerShell, CooperativeMembersGiveUpOnlyWhatGoes) {
  Diary diary;
  Consumer reader = consumer({{"partition.assignment.strategy", "cooperative-sticky"}});
  ASSERT_TRUE(reader.subscribe({"t"}, diary.listener()));
  pollUntil(reader, [&] { return diary.lines.size() == 1; });
  cluster_->assignInstead({kT1});
  cluster_->failNext(ApiKey::kHeartbeat, Errc::kRebalanceInProgress);
  pollUntil(reader, [&] { return diary.lines.size() >= 4; });
  // The second round frees what was given up for its new owner.
  EXPECT_THAT(std::vector<std::string>(diary.lines.begin(), diary.lines.begin() + 4),
              ElementsAre("assigned t-0 t-1", "revoked t-0", "assigned", "assigned"));
  EXPECT_THAT(reader.assignment(), ElementsAre(kT1));
}

TEST_F(ConsumerShell, WhoIsThrownOutLosesAndJoinsAgain) {
  Diary diary;
  Consumer reader = consumer();
  ASSERT_TRUE(reader.subscribe({"t"}, diary.listener()));
  pollUntil(reader, [&] { return diary.lines.size() == 1; });
  cluster_->failNext(ApiKey::kHeartbeat, Errc::kUnknownMemberId);
  pollUntil(reader, [&] { return diary.lines.size() == 3; });
  EXPECT_THAT(diary.lines, ElementsAre("assigned t-0 t-1", "lost t-0 t-1", "assigned t-0 t-1"));
}

TEST_F(ConsumerShell, AFencedInstanceIsToldToTheCaller) {
  Consumer reader = consumer({{"group.instance.id", "one"}});
  ASSERT_TRUE(reader.subscribe({"t"}));
  pollUntil(reader, [&] { return !reader.assignment().empty(); });
  cluster_->failNext(ApiKey::kHeartbeat, Errc::kFencedInstanceId);
  EXPECT_EQ(failure(reader).code, Errc::kFencedInstanceId);
}

TEST_F(ConsumerShell, RefusesAGroupItMayNotUse) {
  cluster_->failNext(ApiKey::kFindCoordinator, Errc::kGroupAuthorizationFailed);
  Consumer reader = consumer();
  ASSERT_TRUE(reader.subscribe({"t"}));
  EXPECT_EQ(failure(reader).code, Errc::kGroupAuthorizationFailed);
}

TEST_F(ConsumerShell, LeavesAtCloseUnlessStatic) {
  for (const bool fixed : {false, true}) {
    Diary diary;
    Consumer reader = fixed ? consumer({{"group.instance.id", "one"}}) : consumer();
    ASSERT_TRUE(reader.subscribe({"t"}, diary.listener()));
    pollUntil(reader, [&] { return !reader.assignment().empty(); });
    const int before = cluster_->count(ApiKey::kLeaveGroup);
    EXPECT_TRUE(reader.close());
    EXPECT_THAT(diary.lines, ElementsAre("assigned t-0 t-1", "revoked t-0 t-1"));
    if (fixed) {
      EXPECT_EQ(cluster_->count(ApiKey::kLeaveGroup), before);
    } else {
      EXPECT_FALSE(cluster_->hasMember()) << "close() did not wait for the coordinator's answer";
    }
  }
}

TEST_F(ConsumerShell, AListenerMayCommit) {
  cluster_->append(kT0, {"a"});
  Status committed = fail(Errc::kState, "not called");
  Consumer reader = consumer({{"enable.auto.commit", "false"}});
  ASSERT_TRUE(reader.subscribe(
      {"t"}, {.onRevoked = [&](const auto&) { committed = reader.commitSync(); }}));
  read(reader, 1);
  EXPECT_TRUE(reader.unsubscribe());
  EXPECT_TRUE(committed) << committed.error().toString();
  EXPECT_EQ(cluster_->committed().at(kT0), 1);
}

TEST_F(ConsumerShell, WrongOrdersOfCallsAreRefused) {
  Consumer reader = consumer();
  EXPECT_EQ(reader.poll(milliseconds(0)).error().code, Errc::kState);
  ASSERT_TRUE(reader.assign({kT0}));
  EXPECT_EQ(reader.subscribe({"t"}).error().code, Errc::kState);
  ASSERT_TRUE(reader.unsubscribe());
  ASSERT_TRUE(reader.subscribe({"t"}));
  EXPECT_EQ(reader.assign({kT0}).error().code, Errc::kState);
  EXPECT_TRUE(reader.close());
  EXPECT_TRUE(reader.close());
  EXPECT_EQ(reader.poll(milliseconds(0)).error().code, Errc::kClosed);
  EXPECT_EQ(reader.commitSync().error().code, Errc::kClosed);
}

TEST_F(ConsumerShell, APatternFollowsNewTopics) {
  Consumer reader = consumer({{"metadata.max.age.ms", "20"}});
  ASSERT_TRUE(reader.subscribe([](const std::string& name) { return name.starts_with("log-"); }));
  cluster_->addTopic("log-a");
  pollUntil(reader, [&] { return reader.assignment().size() == 1; });
  cluster_->addTopic("log-bb");
  pollUntil(reader, [&] { return reader.assignment().size() == 2; });
  EXPECT_THAT(reader.subscription(), UnorderedElementsAre("log-a", "log-bb"));
}

}  // namespace
}  // namespace millrace::client
