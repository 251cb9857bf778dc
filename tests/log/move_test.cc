// A log moves to another data directory: nothing about it changes but the place.
#include "log/compaction.h"
#include "log/log_manager.h"
#include "tests/log/support/failing_files.h"
#include "tests/log/support/moves.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace millrace::log {
namespace {

using test::append;
using test::simpleBatch;
using What = test::FailingFiles::What;

class Move : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void start() {
    LogManagerOptions options;
    options.directories = {a_, b_, c_};
    options.defaults = config_;
    options.directory_ids = {{a_, {70, 1}}, {b_, {70, 2}}, {c_, {70, 3}}};
    options.files = &files_;
    auto opened = LogManager::open(std::move(options));
    ASSERT_TRUE(opened) << opened.error().toString();
    manager_ = std::move(*opened);
  }
  void restart(bool clean) {
    if (clean) ASSERT_TRUE(manager_->close());
    manager_.reset();
    start();
  }
  PartitionLog& log() {
    auto made = manager_->create(name_, id_, config_, Uuid{70, 1});
    EXPECT_TRUE(made) << made.error().toString();
    return **made;
  }
  void add(int batches, int records = 2) {
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(append(log(), simpleBatch(records, 1000 + log().endOffset().value(), 100)));
    }
    log().setHighWatermark(log().endOffset());
  }
  std::shared_ptr<FutureLog> begin(const std::string& directory) {
    auto future = manager_->beginMove(name_, directory);
    EXPECT_TRUE(future) << future.error().toString();
    return future ? *future : nullptr;
  }
  Errc errorOf(const TopicPartition& tp, const std::string& directory) {
    const auto begun = manager_->beginMove(tp, directory);
    return begun ? Errc::kNone : begun.error().code;
  }
  /// Every file of a log's directory, and what it holds.
  std::map<std::string, Bytes> filesIn(const std::string& directory) {
    std::map<std::string, Bytes> found;
    const auto names = files_.list(directory);
    EXPECT_TRUE(names);
    for (const std::string& name : *names)
      found[name] = files_.readAll(directory + "/" + name, 64 << 20).value();
    return found;
  }
  std::vector<std::string> namesIn(const std::string& directory) {
    std::vector<std::string> found;
    for (std::string& name : *files_.list(directory))
      if (name.starts_with("orders")) found.push_back(std::move(name));
    return found;
  }

  TempDir dir_;
  test::FailingFiles files_;
  LogConfig config_{.segment_bytes = 2000, .index_interval_bytes = 100};
  const std::string a_ = dir_.path("a"), b_ = dir_.path("b"), c_ = dir_.path("c");
  const TopicPartition name_{"orders", PartitionIndex{0}};
  const Uuid id_{1, 1};
  std::unique_ptr<LogManager> manager_;
};

TEST_F(Move, EveryFileIsTheSameAfterwardsAndTheOldOnesGo) {
  add(40);
  ASSERT_TRUE(log().startEpoch(LeaderEpoch{4}));
  ASSERT_TRUE(
      append(log(),
             simpleBatch(3, 5000, 100,
                         {.producer_id = ProducerId{9}, .producer_epoch = 0, .base_sequence = 0}),
             1000, 4));
  log().setHighWatermark(log().endOffset());
  ASSERT_TRUE(log().setStartOffset(Offset{5}));
  const auto records = test::readAll(log(), log().startOffset()).size();
  ASSERT_GT(log().segmentCount(), 4U);
  const auto future = begin(b_);
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  ASSERT_TRUE(log().moveSource(MovePass::kLast));
  auto before = filesIn(log().directory());
  const Offset high = log().highWatermark();
  ASSERT_TRUE(test::switchOver(*manager_, name_));

  EXPECT_EQ(log().directory(), b_ + "/orders-0");
  EXPECT_EQ(filesIn(log().directory()), before);
  EXPECT_EQ(log().startOffset(), Offset{5});
  EXPECT_EQ(log().endOffset(), Offset{83});
  EXPECT_EQ(log().highWatermark(), high);
  EXPECT_EQ(log().recoveryPoint(), log().endOffset());
  EXPECT_EQ(log().topicId(), id_);
  EXPECT_EQ(log().epochs().size(), 2U);
  ASSERT_EQ(log().producers().size(), 1U);
  EXPECT_EQ(log().producers()[0].last_sequence, 2);
  EXPECT_EQ(test::readAll(log(), log().startOffset()).size(), records);
  ASSERT_EQ(namesIn(a_).size(), 1U);
  EXPECT_TRUE(namesIn(a_)[0].ends_with("-delete"));
  ASSERT_TRUE(manager_->purge(std::numeric_limits<Millis>::max()));
  EXPECT_TRUE(namesIn(a_).empty());
  EXPECT_TRUE(manager_->moves().empty());
}

