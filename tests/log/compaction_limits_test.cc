// What bounds compaction: memory, bytes per second, being stopped, and when a log is due.
#include "log/compaction.h"
#include "log/key_offset_map.h"
#include "log/partition_log.h"
#include "tests/log/support/temp_dir.h"
#include "tests/support/forwarding_files.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

namespace millrace::log {
namespace {

/// Counts what is read.
class CountingFile final : public ForwardingFile {
 public:
  CountingFile(std::shared_ptr<File> file, std::uint64_t& count)
      : ForwardingFile(std::move(file)), count_(count) {}
  Result<std::size_t> read(std::uint64_t at, char* out, std::size_t n) const override {
    auto got = ForwardingFile::read(at, out, n);
    count_ += got.value_or(0);
    return got;
  }

 private:
  std::uint64_t& count_;
};

using test::append;
using test::makeBatch;

using namespace std::chrono_literals;

TEST(IoBudget, TakesNoMoreThanItsRateOverAnyTime) {
  IoBudget budget(1'000'000);
  const IoBudget::Clock::time_point start{1h};
  auto now = start;
  std::uint64_t taken = 0;
  while (now < start + 10s) {
    taken += 64 << 10;
    now = std::max(now, budget.charge(64 << 10, now));
  }
  const double seconds = std::chrono::duration<double>(now - start).count();
  EXPECT_LE(static_cast<double>(taken), (seconds + 0.2) * 1e6);
  EXPECT_GE(static_cast<double>(taken), seconds * 1e6);
}

TEST(IoBudget, APauseAllowsAShortBurstOnly) {
  IoBudget budget(1'000'000);
  const IoBudget::Clock::time_point start{1h};
  EXPECT_LE(budget.charge(100'000, start), start);
  EXPECT_EQ(budget.charge(1'000'000, start), start + 1s);
  const auto later = start + 1h;
  EXPECT_LE(budget.charge(90'000, later), later);
  EXPECT_GT(budget.charge(90'000, later), later);
}

TEST(IoBudget, KafkasDefaultIsNoLimit) {
  IoBudget budget(std::numeric_limits<double>::max());
  EXPECT_TRUE(budget.unlimited());
  const IoBudget::Clock::time_point now{1h};
  EXPECT_EQ(budget.charge(std::uint64_t{1} << 60, now), now);
}

TEST(IoBudget, NothingAllowedIsALongWaitAndLessThanNothingNoLimit) {
  const IoBudget::Clock::time_point now{1h};
  IoBudget nothing(0);
  EXPECT_FALSE(nothing.unlimited());
  EXPECT_GT(nothing.charge(1, now), now + 23h);
  IoBudget below(-1);
  EXPECT_EQ(below.charge(1, now), now);
}

TEST(IoPace, WhoWaitsIsWokenByStop) {
  IoPace pace(1);
  std::thread waiter([&pace] { EXPECT_FALSE(pace.spend(1 << 20)); });
  pace.stop();
  waiter.join();
  EXPECT_FALSE(pace.spend(1));
}

TEST(IoPace, AChangeOfTheRateHoldsForThoseWhoWait) {
  IoPace pace(1);
  std::thread waiter([&pace] {
    EXPECT_TRUE(pace.spend(1 << 30));
    EXPECT_TRUE(pace.spend(1 << 30));
  });
  pace.setRate(std::numeric_limits<double>::max());
  waiter.join();
}

TEST(IoPace, WhatIsNotWantedAnyMoreIsNotWaitedFor) {
  IoPace pace(1);
  std::atomic<bool> given_up{false};
  std::thread waiter([&] { EXPECT_FALSE(pace.spend(1 << 30, &given_up)); });
  given_up = true;
  pace.wake();
  waiter.join();
  EXPECT_FALSE(pace.spend(1 << 30, &given_up));
}

TEST(KeyOffsetMap, HoldsWhatAMapHolds) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  KeyOffsetMap map(24 * 10'000, seed);
  std::map<std::string, std::int64_t> model;
  for (std::int64_t offset = 0; offset < 40'000; ++offset) {
    const std::string key = std::to_string(random() % 12'000);
    if (!model.contains(key) && !map.fits(1)) continue;
    map.put(key, Offset{offset});
    model[key] = offset;
  }
  EXPECT_EQ(map.size(), 9'000U) << "nine slots of ten";
  EXPECT_EQ(map.size(), model.size());
  for (int key = 0; key < 12'000; ++key) {
    const auto found = model.find(std::to_string(key));
    EXPECT_EQ(map.get(std::to_string(key)).value(), found == model.end() ? -1 : found->second);
  }
}

TEST(KeyOffsetMap, TheLoadFactorIsHowFullItGets) {
  KeyOffsetMap map(24 * 1000, 1, 0.5);
  EXPECT_TRUE(map.fits(500));
  EXPECT_FALSE(map.fits(501));
}

class CompactionLimitsTest : public testing::Test {
 protected:
  CompactionLimitsTest() {
    config_.cleanup_compact = true;
    config_.cleanup_delete = false;
    config_.segment_bytes = 2000;
    config_.index_interval_bytes = 200;
  }
  std::unique_ptr<PartitionLog> open() {
    auto log = PartitionLog::open({.directory = dir_.path("prices-0"), .config = config_});
    EXPECT_TRUE(log) << log.error().toString();
    return std::move(*log);
  }
  static void put(PartitionLog& log, const std::string& key, Millis timestamp = 5000) {
    const auto done = append(log, makeBatch({{timestamp, key, "value"}}), timestamp);
    ASSERT_TRUE(done) << done.error().error.toString();
    log.setHighWatermark(log.endOffset());
  }

  test::TempDir dir_;
  LogConfig config_;
};

TEST_F(CompactionLimitsTest, WhatIsCompactedAlreadyIsReadOnceAndTheRestTwice) {
  const auto log = open();
  const auto fill = [&](int records) {
    for (int i = 0; i < records; ++i) put(*log, "key" + std::to_string(log->endOffset().value()));
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(log->flush());
  };
  fill(1000);
  CompactionPlan plan = log->prepareCompaction(6000).value();
  ASSERT_TRUE(log->compacted(plan, runCompaction(plan, {}).value()));
  fill(100);
  plan = log->prepareCompaction(6000).value();
  std::uint64_t clean = 0;
  std::uint64_t dirty = 0;
  std::uint64_t read = 0;
  for (auto& source : plan.sources) {
    (source.base < plan.first_dirty ? clean : dirty) += source.size;
    source.file = std::make_shared<CountingFile>(source.file, read);
  }
  ASSERT_GT(clean, 5 * dirty);
  const auto outcome = runCompaction(plan, {});
  ASSERT_TRUE(outcome) << outcome.error().toString();
  EXPECT_LE(read, clean + 2 * dirty);
}

TEST_F(CompactionLimitsTest, WhatIsCompactedAlreadyDoesNotHoldBackWhatFollows) {
  const auto log = open();
  for (int i = 0; i < 100; ++i) put(*log, "key", 500'000);  // a clock that was ahead
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->flush());
  const CompactionPlan plan = log->prepareCompaction(6000).value();
  ASSERT_TRUE(log->compacted(plan, runCompaction(plan, {}).value()));
  config_.min_compaction_lag_ms = 1000;
  log->setConfig(config_);
  for (int i = 0; i < 100; ++i) put(*log, "key", 6000);
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->flush());
  EXPECT_FALSE(log->compactionNeed(6500)->due);
  EXPECT_TRUE(log->compactionNeed(8000)->due);
}

TEST_F(CompactionLimitsTest, ATopicThatIsNoLongerCompactedKeepsItsRecords) {
  const auto log = open();
  for (int i = 0; i < 100; ++i) put(*log, "key");
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(log->flush());
  const CompactionPlan plan = log->prepareCompaction(6000).value();
  const CompactionOutcome outcome = runCompaction(plan, {}).value();
  config_.cleanup_compact = false;
  log->setConfig(config_);
  ASSERT_TRUE(log->compacted(plan, outcome));
  EXPECT_EQ(test::readAll(*log, Offset{0}).size(), 100U)
      << "it changed while the run was under way";
}

TEST_F(CompactionLimitsTest, AMapThatIsTooSmallTakesSeveralRuns) {
  const auto log = open();
  for (int i = 0; i < 1000; ++i) put(*log, "key" + std::to_string(i % 300));
  int runs = 0;
  ASSERT_TRUE(log->flush());
  while (log->compactionNeed(6000)->due) {
    ASSERT_LT(++runs, 20);
    const auto plan = log->prepareCompaction(6000);
    ASSERT_TRUE(plan);
    const Offset before = log->cleanedTo();
    // Room for 0.9 * 124 keys.
    const auto outcome = runCompaction(*plan, {.map_bytes = 24 * 124});
    ASSERT_TRUE(outcome) << outcome.error().toString();
    ASSERT_TRUE(log->compacted(*plan, *outcome));
    EXPECT_GT(log->cleanedTo(), before);
  }
  EXPECT_GT(runs, 3);
  std::map<std::string, std::int64_t> newest;
  for (const auto& r : test::readAll(*log, Offset{0})) newest[*r.key] = r.offset;
  ASSERT_EQ(newest.size(), 300U);
  for (const auto& [key, offset] : newest)
    EXPECT_EQ(offset, 700 + (std::stoi(key.substr(3)) + 200) % 300) << key;
}

TEST_F(CompactionLimitsTest, ARunThatIsStoppedLeavesNothingBehind) {
  const auto log = open();
  for (int i = 0; i < 2000; ++i) put(*log, "key" + std::to_string(i % 7));
  ASSERT_TRUE(log->flush());
  const auto plan = log->prepareCompaction(6000);
  ASSERT_TRUE(plan);
  const auto before = systemFiles().list(dir_.path("prices-0"));
  IoPace pace(1e9);
  pace.stop();
  const auto outcome = runCompaction(*plan, {.pace = &pace});
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Errc::kCancelled);
  EXPECT_EQ(systemFiles().list(dir_.path("prices-0")), before);
}

TEST_F(CompactionLimitsTest, SegmentsAreJoinedOnlyWhileTheirIndexesFitOne) {
  const auto log = open();
  for (int i = 0; i < 300; ++i) put(*log, "key" + std::to_string(i));
  ASSERT_TRUE(log->flush());
  auto plan = log->prepareCompaction(6000);
  ASSERT_TRUE(plan);
  ASSERT_GT(plan->sources.size(), 5U);
  plan->config.segment_bytes = 1 << 20;
  plan->config.segment_index_bytes =
      static_cast<std::int32_t>(plan->sources[0].index_bytes + plan->sources[1].index_bytes);
  const auto outcome = runCompaction(*plan, {});
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->segments.front().replaces.size(), 2U);
  ASSERT_TRUE(log->compacted(*plan, *outcome));
  EXPECT_EQ(test::readAll(*log, Offset{0}).size(), 300U);
}

TEST_F(CompactionLimitsTest, MaxLagRollsTheActiveSegmentAndMakesTheLogDue) {
  config_.min_cleanable_dirty_ratio = 1.0;
  config_.max_compaction_lag_ms = 60'000;
  config_.segment_bytes = 1 << 20;
  const auto log = open();
  put(*log, "a", 5000);
  put(*log, "a", 64'000);
  EXPECT_EQ(log->segmentCount(), 1U);
  ASSERT_TRUE(log->flush());
  EXPECT_FALSE(log->compactionNeed(64'000)->due);
  put(*log, "a", 66'000);
  EXPECT_EQ(log->segmentCount(), 2U) << "61 s after its first record the segment is closed";
  ASSERT_TRUE(log->flush());
  EXPECT_TRUE(log->compactionNeed(66'000)->due);
}

/// As Kafka's LogSegment.largestTimestamp(): what has no timestamps is as old as its file.
TEST_F(CompactionLimitsTest, MinLagHoldsForRecordsWithoutTimestamps) {
  config_.min_compaction_lag_ms = 60'000;
  const auto log = open();
  put(*log, "a", -1);
  ASSERT_TRUE(log->roll());
  put(*log, "b", -1);
  ASSERT_TRUE(log->flush());
  const Millis now = systemClock().wallMs();
  EXPECT_FALSE(log->compactionNeed(now)->due);
  EXPECT_TRUE(log->compactionNeed(now + 120'000)->due);
}

TEST_F(CompactionLimitsTest, TheOldestRecordMakesDueInWhateverSegmentItStands) {
  config_.min_cleanable_dirty_ratio = 1.0;
  config_.max_compaction_lag_ms = 60'000;
  const auto log = open();
  put(*log, "a", 50'000);
  ASSERT_TRUE(log->roll());
  put(*log, "b", 5000);
  ASSERT_TRUE(log->roll());
  put(*log, "c", 50'000);
  ASSERT_TRUE(log->flush());
  EXPECT_FALSE(log->compactionNeed(64'000)->due);
  EXPECT_TRUE(log->compactionNeed(66'000)->due);
}

TEST_F(CompactionLimitsTest, TheLastBatchOfEachProducerStaysAndItsSequencesGoOn) {
  auto log = open();
  const auto send = [&log](std::int64_t producer, std::int32_t sequence) {
    return append(*log,
                  makeBatch({{5000, "same key", "value"}}, {.producer_id = ProducerId{producer},
                                                            .producer_epoch = 0,
                                                            .base_sequence = sequence}));
  };
  for (std::int32_t sequence = 0; sequence < 20; ++sequence)
    for (const std::int64_t producer : {7, 8}) ASSERT_TRUE(send(producer, sequence));
  ASSERT_TRUE(log->roll());
  put(*log, "same key");
  log->setHighWatermark(log->endOffset());
  ASSERT_TRUE(log->flush());
  const auto plan = log->prepareCompaction(6000);
  const auto outcome = runCompaction(*plan, {});
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(log->compacted(*plan, *outcome));
  // Offset 39 is the newest of the key; of producer 7 only the header at 38 is left.
  EXPECT_EQ(outcome->records_kept, 1);
  const auto read = log->read(Offset{0}, 1 << 20, Isolation::kLogEnd);
  ASSERT_TRUE(read);
  const Bytes bytes = test::contentOf(*read);
  record::BatchIterator walk(bytes);
  record::BatchView batch;
  // The last batch of each segment stays, too, as a header.
  while (walk.next(batch) && batch.lastOffset() < Offset{38}) EXPECT_EQ(batch.recordCount(), 0);
  EXPECT_EQ(batch.recordCount(), 0);
  EXPECT_EQ(batch.lastOffset(), Offset{38});
  EXPECT_EQ(batch.lastSequence(), 19);
  // Without snapshots, the state comes from the batches alone.
  ASSERT_TRUE(log->close());
  log.reset();
  for (const auto& entry : std::filesystem::directory_iterator(dir_.path("prices-0")))
    if (entry.path().extension() == ".snapshot") std::filesystem::remove(entry.path());
  log = open();
  EXPECT_TRUE(send(7, 20));
  EXPECT_TRUE(send(8, 20));
  EXPECT_FALSE(send(7, 25));
}

TEST_F(CompactionLimitsTest, CompactAndDeleteWorkTogether) {
  config_.cleanup_delete = true;
  config_.retention_ms = 10'000;
  const auto log = open();
  for (int i = 0; i < 100; ++i) put(*log, "key" + std::to_string(i % 9), 5000 + i * 100);
  ASSERT_TRUE(log->flush());
  const auto plan = log->prepareCompaction(15'000);
  const auto outcome = runCompaction(*plan, {});
  ASSERT_TRUE(outcome);
  ASSERT_TRUE(log->compacted(*plan, *outcome));
  const auto kept = test::readAll(*log, log->startOffset());
  EXPECT_LT(kept.size(), 50U);
  ASSERT_TRUE(log->runRetention(15'000));
  EXPECT_EQ(test::readAll(*log, log->startOffset()).size(), kept.size());
  EXPECT_GT(*log->runRetention(30'000), 0);
  EXPECT_TRUE(test::readAll(*log, log->startOffset()).empty());
  EXPECT_EQ(log->endOffset(), Offset{100});
}

TEST_F(CompactionLimitsTest, AnEmptyLogHasItsIndexesAfterAClose) {
  const auto log = open();
  ASSERT_TRUE(log->truncateFullyAndStartAt(Offset{0}));  // or it would have no directory at all
  ASSERT_TRUE(log->close());
  for (const char* name :
       {"00000000000000000000.log", "00000000000000000000.index", "00000000000000000000.timeindex"})
    EXPECT_TRUE(*systemFiles().exists(dir_.path("prices-0/" + std::string(name)))) << name;
}

}  // namespace
}  // namespace millrace::log
