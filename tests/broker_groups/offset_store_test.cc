// Committed offsets: who may commit, what is kept, what goes.
#include "broker/groups/offset_store.h"

#include "tests/broker_groups/support/group_driver.h"

#include <gmock/gmock.h>

namespace millrace::broker::testing {
namespace {

constexpr Millis kDay = 24LL * 3600 * 1000;

struct OffsetStoreTest : ::testing::Test {
  OffsetToCommit offset(const std::string& topic, std::int64_t at, std::string metadata = "") {
    OffsetToCommit o;
    o.topic = topic;
    o.offset.offset = at;
    o.offset.metadata = std::move(metadata);
    return o;
  }
  /// Commits at wall time `wall_ms` and applies what was allowed.
  Errc commit(const CommitEvent& event, OffsetToCommit o, Millis wall_ms = 0) {
    std::vector<OffsetToCommit> offsets{std::move(o)};
    store.prepareCommit(event, offsets, driver.now(), wall_ms);
    if (offsets[0].error == Errc::kNone) store.apply(event.group_id, offsets[0], next_record++);
    return offsets[0].error;
  }
  CommitEvent simple(const std::string& group) {
    return {.group_id = group, .member_id = "", .instance_id = {}};
  }

  GroupDriver driver;
  OffsetStore store{{.retention_ms = 7 * kDay, .max_metadata_bytes = 16}, driver.machine()};
  std::int64_t next_record = 0;
};

TEST_F(OffsetStoreTest, SimpleCommitMakesAnEmptyGroup) {
  EXPECT_EQ(commit(simple("g"), offset("t", 5)), Errc::kNone);
  EXPECT_EQ(store.find("g", "t", 0)->offset, 5);
  EXPECT_EQ(driver.machine().find("g")->state(), GroupState::kEmpty);
  EXPECT_EQ(store.find("g", "t", 1), nullptr);
}

TEST_F(OffsetStoreTest, GenerationOfAGroupThatIsGoneIsIllegal) {
  EXPECT_EQ(commit({.group_id = "g", .member_id = "m", .instance_id = {}, .generation = 1},
                   offset("t", 5)),
            Errc::kIllegalGeneration);
}

TEST_F(OffsetStoreTest, OnlyMembersOfTheGenerationCommitToAGroupWithMembers) {
  const auto joined = driver.joinAll({driver.join("g", "")}).at(0);
  const std::string member = joined.member_id.str();
  EXPECT_EQ(commit({.group_id = "g", .member_id = member, .instance_id = {}, .generation = 1},
                   offset("t", 1)),
            Errc::kRebalanceInProgress)
      << "between join and sync";
  driver.syncLeader("g", joined);
  EXPECT_EQ(commit(simple("g"), offset("t", 1)), Errc::kUnknownMemberId);
  EXPECT_EQ(commit({.group_id = "g", .member_id = "x", .instance_id = {}, .generation = 1},
                   offset("t", 1)),
            Errc::kUnknownMemberId);
  EXPECT_EQ(commit({.group_id = "g", .member_id = member, .instance_id = {}, .generation = 2},
                   offset("t", 1)),
            Errc::kIllegalGeneration);
  EXPECT_EQ(commit({.group_id = "g", .member_id = member, .instance_id = {}, .generation = 1},
                   offset("t", 1)),
            Errc::kNone);
}

TEST_F(OffsetStoreTest, CommitKeepsTheSessionAlive) {
  const auto joined = driver.joinAll({driver.join("g", "", {.session_timeout_ms = 10'000})}).at(0);
  driver.syncLeader("g", joined);
  const CommitEvent event{
      .group_id = "g", .member_id = joined.member_id.str(), .instance_id = {}, .generation = 1};
  driver.advance(9000);
  EXPECT_EQ(commit(event, offset("t", 1)), Errc::kNone);
  driver.advance(9000);
  EXPECT_EQ(driver.heartbeat("g", joined.member_id.str(), 1), Errc::kNone);
}

TEST_F(OffsetStoreTest, MetadataAboveTheLimitIsRefused) {
  EXPECT_EQ(commit(simple("g"), offset("t", 1, std::string(16, 'x'))), Errc::kNone);
  EXPECT_EQ(commit(simple("g"), offset("t", 2, std::string(17, 'x'))),
            Errc::kOffsetMetadataTooLarge);
  EXPECT_EQ(store.find("g", "t", 0)->offset, 1);
}

TEST_F(OffsetStoreTest, OlderRecordDoesNotOverwriteANewerOne) {
  store.apply("g", offset("t", 2), 20);
  store.apply("g", offset("t", 1), 10);
  EXPECT_EQ(store.find("g", "t", 0)->offset, 2);
}

TEST_F(OffsetStoreTest, OffsetsOfASimpleGroupExpireByTheirCommitTime) {
  commit(simple("g"), offset("old", 1), 0);
  commit(simple("g"), offset("new", 1), 3 * kDay);
  const auto gone = store.expired(7 * kDay);
  ASSERT_EQ(gone.offsets.size(), 1U);
  EXPECT_EQ(gone.offsets[0].topic, "old");
  EXPECT_TRUE(gone.groups.empty());
  store.apply(gone);
  EXPECT_EQ(store.find("g", "old", 0), nullptr);
  const auto rest = store.expired(20 * kDay);
  EXPECT_EQ(rest.groups.size(), 1U) << "a group without offsets goes, too";
  EXPECT_EQ(rest.tombstones().size(), 2U);
  store.apply(rest);
  EXPECT_EQ(driver.machine().find("g"), nullptr);
}

TEST_F(OffsetStoreTest, OffsetCommittedAgainWhileItsTombstoneIsWrittenStays) {
  commit(simple("g"), offset("t", 1), 0);
  const auto gone = store.expired(8 * kDay);
  commit(simple("g"), offset("t", 2), 8 * kDay);
  store.apply(gone);
  ASSERT_NE(store.find("g", "t", 0), nullptr);
  EXPECT_EQ(store.find("g", "t", 0)->offset, 2);
}

TEST_F(OffsetStoreTest, GroupWithMembersIsNotDeleted) {
  const auto joined = driver.joinAll({driver.join("g", "")}).at(0);
  driver.syncLeader("g", joined);
  EXPECT_EQ(store.mayDeleteGroup("g"), Errc::kNonEmptyGroup);
  EXPECT_EQ(store.mayDeleteGroup("none"), Errc::kGroupIdNotFound);
  driver.leave("g", joined.member_id.str());
  EXPECT_EQ(store.mayDeleteGroup("g"), Errc::kNone);
}

TEST_F(OffsetStoreTest, OffsetReadBackFromItsRecordIsTheSame) {
  OffsetToCommit o = offset("t", 42, "note");
  o.partition = 3;
  o.offset.leader_epoch = 7;
  o.offset.commit_timestamp = 1234;
  const GroupRecord record = offsetRecord("g", o.topic, o.partition, o.offset);
  const auto loaded = parseGroupRecord(record.key, BytesView(*record.value));
  ASSERT_TRUE(loaded);
  store.restore(std::get<LoadedOffset>(*loaded), 9);
  const CommittedOffset& found = *store.find("g", "t", 3);
  EXPECT_EQ(found.offset, 42);
  EXPECT_EQ(found.leader_epoch, 7);
  EXPECT_EQ(found.metadata, "note");
  EXPECT_EQ(found.commit_timestamp, 1234);
}

}  // namespace
}  // namespace millrace::broker::testing
