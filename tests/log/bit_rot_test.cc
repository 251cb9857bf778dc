// What the disk changed after it was flushed: told with file and position, or made anew; never
// served, never passed over.
#include "log/compaction.h"
#include "log/sound_ranges.h"
#include "tests/log/support/power_failures.h"

#include <functional>

namespace millrace::log::test {
namespace {

class BitRotTest : public PowerFailures {
 protected:
  static constexpr const char* kLog = "/data/orders-0/00000000000000000000.log";
  static constexpr const char* kTransactions = "/data/orders-0/00000000000000000000.txnindex";
  static constexpr const char* kTimes = "/data/orders-0/00000000000000000000.timeindex";
  static constexpr std::size_t kTimeEntry = 12;

  void SetUp() override {
    config_.segment_bytes = 1 << 20;
    config_.index_interval_bytes = 1000;
    startOnNewDisk();
  }
  /// Ten batches of three records on disk, the log opened again.
  void fill(bool clean) {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(add(log(), "k", 3));
    stop(clean);
  }
  void stop(bool clean) {
    ASSERT_TRUE(clean ? manager_->close() : log().flush());
    if (!clean) ASSERT_TRUE(manager_->writeCheckpoints());
    loseUnsynced();
  }
  /// Two transactions of producer 7, in offsets 0 to 2 and 3 to 5.
  void abortTwice() {
    for (int i = 0; i < 4; i += 2) {
      for (int k = 0; k < 2; ++k)
        ASSERT_TRUE(append(log(), simpleBatch(1, 1000, 10,
                                              {.producer_id = ProducerId{7},
                                               .producer_epoch = 0,
                                               .base_sequence = i + k,
                                               .transactional = true})));
      ASSERT_TRUE(append(
          log(),
          record::buildEndTxnMarker(ProducerId{7}, 0, {record::ControlType::kAbort, 1}, 1000), 1000,
          0, record::AppendOrigin::kCoordinator));
    }
  }
  enum class Checkpoint { kNone, kBeforeTheSwap };
  /// All but the last segment.
  void compactAll(Checkpoint when = Checkpoint::kBeforeTheSwap) {
    log().setHighWatermark(log().endOffset());
    ASSERT_TRUE(log().flush());
    const auto plan = log().prepareCompaction(clock_.wallMs());
    ASSERT_TRUE(plan);
    const auto outcome = runCompaction(*plan, {.map_bytes = 1 << 12});
    ASSERT_TRUE(outcome);
    if (when == Checkpoint::kBeforeTheSwap) ASSERT_TRUE(manager_->writeCheckpoints());
    ASSERT_TRUE(log().compacted(*plan, *outcome));
  }
  std::uint64_t positionOf(Offset base) { return positionIn(kLog, base); }
  void expectTold(const Error& error, std::uint64_t position) {
    EXPECT_EQ(error.code, Errc::kCorruptData);
    EXPECT_NE(error.detail.find(kLog + (" at position " + std::to_string(position))),
              std::string::npos)
        << error.detail;
    EXPECT_FALSE(log().health());
  }
};

TEST_F(BitRotTest, ADamagedRecordIsNotServedAndTakesTheLogOffline) {
  for (const bool clean : {true, false}) {
    SetUp();
    fill(clean);
    const std::uint64_t at = positionOf(Offset{12});
    disk_->flipBit(kLog, (at + 200) * 8 + 3);
    start();
    const auto before = log().read(Offset{3}, 1, Isolation::kLogEnd);
    ASSERT_TRUE(before) << "what is sound is served until then";
    const auto read = log().read(Offset{0}, 1 << 20, Isolation::kLogEnd);
    ASSERT_FALSE(read);
    expectTold(read.error(), at);
    EXPECT_FALSE(log().read(Offset{3}, 1, Isolation::kLogEnd));
  }
}

TEST_F(BitRotTest, ADamagedHeaderHidesNoRecord) {
  fill(true);
  // The batch says that it ends two offsets earlier: who looks for its last record finds the next
  // one.
  const std::uint64_t at = positionOf(Offset{12});
  disk_->flipBit(kLog, (at + record::layout::kLastOffsetDelta + 3) * 8 + 1);
  start();
  const auto read = log().read(Offset{14}, 1 << 20, Isolation::kLogEnd);
  ASSERT_FALSE(read) << "read up to " << read->next_offset.value();
  expectTold(read.error(), at);
}

TEST_F(BitRotTest, CompactionTellsWhereItMetDamage) {
  constexpr std::uint64_t kLengthOfTheFirstRecord = record::kBatchHeaderSize;
  constexpr std::uint64_t kSomeValue = 300;  // only the checksum shows it
  config_.cleanup_compact = true;
  config_.min_cleanable_dirty_ratio = 0;
  for (const std::uint64_t byte : {kLengthOfTheFirstRecord, kSomeValue}) {
    SetUp();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(add(log(), "k", 3));
    ASSERT_TRUE(log().roll());
    ASSERT_TRUE(add(log(), "k", 3));
    ASSERT_TRUE(log().flush());
    log().setHighWatermark(log().endOffset());
    const std::uint64_t at = positionOf(Offset{6});
    disk_->flipBit(kLog, (at + byte) * 8);
    const auto plan = log().prepareCompaction(clock_.wallMs());
    ASSERT_TRUE(plan);
    const auto outcome = runCompaction(*plan, {.map_bytes = 1 << 12});
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::kCorruptData);
    EXPECT_NE(outcome.error().detail.find(kLog + (" at position " + std::to_string(at))),
              std::string::npos)
        << outcome.error().detail;
  }
}

/// Two aborted transactions, in offsets 0 to 2 and 3 to 5, and a damaged index.
TEST_F(BitRotTest, ATransactionIndexThatDoesNotFitTheLogIsMadeAnew) {
  const std::pair<const char*, std::function<void()>> damages[] = {
      {"torn", [&] { disk_->cut(kTransactions, 40); }},
      {"version", [&] { disk_->flipBit(kTransactions, 3); }},
      {"producer", [&] { disk_->flipBit(kTransactions, (34 + 9) * 8); }},
      {"first offset, in the transaction before",
       [&] { disk_->flipBit(kTransactions, (34 + 17) * 8 + 1); }},
      {"last offset, earlier", [&] { disk_->flipBit(kTransactions, (34 + 25) * 8); }},
      {"last offset, behind the end", [&] { disk_->flipBit(kTransactions, (25 * 8) + 6); }},
      {"zeros", [&] { disk_->overwrite(kTransactions, 34, Bytes(34, '\0')); }}};
  for (const auto& [name, damage] : damages) {
    for (const bool clean : {true, false}) {
      SCOPED_TRACE(std::string(name) + (clean ? ", clean" : ", not clean"));
      SetUp();
      abortTwice();
      log().setHighWatermark(log().endOffset());
      stop(clean);
      damage();
      start();
      const auto aborted = log().abortedTransactions(Offset{0}, Offset{6});
      ASSERT_TRUE(aborted) << aborted.error().toString();
      ASSERT_EQ(aborted->size(), 2U);
      EXPECT_EQ(aborted->at(0),
                (AbortedTransaction{ProducerId{7}, Offset{0}, Offset{2}, Offset{3}}));
      EXPECT_EQ(aborted->at(1),
                (AbortedTransaction{ProducerId{7}, Offset{3}, Offset{5}, Offset{6}}));
      expectSound();
    }
  }
}

/// Compaction leaves holes, but never in the place of a marker that it notes.
TEST_F(BitRotTest, ATransactionThatEndsWhereCompactionLeftNothingIsNotBelieved) {
  config_.cleanup_compact = true;
  config_.min_cleanable_dirty_ratio = 0;
  ASSERT_TRUE(append(log(), simpleBatch(1, 1000, 10,
                                        {.producer_id = ProducerId{7},
                                         .producer_epoch = 0,
                                         .base_sequence = 0,
                                         .transactional = true})));
  ASSERT_TRUE(append(
      log(), record::buildEndTxnMarker(ProducerId{7}, 0, {record::ControlType::kAbort, 1}, 1000),
      1000, 0, record::AppendOrigin::kCoordinator));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(add(log(), "k"));
  ASSERT_TRUE(log().roll());
  ASSERT_TRUE(add(log(), "z"));
  compactAll();
  stop(true);
  ASSERT_EQ(disk_->readAll(kTransactions, 1 << 10)->size(), 34U);
  disk_->flipBit(kTransactions, 25 * 8 + 1);  // ends at 3 instead of 1
  start();
  const auto aborted = log().abortedTransactions(Offset{0}, Offset{6});
  ASSERT_TRUE(aborted) << aborted.error().toString();
  for (const AbortedTransaction& txn : *aborted) EXPECT_EQ(txn.last_offset, Offset{1});
}

/// Between the announcement and the cut: what stays was flushed, and what compaction left in it has
/// gaps. Damage in it is not taken for the end of the log.
TEST_F(BitRotTest, DamageInFrontOfACutThatWasAnnouncedIsTold) {
  config_.cleanup_compact = true;
  config_.min_cleanable_dirty_ratio = 0;
  for (const char* key : {"a", "b", "a", "c", "d"}) ASSERT_TRUE(add(log(), key));
  ASSERT_TRUE(log().roll());
  ASSERT_TRUE(add(log(), "z"));
  compactAll();
  stop(true);
  start();
  ASSERT_TRUE(log().announceCut(Offset{4}));
  ASSERT_TRUE(manager_->writeCheckpoints());
  loseUnsynced();
  const std::uint64_t at = positionOf(Offset{2});
  disk_->flipBit(kLog, (at + 200) * 8);
  start();
  EXPECT_EQ(log().endOffset(), Offset{4});
  const auto read = log().read(Offset{0}, 1 << 20, Isolation::kLogEnd);
  ASSERT_FALSE(read);
  expectTold(read.error(), at);
  loseUnsynced();
  disk_->flipBit(kLog, (at + 200) * 8);
  start();
  EXPECT_EQ(keys(), "bac");
  EXPECT_EQ(log().endOffset(), Offset{4});
}

/// A cut takes the entries behind a damaged one away, and with them what would have told of it.
TEST_F(BitRotTest, ACutDoesNotHideDamageOfATimeIndex) {
  for (const bool announced : {true, false}) {
    SCOPED_TRACE(announced ? "a start makes the cut" : "the cut is made at once");
    SetUp();
    config_.index_interval_bytes = 100;
    const std::vector<int> times = {0, 1000, 2000, 3000, 4000, 5000, 100, 100, 100, 100, 100, 100};
    for (const int time : times)
      ASSERT_TRUE(append(log(), makeBatch({{time, "k", std::string(300, 'v')}})));
    ASSERT_TRUE(log().roll());
    ASSERT_TRUE(add(log(), "z"));
    stop(false);
    ASSERT_EQ(disk_->readAll(kTimes, 1000)->size(), 5 * kTimeEntry);
    disk_->overwrite(kTimes, 2 * kTimeEntry, Bytes(kTimeEntry, '\0'));
    start();
    ASSERT_TRUE(log().announceCut(Offset{10}));
    ASSERT_TRUE(manager_->writeCheckpoints());
    if (announced) loseUnsynced();
    if (announced) start();
    ASSERT_TRUE(log().truncateTo(Offset{10}));
    for (int life = 0; life < 2; ++life) {
      ASSERT_EQ(log().endOffset(), Offset{10});
      EXPECT_EQ(log().offsetForTimestamp(4001, Isolation::kLogEnd)->offset, Offset{5});
      EXPECT_EQ(log().offsetForTimestamp(kMaxTimestamp, Isolation::kLogEnd)->offset, Offset{5});
      expectSound();
      loseUnsynced();
      start();
    }
  }
}

/// Where compaction took what stood in front of the recovery point, the indexes count up to some
/// entry below it.
TEST_F(BitRotTest, ARecoveryPointInAHoleDoesNotHideDamageOfATimeIndex) {
  config_.index_interval_bytes = 100;
  config_.cleanup_compact = true;
  config_.min_cleanable_dirty_ratio = 0;
  const auto addAt = [&](std::int64_t timestamp, const char* key) {
    ASSERT_TRUE(append(log(), makeBatch({{timestamp, key, std::string(300, 'v')}})));
  };
  for (int i = 0; i < 6; ++i) addAt(1000 * i, std::to_string(i).c_str());
  for (const char* key : {"b", "c", "d", "a"}) addAt(0, key);
  ASSERT_TRUE(log().flush());
  ASSERT_TRUE(manager_->writeCheckpoints());
  for (const char* key : {"a", "e"}) addAt(0, key);
  ASSERT_TRUE(log().roll());
  addAt(0, "f");
  compactAll(Checkpoint::kNone);
  manager_.reset();
  disk_->restart(Restart::kProcess);
  disk_->overwrite(kTimes, 2 * kTimeEntry, Bytes(kTimeEntry, '\0'));
  start();
  EXPECT_EQ(keys(), "012345bcdaef");
  EXPECT_EQ(log().offsetForTimestamp(5000, Isolation::kLogEnd)->offset, Offset{5});
  EXPECT_EQ(log().offsetForTimestamp(kMaxTimestamp, Isolation::kLogEnd)->offset, Offset{5});
  expectSound();
}

TEST_F(BitRotTest, LeaderEpochsThatDoNotRiseAreMadeAnew) {
  for (int epoch : {2, 3, 7}) ASSERT_TRUE(append(log(), simpleBatch(1), 1000, epoch));
  stop(true);
  const std::string path = "/data/orders-0/leader-epoch-checkpoint";
  const Bytes sound = disk_->readAll(path, 1000).value();
  ASSERT_EQ(sound, "0\n3\n2 0\n3 1\n7 2\n");
  disk_->overwrite(path, 12, "1");  // "1 2" behind "3 1"
  start();
  EXPECT_EQ(log().epochs(), (std::vector<EpochEntry>{{LeaderEpoch{2}, Offset{0}},
                                                     {LeaderEpoch{3}, Offset{1}},
                                                     {LeaderEpoch{7}, Offset{2}}}));
}

TEST_F(BitRotTest, LeaderEpochsAreNotMadeFromADamagedLog) {
  for (int epoch : {2, 3, 7}) ASSERT_TRUE(append(log(), simpleBatch(1), 1000, epoch));
  for (const bool clean : {false, true}) {
    stop(clean);
    disk_->erase("/data/orders-0/leader-epoch-checkpoint");
    const std::uint64_t length = (positionOf(Offset{1}) + record::layout::kLength) * 8;
    disk_->flipBit(kLog, length);
    manager_ = open();
    ASSERT_NE(manager_, nullptr);
    EXPECT_EQ(found(), nullptr);
    loseUnsynced();
    disk_->flipBit(kLog, length);
    start();
    EXPECT_EQ(log().epochs().size(), 3U) << "nothing wrong was written down meanwhile";
  }
}

TEST_F(BitRotTest, AnAdoptedTopicIdIsOnDiskAtOnce) {
  fill(true);
  disk_->erase("/data/orders-0/partition.metadata");
  start();
  EXPECT_TRUE(found()->topicId().isZero());
  ASSERT_TRUE(manager_->create(name_, Uuid{5, 5}, config_));
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    loseUnsynced();
    start();
    ASSERT_NE(found(), nullptr);
    EXPECT_EQ(found()->topicId(), (Uuid{5, 5}));
  }
}

