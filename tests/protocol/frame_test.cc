#include "protocol/frame.h"

#include "protocol/codec.h"
#include "protocol/messages/api_versions_response.h"
#include "protocol/messages/fetch_response.h"
#include "protocol/messages/metadata_response.h"

#include <gtest/gtest.h>

#include <map>

namespace millrace::protocol {
namespace {

/// A file whose byte at position p is 'a' + p % 26.
class Alphabet final : public File {
 public:
  explicit Alphabet(std::uint64_t size) : size_(size) {}
  Result<std::size_t> read(std::uint64_t position, char* out, std::size_t size) const override {
    std::size_t n = 0;
    for (; n < size && position + n < size_; ++n)
      out[n] = static_cast<char>('a' + (position + n) % 26);
    return n;
  }
  Status write(std::uint64_t, std::span<const BytesView>) override { return fail(Errc::kIo); }
  Status sync() override { return {}; }
  Status truncate(std::uint64_t) override { return fail(Errc::kIo); }
  Result<std::uint64_t> size() const override { return size_; }
  int fd() const override { return -1; }
  const std::string& path() const override { return path_; }

 private:
  std::uint64_t size_;
  std::string path_ = "alphabet";
};

FetchResponse answerWith(std::vector<Records> records) {
  FetchResponse response;
  response.responses.push_back({.topic = "t"});
  std::int32_t index = 0;
  for (auto& r : records) {
    response.responses[0].partitions.push_back(
        {.partition_index = index++, .records = std::move(r)});
  }
  return response;
}

TEST(Frame, LeavesFilesAndSharedBytesWhereTheyAre) {
  const auto file = std::make_shared<Alphabet>(100'000);
  const Bytes big(5000, 'B');
  const auto response =
      answerWith({Records::slices({{file, 10, 4}, {file, 30, 6}}), Records::own(big),
                  Records::own("small"), Records::borrow(big), Records::null(), Records()});
  const auto frame = encodeResponse(42, 11, response);
  ASSERT_TRUE(frame);
  std::size_t in_files = 0;
  std::size_t total = 0;
  std::size_t owned = 0;
  for (const Segment& s : frame->segments()) {
    total += s.size();
    if (s.inFile())
      ++in_files;
    else if (s.owner != nullptr)
      owned += s.size();
  }
  EXPECT_EQ(in_files, 2U);
  EXPECT_EQ(owned, 5000U)
      << "the big owned records are referred to, borrowed and small ones copied";
  EXPECT_EQ(total, frame->size());

  // Joined it is what a plain encoder gives.
  const auto whole = frame->join();
  ASSERT_TRUE(whole);
  const auto split = splitResponse(BytesView(*whole).substr(4), apiInfo(ApiKey::kFetch), 11);
  ASSERT_TRUE(split);
  EXPECT_EQ(split->correlation_id, 42);
  auto body = decodeResponseBody(split->body, apiInfo(ApiKey::kFetch), 11);
  ASSERT_TRUE(body);
  const auto& partitions = body->as<FetchResponse>().responses[0].partitions;
  EXPECT_EQ(partitions[0].records.bytes(), "klmnefghij");
  EXPECT_EQ(partitions[1].records.bytes(), big);
  EXPECT_EQ(partitions[2].records.bytes(), "small");
  EXPECT_EQ(partitions[3].records.bytes(), big);
  EXPECT_TRUE(partitions[4].records.isNull());
  EXPECT_FALSE(partitions[5].records.isNull());
  EXPECT_EQ(encode(response, 11).value(), split->body);
}

TEST(Frame, FailsToJoinAFileThatEndsEarly) {
  const auto file = std::make_shared<Alphabet>(20);
  const auto frame = encodeResponse(1, 11, answerWith({Records::slices({{file, 10, 40}})}));
  ASSERT_TRUE(frame);
  EXPECT_EQ(frame->join().error().code, Errc::kTruncated);
}

TEST(Frame, SurvivesBeingMoved) {
  auto frame = encodeResponse(7, 0, MetadataResponse{});
  ASSERT_TRUE(frame);
  const Frame moved = std::move(*frame);
  EXPECT_EQ(moved.join().value(), std::string("\0\0\0\x0c\0\0\0\7\0\0\0\0\0\0\0\0", 16));
}

TEST(RequestHeader, FollowsTheFlexibleVersions) {
  const auto& fetch = apiInfo(ApiKey::kFetch);
  EXPECT_EQ(fetch.requestHeaderVersion(11), 1);
  EXPECT_EQ(fetch.requestHeaderVersion(12), 2);
  EXPECT_EQ(fetch.responseHeaderVersion(11), 0);
  EXPECT_EQ(fetch.responseHeaderVersion(12), 1);
  EXPECT_EQ(apiInfo(ApiKey::kSaslHandshake).requestHeaderVersion(1), 1);
}

TEST(RequestHeader, OfApiVersionsIsFlexibleButItsAnswersIsNot) {
  const auto& api = apiInfo(ApiKey::kApiVersions);
  EXPECT_EQ(api.requestHeaderVersion(2), 1);
  EXPECT_EQ(api.requestHeaderVersion(3), 2);
  EXPECT_EQ(api.requestHeaderVersion(99), 2);
  EXPECT_EQ(api.responseHeaderVersion(4), 0);
}

TEST(SplitRequest, ReadsTheHeaderOfAVersionThatIsNotKnownYet) {
  // ApiVersions v99, correlation 5, client "c", no tags, and a body nobody understands.
  const std::string frame("\0\x12\0\x63\0\0\0\5\0\1c\0whatever", 20);
  const auto split = splitRequest(frame);
  ASSERT_TRUE(split) << split.error().toString();
  EXPECT_EQ(split->head.api_version, 99);
  EXPECT_EQ(split->head.correlation_id, 5);
  EXPECT_EQ(split->head.client_id, Text("c"));
  EXPECT_FALSE(supports(*split->api, 99));
  EXPECT_EQ(decodeRequestBody(*split).error().code, Errc::kUnsupportedVersion);
}

TEST(SplitRequest, RefusesWhatIsNoRequest) {
  EXPECT_EQ(splitRequest("").error().code, Errc::kMalformed);
  EXPECT_EQ(splitRequest("GET / HT").error().code, Errc::kUnsupportedVersion);
  EXPECT_EQ(splitRequest(std::string("\0\4\0\0\0\0\0\0\0\0", 10)).error().code,
            Errc::kUnsupportedVersion)
      << "removed api";
  EXPECT_EQ(splitRequest(std::string("\0\3\0\0\0\0\0\0\0\5", 10)).error().code, Errc::kMalformed);
}

TEST(DecodeResponse, TakesApiVersionsInVersion0WhereTheServerSaysThatItKnowsNoOther) {
  ApiVersionsResponse answer{.error_code = 35};
  answer.api_keys.push_back({.api_key = 18, .min_version = 0, .max_version = 3});
  const auto bytes = encode(answer, 0);
  ASSERT_TRUE(bytes);
  auto decoded = decodeResponseBody(*bytes, apiInfo(ApiKey::kApiVersions), 4);
  ASSERT_TRUE(decoded) << decoded.error().toString();
  EXPECT_EQ(decoded->as<ApiVersionsResponse>().api_keys[0].max_version, 3);
}

TEST(Apis, AreTheOnesThatABrokerAdvertises) {
  std::map<std::string_view, const ApiInfo*> by_name;
  for (const auto& api : allApis()) by_name[api.name] = &api;
  EXPECT_EQ(allApis().size(), 93U);
  EXPECT_EQ(by_name["Produce"]->on_broker.min, 0) << "advertised for old librdkafka";
  EXPECT_EQ(by_name["Produce"]->stable.min, 3);
  EXPECT_FALSE(supports(*by_name["Produce"], 2));
  EXPECT_EQ(by_name["InitProducerId"]->on_broker.max, 5);
  EXPECT_EQ(by_name["InitProducerId"]->unstable, 6);
  EXPECT_TRUE(supports(*by_name["InitProducerId"], 6, true));
  EXPECT_FALSE(supports(*by_name["InitProducerId"], 6));
  EXPECT_TRUE(by_name["Vote"]->on_broker.empty());
  EXPECT_EQ(by_name["Vote"]->on_controller.max, 2);
  EXPECT_TRUE(by_name["PushTelemetry"]->on_broker.empty());
  EXPECT_TRUE(by_name["LeaderAndIsr"]->stable.empty());
  EXPECT_EQ(by_name["LeaderAndIsr"]->request, nullptr);
  EXPECT_TRUE(by_name["CreateTopics"]->forwardable);
  EXPECT_TRUE(by_name["AlterPartition"]->cluster_action);
  EXPECT_EQ(findApi(93), nullptr);
  EXPECT_EQ(findApi(-1), nullptr);
}

}  // namespace
}  // namespace millrace::protocol
