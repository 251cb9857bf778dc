// flush.ms: each topic at its own pace.
#include "broker/partition.h"
#include "record/builder.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

namespace millrace::broker::testing {
namespace {

class FlushMs : public ::testing::Test {
 protected:
  Partition& partition(Millis flush_ms) {
    PartitionSettings settings;
    settings.log.flush_ms = flush_ms;
    const std::string name = "t-" + std::to_string(partitions_.size());
    auto log = log::PartitionLog::open(
        {.directory = directory_.path() + "/" + name, .config = settings.log});
    EXPECT_TRUE(log) << log.error().toString();
    logs_.push_back(std::move(*log));
    partitions_.push_back(std::make_unique<Partition>(name, *logs_.back(), settings));
    return *partitions_.back();
  }
  static void append(Partition& partition) {
    record::BatchBuilder builder({}, 1 << 10);
    builder.append(1, std::nullopt, "v");
    const Bytes batch = builder.build().value();
    const auto view = record::BatchView::parse(batch).value();
    ASSERT_TRUE(partition.append(view, Acks::kAll, record::AppendOrigin::kClient, 1));
  }
  static void flush(Partition& partition, Millis now_ms) {
    ASSERT_TRUE(partition.log().flush());
    partition.flushedAt(now_ms);
  }

  millrace::TempDir directory_;
  std::vector<std::unique_ptr<log::PartitionLog>> logs_;
  std::vector<std::unique_ptr<Partition>> partitions_;
};

TEST_F(FlushMs, ALogIsDueByItsOwnTopicsInterval) {
  Partition& often = partition(100);
  Partition& seldom = partition(60'000);
  for (Partition* const one : {&often, &seldom}) {
    append(*one);
    flush(*one, 1'000'000);
    append(*one);
  }
  EXPECT_EQ(often.untilFlush(1'000'000), 100);
  EXPECT_EQ(often.untilFlush(1'000'100), 0);
  EXPECT_EQ(seldom.untilFlush(1'000'100), 59'900);
  EXPECT_EQ(seldom.untilFlush(1'060'001), -1);
}

TEST_F(FlushMs, NothingIsDueWithoutRecordsOrWithoutTheSetting) {
  Partition& asked = partition(100);
  EXPECT_EQ(asked.untilFlush(1'000'000), std::nullopt);
  append(asked);
  EXPECT_TRUE(asked.untilFlush(1'000'000));
  flush(asked, 1'000'000);
  EXPECT_EQ(asked.untilFlush(2'000'000), std::nullopt);
  Partition& never = partition(std::numeric_limits<Millis>::max());
  append(never);
  EXPECT_EQ(never.untilFlush(1'000'000), std::nullopt);
}

}  // namespace
}  // namespace millrace::broker::testing
