// The map of keys is the same however many threads build it.
#include "log/compaction.h"
#include "log/partition_log.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace::log::test {
namespace {

struct Compacted {
  std::vector<std::pair<std::int64_t, std::string>> records;
  std::vector<Offset> reached;
};

/// Compacts the same random log until nothing is due; the map takes several runs.
Compacted compactWith(int threads, std::uint64_t seed) {
  TempDir dir;
  LogConfig config;
  config.cleanup_compact = true;
  config.cleanup_delete = false;
  config.min_cleanable_dirty_ratio = 0.01;
  config.segment_bytes = 64 << 10;
  auto opened = PartitionLog::open({.directory = dir.path("prices-0"), .config = config});
  EXPECT_TRUE(opened);
  PartitionLog& log = **opened;
  std::mt19937_64 random(seed);
  for (int i = 0; i < 400; ++i) {
    std::vector<TestRecord> records(1 + random() % 30);
    for (TestRecord& r : records) {
      r.key = "key" + std::to_string(random() % 2000);
      r.value = std::to_string(random());
    }
    const auto codec = random() % 2 == 0 ? record::Codec::kLz4 : record::Codec::kNone;
    EXPECT_TRUE(append(log, makeBatch(records, {.codec = codec})));
  }
  log.setHighWatermark(log.endOffset());
  EXPECT_TRUE(log.flush());
  Compacted out;
  while (log.compactionNeed(6000)->due && out.reached.size() < 50) {
    const auto plan = log.prepareCompaction(6000);
    const auto done = runCompaction(
        *plan, {.map_bytes = 24 * 1200, .buffer_bytes = 64 << 10, .threads = threads});
    EXPECT_TRUE(done) << done.error().toString();
    if (!done || !log.compacted(*plan, *done)) break;
    out.reached.push_back(log.cleanedTo());
  }
  for (const auto& r : readAll(log, Offset{0})) out.records.emplace_back(r.offset, *r.key);
  return out;
}

TEST(CompactionThreads, LeaveTheSameRecordsInAsManyRuns) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const Compacted alone = compactWith(1, seed);
  EXPECT_GT(alone.reached.size(), 1U);
  EXPECT_GT(alone.records.size(), 1900U);
  for (const int threads : {2, 3}) {
    const Compacted together = compactWith(threads, seed);
    EXPECT_EQ(together.records, alone.records) << threads;
    EXPECT_EQ(together.reached, alone.reached) << threads;
  }
}

}  // namespace
}  // namespace millrace::log::test
