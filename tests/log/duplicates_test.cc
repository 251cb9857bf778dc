// Batches that a producer sends again: known for what they are, in this process and the next ones.
#include "log/partition_log.h"
#include "record/builder.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace millrace::log::test {
namespace {

class DuplicatesTest : public ::testing::Test {
 protected:
  /// With a high watermark at the log's end: a start goes by its snapshots.
  std::unique_ptr<PartitionLog> open(bool clean = true, Offset recovery_point = Offset{0}) {
    auto log = PartitionLog::open({.directory = dir_.path("orders-0"),
                                   .config = config_,
                                   .topic_id = Uuid{1, 2},
                                   .recovery_point = recovery_point,
                                   .high_watermark = Offset{1000},
                                   .clean_shutdown = clean});
    if (!log) {
      ADD_FAILURE() << log.error().toString();
      return nullptr;
    }
    return std::move(*log);
  }

  TempDir dir_;
  LogConfig config_;
};

record::BatchOptions producer(std::int32_t sequence) {
  return {.producer_id = ProducerId{7}, .producer_epoch = 0, .base_sequence = sequence};
}

TEST_F(DuplicatesTest, OfTheLastFiveBatchesGetTheirFirstOffsets) {
  auto log = open();
  std::vector<Bytes> sent;
  for (int i = 0; i < 6; ++i) {
    sent.push_back(simpleBatch(2, 1000, 10, producer(i * 2)));
    EXPECT_EQ(append(*log, sent.back())->base_offset, Offset{i * 2});
  }
  for (int i = 1; i < 6; ++i) {
    const auto again = append(*log, sent[static_cast<std::size_t>(i)]);
    ASSERT_TRUE(again) << again.error().error.toString();
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->base_offset, Offset{i * 2});
  }
  EXPECT_EQ(append(*log, sent[0]).error().error.code, Errc::kOutOfOrderSequenceNumber);
  EXPECT_EQ(log->endOffset(), Offset{12});
  // After a crash, and after a clean stop, whose snapshot holds the last one only.
  for (const bool clean : {false, true}) {
    if (clean) ASSERT_TRUE(log->close());
    log = open(clean, Offset{0});
    for (int i = 1; i < 6; ++i) {
      const auto again = append(*log, sent[static_cast<std::size_t>(i)]);
      ASSERT_TRUE(again) << i << ": " << again.error().error.toString();
      EXPECT_TRUE(again->duplicate);
      EXPECT_EQ(again->base_offset, Offset{i * 2});
    }
    EXPECT_EQ(append(*log, sent[0]).error().error.code, Errc::kOutOfOrderSequenceNumber);
  }
}

// A producer has two requests under way, both are written, the second ends its segment, and the
// broker is killed before it answers.
TEST_F(DuplicatesTest, ARollDoesNotHideDuplicatesFromTheNextProcess) {
  config_.segment_bytes = 1000;
  auto log = open();
  std::vector<Bytes> sent;
  for (int i = 0; i < 4; ++i) {
    sent.push_back(simpleBatch(1, 1000, 600, producer(i)));
    ASSERT_TRUE(append(*log, sent.back()));
  }
  const Bytes other = simpleBatch(
      1, 1000, 600, {.producer_id = ProducerId{8}, .producer_epoch = 0, .base_sequence = 0});
  ASSERT_TRUE(append(*log, other));  // its segment's snapshot is the newest
  ASSERT_TRUE(log->flush());
  log = open(false, Offset{4});
  EXPECT_EQ(append(*log, simpleBatch(1, 1000, 10, producer(5))).error().error.code,
            Errc::kOutOfOrderSequenceNumber)
      << "what was not there is refused";
  for (int i = 0; i < 4; ++i) {
    const auto again = append(*log, sent[static_cast<std::size_t>(i)]);
    ASSERT_TRUE(again) << i << ": " << again.error().error.toString();
    EXPECT_TRUE(again->duplicate);
    EXPECT_EQ(again->base_offset, Offset{i});
  }
  EXPECT_TRUE(append(*log, other)->duplicate);
  EXPECT_FALSE(append(*log, simpleBatch(1, 1000, 10, producer(4)))->duplicate);
  EXPECT_TRUE(append(*log, sent[0])->duplicate) << "the last five";
  EXPECT_EQ(log->endOffset(), Offset{6});
}

}  // namespace
}  // namespace millrace::log::test
