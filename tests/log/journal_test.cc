// The journal of a data directory: what a round promised survives the loss of everything unsynced.
#include "log/journal/journal.h"

#include "log/journal/replay.h"
#include "log/log_manager.h"
#include "tests/log/support/faulty_disk.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <thread>

namespace millrace::log::test {
namespace {

constexpr std::string_view kDirectory = "/data";

/// Logs with flush.on.ack on a disk that may lose power.
class JournalTest : public ::testing::Test {
 protected:
  void open() {
    config_.flush_on_ack = true;
    ASSERT_TRUE(disk_.createDirectories(std::string(kDirectory)));
    ASSERT_TRUE(disk_.syncDirectory("/"));
    auto opened = LogManager::open({.directories = {std::string(kDirectory)},
                                    .defaults = config_,
                                    .recovery_threads = 1,
                                    .files = &disk_});
    ASSERT_TRUE(opened) << opened.error().toString();
    manager_ = std::move(*opened);
  }
  void loseUnsynced() {
    manager_.reset();
    disk_.restart(Restart::kPower);
    open();
  }
  PartitionLog& log(int partition = 0) {
    auto log = manager_->create({"orders", PartitionIndex{partition}}, Uuid{7, 7}, config_);
    EXPECT_TRUE(log) << log.error().toString();
    if (!log) std::abort();
    return **log;
  }
  Journal& journal() { return *manager_->journals().at(0); }
  /// The round of one batch with one record.
  Journal::Round add(PartitionLog& to, std::size_t value_size = 100) {
    const auto done = append(to, simpleBatch(1, 1000, value_size));
    EXPECT_TRUE(done);
    return done ? done->round : 0;
  }
  static std::string fileOf(int i) {
    return std::string(kDirectory) + "/" + std::string(kJournalFiles[i]);
  }
  bool exists(const std::string& path) { return disk_.exists(path).value_or(false); }

