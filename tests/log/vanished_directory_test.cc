// A data directory is removed, renamed or hidden by a mount while its files are open: nothing says
// so but its path.
#include "log/journal/journal.h"
#include "log/log_manager.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace millrace::log {
namespace {

namespace fs = std::filesystem;
using test::append;
using test::simpleBatch;

class VanishedDirectory : public testing::Test {
 protected:
  void SetUp() override {
    LogManagerOptions options;
    options.directories = {a_, b_};
    options.directory_ids = {{a_, id_a_}, {b_, id_b_}};
    options.on_failure = [this](const std::string& directory, const Error& cause) {
      EXPECT_EQ(cause.code, Errc::kIo);
      EXPECT_NE(cause.detail.find(directory), std::string::npos) << cause.detail;
      failed_.push_back(directory);
    };
    auto manager = LogManager::open(std::move(options));
    ASSERT_TRUE(manager) << manager.error().toString();
    manager_ = std::move(*manager);
    for (const auto& [tp, id] : {std::pair(in_a_, id_a_), std::pair(in_b_, id_b_)})
      ASSERT_TRUE(append(**manager_->create(tp, Uuid{1, 1}, {}, id), simpleBatch(2)));
    empty_in_b_ = *manager_->create({"empty", PartitionIndex{0}}, Uuid{1, 2}, {}, id_b_);
  }

  test::TempDir dir_;
  std::vector<std::string> failed_;
  const std::string a_ = dir_.path("a"), b_ = dir_.path("b");
  const std::vector<std::string> only_b_{b_};
  const Uuid id_a_{70, 1}, id_b_{70, 2};
  const TopicPartition in_a_{"orders", PartitionIndex{0}}, in_b_{"orders", PartitionIndex{1}};
  std::unique_ptr<LogManager> manager_;
  PartitionLog* empty_in_b_ = nullptr;
};

TEST_F(VanishedDirectory, TheProbeTakesItOfflineOnce) {
  manager_->probeDirectories();
  EXPECT_TRUE(failed_.empty());
  fs::rename(b_, dir_.path("away"));
  manager_->probeDirectories();
  manager_->probeDirectories();
  EXPECT_EQ(failed_, only_b_);
  EXPECT_TRUE(append(*manager_->find(in_a_), simpleBatch(1)));
}

TEST_F(VanishedDirectory, AnotherInItsPlaceIsNotTakenForIt) {
  fs::rename(b_, dir_.path("away"));
  fs::create_directory(b_);
  manager_->probeDirectories();
  EXPECT_EQ(failed_, only_b_);
}

TEST_F(VanishedDirectory, ALinkThatLeadsElsewhereNowIsNotFollowed) {
  fs::rename(b_, dir_.path("away"));
  fs::create_directory_symlink(dir_.path("away"), b_);
  manager_->probeDirectories();
  EXPECT_TRUE(failed_.empty()) << "the same directory by another name";
  fs::remove(b_);
  fs::create_directory(dir_.path("other"));
  fs::create_directory_symlink(dir_.path("other"), b_);
  manager_->probeDirectories();
  EXPECT_EQ(failed_, only_b_);
}

TEST_F(VanishedDirectory, NoCheckpointIsWrittenWhereItWas) {
  fs::rename(b_, dir_.path("away"));
  fs::create_directory(b_);
  ASSERT_TRUE(manager_->writeCheckpoints());
  EXPECT_TRUE(fs::is_empty(b_));
  EXPECT_EQ(failed_, only_b_);
  EXPECT_TRUE(fs::exists(a_ + "/replication-offset-checkpoint"));
}

TEST_F(VanishedDirectory, NoLogIsMadeWhereItWas) {
  fs::rename(b_, dir_.path("away"));
  fs::create_directory(b_);
  const auto made = manager_->create({"new", PartitionIndex{0}}, Uuid{1, 3}, {}, id_b_);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kKafkaStorageError);
  EXPECT_EQ(failed_, only_b_);
}

TEST_F(VanishedDirectory, TheFirstRecordOfALogDoesNotMakeItAnew) {
  fs::remove_all(b_);
  const auto appended = append(*empty_in_b_, simpleBatch(1));
  ASSERT_FALSE(appended);
  EXPECT_EQ(toWire(appended.error().error.code), Errc::kKafkaStorageError);
  EXPECT_FALSE(fs::exists(b_));
  EXPECT_EQ(failed_, only_b_);
}

TEST_F(VanishedDirectory, AFileThatIsMissedTakesItOffline) {
  fs::remove_all(b_);
  const Status rolled = manager_->find(in_b_)->roll();
  ASSERT_FALSE(rolled);
  EXPECT_EQ(toWire(rolled.error().code), Errc::kKafkaStorageError);
  EXPECT_EQ(failed_, only_b_);
}

/// The files are open, so their syncs succeed; only the names are missed.
TEST_F(VanishedDirectory, NothingIsPromisedOfWhatTookItsPlace) {
  PartitionLog& log = *manager_->find(in_b_);
  LogConfig config;
  config.flush_on_ack = true;
  log.setConfig(config);
  ASSERT_TRUE(append(log, simpleBatch(1)));
  fs::rename(b_, dir_.path("away"));
  fs::create_directory(b_);
  const Status promised = manager_->journals().at(1)->commit().status;
  ASSERT_FALSE(promised);
  EXPECT_EQ(failed_, only_b_);
}

TEST_F(VanishedDirectory, OneLogThatIsGoneIsOfflineAlone) {
  fs::remove_all(b_ + "/orders-1");
  PartitionLog& log = *manager_->find(in_b_);
  ASSERT_FALSE(log.roll());
  EXPECT_EQ(toWire(log.health().error().code), Errc::kKafkaStorageError);
  EXPECT_TRUE(failed_.empty());
  EXPECT_TRUE(append(*empty_in_b_, simpleBatch(1)));
}

}  // namespace
}  // namespace millrace::log
