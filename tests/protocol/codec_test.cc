#include "protocol/codec.h"

#include "protocol/messages/fetch_request.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/produce_request.h"
#include "protocol/wire.h"

#include <gtest/gtest.h>

namespace millrace::protocol {
namespace {

TEST(Codec, RefusesVersionsThatTheMessageDoesNotHave) {
  EXPECT_EQ(encode(FetchRequest{}, 3).error().code, Errc::kUnsupportedVersion);
  EXPECT_EQ(encode(FetchRequest{}, 19).error().code, Errc::kUnsupportedVersion);
  EXPECT_EQ(decode<FetchRequest>("", -1).error().code, Errc::kUnsupportedVersion);
}

TEST(Codec, AppendsToWhatIsThere) {
  Bytes out = "before";
  ASSERT_TRUE(encode(MetadataRequest{}, 0, out));
  EXPECT_EQ(out, std::string("before\0\0\0\0", 10));
}

TEST(Codec, RefusesAFieldThatTheVersionCannotCarry) {
  ProduceRequest request;
  EXPECT_TRUE(encode(request, 3));
  FetchRequest fetch{.replica_state = {.replica_id = 3}};
  const auto bytes = encode(fetch, 14);
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, Errc::kInvalidRequest);
  EXPECT_NE(bytes.error().detail.find("replica_state"), std::string::npos) << bytes.error().detail;
  EXPECT_TRUE(encode(fetch, 15));
}

TEST(Codec, LeavesOutAnIgnorableFieldOutsideItsVersions) {
  const FetchRequest fetch{.rack_id = "somewhere"};
  const auto without = encode(fetch, 10);
  ASSERT_TRUE(without);
  EXPECT_EQ(without, encode(FetchRequest{}, 10));
}

TEST(Codec, RefusesNullWhereTheVersionHasNone) {
  const MetadataRequest all_topics{.topics = std::nullopt};
  EXPECT_FALSE(encode(all_topics, 0));
  EXPECT_TRUE(encode(all_topics, 1));
  EXPECT_FALSE(decode<MetadataRequest>(std::string("\xff\xff\xff\xff", 4), 0));
  const auto decoded = decode<MetadataRequest>(std::string("\xff\xff\xff\xff", 4), 1);
  ASSERT_TRUE(decoded);
  EXPECT_FALSE(decoded->topics.has_value());
}

TEST(Codec, RefusesAStringBeyondWhatInt16Counts) {
  ProduceRequest request;
  request.topic_data.push_back({.name = Text(std::string(32768, 'x'))});
  EXPECT_FALSE(encode(request, 8));
  EXPECT_TRUE(encode(request, 9));
}

TEST(Codec, DoesNotAllocateForACountThatTheBytesCannotHold) {
  // topics: 2^31-1 elements, and four bytes of them.
  const auto request = decode<MetadataRequest>(std::string("\x7f\xff\xff\xff\0\0\0\0", 8), 0);
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, Errc::kMalformed);
  EXPECT_NE(request.error().detail.find("more elements"), std::string::npos)
      << request.error().detail;
}

TEST(Codec, GrowsAnArrayOnlyAsItsElementsArrive) {
  std::vector<FetchRequest::FetchTopic> topics;
  nextElement(topics, 0, 1'000'000);
  EXPECT_LE(topics.size(), 256U);
  for (std::int32_t i = 0; i < 3000; ++i) nextElement(topics, i, 3000);
  EXPECT_EQ(topics.size(), 3000U);
}

TEST(Codec, BorrowsFromTheFrame) {
  ProduceRequest request;
  request.topic_data.push_back(
      {.name = "orders", .partition_data = {{.index = 1, .records = Records::borrow("abc")}}});
  const auto bytes = encode(request, 9);
  ASSERT_TRUE(bytes);
  const auto back = decode<ProduceRequest>(*bytes, 9);
  ASSERT_TRUE(back);
  const BytesView records = back->topic_data[0].partition_data[0].records.bytes();
  EXPECT_EQ(records, "abc");
  EXPECT_GE(records.data(), bytes->data());
  EXPECT_LT(records.data(), bytes->data() + bytes->size());
  EXPECT_EQ(*back, request);
}

TEST(Codec, KeepsUnknownTagsInOrder) {
  FetchResponse response;
  response.unknown_tags.add(7, "seven");
  response.unknown_tags.add(100, "hundred");
  response.node_endpoints.push_back({.node_id = 1, .host = "h", .port = 2});
  const auto bytes = encode(response, 16);
  ASSERT_TRUE(bytes);
  const auto back = decode<FetchResponse>(*bytes, 16);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, response);
  EXPECT_FALSE(encode(response, 11)) << "a version without tagged sections cannot carry them";
}

TEST(Codec, WritesOneUnknownTagBelowAKnownOneFirst) {
  // AlterPartition's node endpoints have no tag; FetchRequest has cluster id as tag 0 and replica
  // state as tag 1.
  FetchRequest fetch{.cluster_id = "c", .replica_state = {.replica_id = 3}};
  fetch.unknown_tags.add(5, "x");
  const auto bytes = encode(fetch, 15);
  ASSERT_TRUE(bytes);
  EXPECT_EQ(decode<FetchRequest>(*bytes, 15).value(), fetch);
}

TEST(Codec, RefusesATagWithBytesLeftOver) {
  FetchRequest fetch{.cluster_id = "c"};
  auto bytes = encode(fetch, 12);
  ASSERT_TRUE(bytes);
  // ... count 1, tag 0, size 2, "c" with its length: make the size 3 and add a byte.
  bytes->replace(bytes->size() - 3, 1, 1, '\3');
  bytes->push_back('\0');
  const auto back = decode<FetchRequest>(*bytes, 12);
  ASSERT_FALSE(back);
  EXPECT_NE(back.error().detail.find("left over"), std::string::npos) << back.error().detail;
}

}  // namespace
}  // namespace millrace::protocol
