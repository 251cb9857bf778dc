// A data directory that fails takes its own logs offline, and no others.
#include "log/log_manager.h"
#include "tests/log/support/failing_files.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace millrace::log {
namespace {

using test::append;
using test::simpleBatch;
using What = test::FailingFiles::What;

class OfflineDirectory : public testing::Test {
 protected:
  Result<std::unique_ptr<LogManager>> tryOpen(const std::string& metadata = {}) {
    LogManagerOptions options;
    options.directories = {a_, b_};
    options.directory_ids = {{a_, id_a_}, {b_, id_b_}, {c_, id_c_}};
    options.metadata_directory = metadata;
    options.files = &files_;
    options.on_failure = [this](const std::string& directory, const Error& cause) {
      failures_.push_back(directory + " " + std::string(errorName(cause.code)));
    };
    return LogManager::open(std::move(options));
  }
  std::unique_ptr<LogManager> open() {
    auto manager = tryOpen();
    if (!manager) {
      ADD_FAILURE() << manager.error().toString();
      return nullptr;
    }
    return std::move(*manager);
  }
  /// A log with one batch in each directory; another, empty one in b.
  std::unique_ptr<LogManager> openFilled() {
    auto manager = open();
    EXPECT_TRUE(append(**manager->create(in_a_, Uuid{1, 1}, {}, id_a_), simpleBatch(2)));
    EXPECT_TRUE(append(**manager->create(in_b_, Uuid{1, 2}, {}, id_b_), simpleBatch(3)));
    EXPECT_TRUE(manager->create(also_in_b_, Uuid{1, 3}, {}, id_b_));
    return manager;
  }
  static std::vector<bool> healthOf(const LogManager& manager) {
    std::vector<bool> healthy;
    for (const auto& state : manager.directoryStates()) healthy.push_back(state.health.has_value());
    return healthy;
  }
  [[nodiscard]] static Errc errorOf(LogManager& manager, const TopicPartition& tp, Uuid directory) {
    const auto made = manager.create(tp, Uuid{1, 2}, {}, directory);
    return made ? Errc::kNone : made.error().code;
  }