TEST(SoundRanges, WhatWasAppendedOrCheckedNeedNotBeCheckedAgain) {
  SoundRanges ranges;
  EXPECT_EQ(ranges.soundFrom(0, 100), 100U) << "a new segment";
  ranges.startAt(1000);
  EXPECT_EQ(ranges.soundFrom(0, 500), 0U);
  EXPECT_EQ(ranges.soundFrom(1000, 2000), 2000U);
  ranges.add(100, 200);
  ranges.add(300, 400);
  EXPECT_EQ(ranges.soundFrom(100, 200), 200U);
  EXPECT_EQ(ranges.soundFrom(150, 400), 200U) << "only a part";
  EXPECT_EQ(ranges.soundFrom(250, 400), 250U);
  ranges.add(200, 300);
  EXPECT_EQ(ranges.soundFrom(100, 400), 400U) << "joined";
  ranges.add(900, 1000);
  EXPECT_EQ(ranges.soundFrom(950, 5000), 5000U) << "joined with what was appended";
  ranges.cut(350);
  EXPECT_EQ(ranges.soundFrom(100, 350), 350U);
  EXPECT_EQ(ranges.soundFrom(350, 900), 900U) << "appended since the cut";
  EXPECT_EQ(ranges.soundFrom(0, 50), 0U);
}

}  // namespace
}  // namespace millrace::log::test
