// After a checkpoint a recovery looks at what came later, and at nothing else.
#include "log/log_manager.h"
#include "tests/log/support/faulty_disk.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

namespace millrace::log {
namespace {

using test::append;
using test::simpleBatch;

class RecoveryBound : public testing::Test {
 protected:
  std::unique_ptr<LogManager> open() {
    auto manager = LogManager::open({.directories = {dir_.path("a")}});
    if (!manager) {
      ADD_FAILURE() << manager.error().toString();
      return nullptr;
    }
    return std::move(*manager);
  }
  /// Appends a producer's next batch of two records.
  void appendNext(PartitionLog& log) {
    record::BatchOptions options;
    options.producer_id = ProducerId{7};
    options.producer_epoch = 0;
    options.base_sequence = sequence_;
    const auto done = append(log, simpleBatch(2, 1000, 2000, options));
    ASSERT_TRUE(done) << done.error().error.toString();
    sequence_ += 2;
    bytes_ += done->bytes;
  }
  static void flush(PartitionLog& log, FlushScope scope) {
    const FlushJob job = log.prepareFlush(scope);
    log.flushed(job, job.run());
  }

  test::TempDir dir_;
  const TopicPartition orders_{"orders", PartitionIndex{0}};
  std::int32_t sequence_ = 0;
  std::uint64_t bytes_ = 0;
};

TEST_F(RecoveryBound, UnflushedBytesAreWhatCameSinceTheLastFlush) {
  auto manager = open();
  PartitionLog* log = *manager->create(orders_, Uuid{1, 2}, {.segment_bytes = 20'000});
  for (int i = 0; i < 10; ++i) appendNext(*log);
  EXPECT_EQ(log->unflushedBytes(), bytes_);
  const FlushJob job = log->prepareFlush();
  appendNext(*log);
  const std::uint64_t later = bytes_ / 11;
  log->flushed(job, job.run());
  EXPECT_EQ(log->unflushedBytes(), later) << "appended while the flush ran";
  for (int i = 0; i < 10; ++i) appendNext(*log);
  ASSERT_GT(log->segmentCount(), 3U);
  flush(*log, FlushScope::kSealed);
  EXPECT_LT(log->unflushedBytes(), 20'000U) << "the active segment";
  EXPECT_GT(log->unflushedBytes(), 0U);
  flush(*log, FlushScope::kAll);
  EXPECT_EQ(log->unflushedBytes(), 0U);
}

TEST_F(RecoveryBound, ARecoveryBeginsAtTheCheckpoint) {
  auto manager = open();
  PartitionLog* log = *manager->create(orders_, Uuid{1, 2}, {});
  for (int i = 0; i < 200; ++i) appendNext(*log);
  flush(*log, FlushScope::kCheckpoint);
  ASSERT_TRUE(manager->writeCheckpoints());
  const std::uint64_t before = bytes_;
  for (int i = 0; i < 3; ++i) appendNext(*log);
  manager.reset();
  manager = open();
  log = manager->find(orders_);
  EXPECT_EQ(log->endOffset(), Offset{406});
  // From the last index entry below the checkpoint on: at most an interval and a batch earlier.
  EXPECT_LT(manager->report().scanned_bytes, bytes_ - before + 3 * 4096);
  EXPECT_TRUE(std::filesystem::exists(dir_.path("a/orders-0/00000000000000000400.snapshot")));
  const auto producers = log->producers();
  ASSERT_EQ(producers.size(), 1U);
  EXPECT_EQ(producers[0].last_sequence, sequence_ - 1);
  EXPECT_EQ(log->unflushedBytes(), manager->report().scanned_bytes);
  appendNext(*log);
}

/// With 20 000 logs every call counts: the directory, three files, and a write to each.
TEST(FirstRecordOfALog, ChangesTheDiskNoMoreThanItMust) {
  test::FaultyDisk disk(42);
  ASSERT_TRUE(disk.createDirectories("/data"));
  const auto log = PartitionLog::open(
      {.directory = "/data/orders-0", .topic_id = {1, 2}, .clean_shutdown = false, .files = &disk});
  ASSERT_TRUE(log) << log.error().toString();
  const std::uint64_t before = disk.changes();
  ASSERT_TRUE(append(**log, simpleBatch(1)));
  EXPECT_EQ(disk.changes() - before, 7U);
}

/// With 20 000 logs every file that a start writes anew counts.
TEST(RecoveryOfSmallLogs, WritesNothingWhereNothingIsWrong) {
  test::FaultyDisk disk(42);
  ASSERT_TRUE(disk.createDirectories("/data"));
  const auto open = [&disk] {
    auto log = PartitionLog::open({.directory = "/data/orders-0",
                                   .topic_id = {1, 2},
                                   .clean_shutdown = false,
                                   .files = &disk});
    EXPECT_TRUE(log) << log.error().toString();
    return std::move(*log);
  };
  for (auto [log, i] = std::pair(open(), 0); i < 5; ++i) ASSERT_TRUE(append(*log, simpleBatch(1)));
  disk.restart(test::Restart::kProcess);
  const std::uint64_t before = disk.changes();
  const auto log = open();
  EXPECT_EQ(log->endOffset(), Offset{5});
  EXPECT_EQ(log->epochs().size(), 1U);
  EXPECT_EQ(disk.changes(), before);
  // The process that died may not have synced what it wrote.
  ASSERT_TRUE(log->flush());
  disk.restart(test::Restart::kPower);
  EXPECT_EQ(*disk.exists("/data/orders-0/leader-epoch-checkpoint"), true);
}

}  // namespace
}  // namespace millrace::log
