// A process ended while a copy took a log's place: what a start makes of the markers it left.
#include "log/log_manager.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

namespace millrace::log {
namespace {

using test::append;
using test::simpleBatch;

class MoveMarkers : public testing::Test {
 protected:
  void SetUp() override {
    start();
    ASSERT_TRUE(append(**create(id_a_), simpleBatch(2)));
    stop();
  }
  void start(const std::string& without = {}) {
    LogManagerOptions options;
    options.directories = {a_, b_};
    options.directory_ids = {{a_, id_a_}, {b_, id_b_}};
    if (!without.empty()) options.broken[without] = Error{Errc::kIo, "it is not there"};
    auto opened = LogManager::open(std::move(options));
    ASSERT_TRUE(opened) << opened.error().toString();
    manager_ = std::move(*opened);
  }
  void stop() {
    ASSERT_TRUE(manager_->close());
    manager_.reset();
  }
  Result<PartitionLog*> create(const Uuid& directory) {
    return manager_->create(name_, Uuid{1, 1}, {}, directory);
  }
  void mark(const std::string& directory, std::string_view marker, const std::string& id) {
    ASSERT_TRUE(systemFiles().writeAtomically(path(directory, marker), id));
  }
  bool isMarked(const std::string& directory, std::string_view marker) {
    return systemFiles().exists(path(directory, marker)).value();
  }
  std::string path(const std::string& directory, std::string_view marker) {
    return directory + "/orders-0/" + std::string(marker);
  }

  TempDir dir_;
  const std::string a_ = dir_.path("a"), b_ = dir_.path("b");
  const Uuid id_a_{70, 1}, id_b_{70, 2}, elsewhere_{70, 3};
  const TopicPartition name_{"orders", PartitionIndex{0}};
  std::unique_ptr<LogManager> manager_;
};

TEST_F(MoveMarkers, ALogWhoseCopyMayCountIsOfflineWithItsDirectory) {
  mark(a_, kMovingMarker, "1234");
  start(b_);
  EXPECT_EQ(manager_->find(name_), nullptr);
  const auto refused = create(id_a_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kKafkaStorageError);
  stop();
  start();
  const auto found = create(id_a_);
  ASSERT_TRUE(found) << found.error().toString();
  EXPECT_EQ((*found)->endOffset(), Offset{2});
  EXPECT_FALSE(isMarked(a_, kMovingMarker));
}

TEST_F(MoveMarkers, WhereNoDirectoryHasTheCopyTheMetadataDecides) {
  mark(a_, kMovingMarker, "1234");
  start();
  const auto refused = create(elsewhere_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kKafkaStorageError);
  EXPECT_TRUE(isMarked(a_, kMovingMarker));
  EXPECT_TRUE(create(id_a_));
  EXPECT_FALSE(isMarked(a_, kMovingMarker));
}

TEST_F(MoveMarkers, ACopyThatStillWaitsDoesNotCount) {
  mark(a_, kMovingMarker, "1234");
  ASSERT_TRUE(systemFiles().createDirectories(b_ + "/orders-0.1234-future"));
  start();
  EXPECT_NE(manager_->find(name_), nullptr);
  EXPECT_FALSE(isMarked(a_, kMovingMarker));
  EXPECT_EQ(manager_->moves().size(), 1U);
}

TEST_F(MoveMarkers, WhatTellsThatALogHasMovedGoesWhenNoOtherCanTurnUp) {
  mark(a_, kMovedMarker, "1234");
  start(b_);
  EXPECT_NE(manager_->find(name_), nullptr);
  EXPECT_TRUE(isMarked(a_, kMovedMarker));
  stop();
  start();
  EXPECT_NE(manager_->find(name_), nullptr);
  EXPECT_FALSE(isMarked(a_, kMovedMarker));
}

}  // namespace
}  // namespace millrace::log