TEST_F(Move, ItGoesOnWhereItWasAfterEitherStop) {
  for (const bool clean : {true, false}) {
    add(10);
    ASSERT_TRUE(log().setStartOffset(Offset{3}));
    ASSERT_TRUE(test::moveTo(*manager_, name_, clean ? b_ : c_));
    add(10);
    const Offset end = log().endOffset();
    restart(clean);
    EXPECT_EQ(log().directory(), (clean ? b_ : c_) + "/orders-0");
    EXPECT_EQ(log().startOffset(), Offset{3});
    EXPECT_EQ(log().endOffset(), end);
    EXPECT_EQ(test::readAll(log(), log().startOffset()).size(),
              static_cast<std::size_t>(end.value() - 3));
  }
}

TEST_F(Move, TheCopyFollowsAppendsAndRetention) {
  add(20);
  const auto future = begin(b_);
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  add(30);
  ASSERT_TRUE(log().setStartOffset(Offset{30}));
  ASSERT_GT(log().runRetention(1000).value(), 0);
  const auto source = log().moveSource(MovePass::kGrowing);
  EXPECT_GT(future->missing(*source), 0U);
  EXPECT_LT(future->endOffset(), log().endOffset());
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  EXPECT_EQ(future->missing(*source), 0U);
  EXPECT_EQ(future->endOffset(), log().endOffset());
  add(1);
  const auto records = test::readAll(log(), log().startOffset());
  ASSERT_TRUE(test::switchOver(*manager_, name_));
  EXPECT_EQ(test::readAll(log(), log().startOffset()).size(), records.size());
}

TEST_F(Move, GapsOfACompactedLogAreKept) {
  config_.cleanup_compact = true;
  config_.cleanup_delete = false;
  restart(true);
  add(40);
  const auto future = begin(b_);
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  ASSERT_TRUE(log().flush());
  const auto plan = log().prepareCompaction(1'000'000);
  const auto outcome = runCompaction(*plan, {.map_bytes = 1 << 12});
  ASSERT_TRUE(manager_->writeCheckpoints());
  ASSERT_TRUE(log().compacted(*plan, *outcome));
  // What was copied before is of no use.
  EXPECT_EQ(future->missing(*log().moveSource(MovePass::kGrowing)), log().sizeInBytes());
  const auto left = test::readAll(log(), Offset{0});
  ASSERT_LT(left.size(), 80U);
  const Offset cleaned_to = log().cleanedTo();
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  ASSERT_TRUE(test::switchOver(*manager_, name_));
  EXPECT_EQ(log().cleanedTo(), cleaned_to);
  restart(false);
  EXPECT_EQ(log().cleanedTo(), cleaned_to);
  const auto found = test::readAll(log(), Offset{0});
  ASSERT_EQ(found.size(), left.size());
  for (std::size_t i = 0; i < left.size(); ++i) EXPECT_EQ(found[i].offset, left[i].offset);
}

TEST_F(Move, AStartGoesOnWithWhatWasOnItsWay) {
  add(30);
  auto future = begin(b_);
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  future.reset();
  restart(false);
  ASSERT_EQ(manager_->moves().size(), 1U);
  EXPECT_EQ(manager_->moves()[0].directory, b_);
  const auto again = manager_->moves()[0].future;
  const auto source = log().moveSource(MovePass::kGrowing);
  // Segments that are whole are not written anew.
  files_.fail(again->path() + "/00000000000000000000", What::kWrites);
  ASSERT_TRUE(test::copyAll(*manager_, name_, *again));
  EXPECT_EQ(again->missing(*source), 0U);
  ASSERT_TRUE(test::switchOver(*manager_, name_));
  EXPECT_EQ(log().directory(), b_ + "/orders-0");
  EXPECT_EQ(test::readAll(log(), Offset{0}).size(), 60U);
}

