#include "log/compaction.h"

#include "log/partition_log.h"
#include "tests/log/support/crashing_files.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace millrace::log {
namespace {

using test::append;
using test::makeBatch;

/// What a consumer of the whole log ends up with: the newest value of each key; nothing where it
/// was deleted.
using View = std::map<std::string, std::string>;

class CompactionTest : public testing::Test {
 protected:
  CompactionTest() {
    config_.cleanup_compact = true;
    config_.cleanup_delete = false;
    config_.segment_bytes = 1500;
    config_.index_interval_bytes = 200;
    config_.delete_retention_ms = 1000;
  }

  std::unique_ptr<PartitionLog> open(bool clean = true, FileSystem* files = nullptr) {
    auto log = PartitionLog::open({.directory = dir_.path("prices-0"),
                                   .config = config_,
                                   .high_watermark = Offset{1 << 30},
                                   .clean_shutdown = clean,
                                   .files = files});
    if (!log) {
      ADD_FAILURE() << log.error().toString();
      return nullptr;
    }
    (*log)->setHighWatermark((*log)->endOffset());
    return std::move(*log);
  }

  void put(PartitionLog& log, const std::string& key, std::optional<std::string> value,
           Millis now = 5000) {
    const auto done = append(log, makeBatch({{now, key, std::move(value)}}), now);
    ASSERT_TRUE(done) << done.error().error.toString();
    log.setHighWatermark(log.endOffset());
  }

  static Status compact(PartitionLog& log, Millis now, CompactionOutcome* outcome = nullptr) {
    // Only what is on disk may be compacted.
    MILLRACE_CHECK_OK(log.flush());
    MILLRACE_TRY(const CompactionPlan plan, log.prepareCompaction(now));
    MILLRACE_TRY(const CompactionOutcome done, runCompaction(plan, {}));
    if (outcome != nullptr) *outcome = done;
    return log.compacted(plan, done);
  }

  static View viewOf(const PartitionLog& log) {
    View view;
    for (const auto& r : test::readAll(log, log.startOffset())) {
      if (!r.key) continue;
      if (r.value) {
        view[*r.key] = *r.value;
      } else {
        view.erase(*r.key);
      }
    }
    return view;
  }

