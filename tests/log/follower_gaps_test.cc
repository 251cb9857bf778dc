// A follower of a compacted leader takes batches with offsets missing between them: recovery, the
// journal and cuts must not take such holes for damage, nor damage for such a hole.
#include "log/own_segments.h"
#include "record/builder.h"
#include "tests/log/support/power_failures.h"

#include <fmt/format.h>

#include <functional>

namespace millrace::log::test {
namespace {

class FollowerGaps : public PowerFailures {
 protected:
  FollowerGaps() { config_.cleanup_compact = true; }

  static Bytes batchAt(std::int64_t offset, const std::string& key, std::size_t value_size = 300) {
    record::BatchBuilder builder({.base_offset = Offset{offset}, .leader_epoch = LeaderEpoch{3}});
    builder.append(1000, key, std::string(value_size, 'v'));
    return *builder.build();
  }
  /// One call with a batch of one record at each of these offsets; keys from 'a' on.
  void take(std::initializer_list<std::int64_t> offsets, char key = 'a') {
    Bytes all;
    for (const std::int64_t offset : offsets) all += batchAt(offset, std::string(1, key++));
    const auto done = log().appendAsFollower(all);
    ASSERT_TRUE(done) << done.error().toString();
  }
  /// Twelve batches, keys from 'c' on, each at the offset that `at` gives it; then a flush.
  void followUntilTheCrash(const std::function<std::int64_t(int)>& at) {
    for (int i = 0; i < 12; ++i)
      if (!log().appendAsFollower(batchAt(at(i), std::string(1, static_cast<char>('c' + i)))))
        return;
    (void)log().flush();
  }
  /// At least "ab", and no key without the ones before it.
  void expectAPrefix() {
    const std::string all = "abcdefghijklmn";
    EXPECT_EQ(keys(), all.substr(0, keys().size()));
    EXPECT_GE(keys().size(), 2U);
  }
  void restart(Restart how) {
    manager_.reset();
    disk_->restart(how);
    start();
  }
};

TEST_F(FollowerGaps, AHoleInFrontOfTheLastBatchIsNoDamage) {
  startOnNewDisk();
  take({0, 1, 7});
  restart(Restart::kProcess);
  EXPECT_EQ(keys(), "abc");
  EXPECT_EQ(log().endOffset(), Offset{8});
}

TEST_F(FollowerGaps, AHoleWhereASegmentBeginsIsNoDamage) {
  startOnNewDisk();
  take({0, 1});
  ASSERT_TRUE(log().roll());
  take({9, 10}, 'c');
  for (int i = 0; i < 8; ++i) take({20 + 3 * i}, 'e');
  restart(Restart::kProcess);
  EXPECT_EQ(keys(), "abcdeeeeeeee");
}

TEST_F(FollowerGaps, AHoleBetweenSegmentsAloneIsNoDamage) {
  startOnNewDisk();
  take({0, 1, 2, 3, 4});
  take({9}, 'f');  // rolls
  take({10}, 'g');
  restart(Restart::kProcess);
  EXPECT_EQ(keys(), "abcdefg");
}

TEST_F(FollowerGaps, WhatACrashTookBetweenSegmentsIsNoHoleOfTheLeaders) {
  atEveryChange(
      [&] {
        take({0, 4});
        ASSERT_TRUE(log().flush());
        ASSERT_TRUE(manager_->writeCheckpoints());
      },
      [&] { followUntilTheCrash([](int i) { return 5 + 3 * i; }); }, [&] { expectAPrefix(); });
}

/// The same after a cut of what was flushed, and without gaps at first.
TEST_F(FollowerGaps, WhatACrashTookBehindACutIsNoHoleOfTheLeaders) {
  atEveryChange(
      [&] {
        take({0, 4, 5, 9, 20, 21, 22, 23, 30});
        ASSERT_TRUE(log().flush());
        ASSERT_TRUE(log().announceCut(Offset{5}));
        ASSERT_TRUE(manager_->writeCheckpoints());
        ASSERT_TRUE(log().truncateTo(Offset{5}));
      },
      [&] { followUntilTheCrash([](int i) { return 5 + i + (i > 8 ? 4 : 0); }); },
      [&] { expectAPrefix(); });
}

TEST_F(FollowerGaps, HolesBetweenSegmentsThatKafkaMadeStay) {
  startOnNewDisk();
  take({0, 4});
  const std::string own = "/data/orders-0/" + std::string(kOwnSegments);
  ASSERT_TRUE(disk_->exists(own).value());
  ASSERT_TRUE(log().flush());
  ASSERT_TRUE(manager_->writeCheckpoints());
  restart(Restart::kProcess);
  // Kafka opens the log, takes batches of its leader's, and is killed.
  manager_.reset();
  ASSERT_TRUE(disk_->remove(own));
  const auto put = [&](std::int64_t base, const std::string& key) {
    const Bytes bytes = batchAt(base, key);
    const std::string file = fmt::format("/data/orders-0/{:020d}.log", base);
    const BytesView slice = bytes;
    ASSERT_TRUE(disk_->open(file, OpenMode::kCreate).value()->write(0, std::span(&slice, 1)));
  };
  put(8, "c");
  put(12, "d");
  put(14, "e");
  {
    const Bytes bytes = batchAt(20, "f");
    const BytesView slice = bytes;
    const auto file =
        disk_->open("/data/orders-0/00000000000000000014.log", OpenMode::kReadWrite).value();
    ASSERT_TRUE(file->write(file->size().value(), std::span(&slice, 1)));
  }
  disk_->restart(Restart::kProcess);
  start();
  EXPECT_EQ(keys(), "abcdef");
  // They are on disk before the log is ours again.
  take({30, 34, 38}, 'x');
  restart(Restart::kPower);
  EXPECT_EQ(keys().substr(0, 6), "abcdef");
}

TEST_F(FollowerGaps, TheJournalKnowsHolesWithinOneAppend) {
  config_.flush_on_ack = true;
  for (const Restart how : {Restart::kProcess, Restart::kPower}) {
    startOnNewDisk();
    take({0, 1, 5, 9});
    ASSERT_TRUE(journal().commit().status);
    EXPECT_EQ(journal().counters().direct_syncs, 0U);
    take({14, 15, 20}, 'e');
    ASSERT_TRUE(journal().commit().status);
    restart(how);
    EXPECT_EQ(keys(), "abcdefg");
    EXPECT_EQ(log().endOffset(), Offset{21});
  }
}

TEST_F(FollowerGaps, AHoleTooWideForASegmentsIndexBeginsAnotherSegment) {
  startOnNewDisk();
  constexpr std::int64_t kFar = 5'000'000'000;
  take({0, 1, kFar, kFar + 1, 3 * kFar});
  EXPECT_EQ(keys(), "abcde");
  restart(Restart::kProcess);
  EXPECT_EQ(keys(), "abcde");
  ASSERT_TRUE(log().flush());
  restart(Restart::kPower);
  EXPECT_EQ(keys(), "abcde");
  expectSound();
  EXPECT_EQ(log().endOffset(), Offset{3 * kFar + 1});
}

TEST_F(FollowerGaps, ACutInsideAHoleEndsTheLogWhereRecordsEnd) {
  startOnNewDisk();
  take({0, 1, 7, 8});
  ASSERT_TRUE(log().truncateTo(Offset{4}));
  const Offset end = log().endOffset();
  EXPECT_EQ(keys(), "ab");
  EXPECT_EQ(end, Offset{2});
  restart(Restart::kProcess);
  EXPECT_EQ(log().endOffset(), end);
  take({5, 6}, 'x');
  restart(Restart::kProcess);
  EXPECT_EQ(keys(), "abxy");
}

}  // namespace
}  // namespace millrace::log::test