TEST_F(Move, WhatAnotherProgramChangedInTheCopyIsCopiedAnew) {
  add(30);
  auto future = begin(b_);
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  const std::string path = future->path() + "/00000000000000000000.log";
  future.reset();
  Bytes bytes = files_.readAll(path, 1 << 20).value();
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  ASSERT_TRUE(files_.writeAtomically(path, bytes));
  ASSERT_TRUE(files_.writeAtomically(path + ".tmp", bytes));
  restart(true);
  const auto again = manager_->moves().at(0).future;
  ASSERT_TRUE(test::copyAll(*manager_, name_, *again));
  ASSERT_TRUE(test::switchOver(*manager_, name_));
  EXPECT_EQ(test::readAll(log(), Offset{0}).size(), 60U);
  EXPECT_FALSE(files_.exists(b_ + "/orders-0/00000000000000000000.log.tmp").value());
}

TEST_F(Move, ACopyOfAnotherTopicOrWithoutItsLogIsDropped) {
  add(3);
  ASSERT_TRUE(files_.createDirectories(b_ + "/other-0.1234-future"));
  ASSERT_TRUE(files_.createDirectories(c_ + "/orders-0.1234-future"));
  ASSERT_TRUE(files_.writeAtomically(c_ + "/orders-0.1234-future/partition.metadata",
                                     partitionMetadata(Uuid{5, 5})));
  ASSERT_TRUE(files_.createDirectories(a_ + "/orders-0.5678-future"));
  restart(true);
  EXPECT_TRUE(manager_->moves().empty());
  EXPECT_EQ(manager_->report().notes.size(), 3U);
  ASSERT_TRUE(manager_->purge(1));
  EXPECT_EQ(namesIn(a_), std::vector<std::string>{"orders-0"});
  EXPECT_TRUE(namesIn(c_).empty());
}

TEST_F(Move, RequestsAreAnsweredAsKafkaDoes) {
  EXPECT_EQ(errorOf(name_, b_), Errc::kNotFound);
  add(3);
  EXPECT_EQ(errorOf(name_, dir_.path("elsewhere")), Errc::kLogDirNotFound);
  EXPECT_EQ(begin(a_), nullptr) << "it lies there";
  const auto future = begin(b_);
  ASSERT_NE(future, nullptr);
  EXPECT_EQ(begin(b_), nullptr) << "it is on its way";
  const auto other = begin(c_);
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(future->isCancelled());
  EXPECT_EQ(manager_->moves().size(), 1U);
  ASSERT_EQ(namesIn(b_).size(), 1U);
  EXPECT_TRUE(namesIn(b_)[0].ends_with("-delete"));
  EXPECT_EQ(begin(a_), nullptr) << "it stays after all";
  EXPECT_TRUE(other->isCancelled());
  EXPECT_TRUE(manager_->moves().empty());
  IoPace pace(-1);
  const auto copied = other->copy(*log().moveSource(MovePass::kGrowing), 1 << 20, pace);
  EXPECT_FALSE(copied);
}

TEST_F(Move, NoneBeginsWhileADirectoryIsOffline) {
  add(3);
  ASSERT_TRUE(append(**manager_->create({"other", PartitionIndex{0}}, {1, 2}, config_, Uuid{70, 3}),
                     simpleBatch(1)));
  files_.fail(c_ + "/other-0", What::kWrites);
  ASSERT_FALSE(append(*manager_->find({"other", PartitionIndex{0}}), simpleBatch(1)));
  EXPECT_EQ(errorOf(name_, c_), Errc::kKafkaStorageError);
  EXPECT_EQ(errorOf(name_, b_), Errc::kKafkaStorageError);
  EXPECT_EQ(errorOf({"other", PartitionIndex{0}}, a_), Errc::kKafkaStorageError);
}

