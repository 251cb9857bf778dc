#include "protocol/record_frame.h"

#include "protocol/messages/consumer_protocol_subscription.h"
#include "protocol/messages/group_metadata_key.h"
#include "protocol/messages/offset_commit_key.h"
#include "protocol/messages/offset_commit_value.h"
#include "protocol/messages/remote_log_segment_metadata_record.h"
#include "protocol/messages/share_snapshot_key.h"
#include "protocol/messages/topic_record.h"
#include "protocol/messages/transaction_log_key.h"

#include <gtest/gtest.h>

namespace millrace::protocol {
namespace {

TEST(FramedRecord, HasThreeVarintsInFront) {
  const TopicRecord record{.name = "orders", .topic_id = {1, 2}};
  const auto bytes = encodeFramed(record, 0);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->substr(0, 4), std::string("\1\2\0\7", 4));
  const auto back = decodeFramed(MessageKind::kMetadataRecord, *bytes);
  ASSERT_TRUE(back) << back.error().toString();
  EXPECT_EQ(back->version, 0);
  EXPECT_EQ(back->message.as<TopicRecord>(), record);
}

TEST(FramedRecord, OfAnUnknownTypeOrVersionIsRefusedAsSuch) {
  const auto code = [](BytesView bytes) {
    return decodeFramed(MessageKind::kMetadataRecord, bytes).error().code;
  };
  EXPECT_EQ(code(std::string("\0\2\0", 3)), Errc::kUnsupportedVersion);
  EXPECT_EQ(code(std::string("\1\6\0", 3)), Errc::kUnsupportedVersion);
  EXPECT_EQ(code("\1\2\5"), Errc::kUnsupportedVersion);
  EXPECT_EQ(code("\1\2"), Errc::kMalformed);
  EXPECT_EQ(code(""), Errc::kMalformed);
}

TEST(FramedRecord, OfTheRemoteLogHasItsOwnTypes) {
  const auto bytes = encodeFramed(RemoteLogSegmentMetadataRecord{}, 0);
  ASSERT_TRUE(bytes);
  const auto back = decodeFramed(MessageKind::kRemoteLogRecord, *bytes);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->message.is<RemoteLogSegmentMetadataRecord>());
}

TEST(RecordKey, TellsTheTopicsApart) {
  const auto key = encodeRecordKey(TransactionLogKey{.transactional_id = "t"});
  ASSERT_TRUE(key);
  EXPECT_EQ(*key, std::string("\0\0\0\1t", 5));
  EXPECT_TRUE(decodeRecordKey(MessageKind::kTransactionKey, *key)->is<TransactionLogKey>());
  EXPECT_FALSE(decodeRecordKey(MessageKind::kShareKey, *key).has_value())
      << "a share key has more fields";
  EXPECT_EQ(decodeRecordKey(MessageKind::kGroupKey, std::string("\0\x63x", 3)).error().code,
            Errc::kUnsupportedVersion);
  EXPECT_EQ(decodeRecordKey(MessageKind::kGroupKey, "x").error().code, Errc::kMalformed);
}

TEST(RecordKey, AndValueGoTogetherByTheRecordType) {
  const OffsetCommitKey key{.group = "g", .topic = "t", .partition = 3};
  const OffsetCommitValue value{.offset = 42, .metadata = "m", .commit_timestamp = 9};
  const auto key_bytes = encodeRecordKey(key);
  const auto value_bytes = encodeVersioned(value, 3);
  ASSERT_TRUE(key_bytes && value_bytes);
  const auto key_back = decodeRecordKey(MessageKind::kGroupKey, *key_bytes);
  ASSERT_TRUE(key_back);
  EXPECT_EQ(key_back->as<OffsetCommitKey>(), key);
  const auto value_back =
      decodeRecordValue(MessageKind::kGroupValue, key_back->info().key, *value_bytes);
  ASSERT_TRUE(value_back);
  EXPECT_EQ(value_back->version, 3);
  EXPECT_EQ(value_back->message.as<OffsetCommitValue>(), value);
}

TEST(Versioned, ReadsANewerConsumerProtocolByItsKnownPart) {
  const ConsumerProtocolSubscription mine{
      .topics = {"a"}, .generation_id = 4, .rack_id = Text("r")};
  auto bytes = encodeVersioned(mine, 3);
  ASSERT_TRUE(bytes);
  (*bytes)[1] = 9;
  *bytes += "and more";
  EXPECT_FALSE(decodeVersioned<ConsumerProtocolSubscription>(*bytes));
  const auto back = decodeVersioned<ConsumerProtocolSubscription>(*bytes, Newer::kReadPrefix);
  ASSERT_TRUE(back) << back.error().toString();
  EXPECT_EQ(*back, mine);
}

}  // namespace
}  // namespace millrace::protocol
