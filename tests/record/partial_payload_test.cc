// A payload that unpacks in part: the first error is the one that a reader meets who unpacks while
// it reads, as Kafka's does.
#include "record/builder.h"
#include "record/records.h"

#include <gtest/gtest.h>

namespace millrace::record {
namespace {

class PartialPayload : public ::testing::TestWithParam<Codec> {
 protected:
  /// What reading says of a batch of three records that unpacks to all but the last `cut` bytes of
  /// its payload.
  static Errc read(const Bytes& records, std::size_t cut) {
    Bytes packed;
    EXPECT_TRUE(compress(GetParam(), records, packed));
    Bytes batch(kBatchHeaderSize, '\0');
    batch.append(packed.substr(0, packed.size() - cut));
    storeBe<std::int32_t>(batch.data() + layout::kLength,
                          static_cast<std::int32_t>(batch.size() - kBatchOverhead));
    batch[layout::kMagic] = 2;
    storeBe<std::int16_t>(batch.data() + layout::kAttributes,
                          static_cast<std::int16_t>(GetParam()));
    storeBe<std::int32_t>(batch.data() + layout::kRecordCount, 3);
    Bytes scratch;
    const auto cursor = openRecords(BatchView::parse(batch).value(), scratch);
    return cursor ? Errc::kNone : cursor.error().code;
  }
  /// Three records without key and headers, each with a value of that many bytes.
  static Bytes threeRecords(std::size_t value_bytes) {
    BatchBuilder builder;
    for (int i = 0; i < 3; ++i) builder.append(1, std::nullopt, Bytes(value_bytes, 'v'));
    return builder.build().value().substr(kBatchHeaderSize);
  }
};

TEST_P(PartialPayload, SoundRecordsInFrontOfTheEndMeetTheEnd) {
  EXPECT_EQ(read(threeRecords(20), 0), Errc::kNone);
  EXPECT_EQ(read(threeRecords(20), 2), Errc::kCorruptData);
}

TEST_P(PartialPayload, AMalformedRecordInFrontOfTheEndIsTheError) {
  Bytes records = threeRecords(20);
  records[records.size() / 3 - 1] = '\x7f';  // the first record's count of headers: -64
  EXPECT_EQ(read(records, 2), Errc::kInvalidRecord);
}

INSTANTIATE_TEST_SUITE_P(Codecs, PartialPayload, ::testing::Values(Codec::kGzip, Codec::kLz4),
                         [](const auto& codec) { return std::string(codecName(codec.param)); });

TEST(XerialSnappy, ALengthThatIsCutOffIsTheEnd) {
  const Bytes text(1000, 'x');
  Bytes packed;
  ASSERT_TRUE(compress(Codec::kSnappy, text, packed));
  packed.append(3, '\0');
  Bytes out;
  ASSERT_TRUE(decompress(Codec::kSnappy, packed, out));
  EXPECT_EQ(out, text);
}

}  // namespace
}  // namespace millrace::record
