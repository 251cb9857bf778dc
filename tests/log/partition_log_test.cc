#include "log/partition_log.h"

#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

namespace millrace::log {
namespace {

using test::append;
using test::makeBatch;
using test::simpleBatch;

class PartitionLogTest : public testing::Test {
 protected:
  std::unique_ptr<PartitionLog> open(bool clean = true, Offset recovery_point = Offset{0},
                                     Offset high_watermark = Offset{0}, Millis now_ms = 0) {
    auto log = PartitionLog::open({.directory = dir_.path("orders-0"),
                                   .config = config_,
                                   .topic_id = Uuid{1, 2},
                                   .recovery_point = recovery_point,
                                   .high_watermark = high_watermark,
                                   .now_ms = now_ms,
                                   .clean_shutdown = clean});
    if (!log) {
      ADD_FAILURE() << log.error().toString();
      return nullptr;
    }
    return std::move(*log);
  }

  test::TempDir dir_;
  LogConfig config_;
};

TEST_F(PartitionLogTest, NewLogIsEmpty) {
  const auto log = open();
  EXPECT_EQ(log->startOffset(), Offset{0});
  EXPECT_EQ(log->endOffset(), Offset{0});
  EXPECT_TRUE(log->read(Offset{0}, 1000, Isolation::kLogEnd)->slices.empty());
  EXPECT_EQ(log->read(Offset{1}, 1000, Isolation::kLogEnd).error().code, Errc::kOffsetOutOfRange);
}

TEST_F(PartitionLogTest, AppendNumbersRecordsAndReadFindsThem) {
  const auto log = open();
  EXPECT_EQ(append(*log, simpleBatch(3))->base_offset, Offset{0});
  const auto second = append(*log, simpleBatch(2, 5000));
  EXPECT_EQ(second->base_offset, Offset{3});
  EXPECT_EQ(second->last_offset, Offset{4});
  const auto records = test::readAll(*log, Offset{0});
  ASSERT_EQ(records.size(), 5U);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(records[i].offset, static_cast<std::int64_t>(i));
  // A read begins with the batch that holds the offset.
  const auto middle = log->read(Offset{4}, 10, Isolation::kLogEnd);
  EXPECT_EQ(test::recordsIn(test::contentOf(*middle)).front().offset, 3);
  EXPECT_EQ(middle->next_offset, Offset{5});
}

TEST_F(PartitionLogTest, ReadStopsAtTheHighWatermark) {
  const auto log = open();
  (void)append(*log, simpleBatch(3));
  (void)append(*log, simpleBatch(3));
  EXPECT_EQ(log->read(Offset{0}, 1000, Isolation::kHighWatermark)->size, 0U);
  log->setHighWatermark(Offset{3});
  const auto read = log->read(Offset{0}, 1000, Isolation::kHighWatermark);
  EXPECT_EQ(read->next_offset, Offset{3});
  EXPECT_EQ(test::recordsIn(test::contentOf(*read)).size(), 3U);
  EXPECT_EQ(log->read(Offset{4}, 1000, Isolation::kHighWatermark)->size, 0U);
}

TEST_F(PartitionLogTest, OneWholeBatchComesEvenAboveTheLimit) {
  const auto log = open();
  (void)append(*log, simpleBatch(10, 1000, 500));
  (void)append(*log, simpleBatch(10, 1000, 500));
  const auto one = log->read(Offset{0}, 100, Isolation::kLogEnd, true);
  EXPECT_EQ(one->next_offset, Offset{10});
  EXPECT_EQ(log->read(Offset{0}, 100, Isolation::kLogEnd, false)->size, 0U);
}

TEST_F(PartitionLogTest, RollsBySizeAndReadsAcrossSegments) {
  config_.segment_bytes = 2000;
  config_.index_interval_bytes = 100;
  auto log = open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(append(*log, simpleBatch(5, 1000 + i)));
  EXPECT_GT(log->segmentCount(), 5U);
  EXPECT_EQ(test::readAll(*log, Offset{0}).size(), 500U);
  EXPECT_EQ(test::readAll(*log, Offset{137}, 300).size(), 500U - 137U);
  ASSERT_TRUE(log->close());
  log = open();
  EXPECT_TRUE(log->recovery().clean);
  EXPECT_EQ(log->endOffset(), Offset{500});
  EXPECT_EQ(test::readAll(*log, Offset{3}, 700).size(), 497U);
}

TEST_F(PartitionLogTest, RolledSegmentsAreFlushedWithoutTheActiveOne) {
  config_.segment_bytes = 1000;
  auto log = open();
  EXPECT_FALSE(log->hasUnflushedSegments());
  for (int i = 0; i < 20; ++i) (void)append(*log, simpleBatch(5));
  EXPECT_TRUE(log->hasUnflushedSegments());
  const FlushJob job = log->prepareFlush(FlushScope::kSealed);
  log->flushed(job, job.run());
  EXPECT_FALSE(log->hasUnflushedSegments());
  EXPECT_GT(log->recoveryPoint(), Offset{80});
  EXPECT_LT(log->recoveryPoint(), Offset{100});
  // After a crash only what lies behind is looked at.
  const Offset flushed = log->recoveryPoint();
  log = open(false, flushed);
  EXPECT_LT(log->recovery().scanned_bytes, 1000U);
  EXPECT_EQ(log->endOffset(), Offset{100});
}

TEST_F(PartitionLogTest, RollsByAgeOfTheRecords) {
  config_.segment_ms = 1000;
  const auto log = open();
  (void)append(*log, simpleBatch(1, 10'000), 10'000);
  (void)append(*log, simpleBatch(1, 10'900), 10'900);
  EXPECT_EQ(log->segmentCount(), 1U);
  (void)append(*log, simpleBatch(1, 11'001), 11'001);
  EXPECT_EQ(log->segmentCount(), 2U);
}

TEST_F(PartitionLogTest, LookupByTimestampIsExactToTheRecord) {
  config_.segment_bytes = 3000;
  config_.index_interval_bytes = 200;
  auto log = open();
  for (int i = 0; i < 60; ++i) (void)append(*log, simpleBatch(10, 1000 + i * 10), 2000);
  log->setHighWatermark(log->endOffset());
  for (const int t : {1000, 1001, 1009, 1010, 1234, 1599}) {
    const auto found = log->offsetForTimestamp(t, Isolation::kHighWatermark);
    EXPECT_EQ(found->offset, Offset{t - 1000});
    EXPECT_EQ(found->timestamp, t);
  }
  EXPECT_EQ(log->offsetForTimestamp(0, Isolation::kHighWatermark)->offset, Offset{0});
  EXPECT_EQ(log->offsetForTimestamp(1600, Isolation::kHighWatermark)->offset, Offset{-1});
  EXPECT_EQ(log->offsetForTimestamp(kLatestTimestamp, Isolation::kHighWatermark)->offset,
            Offset{600});
  EXPECT_EQ(log->offsetForTimestamp(kEarliestTimestamp, Isolation::kHighWatermark)->offset,
            Offset{0});
  EXPECT_EQ(log->offsetForTimestamp(kMaxTimestamp, Isolation::kHighWatermark),
            (TimestampOffset{1599, Offset{599}, LeaderEpoch{0}}));
  EXPECT_EQ(log->offsetForTimestamp(kLatestTieredTimestamp, Isolation::kHighWatermark)->offset,
            Offset{-1});
}

TEST_F(PartitionLogTest, TheNewestTimestampIsOneOfARecordThatIsStillThere) {
  const auto log = open();
  for (const Millis time : {9000, 1000, 3000, 2000})
    ASSERT_TRUE(append(*log, simpleBatch(1, time)));
  log->setHighWatermark(log->endOffset());
  ASSERT_TRUE(log->setStartOffset(Offset{1}));
  const auto newest = log->offsetForTimestamp(kMaxTimestamp, Isolation::kHighWatermark);
  ASSERT_TRUE(newest);
  EXPECT_EQ(newest->offset, Offset{2});
  EXPECT_EQ(newest->timestamp, 3000);
}

/// Kafka counts from the segment's creation; not from its last write, which is never long ago.
TEST_F(PartitionLogTest, ASegmentWithoutTimestampsIsRolledByItsAge) {
  config_.segment_ms = 60'000;
  const auto log = open();
  const Millis begun = systemClock().wallMs();
  ASSERT_TRUE(append(*log, makeBatch({{-1, "a", "v"}}), begun));
  ASSERT_TRUE(append(*log, makeBatch({{-1, "b", "v"}}), begun + 50'000));
  EXPECT_EQ(log->segmentCount(), 1U);
  std::filesystem::last_write_time(
      dir_.path("orders-0/00000000000000000000.log"),
      std::filesystem::file_time_type::clock::now() + std::chrono::seconds(50));
  ASSERT_TRUE(append(*log, makeBatch({{-1, "c", "v"}}), begun + 70'000));
  EXPECT_EQ(log->segmentCount(), 2U);
}

TEST_F(PartitionLogTest, LogAppendTimeStampsTheBatch) {
  config_.timestamp_type = record::TimestampType::kLogAppendTime;
  const auto log = open();
  EXPECT_EQ(append(*log, simpleBatch(2, 5), 777'000)->log_append_time_ms, 777'000);
  for (const auto& r : test::readAll(*log, Offset{0})) EXPECT_EQ(r.timestamp, 777'000);
}

record::BatchOptions producer(std::int32_t sequence, std::int16_t epoch = 0,
                              bool transactional = false) {
  return {.producer_id = ProducerId{7},
          .producer_epoch = epoch,
          .base_sequence = sequence,
          .transactional = transactional};
}

TEST_F(PartitionLogTest, ProducersOfOldRecordsAreNotForgottenAtAStart) {
  constexpr Millis kNow = 1'800'000'000'000;
  constexpr Millis kDay = 86'400'000;
  const auto start = [&](Millis now_ms, bool clean) {
    return open(clean, Offset{0}, Offset{2}, now_ms);
  };
  auto log = start(kNow, true);
  const Bytes old = simpleBatch(2, 1000, 10, producer(0));  // records of 1970
  ASSERT_TRUE(log->append(*record::BatchView::parse(old), {.now_ms = kNow}));
  log = start(kNow + 2 * kDay, false);  // after a crash
  ASSERT_TRUE(log->runUpkeep(kNow + 2 * kDay + 1));
  EXPECT_TRUE(append(*log, old)->duplicate);
  ASSERT_TRUE(log->close());
  log = start(kNow + 2 * kDay + 1000, true);  // after a clean stop
  EXPECT_TRUE(append(*log, old)->duplicate);
  ASSERT_TRUE(log->runUpkeep(kNow + 3 * kDay));
  EXPECT_TRUE(log->producers().empty()) << "silent for a day";
}

TEST_F(PartitionLogTest, OldSegmentsStayForTheirDelay) {
  config_.segment_bytes = 1000;
  config_.retention_ms = 10'000;
  config_.file_delete_delay_ms = 60'000;
  auto log = open();
  for (int i = 0; i < 30; ++i) (void)append(*log, simpleBatch(5, i * 1000), i * 1000);
  log->setHighWatermark(log->endOffset());
  ASSERT_GT(log->runRetention(20'000).value(), 0);
  Leftovers some = log->takeLeftovers(79'999);
  EXPECT_TRUE(some.due.empty());
  EXPECT_EQ(some.next_ms, 80'000);
  log->setConfig([&] {
    config_.file_delete_delay_ms = std::numeric_limits<Millis>::max();
    return config_;
  }());
  ASSERT_GT(log->runRetention(30'000).value(), 0);
  some = log->takeLeftovers(80'000);
  EXPECT_FALSE(some.due.empty());
  EXPECT_EQ(some.next_ms, std::numeric_limits<Millis>::max()) << "the longest delay is no past";
  EXPECT_TRUE(log->takeLeftovers(80'000).due.empty()) << "they are handed out once";
}

TEST_F(PartitionLogTest, FilesThatAreGoneAlreadyDoNotDisturb) {
  config_.segment_bytes = 1000;
  config_.retention_ms = 10'000;
  config_.file_delete_delay_ms = 0;
  auto log = open();
  const auto fill = [&](Millis from_ms) {
    for (Millis i = 0; i < 10; ++i)
      (void)append(*log, simpleBatch(5, from_ms + i * 1000), from_ms + i * 1000);
    log->setHighWatermark(log->endOffset());
    ASSERT_GT(log->runRetention(from_ms + 30'000).value(), 0);
    for (const auto& file : std::filesystem::directory_iterator(log->directory()))
      if (file.path().string().ends_with(".deleted")) std::filesystem::remove(file.path());
  };
  fill(0);
  EXPECT_TRUE(log->runUpkeep(100'000));
  fill(100'000);
  EXPECT_TRUE(log->close());
}

TEST_F(PartitionLogTest, SequencesAndEpochsAreChecked) {
  const auto log = open();
  EXPECT_TRUE(append(
      *log, simpleBatch(2, 1000, 10, producer(5))));  // an unknown producer may start anywhere
  EXPECT_EQ(append(*log, simpleBatch(1, 1000, 10, producer(8))).error().error.code,
            Errc::kOutOfOrderSequenceNumber);
  EXPECT_TRUE(append(*log, simpleBatch(1, 1000, 10, producer(7))));
  EXPECT_EQ(append(*log, simpleBatch(1, 1000, 10, producer(8, 1))).error().error.code,
            Errc::kOutOfOrderSequenceNumber);
  EXPECT_TRUE(append(*log, simpleBatch(1, 1000, 10, producer(0, 1))));
  EXPECT_EQ(append(*log, simpleBatch(1, 1000, 10, producer(8, 0))).error().error.code,
            Errc::kInvalidProducerEpoch);
}

TEST_F(PartitionLogTest, TransactionsHoldBackTheLastStableOffset) {
  auto log = open();
  (void)append(*log, simpleBatch(2));
  (void)append(*log, simpleBatch(3, 1000, 10, producer(0, 0, true)));
  log->setHighWatermark(log->endOffset());
  EXPECT_EQ(log->lastStableOffset(), Offset{2});
  EXPECT_EQ(log->read(Offset{0}, 1000, Isolation::kCommitted)->next_offset, Offset{2});
  ASSERT_TRUE(log->close());
  log = open(true, Offset{0}, Offset{5});
  EXPECT_EQ(log->lastStableOffset(), Offset{2}) << "open transactions survive a restart";
  const Bytes marker =
      record::buildEndTxnMarker(ProducerId{7}, 0, {record::ControlType::kAbort, 3}, 2000);
  ASSERT_TRUE(append(*log, marker, 2000, 0, record::AppendOrigin::kCoordinator));
  log->setHighWatermark(log->endOffset());
  EXPECT_EQ(log->lastStableOffset(), Offset{6});
  const auto read = log->read(Offset{0}, 1000, Isolation::kCommitted);
  ASSERT_EQ(read->aborted.size(), 1U);
  EXPECT_EQ(read->aborted[0], (AbortedTransaction{ProducerId{7}, Offset{2}, Offset{5}, Offset{6}}));
  // Rebuilt after a crash.
  log = open(false, Offset{0}, Offset{6});
  EXPECT_EQ(log->abortedTransactions(Offset{0}, Offset{6})->size(), 1U);
  EXPECT_EQ(log->lastStableOffset(), Offset{6});
}

TEST_F(PartitionLogTest, RetentionByTimeKeepsWhatIsYoung) {
  config_.segment_bytes = 1000;
  config_.retention_ms = 10'000;
  auto log = open();
  for (int i = 0; i < 30; ++i) (void)append(*log, simpleBatch(5, i * 1000), i * 1000);
  const std::size_t before = log->segmentCount();
  EXPECT_EQ(log->runRetention(20'000).value(), 0) << "nothing above the high watermark goes";
  log->setHighWatermark(log->endOffset());
  EXPECT_GT(log->runRetention(20'000).value(), 0);
  EXPECT_LT(log->segmentCount(), before);
  const auto left = test::readAll(*log, log->startOffset());
  EXPECT_LE(left.front().timestamp, 10'000);
  EXPECT_EQ(left.front().offset, log->startOffset().value());
  EXPECT_EQ(log->read(Offset{0}, 100, Isolation::kLogEnd).error().code, Errc::kOffsetOutOfRange);
  // Everything old: the active segment goes, too, and the end stays.
  EXPECT_GT(log->runRetention(1'000'000).value(), 0);
  EXPECT_EQ(log->startOffset(), Offset{150});
  EXPECT_EQ(log->endOffset(), Offset{150});
  ASSERT_TRUE(log->runUpkeep(2'000'000));
  for (const auto& file : std::filesystem::directory_iterator(log->directory()))
    EXPECT_FALSE(file.path().string().ends_with(".deleted"));
  ASSERT_TRUE(log->close());
  log = open();
  EXPECT_EQ(log->endOffset(), Offset{150});
}

TEST_F(PartitionLogTest, RetentionBySizeAndDeleteRecords) {
  config_.segment_bytes = 1000;
  config_.retention_ms = -1;
  config_.retention_bytes = 3000;
  const auto log = open();
  for (int i = 0; i < 30; ++i) (void)append(*log, simpleBatch(5));
  log->setHighWatermark(log->endOffset());
  ASSERT_GT(log->runRetention(0).value(), 0);
  EXPECT_GE(log->sizeInBytes(), 3000U);
  EXPECT_LT(log->sizeInBytes(), 4000U);
  ASSERT_TRUE(log->setStartOffset(Offset{143}));
  EXPECT_EQ(log->setStartOffset(Offset{151}).error().code, Errc::kOffsetOutOfRange);
  ASSERT_GT(log->runRetention(0).value(), 0);
  EXPECT_EQ(log->startOffset(), Offset{143});
  EXPECT_EQ(test::readAll(*log, Offset{143}).size(), 7U);
}

TEST_F(PartitionLogTest, TruncationCutsEpochsProducersAndRecords) {
  config_.segment_bytes = 1000;
  const auto log = open();
  for (int i = 0; i < 20; ++i)
    ASSERT_TRUE(append(*log, simpleBatch(5, 1000, 10, producer(i * 5)), 1000, i / 10));
  ASSERT_TRUE(log->truncateTo(Offset{42}));
  EXPECT_EQ(log->endOffset(), Offset{40}) << "a batch is cut as a whole";
  EXPECT_EQ(log->latestEpoch(), LeaderEpoch{0});
  EXPECT_EQ(test::readAll(*log, Offset{0}).size(), 40U);
  EXPECT_TRUE(append(*log, simpleBatch(5, 1000, 10, producer(40))));
  ASSERT_TRUE(log->truncateFullyAndStartAt(Offset{900}));
  EXPECT_EQ(log->startOffset(), Offset{900});
  EXPECT_EQ(append(*log, simpleBatch(1))->base_offset, Offset{900});
}

TEST_F(PartitionLogTest, LeaderEpochsAnswerWhereTheyEnded) {
  auto log = open();
  (void)append(*log, simpleBatch(3), 1000, 1);
  (void)append(*log, simpleBatch(3), 1000, 4);
  ASSERT_TRUE(log->startEpoch(LeaderEpoch{6}));
  (void)append(*log, simpleBatch(3), 1000, 6);
  EXPECT_EQ(log->endOfEpoch(LeaderEpoch{1}), (EpochEnd{LeaderEpoch{1}, Offset{3}}));
  EXPECT_EQ(log->endOfEpoch(LeaderEpoch{3}), (EpochEnd{LeaderEpoch{1}, Offset{3}}));
  EXPECT_EQ(log->endOfEpoch(LeaderEpoch{0}), (EpochEnd{LeaderEpoch{0}, Offset{0}}));
  EXPECT_EQ(log->endOfEpoch(LeaderEpoch{6}), (EpochEnd{LeaderEpoch{6}, Offset{9}}));
  EXPECT_EQ(log->endOfEpoch(LeaderEpoch{7}), EpochEnd{});
  ASSERT_TRUE(log->close());
  log = open();
  EXPECT_EQ(log->epochs().size(), 3U);
}

TEST_F(PartitionLogTest, FollowersTakeBatchesAsTheyAre) {
  const auto leader = open();
  for (int i = 0; i < 10; ++i) (void)append(*leader, simpleBatch(3), 1000, i / 4);
  const Bytes all = test::contentOf(*leader->read(Offset{0}, 1 << 20, Isolation::kLogEnd));
  auto follower = PartitionLog::open({.directory = dir_.path("copy-0")});
  ASSERT_TRUE((*follower)->appendAsFollower(all));
  EXPECT_EQ((*follower)->endOffset(), leader->endOffset());
  EXPECT_EQ((*follower)->epochs(), leader->epochs());
  EXPECT_EQ(test::contentOf(*(*follower)->read(Offset{0}, 1 << 20, Isolation::kLogEnd)), all);
  EXPECT_EQ((*follower)->appendAsFollower(all).error().code, Errc::kOffsetOutOfRange);
}

/// Base offsets stand outside of the CRC. The batch is sound but for its place: no offset is left
/// for its last record.
Bytes batchAtTheEndOfOffsets() {
  Bytes batch = simpleBatch(3);
  storeBe(batch.data(), std::numeric_limits<std::int64_t>::max() - 1);
  return batch;
}

TEST_F(PartitionLogTest, FollowersRefuseABatchBeyondTheLastOffset) {
  auto follower = open();
  EXPECT_EQ(follower->appendAsFollower(batchAtTheEndOfOffsets()).error().code,
            Errc::kOffsetOutOfRange);
  EXPECT_EQ(follower->endOffset(), Offset{0});
}

TEST_F(PartitionLogTest, RecoveryCutsABatchBeyondTheLastOffset) {
  auto log = open();
  ASSERT_TRUE(append(*log, simpleBatch(3)));
  const std::uint64_t sound = log->sizeInBytes();
  log.reset();
  std::ofstream(dir_.path("orders-0/00000000000000000000.log"), std::ios::app | std::ios::binary)
      << batchAtTheEndOfOffsets() << simpleBatch(3);
  log = open(false);
  EXPECT_EQ(log->endOffset(), Offset{3});
  EXPECT_EQ(log->sizeInBytes(), sound);
  EXPECT_EQ(test::readAll(*log, Offset{0}).size(), 3U);
}

/// Whatever was torn off or flipped behind the recovery point: what is left is a prefix of what was
/// written.
TEST_F(PartitionLogTest, RecoveryKeepsASoundPrefix) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  config_.segment_bytes = 2000;
  config_.index_interval_bytes = 300;
  for (int round = 0; round < 40; ++round) {
    std::filesystem::remove_all(dir_.path("orders-0"));
    Offset flushed{0};
    {
      const auto log = open();
      for (int i = 0; i < 60; ++i) {
        ASSERT_TRUE(append(*log, simpleBatch(1 + static_cast<int>(random() % 5), 1000 + i)));
        if (i == 20) {
          ASSERT_TRUE(log->flush());
          flushed = log->recoveryPoint();
        }
      }
    }
    std::vector<std::filesystem::path> logs;
    for (const auto& file : std::filesystem::directory_iterator(dir_.path("orders-0")))
      if (file.path().extension() == ".log") logs.push_back(file.path());
    std::ranges::sort(logs);
    const auto victim = logs.back();
    const auto size = std::filesystem::file_size(victim);
    if (random() % 2 == 0) {
      std::filesystem::resize_file(victim, random() % size);
    } else {
      auto file = systemFiles().open(victim.string(), OpenMode::kReadWrite);
      const BytesView junk = "#";
      ASSERT_TRUE((*file)->write(random() % size, std::span(&junk, 1)));
    }
    const auto log = open(false, flushed);
    ASSERT_NE(log, nullptr);
    EXPECT_GE(log->endOffset(), flushed);
    const auto records = test::readAll(*log, Offset{0});
    ASSERT_EQ(records.size(), static_cast<std::size_t>(log->endOffset().value()));
    for (std::size_t i = 0; i < records.size(); ++i)
      EXPECT_EQ(records[i].offset, static_cast<std::int64_t>(i));
    EXPECT_TRUE(append(*log, simpleBatch(1)));
  }
}

TEST_F(PartitionLogTest, DamageBelowTheRecoveryPointIsAnErrorThatNamesThePlace) {
  {
    const auto log = open();
    for (int i = 0; i < 10; ++i) (void)append(*log, simpleBatch(3));
    ASSERT_TRUE(log->flush());
  }
  const std::string path = dir_.path("orders-0/00000000000000000000.log");
  auto file = systemFiles().open(path, OpenMode::kReadWrite);
  const BytesView junk = "#";
  ASSERT_TRUE((*file)->write(200, std::span(&junk, 1)));
  const auto log = PartitionLog::open(
      {.directory = dir_.path("orders-0"), .config = config_, .recovery_point = Offset{30}});
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().code, Errc::kCorruptData);
  EXPECT_NE(log.error().detail.find(path), std::string::npos) << log.error().detail;
}

TEST_F(PartitionLogTest, IndexesThatLieAreRebuilt) {
  config_.segment_bytes = 4000;
  config_.index_interval_bytes = 100;
  {
    const auto log = open();
    for (int i = 0; i < 60; ++i) (void)append(*log, simpleBatch(5, 1000 + i * 5));
    ASSERT_TRUE(log->close());
  }
  for (const auto& file : std::filesystem::directory_iterator(dir_.path("orders-0")))
    if (file.path().extension() == ".index" && file.file_size() > 0) {
      auto index = systemFiles().open(file.path().string(), OpenMode::kReadWrite);
      const Bytes junk(file.file_size(), '\x7f');
      const BytesView view = junk;
      ASSERT_TRUE((*index)->write(0, std::span(&view, 1)));
    }
  const auto log = open();
  for (int i = 0; i < 300; i += 7)
    EXPECT_EQ(test::recordsIn(test::contentOf(*log->read(Offset{i}, 10, Isolation::kLogEnd)))
                  .front()
                  .offset,
              i / 5 * 5);
}

}  // namespace
}  // namespace millrace::log