TEST_F(Move, ALogWithoutRecordsMovesToo) {
  ASSERT_FALSE(log().hasDirectory());
  ASSERT_TRUE(test::moveTo(*manager_, name_, b_));
  EXPECT_EQ(log().directory(), b_ + "/orders-0");
  add(2);
  restart(false);
  EXPECT_EQ(log().directory(), b_ + "/orders-0");
  EXPECT_EQ(log().endOffset(), Offset{4});
  EXPECT_TRUE(namesIn(a_).empty());
  EXPECT_FALSE(files_.exists(b_ + "/orders-0/millrace-moved").value());
}

TEST_F(Move, ALogWithoutRecordsMovesAgain) {
  (void)log();
  for (const std::string& directory : {b_, c_, a_, b_}) {
    const auto moved = test::moveTo(*manager_, name_, directory);
    ASSERT_TRUE(moved) << directory << ": " << moved.error().toString();
  }
  add(3);
  ASSERT_TRUE(test::moveTo(*manager_, name_, c_));
  restart(false);
  EXPECT_EQ(log().endOffset(), Offset{6});
  EXPECT_TRUE(log().directory().starts_with(c_));
}

TEST_F(Move, ADeletedTopicTakesItsCopyAlong) {
  add(10);
  const auto future = begin(b_);
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  ASSERT_TRUE(manager_->remove(name_, 0));
  EXPECT_TRUE(future->isCancelled());
  EXPECT_TRUE(manager_->moves().empty());
  ASSERT_EQ(namesIn(b_).size(), 1U);
  EXPECT_TRUE(namesIn(b_)[0].ends_with("-delete"));
}

TEST_F(Move, DamageIsNotCopied) {
  add(20);
  const auto future = begin(b_);
  const std::string path = log().directory() + "/00000000000000000000.log";
  Bytes bytes = files_.readAll(path, 1 << 20).value();
  bytes[100] = static_cast<char>(bytes[100] ^ 1);
  ASSERT_TRUE(writeFile(files_, path, bytes));
  const auto copied = test::copyAll(*manager_, name_, *future);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, Errc::kCorruptData);
  EXPECT_NE(copied.error().detail.find(path), std::string::npos) << copied.error().detail;
  EXPECT_NE(future->fault(), FutureLog::Fault::kTarget);
  manager_->moveFailed(*future, copied.error());
  EXPECT_TRUE(manager_->moves().empty());
  EXPECT_TRUE(manager_->directoryStates()[1].health);
}

TEST_F(Move, ASegmentThatIsMissingIsNotPassedOver) {
  add(20);
  const auto future = begin(b_);
  ASSERT_TRUE(files_.remove(log().directory() + "/00000000000000000000.log"));
  const auto copied = test::copyAll(*manager_, name_, *future);
  ASSERT_FALSE(copied);
  EXPECT_EQ(copied.error().code, Errc::kNotFound);
  EXPECT_EQ(future->fault(), FutureLog::Fault::kSource);
  EXPECT_FALSE(test::switchOver(*manager_, name_));
  EXPECT_EQ(log().directory(), a_ + "/orders-0");
}

TEST_F(Move, WhoseDiskFailedIsKnown) {
  add(20);
  auto future = begin(b_);
  files_.fail(a_, What::kReads);
  auto copied = test::copyAll(*manager_, name_, *future);
  ASSERT_FALSE(copied);
  EXPECT_EQ(future->fault(), FutureLog::Fault::kSource);
  manager_->moveFailed(*future, copied.error());
  EXPECT_TRUE(manager_->directoryStates()[1].health);
  future = begin(b_);
  // The newest segment has no index of transactions: that is no fault of the log's.
  files_.fail(b_, What::kSyncs);
  copied = test::copyAll(*manager_, name_, *future);
  ASSERT_FALSE(copied);
  EXPECT_EQ(future->fault(), FutureLog::Fault::kTarget);
  manager_->moveFailed(*future, copied.error());
  EXPECT_FALSE(manager_->directoryStates()[1].health);
  EXPECT_TRUE(manager_->directoryStates()[0].health);
}

TEST_F(Move, AMoveThatCannotBeginLeavesNothingForTheNextStart) {
  add(3);
  files_.fail(b_, What::kWrites, Errc::kDiskFull);
  EXPECT_EQ(errorOf(name_, b_), Errc::kDiskFull);
  files_.fail(b_, What::kNothing);
  EXPECT_TRUE(manager_->directoryStates()[1].health) << "others may lie there well";
  EXPECT_TRUE(manager_->moves().empty());
  restart(false);
  EXPECT_TRUE(manager_->moves().empty());
}

