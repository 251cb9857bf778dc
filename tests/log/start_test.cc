// What a start believes of what it finds: where the log ends, who led from where, when records were
// written. Found by the log model.
#include "log/compaction.h"
#include "tests/log/support/power_failures.h"

namespace millrace::log::test {
namespace {

class StartTest : public PowerFailures {
 protected:
  static constexpr const char* kDirectory = "/data/orders-0/";

  void SetUp() override {
    config_.segment_bytes = 1 << 20;
    config_.index_interval_bytes = 1;
    startOnNewDisk();
  }
  [[nodiscard]] static std::string fileAt(Offset base, FileKind kind) {
    LogFiles files{systemFiles(), "/data/orders-0"};
    return files.path(base, kind);
  }
  std::uint64_t positionOf(Offset base) {
    return positionIn(fileAt(Offset{0}, FileKind::kLog), base);
  }
  void kill() {
    manager_.reset();
    disk_->restart(Restart::kProcess);
  }
  void flushAndCheckpoint() {
    ASSERT_TRUE(log().flush());
    ASSERT_TRUE(manager_->writeCheckpoints());
  }
  /// Records [from, to) of thirty, not all in the order of their timestamps.
  void appendTimes(int from = 0, int to = 30) {
    for (int i = from; i < to; ++i)
      ASSERT_TRUE(append(log(), simpleBatch(1, i == 10 ? 1500 : i == 20 ? 1600 : 1000 + i)));
  }
  void expectTimes() {
    for (const auto& [timestamp, offset] : {std::pair{1005, 5}, {1400, 10}, {1550, 20}}) {
      const auto at = log().offsetForTimestamp(timestamp, Isolation::kLogEnd);
      ASSERT_TRUE(at);
      EXPECT_EQ(at->offset, Offset{offset}) << timestamp;
    }
  }
  /// Opens, and expects the log to be offline for what stands at a position.
  void expectOffline(std::uint64_t position) {
    manager_ = open();
    ASSERT_NE(manager_, nullptr);
    EXPECT_EQ(found(), nullptr);
    const auto& notes = manager_->report().notes;
    const std::string place =
        fileAt(Offset{0}, FileKind::kLog) + " at position " + std::to_string(position);
    EXPECT_TRUE(std::ranges::any_of(notes, [&](const auto& note) {
      return note.find(place) != std::string::npos;
    })) << (notes.empty() ? "nothing was told" : notes[0]);
  }
};

/// Where a batch lies across two pages, a power failure may take its base offset and keep the rest.
TEST_F(StartTest, ATornHeaderBehindWhatWasFlushedIsNotBelieved) {
  for (const bool epochs_lost : {false, true}) {
    SCOPED_TRACE(epochs_lost);
    SetUp();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(log(), simpleBatch(1), 1000, 1));
    flushAndCheckpoint();
    ASSERT_TRUE(append(log(), simpleBatch(1), 1000, 4));
    ASSERT_TRUE(log().roll());  // with an entry of this batch in the index
    const std::uint64_t at = positionOf(Offset{3});
    kill();
    disk_->overwrite(fileAt(Offset{0}, FileKind::kLog), at, Bytes(8, '\0'));
    if (epochs_lost) disk_->erase(std::string(kDirectory) + "leader-epoch-checkpoint");
    start();
    EXPECT_EQ(log().endOffset(), Offset{3});
    EXPECT_EQ(log().epochs(), (std::vector<EpochEntry>{{LeaderEpoch{1}, Offset{0}}}));
  }
}

TEST_F(StartTest, EpochsAreNotMadeFromAHeaderThatClaimsAllThatWasFlushed) {
  for (const int epoch : {1, 2, 3}) ASSERT_TRUE(append(log(), simpleBatch(3), 1000, epoch));
  flushAndCheckpoint();
  const std::uint64_t at = positionOf(Offset{3});
  kill();
  disk_->erase(std::string(kDirectory) + "leader-epoch-checkpoint");
  // It ends at 8 instead of 5: the recovery point.
  const std::uint64_t delta = at + record::layout::kLastOffsetDelta + 3;
  disk_->overwrite(fileAt(Offset{0}, FileKind::kLog), delta, "\x05");
  expectOffline(at);
  kill();
  disk_->overwrite(fileAt(Offset{0}, FileKind::kLog), delta, "\x02");
  start();
  EXPECT_EQ(log().epochs().size(), 3U);
}

TEST_F(StartTest, ALogThatWasStoppedAtAnotherOffsetIsNotTrusted) {
  for (const char delta : {'\x01', '\x06'}) {
    SetUp();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(add(log(), "k", 3));
    ASSERT_TRUE(manager_->close());
    const std::uint64_t at = positionOf(Offset{6});
    kill();
    disk_->overwrite(fileAt(Offset{0}, FileKind::kLog), at + record::layout::kLastOffsetDelta + 3,
                     Bytes(1, delta));
    expectOffline(at);
  }
}

/// The greatest timestamp is looked for in front of the recovery point: damage that is met there is
/// not the end of what was written behind it.
TEST_F(StartTest, DamageOfWhatWasFlushedIsNotTakenForTheEndOfTheLog) {
  for (const int timestamp : {1000, 2000, 1500})
    ASSERT_TRUE(append(log(), simpleBatch(1, timestamp)));
  flushAndCheckpoint();
  ASSERT_TRUE(append(log(), simpleBatch(1, 1600)));
  ASSERT_TRUE(log().roll());
  const std::uint64_t at = positionOf(Offset{1});
  kill();
  const std::string path = fileAt(Offset{0}, FileKind::kLog);
  const Bytes before = disk_->readAll(path, 1 << 20).value();
  disk_->flipBit(path, (at + record::layout::kLength) * 8 + 2);
  expectOffline(at);
  EXPECT_EQ(disk_->readAll(path, 1 << 20)->size(), before.size()) << "nothing was cut";
}

/// Segments that were dropped, unflushed, may be back after a power failure: torn.
TEST_F(StartTest, WhatWasDroppedBeforeItWasFlushedIsNotTakenForFlushed) {
  ASSERT_TRUE(add(log(), "a"));
  flushAndCheckpoint();
  ASSERT_TRUE(add(log(), "b"));
  ASSERT_TRUE(log().roll());
  ASSERT_TRUE(add(log(), "c"));
  log().setHighWatermark(Offset{2});
  ASSERT_TRUE(log().setStartOffset(Offset{2}));
  ASSERT_EQ(log().runRetention(clock_.wallMs()), 1);
  kill();
  start();
  EXPECT_EQ(log().startOffset(), Offset{2});
  EXPECT_EQ(log().recoveryPoint(), Offset{1});
}

/// A start that scans behind the recovery point writes nothing anew of what lies below it: nobody
/// would sync it.
TEST_F(StartTest, RecoveryLeavesTheIndexesOfWhatWasFlushedAlone) {
  config_.index_interval_bytes = 1900;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    disk_ = std::make_unique<FaultyDisk>(seed);
    start();
    // Two lives too short for an entry in the offset index.
    for (const int first : {0, 15}) {
      appendTimes(first, first + 15);
      ASSERT_TRUE(manager_->close());
      kill();
      start();
    }
    kill();
    start();
    ASSERT_TRUE(log().roll());
    ASSERT_TRUE(append(log(), simpleBatch(1, 2000)));
    loseUnsynced();
    start();
    expectTimes();
  }
}