  FaultyDisk disk_{42};
  LogConfig config_;
  std::unique_ptr<LogManager> manager_;
};

TEST_F(JournalTest, ACommittedRoundSurvivesTheLossOfAllUnsyncedPages) {
  open();
  for (int i = 0; i < 10; ++i) EXPECT_EQ(add(log(i % 3)), 1U);
  EXPECT_EQ(journal().committed(), 0U);
  const auto done = journal().commit();
  ASSERT_TRUE(done.status) << done.status.error().toString();
  EXPECT_EQ(done.round, 1U);
  EXPECT_EQ(journal().committed(), 1U);
  loseUnsynced();
  EXPECT_EQ(readAll(log(0), Offset{0}).size(), 4U);
  EXPECT_EQ(readAll(log(1), Offset{0}).size(), 3U);
  EXPECT_EQ(readAll(log(2), Offset{0}).size(), 3U);
}

TEST_F(JournalTest, OneSyncServesAllLogsOfTheDirectory) {
  open();
  add(log(0));
  ASSERT_TRUE(journal().commit().status);  // makes the file
  for (int i = 0; i < 50; ++i) add(log(i));
  const std::uint64_t before = disk_.changes();
  ASSERT_TRUE(journal().commit().status);
  EXPECT_EQ(disk_.changes() - before, 2U) << "one write, one sync";
  EXPECT_EQ(journal().counters().direct_syncs, 0U);
}

TEST_F(JournalTest, SmallAppendsReachTheSegmentTogetherWhenSomebodyReads) {
  open();
  add(log());  // makes the files
  ASSERT_TRUE(journal().commit().status);
  const std::uint64_t before = disk_.changes();
  for (int i = 0; i < 9; ++i) add(log());
  ASSERT_TRUE(journal().commit().status);
  EXPECT_EQ(disk_.changes() - before, 2U) << "the frame and its sync";
  EXPECT_EQ(readAll(log(), Offset{0}).size(), 10U);
  EXPECT_EQ(readAll(log(), Offset{0}).size(), 10U);
  EXPECT_EQ(disk_.changes() - before, 3U) << "and one write of the segment";
}

TEST_F(JournalTest, WhatTheSegmentLacksSurvivesTheProcess) {
  open();
  for (int i = 0; i < 10; ++i) add(log(i % 2));
  ASSERT_TRUE(journal().commit().status);
  manager_.reset();
  disk_.restart(Restart::kProcess);
  open();
  EXPECT_EQ(readAll(log(0), Offset{0}).size(), 5U);
  EXPECT_EQ(readAll(log(1), Offset{0}).size(), 5U);
}

TEST_F(JournalTest, AFlushARollAndAnIdleLogWriteWhatTheSegmentLacks) {
  open();
  const auto written = [this] {
    const auto file = log().read(Offset{0}, 1, Isolation::kLogEnd)->slices.at(0).file;
    return file->size().value_or(0);
  };
  add(log());
  add(log());
  ASSERT_TRUE(log().flush());
  EXPECT_EQ(written(), log().sizeInBytes());
  add(log());
  const std::uint64_t before = disk_.changes();
  ASSERT_TRUE(log().runUpkeep(0));  // was used since the last time
  EXPECT_EQ(disk_.changes(), before);
  ASSERT_TRUE(log().runUpkeep(0));
  EXPECT_EQ(disk_.changes(), before + 1);
  add(log());
  const std::uint64_t sealed = log().sizeInBytes();
  ASSERT_TRUE(log().roll());
  EXPECT_EQ(written(), sealed);
}

TEST_F(JournalTest, AnEmptyRoundCostsNothing) {
  open();
  const std::uint64_t before = disk_.changes();
  EXPECT_TRUE(journal().commit().status);
  EXPECT_EQ(disk_.changes(), before);
  EXPECT_FALSE(exists(fileOf(0))) << "a directory without flush.on.ack has no journal";
}

TEST_F(JournalTest, ADuplicateWaitsForTheRoundOfItsOriginal) {
  open();
  const Bytes batch = simpleBatch(
      2, 1000, 10, {.producer_id = ProducerId{5}, .producer_epoch = 0, .base_sequence = 0});
  const auto first = append(log(), batch);
  const auto again = append(log(), batch);
  ASSERT_TRUE(first && again);
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->round, first->round);
  EXPECT_EQ(again->round, 1U);
}

TEST_F(JournalTest, WithoutFlushOnAckNothingIsJournaled) {
  open();
  config_.flush_on_ack = false;
  log().setConfig(config_);
  EXPECT_EQ(add(log()), 0U);
  EXPECT_FALSE(journal().hasGathered());
}

TEST_F(JournalTest, WhatLiesBelowTheFirstJournaledBatchIsSyncedWithIt) {
  open();
  LogConfig lazy = config_;
  lazy.flush_on_ack = false;
  log().setConfig(lazy);
  for (int i = 0; i < 5; ++i) add(log());
  ASSERT_TRUE(log().roll());
  for (int i = 0; i < 5; ++i) add(log());
  log().setConfig(config_);
  add(log());
  ASSERT_TRUE(journal().commit().status);
  EXPECT_EQ(journal().counters().direct_syncs, 1U);
  add(log());
  ASSERT_TRUE(journal().commit().status);
  EXPECT_EQ(journal().counters().direct_syncs, 1U) << "from then on the journal has it";
  loseUnsynced();
  EXPECT_EQ(readAll(log(), Offset{0}).size(), 12U);
}

TEST_F(JournalTest, ALogThatWroteMuchIsSyncedItselfAndNotWrittenTwice) {
  open();
  add(log(1));
  ASSERT_TRUE(journal().commit().status);
  const std::uint64_t frames = journal().counters().frame_bytes;
  for (int i = 0; i < 20; ++i) add(log(0), 100'000);
  add(log(1));
  ASSERT_TRUE(journal().commit().status);
  EXPECT_EQ(journal().counters().direct_syncs, 1U);
  EXPECT_LE(journal().counters().frame_bytes - frames, 2 * 4096U);
  loseUnsynced();
  EXPECT_EQ(readAll(log(0), Offset{0}).size(), 20U);
  EXPECT_EQ(readAll(log(1), Offset{0}).size(), 2U);
}

TEST_F(JournalTest, ATornLastFrameIsNoDamage) {
  open();
  add(log());
  ASSERT_TRUE(journal().commit().status);
  add(log());
  ASSERT_TRUE(journal().commit().status);
  manager_.reset();
  disk_.restart(Restart::kPower);
  disk_.flipBit(fileOf(0), (4096 + 100) * 8);
  open();
  EXPECT_EQ(readAll(log(), Offset{0}).size(), 1U) << "the second frame does not count";
}

TEST_F(JournalTest, ADamagedFrameInFrontOfASoundOneIsToldWithItsPosition) {
  open();
  for (int i = 0; i < 3; ++i) {
    add(log());
    ASSERT_TRUE(journal().commit().status);
  }
  manager_.reset();
  disk_.restart(Restart::kPower);
  for (const std::uint64_t frame : {0U, 1U}) {
    disk_.flipBit(fileOf(0), (frame * 4096 + 50) * 8);
    const auto opened = LogManager::open(
        {.directories = {std::string(kDirectory)}, .defaults = config_, .files = &disk_});
    disk_.flipBit(fileOf(0), (frame * 4096 + 50) * 8);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kCorruptData);
    EXPECT_NE(opened.error().detail.find(fileOf(0)), std::string::npos);
    EXPECT_NE(opened.error().detail.find("position " + std::to_string(frame * 4096)),
              std::string::npos)
        << opened.error().detail;
    disk_.restart(Restart::kPower);
  }
}

TEST_F(JournalTest, ACleanStopLeavesNoJournal) {
  open();
  add(log());
  ASSERT_TRUE(journal().commit().status);
  EXPECT_TRUE(exists(fileOf(0)));
  ASSERT_TRUE(manager_->close());
  EXPECT_FALSE(exists(fileOf(0)));
  loseUnsynced();
  EXPECT_TRUE(manager_->report().clean);
  EXPECT_EQ(readAll(log(), Offset{0}).size(), 1U);
}

TEST_F(JournalTest, AJournalBesideACleanMarkerIsNotReplayed) {
  open();
  add(log());
  ASSERT_TRUE(journal().commit().status);
  const auto content = disk_.readAll(fileOf(0), 1 << 30);
  ASSERT_TRUE(content);
  ASSERT_TRUE(manager_->close());
  ASSERT_TRUE(disk_.writeAtomically(fileOf(0), *content));
  ASSERT_TRUE(disk_.writeAtomically(std::string(kDirectory) + "/.kafka_cleanshutdown", ""));
  loseUnsynced();
  EXPECT_FALSE(exists(fileOf(0)));
  EXPECT_EQ(readAll(log(), Offset{0}).size(), 1U);
}

TEST_F(JournalTest, AFailedSyncFailsTheRoundAndAllLaterOnes) {
  open();
  PartitionLog& one = log();
  add(one);
  ASSERT_TRUE(journal().commit().status);
  add(one);
  disk_.failAfter(DiskCall::kSync, 0);
  EXPECT_FALSE(journal().commit().status);
  EXPECT_EQ(journal().committed(), 1U);
  EXPECT_FALSE(journal().health());
  EXPECT_FALSE(append(one, simpleBatch(1)));
  EXPECT_FALSE(one.health());
  EXPECT_FALSE(manager_->directoryStates().at(0).health) << "the whole directory is out of use";
}

TEST_F(JournalTest, ARemovedLogIsNotBroughtBackIntoAnother) {
  open();
  add(log());
  ASSERT_TRUE(journal().commit().status);
  ASSERT_TRUE(manager_->remove({"orders", PartitionIndex{0}}, 0));
  auto other = manager_->create({"orders", PartitionIndex{0}}, Uuid{8, 8}, config_);
  ASSERT_TRUE(other);
  ASSERT_TRUE(append(**other, simpleBatch(1, 5000), 5000));
  manager_.reset();
  disk_.restart(Restart::kProcess);
  open();
  PartitionLog* const now = manager_->find({"orders", PartitionIndex{0}});
  ASSERT_NE(now, nullptr);
  EXPECT_EQ(now->topicId(), (Uuid{8, 8}));
  const auto records = readAll(*now, Offset{0});
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].timestamp, 5000);
}

