// A partition's directory comes with its first record.
#include "log/log_manager.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace millrace::log {
namespace {

using test::append;
using test::simpleBatch;

class LazyDirectory : public testing::Test {
 protected:
  std::unique_ptr<LogManager> open() {
    auto manager = LogManager::open({.directories = {dir_.path("a")}});
    if (!manager) {
      ADD_FAILURE() << manager.error().toString();
      return nullptr;
    }
    return std::move(*manager);
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return dir_.path("a/orders-0") + "/" + name;
  }
  /// What a crash of the machine leaves of a file that was not synced.
  void empty(const std::string& name) const { std::filesystem::resize_file(path(name), 0); }

  test::TempDir dir_;
  const TopicPartition orders_{"orders", PartitionIndex{0}};
  const Uuid id_{1, 2};
};

TEST_F(LazyDirectory, AppearsWithTheFirstRecord) {
  auto manager = open();
  PartitionLog* const log = *manager->create(orders_, id_, {});
  EXPECT_FALSE(std::filesystem::exists(path("")));
  EXPECT_FALSE(log->hasDirectory());
  ASSERT_TRUE(append(*log, simpleBatch(2)));
  EXPECT_TRUE(log->hasDirectory());
  EXPECT_TRUE(std::filesystem::exists(path("partition.metadata")));
  manager.reset();
  manager = open();
  EXPECT_EQ(manager->find(orders_)->topicId(), id_);
  EXPECT_EQ(manager->find(orders_)->endOffset(), Offset{2});
}

TEST_F(LazyDirectory, IsNotMadeByAnythingElse) {
  auto manager = open();
  PartitionLog* const log = *manager->create(orders_, id_, {});
  ASSERT_TRUE(log->startEpoch(LeaderEpoch{3}));
  EXPECT_EQ(log->latestEpoch(), LeaderEpoch{3});
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->flush());
  EXPECT_EQ(log->runRetention(1'000'000).value(), 0);
  ASSERT_TRUE(log->runUpkeep(1'000'000));
  EXPECT_TRUE(log->abortedTransactions(Offset{0}, Offset{1})->empty());
  EXPECT_EQ(log->offsetForTimestamp(kMaxTimestamp, Isolation::kLogEnd)->offset, Offset{-1});
  EXPECT_EQ(log->offsetForTimestamp(5, Isolation::kLogEnd)->offset, Offset{-1});
  ASSERT_TRUE(log->setStartOffset(Offset{0}));
  ASSERT_TRUE(log->truncateTo(Offset{0}));
  ASSERT_TRUE(manager->writeCheckpoints());
  ASSERT_TRUE(manager->close());
  EXPECT_FALSE(std::filesystem::exists(path("")));
}

TEST_F(LazyDirectory, IsMadeByAStartBehindTheBeginning) {
  auto manager = open();
  PartitionLog* const log = *manager->create(orders_, id_, {});
  ASSERT_TRUE(log->truncateFullyAndStartAt(Offset{70}));
  ASSERT_TRUE(manager->close());
  manager = open();
  EXPECT_EQ(manager->find(orders_)->startOffset(), Offset{70});
}

TEST_F(LazyDirectory, ARemovedPartitionMayHaveNone) {
  auto manager = open();
  (void)*manager->create(orders_, id_, {});
  ASSERT_TRUE(manager->remove(orders_, 1000));
  EXPECT_EQ(manager->find(orders_), nullptr);
  ASSERT_TRUE(manager->syncRemovals());
  EXPECT_EQ((*manager->create(orders_, Uuid{3, 4}, {}))->topicId(), (Uuid{3, 4}));
}

TEST_F(LazyDirectory, AnEpochIsWrittenWithItsFirstRecord) {
  auto manager = open();
  PartitionLog* log = *manager->create(orders_, id_, {});
  ASSERT_TRUE(log->startEpoch(LeaderEpoch{1}));
  ASSERT_TRUE(append(*log, simpleBatch(2), 1000, 1));
  ASSERT_TRUE(log->startEpoch(LeaderEpoch{4}));
  manager.reset();
  manager = open();
  log = manager->find(orders_);
  EXPECT_EQ(log->epochs(), (std::vector<EpochEntry>{{LeaderEpoch{1}, Offset{0}}}));
  ASSERT_TRUE(log->startEpoch(LeaderEpoch{4}));
  ASSERT_TRUE(append(*log, simpleBatch(2), 1000, 4));
  manager.reset();
  manager = open();
  EXPECT_EQ(manager->find(orders_)->epochs(),
            (std::vector<EpochEntry>{{LeaderEpoch{1}, Offset{0}}, {LeaderEpoch{4}, Offset{2}}}));
}

TEST_F(LazyDirectory, TheFirstFlushCoversTheTopicId) {
  auto manager = open();
  PartitionLog* const log = *manager->create(orders_, id_, {});
  ASSERT_TRUE(append(*log, simpleBatch(2)));
  const FlushJob job = log->prepareFlush();
  const auto covers = [&](const std::string& file) {
    return std::ranges::any_of(job.files, [&](const auto& f) { return f->path() == file; });
  };
  EXPECT_TRUE(covers(path("partition.metadata")));
  EXPECT_TRUE(covers(path("00000000000000000000.log")));
  EXPECT_EQ(job.directories, (std::vector<std::string>{dir_.path("a/orders-0"), dir_.path("a")}));
}

/// It never reached the disk, so nothing of the log was flushed: the records may be those of a
/// topic of that name that was deleted.
TEST_F(LazyDirectory, RecordsWhoseTopicIdACrashTookAreSetAside) {
  auto manager = open();
  ASSERT_TRUE(append(**manager->create(orders_, id_, {}), simpleBatch(2)));
  manager.reset();
  empty("partition.metadata");
  manager = open();
  ASSERT_EQ(manager->report().notes.size(), 1U);
  EXPECT_NE(manager->report().notes[0].find("orders-0: nobody knows"), std::string::npos);
  EXPECT_EQ(manager->find(orders_), nullptr);
  PartitionLog* const log = *manager->create(orders_, id_, {});
  EXPECT_EQ(log->topicId(), id_);
  EXPECT_EQ(log->endOffset(), Offset{0});
  ASSERT_TRUE(manager->purge(1LL << 60));
  int aside = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path("a")))
    aside += entry.path().string().ends_with("-stray") &&
             std::filesystem::exists(entry.path() / "00000000000000000000.log");
  EXPECT_EQ(aside, 1);
}

TEST_F(LazyDirectory, ATopicIdWithoutRecordsIsWrittenAgain) {
  auto manager = open();
  ASSERT_TRUE(append(**manager->create(orders_, id_, {}), simpleBatch(2)));
  manager.reset();
  empty("partition.metadata");
  empty("00000000000000000000.log");
  manager = open();
  EXPECT_EQ((*manager->create(orders_, id_, {}))->topicId(), id_);
  manager.reset();
  manager = open();
  EXPECT_EQ(manager->find(orders_)->topicId(), id_);
}

TEST_F(LazyDirectory, ATopicIdThatWasOnDiskIsNotGuessed) {
  auto manager = open();
  PartitionLog* const log = *manager->create(orders_, id_, {});
  ASSERT_TRUE(append(*log, simpleBatch(2)));
  ASSERT_TRUE(log->flush());
  ASSERT_TRUE(manager->writeCheckpoints());
  manager.reset();
  empty("partition.metadata");
  manager = open();
  EXPECT_EQ(manager->create(orders_, id_, {}).error().code, Errc::kCorruptData);
}

}  // namespace
}  // namespace millrace::log