TEST_F(StartTest, IndexesThatAreMadeAnewAreWholeAfterAPowerFailure) {
  for (std::uint64_t change = 0; change < 60; ++change) {
    SCOPED_TRACE(change);
    disk_ = std::make_unique<FaultyDisk>(change);
    start();
    appendTimes();
    ASSERT_TRUE(log().roll());
    ASSERT_TRUE(append(log(), simpleBatch(1, 2000)));
    flushAndCheckpoint();
    kill();
    disk_->erase(fileAt(Offset{0}, FileKind::kTimeIndex));
    start();
    disk_->crashAfter(change % 15);
    (void)log().offsetForTimestamp(1010, Isolation::kLogEnd);
    loseUnsynced();
    start();
    expectTimes();
  }
}

TEST_F(StartTest, ATimeIndexWithATimestampBelowZeroHidesNoRecord) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(log(), simpleBatch(1, 1002 - i)));
  ASSERT_TRUE(manager_->close());
  kill();
  disk_->overwrite(fileAt(Offset{0}, FileKind::kTimeIndex), 0, "\xff" + Bytes(11, '\0'));
  start();
  const auto at = log().offsetForTimestamp(1002, Isolation::kLogEnd);
  ASSERT_TRUE(at);
  EXPECT_EQ(at->offset, Offset{0});
}

/// A process announces a cut and dies before the announcement is on disk; the next one finds it,
/// makes the cut, and the power fails.
TEST_F(StartTest, ACutIsExplainedByNothingThatAPowerFailureTakes) {
  for (std::uint64_t announced = 0; announced < 6; ++announced) {
    for (std::uint64_t change = 0; change < 12; ++change) {
      disk_ = std::make_unique<FaultyDisk>(announced * 100 + change);
      start();
      for (int i = 0; i < 4; ++i) ASSERT_TRUE(add(log(), "k"));
      flushAndCheckpoint();
      disk_->crashAfter(announced);
      (void)log().announceCut(Offset{2});
      kill();
      disk_->crashAfter(change);
      manager_ = open();
      loseUnsynced();
      start();
      ASSERT_NE(found(), nullptr) << announced << " " << change;
      const Offset end = log().endOffset();
      EXPECT_TRUE(end == Offset{2} || end == Offset{4}) << end.value();
    }
  }
}

}  // namespace
}  // namespace millrace::log::test