TEST_F(JournalTest, WhatWasCutOffDoesNotComeBack) {
  open();
  for (int i = 0; i < 5; ++i) add(log());
  ASSERT_TRUE(journal().commit().status);
  ASSERT_TRUE(log().truncateTo(Offset{2}));
  const auto other = append(log(), simpleBatch(1, 5000), 5000);
  ASSERT_TRUE(other);
  ASSERT_TRUE(journal().commit().status);
  loseUnsynced();
  const auto records = readAll(log(), Offset{0});
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[2].timestamp, 5000);
}

TEST_F(JournalTest, ManyThreadsGatherInOneRound) {
  open();
  std::vector<PartitionLog*> logs;
  for (int i = 0; i < 4; ++i) logs.push_back(&log(i));
  std::vector<std::jthread> threads;
  for (PartitionLog* const one : logs)
    threads.emplace_back([one] {
      for (int i = 0; i < 50; ++i) EXPECT_TRUE(append(*one, simpleBatch(1)));
    });
  while (journal().committed() < 3 && journal().health()) {
    (void)journal().commit();
    std::this_thread::yield();
    if (journal().committed() >= 1 && !journal().hasGathered()) break;
  }
  threads.clear();
  ASSERT_TRUE(journal().commit().status);
  loseUnsynced();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(readAll(log(i), Offset{0}).size(), 50U);
}

