// The journal when logs are cut, removed and made anew: what does not count any more does not come
// back, and what was acknowledged does.
#include "tests/log/support/power_failures.h"

namespace millrace::log::test {
namespace {

class JournalCutTest : public PowerFailures {
 protected:
  JournalCutTest() { config_.flush_on_ack = true; }
  /// Appends these and has them acknowledged.
  bool addDurably(PartitionLog& log, const std::string& keys) {
    for (const char key : keys)
      if (!add(log, std::string(1, key))) return false;
    return journal().commit().status.has_value();
  }
};

TEST_F(JournalCutTest, WhatWasCutOffDoesNotComeBackBetweenWhatCameAfter) {
  std::size_t synced = 0;
  atEveryChange(
      [&] {
        synced = 3;
        ASSERT_TRUE(addDurably(log(), "abcdefgh"));
      },
      [&] {
        if (!log().truncateTo(Offset{3})) return;
        // Not acknowledged: the pages may reach the disk one by one.
        for (const char* key : {"T", "U", "V"}) (void)add(log(), key);
        if (addDurably(log(), "WXYZ")) synced = 10;
      },
      [&] {
        const std::string found = keys();
        const bool cut = found.find_first_of("TUVWXYZ") != std::string::npos;
        const std::string all = cut ? "abcTUVWXYZ" : "abcdefgh";
        EXPECT_EQ(found, all.substr(0, found.size()));
        EXPECT_GE(found.size(), synced);
      });
}

/// The file of that name which the directory on disk has is another one.
TEST_F(JournalCutTest, ASegmentThatIsMadeAnewIsInTheDirectoryWhenItsRecordsAreAcknowledged) {
  direct_bytes_ = 1;
  bool acknowledged = false;
  atEveryChange(
      [&] {
        acknowledged = false;
        ASSERT_TRUE(addDurably(log(), "abc"));
        ASSERT_TRUE(log().roll());
        ASSERT_TRUE(log().flush());
        ASSERT_TRUE(addDurably(log(), "de"));
      },
      [&] {
        if (!log().truncateTo(Offset{3}) || !log().roll()) return;
        acknowledged = addDurably(log(), "XY");
      },
      [&] {
        const std::string found = keys();
        EXPECT_TRUE(found.starts_with("abc")) << found;
        if (acknowledged) EXPECT_EQ(found, "abcXY");
      });
}

TEST_F(JournalCutTest, ACutBelowEverythingInTheJournalIsNoLoss) {
  atEveryChange(
      [&] {
        config_.flush_on_ack = false;
        for (const char* key : {"a", "b", "c", "d"}) ASSERT_TRUE(add(log(), key));
        ASSERT_TRUE(log().flush());
        ASSERT_TRUE(manager_->writeCheckpoints());
        config_.flush_on_ack = true;
        log().setConfig(config_);
        ASSERT_TRUE(addDurably(log(), "efgh"));
      },
      [&] {
        if (!log().announceCut(Offset{2}) || !manager_->writeCheckpoints()) return;
        (void)log().truncateTo(Offset{2});
      },
      [&] { EXPECT_EQ(keys().substr(0, 2), "ab"); });
}

TEST_F(JournalCutTest, ATopicThatWasDeletedDoesNotTakeThePlaceOfTheNewOne) {
  bool acknowledged = false;
  atEveryChange(
      [&] {
        acknowledged = false;
        ASSERT_TRUE(addDurably(log(), "abcdefgh"));
      },
      [&] {
        if (!manager_->remove(name_, 0)) return;
        const auto other = manager_->create(name_, Uuid{2, 2}, config_);
        if (!other) return;
        for (const char* key : {"V", "W", "X"}) (void)add(**other, key);
        acknowledged = addDurably(**other, "YZ");
      },
      [&] {
        if (acknowledged) {
          ASSERT_NE(found(), nullptr);
          EXPECT_EQ(found()->topicId(), (Uuid{2, 2}));
          EXPECT_EQ(keys(), "VWXYZ");
        }
        if (found() == nullptr) return;
        const std::string there = keys();
        const bool is_old = std::string("abcdefgh").starts_with(there);
        const bool is_new = std::string("VWXYZ").starts_with(there);
        if (found()->topicId().isZero()) EXPECT_EQ(there, "") << "nobody knows whose these are";
        const bool old_id = found()->topicId() == Uuid{1, 1};
        EXPECT_TRUE(old_id ? is_old : is_new) << there;
      });
}

/// Without flush.on.ack: the disk may take the removal, the new topic's files and the old one's in
/// any part.
TEST_F(JournalCutTest, WhateverIsLeftOfADeletedTopicIsNotTheNewOnes) {
  config_.flush_on_ack = false;
  const bool checkpoint_between[] = {false, true};
  for (const bool checkpoint : checkpoint_between) {
    atEveryChange(
        [&] {
          for (const char key : std::string("abcdefgh"))
            ASSERT_TRUE(add(log(), std::string(1, key)));
        },
        [&] {
          if (!manager_->remove(name_, 0)) return;
          if (checkpoint && !manager_->writeCheckpoints()) return;
          const auto other = manager_->create(name_, Uuid{2, 2}, config_);
          if (!other) return;
          for (const char* key : {"V", "W", "X"}) (void)add(**other, key);
        },
        [&] {
          // What the metadata says of the name by then.
          const auto other = manager_->create(name_, Uuid{2, 2}, config_);
          if (!other) {
            EXPECT_EQ(other.error().code, Errc::kInconsistentTopicId);
            EXPECT_TRUE(std::string("abcdefgh").starts_with(keys()));
          } else {
            EXPECT_TRUE(std::string("VWX").starts_with(keys())) << keys();
          }
        },
        100);
  }
}

TEST_F(JournalCutTest, ADeletedLogOfWhichTheJournalHasAPartIsNotMissed) {
  config_.segment_bytes = 100'000;
  atEveryChange(
      [&] {
        ASSERT_TRUE(addDurably(log(), "abc"));
        // Too much for the journal: the segment itself is synced.
        ASSERT_TRUE(add(log(), "d", 1, 40'000));
        ASSERT_TRUE(journal().commit().status);
        ASSERT_TRUE(addDurably(log(), "ef"));
      },
      [&] {
        if (manager_->remove(name_, 0)) (void)manager_->syncRemovals();
      },
      [&] {
        if (found() != nullptr) EXPECT_EQ(keys(), "abcdef");
      });
}

/// The file with the log's older batches is begun anew before the removal is on disk.
TEST_F(JournalCutTest, ADeletedLogThatIsBackAfterAllIsWhole) {
  config_.segment_bytes = 100'000;
  constexpr std::uint64_t kFramesInAFile = (64 << 10) / journal::kAlignment - 1;
  PartitionLog* other = nullptr;
  const auto run_until = [&](std::uint64_t rounds) {
    while (journal().counters().rounds < rounds) ASSERT_TRUE(addDurably(*other, "x"));
  };
  atEveryChange(
      [&] {
        ASSERT_TRUE(addDurably(log(), "ab"));
        ASSERT_TRUE(log().flush());
        ASSERT_TRUE(manager_->writeCheckpoints());
        ASSERT_TRUE(addDurably(log(), "c"));
        other = manager_->create({"other", PartitionIndex{0}}, {3, 3}, config_).value();
        run_until(kFramesInAFile);
        ASSERT_TRUE(addDurably(log(), "d"));
        run_until(2 * kFramesInAFile);
      },
      [&] {
        if (manager_->remove(name_, 0)) (void)addDurably(*other, "y");
      },
      [&] {
        if (found() != nullptr) EXPECT_EQ(keys(), "abcd");
      });
}

TEST_F(JournalCutTest, ALogStartInsideABatchHoldsWhenAllSegmentsAreLost) {
  atEveryChange(
      [&] {
        ASSERT_TRUE(add(log(), "a", 5));
        ASSERT_TRUE(add(log(), "b", 5));
        ASSERT_TRUE(journal().commit().status);
        log().setHighWatermark(Offset{10});
        ASSERT_TRUE(log().setStartOffset(Offset{8}));
        ASSERT_TRUE(manager_->writeCheckpoints());
      },
      [&] { ASSERT_TRUE(log().runUpkeep(1000)); },
      [&] {
        EXPECT_EQ(found()->startOffset(), Offset{8});
        EXPECT_EQ(found()->endOffset(), Offset{10});
        EXPECT_EQ(keys(), "bb");
      },
      40);
}

/// The name of the removed directory is on disk, the journal brings the log back: what the
/// checkpoint files say of the removed one must not be held against it.
TEST_F(JournalCutTest, CheckpointsOfARemovedLogAreNotThoseOfTheOneThatTheJournalBringsBack) {
  atEveryChange(
      [&] {
        ASSERT_TRUE(addDurably(log(), "abcdefgh"));
        ASSERT_TRUE(log().flush());
        ASSERT_TRUE(manager_->writeCheckpoints());
        ASSERT_TRUE(manager_->remove(name_, 0));
        ASSERT_TRUE(manager_->syncRemovals());
        loseUnsynced();
        disk_->crashAfter(disk_->changes() % 5);
      },
      [&] { manager_ = open(); },
      [&] {
        if (found() == nullptr) return;
        const std::string there = keys();
        EXPECT_EQ(there, std::string("abcdefgh").substr(0, there.size()));
      });
}

}  // namespace
}  // namespace millrace::log::test