  test::TempDir dir_;
  LogConfig config_;
};

TEST_F(CompactionTest, TheNewestValueOfEachKeyStaysAtItsOffset) {
  auto log = open();
  for (int i = 0; i < 200; ++i)
    put(*log, "key" + std::to_string(i % 7), "value" + std::to_string(i));
  const View before = viewOf(*log);
  EXPECT_FALSE(log->compactionNeed(6000)->due) << "what is not on disk is left alone";
  ASSERT_TRUE(log->flush());
  const auto need = log->compactionNeed(6000);
  EXPECT_TRUE(need->due);
  CompactionOutcome outcome;
  ASSERT_TRUE(compact(*log, 6000, &outcome));
  EXPECT_GT(outcome.records_dropped, 100);
  EXPECT_EQ(viewOf(*log), before);
  EXPECT_EQ(log->endOffset(), Offset{200});
  EXPECT_FALSE(log->compactionNeed(6000)->due);
  for (const auto& r : test::readAll(*log, Offset{0}))
    EXPECT_EQ(r.value, "value" + std::to_string(r.offset));
  // Every offset can still be asked for.
  for (int i = 0; i <= 200; ++i) EXPECT_TRUE(log->read(Offset{i}, 100, Isolation::kLogEnd)) << i;
  ASSERT_TRUE(log->close());
  log = open();
  EXPECT_EQ(viewOf(*log), before);
  log = open(false);
  EXPECT_EQ(log->endOffset(), Offset{200});
  EXPECT_EQ(viewOf(*log), before);
  EXPECT_EQ(log->recovery().truncated_bytes, 0U);
}

TEST_F(CompactionTest, TombstonesStayForTheirTimeAndThenGo) {
  const auto log = open();
  put(*log, "a", "1");
  put(*log, "b", "1");
  put(*log, "a", std::nullopt);
  ASSERT_TRUE(log->roll());
  put(*log, "c", "1");
  ASSERT_TRUE(compact(*log, 10'000));
  auto records = test::readAll(*log, Offset{0});
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[1].key, "a");
  EXPECT_EQ(records[1].value, std::nullopt);
  EXPECT_EQ(records[1].timestamp, 5000) << "the horizon does not change a record's time";
  // Something must be dirty again, or there is no reason to run; the horizon is 11 000.
  put(*log, "d", "1");
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(compact(*log, 10'999));
  EXPECT_EQ(test::readAll(*log, Offset{0}).size(), 4U);
  put(*log, "e", "1");
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(compact(*log, 11'000));
  records = test::readAll(*log, Offset{0});
  ASSERT_EQ(records.size(), 4U);
  for (const auto& r : records) EXPECT_NE(r.key, "a");
}

TEST_F(CompactionTest, OpenTransactionsAndYoungRecordsAreLeftAlone) {
  auto log = open();
  for (int i = 0; i < 50; ++i) put(*log, "k", "value" + std::to_string(i));
  const record::BatchOptions txn{
      .producer_id = ProducerId{7}, .producer_epoch = 0, .base_sequence = 0, .transactional = true};
  ASSERT_TRUE(append(*log, makeBatch({{5000, "k", "in a transaction"}}, txn), 5000));
  for (int i = 0; i < 50; ++i) put(*log, "k", "later" + std::to_string(i));
  const auto plan = log->prepareCompaction(6000);
  EXPECT_LE(plan->end, Offset{50});
  config_.min_compaction_lag_ms = 10'000;
  log->setConfig(config_);
  EXPECT_TRUE(log->prepareCompaction(6000)->sources.empty());
}

TEST_F(CompactionTest, AbortedRecordsGoAtOnceAndTheirMarkerLater) {
  auto log = open();
  put(*log, "a", "kept");
  const record::BatchOptions txn{
      .producer_id = ProducerId{7}, .producer_epoch = 0, .base_sequence = 0, .transactional = true};
  ASSERT_TRUE(append(*log, makeBatch({{5000, "a", "aborted"}, {5000, "b", "aborted"}}, txn), 5000));
  const Bytes marker =
      record::buildEndTxnMarker(ProducerId{7}, 0, {record::ControlType::kAbort, 1}, 5000);
  ASSERT_TRUE(append(*log, marker, 5000, 0, record::AppendOrigin::kCoordinator));
  log->setHighWatermark(log->endOffset());
  // While it is the producer's last batch, an aborted one stays as an empty header, and its marker
  // with it.
  const record::BatchOptions second{
      .producer_id = ProducerId{7}, .producer_epoch = 0, .base_sequence = 2, .transactional = true};
  ASSERT_TRUE(append(*log, makeBatch({{5000, "c", "committed"}}, second), 5000));
  const Bytes commit =
      record::buildEndTxnMarker(ProducerId{7}, 0, {record::ControlType::kCommit, 1}, 5000);
  ASSERT_TRUE(append(*log, commit, 5000, 0, record::AppendOrigin::kCoordinator));
  log->setHighWatermark(log->endOffset());
  put(*log, "z", "1");
  ASSERT_TRUE(log->roll());
  ASSERT_TRUE(compact(*log, 6000));
  EXPECT_EQ(viewOf(*log).at("a"), "kept");
  EXPECT_EQ(viewOf(*log).at("c"), "committed");
  EXPECT_FALSE(viewOf(*log).contains("b"));
  EXPECT_EQ(log->abortedTransactions(Offset{0}, Offset{100})->size(), 1U)
      << "the marker is still there";
  // Next run: no record of it is met, the marker gets its horizon; then it goes, index entry too.
  for (const Millis now : {7000, 9000}) {
    put(*log, "z", "2");
    ASSERT_TRUE(log->roll());
    ASSERT_TRUE(compact(*log, now));
  }
  EXPECT_TRUE(log->abortedTransactions(Offset{0}, Offset{100})->empty());
  // The producer's sequence goes on, though its records are gone.
  const record::BatchOptions next{
      .producer_id = ProducerId{7}, .producer_epoch = 0, .base_sequence = 3, .transactional = true};
  log = open(false);
  EXPECT_TRUE(append(*log, makeBatch({{5000, "b", "x"}}, next), 5000));
}

TEST_F(CompactionTest, ATruncationMeanwhileMakesTheRunVoid) {
  const auto log = open();
  for (int i = 0; i < 100; ++i)
    put(*log, "key" + std::to_string(i % 7), "value" + std::to_string(i));
  ASSERT_TRUE(log->flush());
  const auto plan = log->prepareCompaction(6000);
  const auto outcome = runCompaction(*plan, {});
  ASSERT_TRUE(log->announceCut(Offset{30}));
  ASSERT_TRUE(log->truncateTo(Offset{30}));
  const View before = viewOf(*log);
  ASSERT_TRUE(log->compacted(*plan, *outcome));
  EXPECT_EQ(viewOf(*log), before);
  EXPECT_EQ(log->endOffset(), Offset{30});
}

TEST_F(CompactionTest, ASmallMapTakesSeveralRuns) {
  const auto log = open();
  for (int i = 0; i < 300; ++i)
    put(*log, "key" + std::to_string(i % 100), "value" + std::to_string(i));
  ASSERT_TRUE(log->flush());
  const View before = viewOf(*log);
  Offset last{-1};
  int runs = 0;
  while (log->cleanedTo() > last && runs < 100) {
    last = log->cleanedTo();
    const auto plan = log->prepareCompaction(6000);
    if (plan->first_dirty >= plan->end) break;
    const auto outcome = runCompaction(*plan, {.map_bytes = 1000});
    ASSERT_TRUE(outcome) << outcome.error().toString();
    ASSERT_TRUE(log->compacted(*plan, *outcome));
    EXPECT_EQ(viewOf(*log), before);
    ++runs;
  }
  EXPECT_GT(runs, 2);
}

/// The process dies after every possible number of changes: what is found afterwards reads the
/// same.
TEST_F(CompactionTest, ACrashAtAnyStepLosesNothing) {
  const auto fill = [&](PartitionLog& log) {
    for (int i = 0; i < 60; ++i)
      put(log, "key" + std::to_string(i % 11),
          i % 13 == 5 ? std::nullopt : std::optional("v" + std::to_string(i)));
  };
  bool done = false;
  int crashes = 0;
  for (int changes = 0; !done; ++changes) {
    SCOPED_TRACE(changes);
    std::filesystem::remove_all(dir_.path("prices-0"));
    test::CrashingFiles files;
    View before;
    {
      const auto log = open(true, &files);
      fill(*log);
      before = viewOf(*log);
      files.allow(changes);
      done = compact(*log, 6000).has_value();
      crashes += done ? 0 : 1;
    }
    auto log = open(false);
    ASSERT_NE(log, nullptr);
    EXPECT_EQ(viewOf(*log), before);
    EXPECT_EQ(log->endOffset(), Offset{60});
    for (const auto& file : std::filesystem::directory_iterator(log->directory())) {
      const std::string name = file.path();
      EXPECT_FALSE(name.ends_with(".swap") || name.ends_with(".cleaned") ||
                   name.ends_with(".deleted"))
          << name;
    }
    ASSERT_TRUE(compact(*log, 7000));
    EXPECT_EQ(viewOf(*log), before);
  }
  EXPECT_GT(crashes, 15);
}

}  // namespace
}  // namespace millrace::log
