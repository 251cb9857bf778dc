#include "streams/runtime/offset_metadata.h"

#include <gmock/gmock.h>

namespace millrace::streams {
namespace {

TEST(OffsetMetadata, RoundTrips) {
  const OffsetMetadata metadata{1'700'000'000'123, {{"changelog:counts", 41}, {"other", -1}}};
  EXPECT_EQ(decodeOffsetMetadata(encodeOffsetMetadata(metadata)), metadata);
}

TEST(OffsetMetadata, HasKafkasBytes) {
  // 02 || 0000000000000001 || 00000000, and 01 || time8 as versions before 3.? wrote it.
  EXPECT_EQ(encodeOffsetMetadata({1, {}}), "AgAAAAAAAAABAAAAAA==");
  EXPECT_EQ(decodeOffsetMetadata("AQAAAAAAAAAB").partition_time, 1);
}

TEST(OffsetMetadata, ForeignTextGivesNothing) {
  for (const auto* text : {"", "a note", "AgAA", "!!!!", "AgAAAAAAAAABAAAA/w=="}) {
    EXPECT_EQ(decodeOffsetMetadata(text), OffsetMetadata{}) << text;
  }
}

TEST(OffsetMetadata, ValuesGiveWayToTheSizeLimit) {
  OffsetMetadata metadata{5, {}};
  for (int i = 0; i < 100; ++i)
    metadata.values["changelog:" + std::string(60, 'x') + std::to_string(i)] = i;
  const auto text = encodeOffsetMetadata(metadata, 4096);
  EXPECT_LE(text.size(), 4096U);
  EXPECT_EQ(decodeOffsetMetadata(text).partition_time, 5);
}

}  // namespace
}  // namespace millrace::streams
