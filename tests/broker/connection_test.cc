// A real broker on a free port, spoken to in raw frames.
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/api_versions_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <thread>

namespace millrace::broker::testing {
namespace {

using Clock = std::chrono::steady_clock;

/// Bytes of batchOf({"v"}).
constexpr std::int32_t kOneRecordBatch = 69;

std::int64_t millisSince(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

TEST(Connection, PipelinedRepliesComeInOrderAlsoBehindALongPoll) {
  TestBroker broker(Properties{{"millrace.shards", "2"}});
  WireClient client(broker.port());
  ASSERT_EQ(createTopic(client, "t"), 0);
  client.sendRequest(fetchRequest("t", {0}, 0, 300), kFetchVersion, 1);
  protocol::ApiVersionsRequest versions;
  for (int i = 2; i < 50; ++i) client.sendRequest(versions, 0, i);
  EXPECT_EQ(client.receiveAnswer<protocol::FetchResponse>(kFetchVersion, 1).responses.size(), 1U);
  for (int i = 2; i < 50; ++i) client.receiveAnswer<protocol::ApiVersionsResponse>(0, i);
}

TEST(Connection, PipelinedProduceAppendsInOrder) {
  TestBroker broker(Properties{{"millrace.shards", "3"}});
  WireClient client(broker.port());
  ASSERT_EQ(createTopic(client, "t", 4), 0);
  constexpr int kRequests = 400;
  for (int i = 0; i < kRequests; ++i) {
    const Bytes batch = batchOf({std::to_string(i)});
    client.sendRequest(produceRequest("t", i % 4, batch), kProduceVersion, i);
  }
  for (int i = 0; i < kRequests; ++i) {
    const auto answer = client.receiveAnswer<protocol::ProduceResponse>(kProduceVersion, i);
    const auto& p = answer.responses.at(0).partition_responses.at(0);
    EXPECT_EQ(p.error_code, 0);
    EXPECT_EQ(p.base_offset, i / 4);
  }
  for (int p = 0; p < 4; ++p) {
    const auto all = readAll(client, "t", p);
    ASSERT_EQ(all.size(), 100U);
    for (int i = 0; i < 100; ++i)
      EXPECT_EQ(all[static_cast<std::size_t>(i)].value, std::to_string(4 * i + p));
  }
}

TEST(Fetch, LongPollIsWokenByAnAppendOnAnyShard) {
  TestBroker broker(Properties{{"millrace.shards", "4"}});
  WireClient consumer(broker.port());
  WireClient producer(broker.port());
  ASSERT_EQ(createTopic(producer, "t", 8), 0);
  for (std::int32_t p = 0; p < 8; ++p) {
    const auto start = Clock::now();
    consumer.sendRequest(
        fetchRequest("t", {0, 1, 2, 3, 4, 5, 6, 7}, 0, 20'000, kOneRecordBatch * p + 1),
        kFetchVersion, p);
    EXPECT_EQ(produce(producer, "t", p, {"v"}).error_code, 0);
    const auto answer = consumer.receiveAnswer<protocol::FetchResponse>(kFetchVersion, p);
    EXPECT_LT(millisSince(start), 10'000);
    std::size_t records = 0;
    for (const auto& partition : answer.responses.at(0).partitions)
      records += recordsOf(partition).size();
    EXPECT_EQ(records, static_cast<std::size_t>(p + 1));
  }
}

TEST(Fetch, WaitsForMinBytesNoLongerThanAsked) {
  TestBroker broker;
  WireClient client(broker.port());
  ASSERT_EQ(createTopic(client, "t"), 0);
  EXPECT_EQ(produce(client, "t", 0, {"small"}).error_code, 0);
  const auto start = Clock::now();
  const auto answer = client.call(fetchRequest("t", {0}, 0, 200, 1 << 20), kFetchVersion);
  EXPECT_GE(millisSince(start), 190);
  EXPECT_EQ(recordsOf(answer.responses.at(0).partitions.at(0)).size(), 1U);
}

TEST(Fetch, LargeAnswersSurviveASlowReader) {
  TestBroker broker;
  WireClient client(broker.port());
  ASSERT_EQ(createTopic(client, "t"), 0);
  const std::string value(200'000, 'v');
  for (int i = 0; i < 40; ++i)
    ASSERT_EQ(produce(client, "t", 0, {std::to_string(i) + value}).error_code, 0);
  auto request = fetchRequest("t", {0}, 0);
  request.topics[0].partitions[0].partition_max_bytes = 20 << 20;
  // Many answers are asked for before the first is read: more than the socket's buffers hold.
  for (int i = 0; i < 10; ++i) client.sendRequest(request, kFetchVersion, i);
  for (int i = 0; i < 10; ++i) {
    const auto answer = client.receiveAnswer<protocol::FetchResponse>(kFetchVersion, i);
    const auto records = recordsOf(answer.responses.at(0).partitions.at(0));
    ASSERT_EQ(records.size(), 40U);
    for (std::size_t r = 0; r < records.size(); ++r)
      EXPECT_EQ(records[r].value, std::to_string(r) + value);
  }
}

TEST(Connection, LimitsAreKept) {
  TestBroker broker(
      Properties{{"max.connections.per.ip", "2"}, {"socket.request.max.bytes", "2000"}});
  WireClient first(broker.port());
  protocol::ApiVersionsRequest versions;
  EXPECT_EQ(first.call(versions, 0).error_code, 0);
  {
    WireClient second(broker.port());
    EXPECT_EQ(second.call(versions, 0).error_code, 0);
    WireClient third(broker.port());
    EXPECT_TRUE(third.waitForClose());
    second.send(Bytes("\x00\x00\x07\xd1", 4) + Bytes(100, 'x'));
    EXPECT_TRUE(second.waitForClose());
  }
  EXPECT_EQ(first.call(versions, 0).error_code, 0);
}

TEST(Connection, IdleOnesAreClosed) {
  TestBroker broker(Properties{{"connections.max.idle.ms", "300"}});
  WireClient client(broker.port());
  const auto start = Clock::now();
  EXPECT_TRUE(client.waitForClose());
  EXPECT_GE(millisSince(start), 250);
}

TEST(Broker, StopsWhileClientsWaitAndKeepsEverything) {
  TestBroker broker(Properties{{"millrace.shards", "2"}});
  std::string cluster = broker->clusterId();
  {
    WireClient client(broker.port());
    ASSERT_EQ(createTopic(client, "t", 3), 0);
    for (std::int32_t p = 0; p < 3; ++p)
      EXPECT_EQ(produce(client, "t", p, {"a", "b"}).error_code, 0);
    client.sendRequest(fetchRequest("t", {0}, 2, 60'000), kFetchVersion, 1);
    broker.stop();
    EXPECT_TRUE(client.waitForClose());
  }
  broker.start();
  EXPECT_EQ(broker->clusterId(), cluster);
  WireClient client(broker.port());
  for (std::int32_t p = 0; p < 3; ++p) EXPECT_EQ(readAll(client, "t", p).size(), 2U);
}

TEST(Broker, SaysWhichSettingIsWrong) {
  millrace::TempDir directory;
  BrokerOptions options;
  options.directory = directory.path();
  options.properties["num.partitions"] = "many";
  const auto broker = millrace::Broker::tryOpen(options);
  ASSERT_FALSE(broker);
  EXPECT_NE(broker.error().detail.find("num.partitions"), std::string::npos);
}

}  // namespace
}  // namespace millrace::broker::testing
