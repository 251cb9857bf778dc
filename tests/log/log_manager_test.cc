#include "log/log_manager.h"

#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace millrace::log {
namespace {

using test::append;
using test::simpleBatch;

class LogManagerTest : public testing::Test {
 protected:
  std::unique_ptr<LogManager> open() {
    auto manager = LogManager::open({.directories = {dir_.path("a"), dir_.path("b")}});
    if (!manager) {
      ADD_FAILURE() << manager.error().toString();
      return nullptr;
    }
    return std::move(*manager);
  }

  test::TempDir dir_;
  const TopicPartition orders_{"my-orders", PartitionIndex{3}};
};

TEST_F(LogManagerTest, LogsSurviveACleanStop) {
  auto manager = open();
  const auto log = manager->create(orders_, Uuid{1, 2}, {});
  ASSERT_TRUE(log);
  (void)append(**log, simpleBatch(3));
  (void)append(**log, simpleBatch(1));
  (*log)->setHighWatermark(Offset{3});
  ASSERT_TRUE(manager->close(17));
  manager = open();
  EXPECT_TRUE(manager->report().clean);
  PartitionLog* const again = manager->find(orders_);
  ASSERT_NE(again, nullptr);
  EXPECT_EQ(again->endOffset(), Offset{4});
  EXPECT_EQ(again->highWatermark(), Offset{3});
  EXPECT_EQ(again->topicId(), (Uuid{1, 2}));
  EXPECT_EQ(manager->create(orders_, Uuid{5, 6}, {}).error().code, Errc::kInconsistentTopicId);
  EXPECT_EQ(*manager->create(orders_, Uuid{1, 2}, {}), again);
}

TEST_F(LogManagerTest, ACleanStopNeedsFewFileDescriptors) {
  auto manager = LogManager::open({.directories = {dir_.path("a")}});
  ASSERT_TRUE(manager) << manager.error().toString();
  constexpr int kLogs = 200;
  for (int i = 0; i < kLogs; ++i) {
    PartitionLog* const log = *(*manager)->create({"many", PartitionIndex{i}}, Uuid{1, 2}, {});
    ASSERT_TRUE(test::append(*log, test::simpleBatch(1)));
  }
  // Enough for one file of each log and all of those that are closed at the same time.
  rlimit all{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &all), 0);
  const rlimit few{3 * kLogs, all.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const Status closed = (*manager)->close();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &all), 0);
  EXPECT_TRUE(closed) << closed.error().toString();
  manager->reset();
  manager = LogManager::open({.directories = {dir_.path("a")}});
  ASSERT_TRUE(manager) << manager.error().toString();
  EXPECT_TRUE((*manager)->report().clean);
  EXPECT_EQ((*manager)->report().logs, kLogs);
}

TEST_F(LogManagerTest, ACrashIsRecoveredFrom) {
  auto manager = open();
  const auto log = manager->create(orders_, Uuid{1, 2}, {});
  (void)append(**log, simpleBatch(4));
  (void)append(**log, simpleBatch(4));
  const std::string path = (*log)->directory() + "/00000000000000000000.log";
  manager.reset();
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
  manager = open();
  EXPECT_FALSE(manager->report().clean);
  EXPECT_EQ(manager->find(orders_)->endOffset(), Offset{4});
  EXPECT_GT(manager->report().truncated_bytes, 0U);
  ASSERT_EQ(manager->report().notes.size(), 1U);
  EXPECT_NE(manager->report().notes[0].find("my-orders-3"), std::string::npos);
}

TEST_F(LogManagerTest, ADamagedLogStaysOfflineAndTheRestServes) {
  auto manager = open();
  const auto log = manager->create(orders_, Uuid{1, 2}, {});
  (void)append(**log, simpleBatch(40));
  const TopicPartition other{"other", PartitionIndex{0}};
  (void)append(**manager->create(other, Uuid{3, 4}, {}), simpleBatch(1));
  const std::string path = (*log)->directory() + "/00000000000000000000.log";
  ASSERT_TRUE((*log)->flush());
  ASSERT_TRUE(manager->writeCheckpoints());
  manager.reset();
  auto file = systemFiles().open(path, OpenMode::kReadWrite);
  const BytesView junk = "#";
  ASSERT_TRUE((*file)->write(100, std::span(&junk, 1)));
  manager = open();
  EXPECT_EQ(manager->find(orders_), nullptr);
  EXPECT_EQ(manager->create(orders_, Uuid{1, 2}, {}).error().code, Errc::kCorruptData);
  EXPECT_EQ(manager->find(other)->endOffset(), Offset{1});
}

TEST_F(LogManagerTest, RemovedLogsAreGoneForGood) {
  auto manager = open();
  const auto log = manager->create(orders_, Uuid{1, 2}, {});
  (void)append(**log, simpleBatch(4));
  ASSERT_TRUE(manager->remove(orders_, 1000));
  EXPECT_EQ(manager->find(orders_), nullptr);
  ASSERT_TRUE(manager->purge(1000));
  const auto names = [&] {
    std::size_t n = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path()))
      if (entry.path().string().ends_with("-delete")) ++n;
    return n;
  };
  EXPECT_EQ(names(), 1U) << "the delay is not over";
  manager.reset();
  manager = open();
  EXPECT_EQ(manager->find(orders_), nullptr);
  ASSERT_TRUE(manager->purge(1000));
  EXPECT_EQ(names(), 0U);
  EXPECT_EQ((*manager->create(orders_, Uuid{9, 9}, {}))->endOffset(), Offset{0});
}

TEST_F(LogManagerTest, ATopicWithTheLongestNameCanBeRemoved) {
  const TopicPartition longest{std::string(249, 'o'), PartitionIndex{0}};
  auto manager = open();
  (void)append(**manager->create(longest, Uuid{1, 2}, {}), simpleBatch(1));
  ASSERT_TRUE(manager->remove(longest, 0));
  for (const auto& state : manager->directoryStates()) EXPECT_TRUE(state.health);
  ASSERT_TRUE(manager->close());
  manager = open();
  EXPECT_EQ(manager->find(longest), nullptr);
  ASSERT_TRUE(manager->purge(1));
  for (const auto& state : manager->directoryStates())
    for (const auto& entry : std::filesystem::directory_iterator(state.path))
      EXPECT_FALSE(entry.is_directory()) << entry.path();
}

TEST_F(LogManagerTest, ADirectoryBelongsToOneBroker) {
  const auto first = open();
  EXPECT_EQ(LogManager::open({.directories = {dir_.path("b")}}).error().code, Errc::kConfig);
}

TEST_F(LogManagerTest, MetaPropertiesComeBackAsWritten) {
  EXPECT_FALSE(readMetaProperties(systemFiles(), dir_.path("x"))->has_value());
  ASSERT_TRUE(writeMetaProperties(systemFiles(), dir_.path("x"), {"cluster-1", 4, Uuid{7, 8}}));
  const auto meta = readMetaProperties(systemFiles(), dir_.path("x"));
  ASSERT_TRUE(meta && *meta);
  EXPECT_EQ((*meta)->cluster_id, "cluster-1");
  EXPECT_EQ((*meta)->node_id, 4);
  EXPECT_EQ((*meta)->directory_id, (Uuid{7, 8}));
}

}  // namespace
}  // namespace millrace::log