  test::TempDir dir_;
  test::FailingFiles files_;
  std::vector<std::string> failures_;
  const std::string a_ = dir_.path("a"), b_ = dir_.path("b"), c_ = dir_.path("c");
  const Uuid id_a_{70, 1}, id_b_{70, 2}, id_c_{70, 3};
  const TopicPartition in_a_{"orders", PartitionIndex{0}}, in_b_{"orders", PartitionIndex{1}},
      also_in_b_{"orders", PartitionIndex{2}};
};

TEST_F(OfflineDirectory, OneThatCannotBeOpenedIsToldAndTheRestServes) {
  std::ofstream(b_) << "a file where a directory should be";
  auto manager = open();
  EXPECT_EQ(healthOf(*manager), (std::vector<bool>{true, false}));
  ASSERT_EQ(manager->report().notes.size(), 1U);
  EXPECT_NE(manager->report().notes[0].find(b_), std::string::npos);
  EXPECT_TRUE(append(**manager->create(in_a_, Uuid{1, 1}, {}, id_a_), simpleBatch(1)));
  EXPECT_EQ(errorOf(*manager, in_b_, id_b_), Errc::kKafkaStorageError);
  // Nobody knows whether this one lies there: it must not begin anew.
  EXPECT_EQ(errorOf(*manager, also_in_b_, {}), Errc::kKafkaStorageError);
  EXPECT_TRUE(manager->close());
}

TEST_F(OfflineDirectory, TheMetadataLogsIsNotDoneWithout) {
  std::ofstream(b_) << "a file where a directory should be";
  const auto manager = tryOpen(b_);
  ASSERT_FALSE(manager);
  EXPECT_NE(manager.error().detail.find(b_), std::string::npos);
}

TEST_F(OfflineDirectory, WhereTheMetadataLogLiesAloneNothingElseGoes) {
  auto manager = std::move(tryOpen(c_).value());
  const TopicPartition metadata{"__cluster_metadata", PartitionIndex{0}};
  auto made = manager->create(metadata, Uuid{0, 1}, {}, id_c_);
  ASSERT_TRUE(made) << made.error().toString();
  EXPECT_TRUE((*made)->directory().starts_with(c_ + "/"));
  for (int i = 0; i < 4; ++i) {
    made = manager->create({"orders", PartitionIndex{i}}, Uuid{1, 1}, {});
    ASSERT_TRUE(made) << made.error().toString();
    EXPECT_FALSE((*made)->directory().starts_with(c_ + "/"));
  }
  EXPECT_EQ(healthOf(*manager).size(), 2U);
  const auto move = manager->beginMove(in_a_, c_);
  ASSERT_FALSE(move);
  EXPECT_EQ(move.error().code, Errc::kLogDirNotFound);
  manager.reset();
  for (const std::string& directory : {a_, b_}) {
    std::filesystem::remove_all(directory);
    std::ofstream(directory) << "a file where a directory should be";
  }
  EXPECT_FALSE(tryOpen(c_)) << "the metadata log alone is nothing to serve";
}

TEST_F(OfflineDirectory, WithNoneLeftThereIsNothingToServe) {
  std::ofstream(a_) << "a file where a directory should be";
  std::ofstream(b_) << "a file where a directory should be";
  EXPECT_FALSE(tryOpen());
}

TEST_F(OfflineDirectory, AnUnreadableLogTakesItsDirectoryOffline) {
  openFilled().reset();
  files_.fail(b_ + "/orders-1", What::kReads);
  auto manager = open();
  EXPECT_EQ(healthOf(*manager), (std::vector<bool>{true, false}));
  EXPECT_EQ(manager->find(in_a_)->endOffset(), Offset{2});
  EXPECT_EQ(manager->find(in_b_), nullptr);
  EXPECT_NE(errorOf(*manager, in_b_, id_b_), Errc::kNone);
  manager.reset();
  // The disk was mended.
  files_.fail("", What::kNothing);
  manager = open();
  EXPECT_EQ(manager->find(in_b_)->endOffset(), Offset{3});
}

TEST_F(OfflineDirectory, AFailedWriteIsToldOnce) {
  for (const Errc error : {Errc::kIo, Errc::kDiskFull}) {
    files_.fail("", What::kNothing);
    failures_.clear();
    auto manager = openFilled();
    PartitionLog* const log = manager->find(in_b_);
    files_.fail(b_, What::kWrites, error);
    EXPECT_EQ(append(*log, simpleBatch(1)).error().error.code, error);
    EXPECT_FALSE(append(*log, simpleBatch(1)));
    EXPECT_FALSE(append(*manager->find(also_in_b_), simpleBatch(1)));
    EXPECT_EQ(failures_, (std::vector<std::string>{b_ + " " + std::string(errorName(error))}));
    EXPECT_EQ(healthOf(*manager), (std::vector<bool>{true, false}));
    // Whoever asks now gets no log of that directory.
    EXPECT_EQ(errorOf(*manager, in_b_, id_b_), Errc::kKafkaStorageError);
    manager->abandon(b_);
    EXPECT_EQ(manager->find(in_b_), nullptr);
    EXPECT_EQ(errorOf(*manager, also_in_b_, id_b_), Errc::kKafkaStorageError);
    EXPECT_TRUE(append(*manager->find(in_a_), simpleBatch(1)));
    ASSERT_TRUE(manager->writeCheckpoints());
    ASSERT_TRUE(manager->close());
    EXPECT_TRUE(std::filesystem::exists(a_ + "/.kafka_cleanshutdown"));
    EXPECT_FALSE(std::filesystem::exists(b_ + "/.kafka_cleanshutdown"));
    std::filesystem::remove_all(a_);
    std::filesystem::remove_all(b_);
  }
}

TEST_F(OfflineDirectory, AFailedSyncIsNotTriedAgain) {
  auto manager = openFilled();
  files_.fail(b_, What::kSyncs);
  EXPECT_FALSE(manager->find(in_b_)->flush());
  files_.fail("", What::kNothing);
  EXPECT_FALSE(manager->find(in_b_)->flush());
  EXPECT_EQ(failures_.size(), 1U);
  EXPECT_TRUE(manager->find(in_a_)->flush());
}

TEST_F(OfflineDirectory, CheckpointsOfTheOthersAreWritten) {
  auto manager = openFilled();
  ASSERT_TRUE(manager->find(in_a_)->flush());
  ASSERT_TRUE(manager->find(in_b_)->flush());
  files_.fail(b_, What::kWrites);
  (void)manager->writeCheckpoints();
  EXPECT_EQ(failures_.size(), 1U);
  EXPECT_TRUE(std::filesystem::exists(a_ + "/recovery-point-offset-checkpoint"));
}

TEST_F(OfflineDirectory, ATopicOnItCanBeDeletedAndMadeAgain) {
  auto manager = openFilled();
  files_.fail(b_, What::kWrites);
  EXPECT_FALSE(append(*manager->find(in_b_), simpleBatch(1)));
  manager->abandon(b_);
  ASSERT_TRUE(manager->remove(in_b_, 0));
  EXPECT_EQ(errorOf(*manager, in_b_, id_a_), Errc::kNone);
}

TEST_F(OfflineDirectory, ADirectoryThatIsNotHereHoldsNothingNew) {
  auto manager = open();
  EXPECT_EQ(errorOf(*manager, in_a_, Uuid{99, 99}), Errc::kKafkaStorageError);
}

TEST_F(OfflineDirectory, WithoutAnIdTheOneWithTheFewestLogsIsTaken) {
  auto manager = openFilled();
  const auto made = manager->create({"more", PartitionIndex{0}}, Uuid{3, 3}, {});
  EXPECT_TRUE((*made)->directory().starts_with(a_ + "/")) << (*made)->directory();
}

TEST_F(OfflineDirectory, DescribeNamesTheDirectoryOfEachLog) {
  auto manager = openFilled();
  std::map<TopicPartition, std::string> found;
  for (const auto& info : manager->describe()) found[info.tp] = info.directory;
  EXPECT_EQ(found,
            (std::map<TopicPartition, std::string>{{in_a_, a_}, {in_b_, b_}, {also_in_b_, b_}}));
}

}  // namespace
}  // namespace millrace::log
