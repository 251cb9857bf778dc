// preallocate=true: a segment gets its disk space when it begins and gives back what it did not
// use.
#include "log/partition_log.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace millrace::log::test {
namespace {

class PreallocateTest : public ::testing::Test {
 protected:
  PreallocateTest() {
    config_.preallocate = true;
    config_.segment_bytes = 1 << 20;
  }
  std::unique_ptr<PartitionLog> open(bool clean) {
    auto log = PartitionLog::open({.directory = dir_.path("orders-0"),
                                   .config = config_,
                                   .topic_id = Uuid{1, 2},
                                   .clean_shutdown = clean});
    EXPECT_TRUE(log) << log.error().toString();
    return log ? std::move(*log) : nullptr;
  }
  std::uint64_t fileSize(int base) {
    return std::filesystem::file_size(dir_.path("orders-0/" + std::string(18, '0') +
                                                (base < 10 ? "0" : "") + std::to_string(base) +
                                                ".log"));
  }

  TempDir dir_;
  LogConfig config_;
};

TEST_F(PreallocateTest, TheActiveSegmentHasItsWholeSize) {
  const auto log = open(true);
  ASSERT_TRUE(append(*log, simpleBatch(3)));
  EXPECT_EQ(fileSize(0), 1U << 20);
  EXPECT_LT(log->sizeInBytes(), 1000U);
  EXPECT_EQ(readAll(*log, Offset{0}).size(), 3U);
}

TEST_F(PreallocateTest, RollAndCloseGiveTheRestBack) {
  auto log = open(true);
  ASSERT_TRUE(append(*log, simpleBatch(3)));
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(append(*log, simpleBatch(4)));
  EXPECT_EQ(fileSize(3), 1U << 20);
  const std::uint64_t used = log->sizeInBytes();
  ASSERT_TRUE(log->close());
  EXPECT_EQ(fileSize(0) + fileSize(3), used);
  log = open(true);
  EXPECT_TRUE(log->recovery().clean);
  EXPECT_EQ(log->endOffset(), Offset{7});
}

TEST_F(PreallocateTest, WhatACrashLeavesUnusedIsNoDamage) {
  auto log = open(true);
  ASSERT_TRUE(append(*log, simpleBatch(3)));
  const std::uint64_t used = log->sizeInBytes();
  log.reset();
  log = open(false);
  EXPECT_EQ(log->endOffset(), Offset{3});
  EXPECT_EQ(log->recovery().truncated_bytes, 0U);
  EXPECT_EQ(log->recovery().damage, "");
  EXPECT_EQ(fileSize(0), used);
  ASSERT_TRUE(append(*log, simpleBatch(2)));
  EXPECT_EQ(readAll(*log, Offset{0}).size(), 5U);
}

TEST_F(PreallocateTest, ATornBatchInFrontOfTheUnusedRoomIsTold) {
  auto log = open(true);
  ASSERT_TRUE(append(*log, simpleBatch(3)));
  const std::uint64_t sound = log->sizeInBytes();
  ASSERT_TRUE(append(*log, simpleBatch(3)));
  log.reset();
  const auto file =
      systemFiles().open(dir_.path("orders-0/00000000000000000000.log"), OpenMode::kReadWrite);
  const BytesView torn = "torn";
  ASSERT_TRUE(file && (*file)->write(sound + 80, std::span(&torn, 1)));
  log = open(false);
  EXPECT_EQ(log->endOffset(), Offset{3});
  EXPECT_GT(log->recovery().truncated_bytes, 0U);
  EXPECT_NE(log->recovery().damage, "");
}

}  // namespace
}  // namespace millrace::log::test
