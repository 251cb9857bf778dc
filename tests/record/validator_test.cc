#include "record/validator.h"

#include "record/builder.h"
#include "record/inspect.h"

#include <gtest/gtest.h>

namespace millrace::record {
namespace {

constexpr Millis kNow = 1'700'000'000'000;

Bytes batchOf(Codec codec, std::initializer_list<std::optional<BytesView>> keys,
              std::int64_t timestamp = kNow) {
  BatchBuilder builder({.codec = codec});
  for (const auto& key : keys) builder.append(timestamp++, key, "value value value value");
  return *builder.build();
}

auto validate(const Bytes& batch, const ValidationRules& rules, Offset at = Offset{1000}) {
  return validateBatch(*BatchView::parse(batch), at, LeaderEpoch{3}, kNow, rules);
}

Bytes wholeOf(const ValidBatch& valid) {
  return Bytes(valid.header.data(), valid.header.size()) + Bytes(valid.payload);
}

TEST(Validator, NumbersABatchWithoutTouchingIt) {
  const Bytes batch = batchOf(Codec::kNone, {"a", "b"});
  const Bytes before = batch;
  const auto valid = validate(batch, {});
  ASSERT_TRUE(valid);
  EXPECT_EQ(batch, before);
  EXPECT_EQ(valid->payload.data(), batch.data() + kBatchHeaderSize)
      << "the records stay where they are";
  const Bytes whole = wholeOf(*valid);
  const Inspection read = inspect(whole);
  ASSERT_FALSE(read.error);
  EXPECT_EQ(read.batches[0].records[1].offset, 1001);
  EXPECT_EQ(read.batches[0].view->leaderEpoch(), LeaderEpoch{3});
}

TEST(Validator, CompactedTopicsTakeNoNullKeysAndSayWhichTheyWere) {
  const Bytes batch = batchOf(Codec::kZstd, {"a", std::nullopt, "b", std::nullopt});
  EXPECT_TRUE(validate(batch, {}));
  const auto refused = validate(batch, {.compacted = true});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, Errc::kInvalidRecord);
  ASSERT_EQ(refused.error().record_errors.size(), 2U);
  EXPECT_EQ(refused.error().record_errors[0].batch_index, 1);
  EXPECT_EQ(refused.error().record_errors[1].batch_index, 3);
}

TEST(Validator, TimestampsHaveBounds) {
  const ValidationRules rules{.timestamp_before_max_ms = 1000, .timestamp_after_max_ms = 50};
  EXPECT_TRUE(validate(batchOf(Codec::kNone, {"a"}, kNow - 1000), rules));
  EXPECT_EQ(validate(batchOf(Codec::kNone, {"a"}, kNow - 1001), rules).error().error.code,
            Errc::kInvalidTimestamp);
  EXPECT_TRUE(validate(batchOf(Codec::kNone, {"a"}, kNow + 50), rules));
  EXPECT_EQ(validate(batchOf(Codec::kNone, {"a"}, kNow + 51), rules).error().error.code,
            Errc::kInvalidTimestamp);
  EXPECT_TRUE(validate(batchOf(Codec::kNone, {"a"}, kNoTimestamp), rules)) << "-1 is no timestamp";
}

TEST(Validator, RecompressesOnlyWhereTheTopicSaysSo) {
  for (const Codec from : {Codec::kNone, Codec::kGzip, Codec::kLz4}) {
    for (const Codec to : {Codec::kNone, Codec::kSnappy, Codec::kLz4}) {
      const Bytes batch = batchOf(from, {"a", "b", "c"});
      const auto valid = validate(batch, {.target_codec = to});
      ASSERT_TRUE(valid);
      EXPECT_EQ(valid->rewritten != nullptr, from != to);
      const Inspection read = inspect(wholeOf(*valid));
      ASSERT_FALSE(read.error) << read.error->toString();
      EXPECT_EQ(read.batches[0].compression, codecName(to));
      ASSERT_EQ(read.batches[0].records.size(), 3U);
      EXPECT_EQ(read.batches[0].records[2].offset, 1002);
      EXPECT_EQ(read.batches[0].records[2].timestamp, kNow + 2);
    }
  }
}

TEST(Validator, LogAppendTimeStampsWithoutRewriting) {
  const Bytes batch = batchOf(Codec::kSnappy, {"a"}, 5);
  const auto valid = validate(batch, {.timestamp_type = TimestampType::kLogAppendTime});
  ASSERT_TRUE(valid);
  EXPECT_EQ(valid->rewritten, nullptr);
  const Inspection read = inspect(wholeOf(*valid));
  ASSERT_FALSE(read.error);
  EXPECT_EQ(read.batches[0].records[0].timestamp, kNow);
  EXPECT_EQ(valid->max_timestamp, kNow);
}

TEST(Validator, ProducersDoNotSayWhenSomethingWasAppended) {
  Bytes batch = batchOf(Codec::kNone, {"a"});
  patchMaxTimestamp(batch, kNow, TimestampType::kLogAppendTime);
  const auto refused = validate(batch, {.timestamp_type = TimestampType::kLogAppendTime});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().error.code, Errc::kInvalidTimestamp);
  ASSERT_EQ(refused.error().record_errors.size(), 1U);
  // By LogValidator, where the topic has the producers' times the type is only looked at in records
  // without one.
  const auto taken = validate(batch, {});
  ASSERT_TRUE(taken);
  EXPECT_EQ(inspect(wholeOf(*taken)).batches[0].view->timestampType(), TimestampType::kCreateTime);
  Bytes timeless = batchOf(Codec::kNone, {"a"}, kNoTimestamp);
  patchMaxTimestamp(timeless, kNoTimestamp, TimestampType::kLogAppendTime);
  EXPECT_FALSE(validate(timeless, {}));
}

TEST(Validator, SizesHaveALimit) {
  const Bytes batch = batchOf(Codec::kNone, {"a"});
  EXPECT_TRUE(validate(batch, {.max_message_bytes = batch.size()}));
  EXPECT_EQ(validate(batch, {.max_message_bytes = batch.size() - 1}).error().error.code,
            Errc::kMessageTooLarge);
}

TEST(Validator, CoordinatorsMayWriteMarkersAndClientsMayNot) {
  const Bytes marker = buildEndTxnMarker(ProducerId{9}, 2, {ControlType::kCommit, 33}, kNow);
  EXPECT_EQ(validate(marker, {}).error().error.code, Errc::kInvalidRecord);
  const auto valid =
      validate(marker, {.origin = AppendOrigin::kCoordinator, .target_codec = Codec::kZstd});
  ASSERT_TRUE(valid);
  EXPECT_EQ(valid->rewritten, nullptr) << "control batches are never compressed";
}

TEST(SingleBatch, ZstdNeedsProduceSeven) {
  const Bytes batch = batchOf(Codec::kZstd, {"a"});
  EXPECT_EQ(singleBatch(batch, 6).error().code, Errc::kUnsupportedCompressionType);
  EXPECT_TRUE(singleBatch(batch, 7));
}

}  // namespace
}  // namespace millrace::record