/// Three logs with a journal of its own, whose files are so small that they are used again and
/// again, until the power fails at some write.
class SmallJournal : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override {
    config_.flush_on_ack = true;
    config_.segment_bytes = 4096;
    ASSERT_TRUE(disk_.createDirectories(std::string(kDirectory)));
    ASSERT_TRUE(disk_.syncDirectory("/"));
    for (std::size_t i = 0; i < kLogs; ++i) {
      auto opened =
          PartitionLog::open({.directory = std::string(kDirectory) + "/t-" + std::to_string(i),
                              .config = config_,
                              .topic_id = Uuid{1, 1},
                              .files = &disk_,
                              .journal = &journal_});
      ASSERT_TRUE(opened);
      logs_.push_back(std::move(*opened));
    }
  }

  /// Rounds of a few appends and a commit.
  void runUntilTheCrash() {
    disk_.crashAfter(random_() % 400);
    while (!disk_.crashed()) {
      for (std::uint64_t left = 1 + random_() % 6; left > 0; --left)
        (void)append(*logs_[random_() % kLogs], simpleBatch(1, 1000, random_() % 1500));
      if (random_() % 8 == 0) (void)readSomething(*logs_[random_() % kLogs]);
      if (random_() % 16 == 0) (void)logs_[random_() % kLogs]->flush();
      if (random_() % 16 == 0) (void)logs_[random_() % kLogs]->runUpkeep(0);
      const bool durable = journal_.commit().status.has_value();
      for (std::size_t i = 0; durable && i < kLogs; ++i)
        if (logs_[i]->health()) acknowledged_[i] = logs_[i]->endOffset();
      if (random_() % 4 == 0) (void)journal_.checkpoint();
    }
    logs_.clear();
    disk_.restart(GetParam() % 4 == 0 ? Restart::kProcess : Restart::kPower);
  }
  /// What a fetch does at a place of its choice.
  Status readSomething(PartitionLog& log) {
    const auto records = static_cast<std::uint64_t>(log.endOffset().value());
    const Offset from{static_cast<std::int64_t>(random_() % (records + 1))};
    MILLRACE_TRY(const ReadResult found, log.read(from, 2000, Isolation::kLogEnd));
    for (const FileSlice& slice : found.slices) {
      Bytes bytes(slice.size, '\0');
      MILLRACE_TRY(const std::size_t got,
                   slice.file->read(slice.position, bytes.data(), bytes.size()));
      EXPECT_EQ(got, bytes.size()) << "a slice of what the file does not have";
    }
    return {};
  }

  void expectEverythingAcknowledged() {
    auto manager = LogManager::open({.directories = {std::string(kDirectory)},
                                     .defaults = config_,
                                     .recovery_threads = 1,
                                     .files = &disk_});
    ASSERT_TRUE(manager) << manager.error().toString();
    for (std::size_t i = 0; i < kLogs; ++i) {
      if (acknowledged_[i] == Offset{0}) continue;
      PartitionLog* const log =
          (*manager)->find({"t", PartitionIndex{static_cast<std::int32_t>(i)}});
      ASSERT_NE(log, nullptr) << i;
      EXPECT_GE(log->endOffset(), acknowledged_[i]);
      const auto end = acknowledged_[i].value();
      EXPECT_EQ(std::ranges::count_if(readAll(*log, Offset{0}),
                                      [end](const ReadRecord& r) { return r.offset < end; }),
                end);
    }
  }

  static constexpr std::size_t kLogs = 3;
  FaultyDisk disk_{GetParam()};
  std::mt19937_64 random_{GetParam()};
  LogConfig config_;
  Journal journal_{{.files = &disk_,
                    .directory = std::string(kDirectory),
                    .file_bytes = 8 * journal::kAlignment,
                    .direct_bytes = 3000}};
  std::vector<std::unique_ptr<PartitionLog>> logs_;
  Offset acknowledged_[kLogs] = {};
};

TEST_P(SmallJournal, NothingAcknowledgedIsLost) {
  runUntilTheCrash();
  expectEverythingAcknowledged();
}

INSTANTIATE_TEST_SUITE_P(Seeds, SmallJournal, ::testing::Range<std::uint64_t>(1, 401));

}  // namespace
}  // namespace millrace::log::test
