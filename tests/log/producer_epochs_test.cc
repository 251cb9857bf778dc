// Epochs of producers: what a leader refuses and a follower takes.
#include "log/partition_log.h"
#include "record/builder.h"
#include "tests/log/support/temp_dir.h"

#include <gtest/gtest.h>

namespace millrace::log::test {
namespace {

class ProducerEpochs : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = PartitionLog::open({.directory = dir_.path("t-0")});
    ASSERT_TRUE(opened) << opened.error().toString();
    log_ = std::move(*opened);
  }
  static Bytes data(std::int16_t epoch, Offset base = Offset{0}) {
    return simpleBatch(1, 1000, 10,
                       {.base_offset = base,
                        .producer_id = ProducerId{7},
                        .producer_epoch = epoch,
                        .base_sequence = 0,
                        .transactional = true});
  }
  static Bytes marker(std::int16_t epoch, Offset base) {
    Bytes batch =
        record::buildEndTxnMarker(ProducerId{7}, epoch, {record::ControlType::kCommit, 1}, 1000);
    storeBe<std::int64_t>(batch.data() + record::layout::kBaseOffset, base.value());
    return batch;
  }
  Errc appendAs(record::AppendOrigin origin, const Bytes& batch) {
    const auto done = append(*log_, batch, 1000, 0, origin);
    return done ? Errc::kNone : done.error().error.code;
  }

  TempDir dir_;
  std::unique_ptr<PartitionLog> log_;
};

TEST_F(ProducerEpochs, NoneIsBelowNone) {
  EXPECT_EQ(appendAs(record::AppendOrigin::kClient, data(-2)), Errc::kInvalidProducerEpoch);
  EXPECT_EQ(appendAs(record::AppendOrigin::kClient, data(0)), Errc::kNone);
}

TEST_F(ProducerEpochs, AFollowerTakesWhatItsLeaderHas) {
  ASSERT_EQ(appendAs(record::AppendOrigin::kClient, data(5)), Errc::kNone);
  EXPECT_EQ(appendAs(record::AppendOrigin::kClient, data(4)), Errc::kInvalidProducerEpoch);
  EXPECT_EQ(appendAs(record::AppendOrigin::kCoordinator, marker(4, Offset{1})),
            Errc::kInvalidProducerEpoch);
  EXPECT_EQ(appendAs(record::AppendOrigin::kReplication, data(4, Offset{1})), Errc::kNone);
  EXPECT_EQ(appendAs(record::AppendOrigin::kReplication, marker(3, Offset{2})), Errc::kNone);
  EXPECT_EQ(log_->endOffset(), Offset{3});
}

}  // namespace
}  // namespace millrace::log::test