TEST_F(Move, FilesThatGoWhileTheyAreCopiedAreToldFromOnesThatAreMissing) {
  config_.cleanup_compact = true;
  restart(true);
  add(40);
  const auto source = log().moveSource(MovePass::kGrowing);
  ASSERT_TRUE(source->holds(*source));
  add(10);
  EXPECT_TRUE(source->holds(*log().moveSource(MovePass::kGrowing))) << "it grows";
  ASSERT_TRUE(log().setStartOffset(Offset{30}));
  ASSERT_GT(log().runRetention(1000).value(), 0);
  const auto shorter = log().moveSource(MovePass::kGrowing);
  EXPECT_FALSE(source->holds(*shorter));
  ASSERT_TRUE(log().flush());
  const auto plan = log().prepareCompaction(1'000'000);
  const auto outcome = runCompaction(*plan, {.map_bytes = 1 << 12});
  ASSERT_TRUE(manager_->writeCheckpoints());
  ASSERT_TRUE(log().compacted(*plan, *outcome));
  EXPECT_FALSE(shorter->holds(*log().moveSource(MovePass::kGrowing)));
  // A pass over what was there before ends with an error, and the next one makes it good.
  const auto future = begin(b_);
  IoPace pace(-1);
  EXPECT_FALSE(future->copy(*source, 1 << 30, pace));
  EXPECT_EQ(future->fault(), FutureLog::Fault::kSource);
  const auto records = test::readAll(log(), log().startOffset());
  ASSERT_TRUE(test::copyAll(*manager_, name_, *future));
  ASSERT_TRUE(test::switchOver(*manager_, name_));
  EXPECT_EQ(test::readAll(log(), log().startOffset()).size(), records.size());
}

TEST_F(Move, ALogThatIsSetAsideTakesItsCopyAlong) {
  add(10);
  const auto future = begin(b_);
  ASSERT_TRUE(manager_->setAside(name_));
  EXPECT_TRUE(future->isCancelled());
  EXPECT_TRUE(manager_->moves().empty());
}

TEST_F(Move, AFullDiskEndsTheMoveAndABrokenOneTakesItsDirectoryOffline) {
  add(20);
  auto future = begin(b_);
  files_.fail(b_, What::kWrites, Errc::kDiskFull);
  auto copied = test::copyAll(*manager_, name_, *future);
  ASSERT_FALSE(copied);
  manager_->moveFailed(*future, copied.error());
  EXPECT_TRUE(manager_->directoryStates()[1].health);
  EXPECT_TRUE(manager_->moves().empty());
  files_.fail(b_, What::kNothing);
  future = begin(b_);
  files_.fail(b_, What::kSyncs);
  copied = test::copyAll(*manager_, name_, *future);
  ASSERT_FALSE(copied);
  manager_->moveFailed(*future, copied.error());
  EXPECT_FALSE(manager_->directoryStates()[1].health);
  EXPECT_TRUE(manager_->directoryStates()[0].health);
  add(1);
  EXPECT_EQ(log().directory(), a_ + "/orders-0");
}

TEST_F(Move, TwoLogsOfOneNameWithoutAMoveBetweenThemStopTheStart) {
  add(3);
  ASSERT_TRUE(manager_->close());
  manager_.reset();
  ASSERT_TRUE(files_.createDirectories(b_ + "/orders-0"));
  LogManagerOptions options;
  options.directories = {a_, b_};
  options.files = &files_;
  const auto opened = LogManager::open(std::move(options));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kConfig);
}

TEST_F(Move, ATopicWithTheLongestNameCanBeDeleted) {
  const TopicPartition longest{std::string(249, 'o'), PartitionIndex{0}};
  ASSERT_TRUE(append(**manager_->create(longest, {3, 3}, config_), simpleBatch(1)));
  ASSERT_TRUE(manager_->remove(longest, 0));
  for (const auto& state : manager_->directoryStates()) EXPECT_TRUE(state.health);
}

}  // namespace
}  // namespace millrace::log
