// Clients that do not read, or stop in the middle of a request: they hold little, and nobody else
// waits for them.
#include "base/varint.h"
#include "broker/node.h"
#include "broker/request_budget.h"
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/api_versions_response.h"
#include "protocol/messages/describe_configs_request.h"
#include "protocol/messages/describe_configs_response.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"
#include "tests/support/eventually.h"

#include <gtest/gtest.h>

#include <deque>

namespace millrace::broker::testing {
namespace {

using millrace::testing::eventually;

constexpr std::int16_t kConfigsVersion = 4;

/// An answer of tens of kilobytes for a request of some bytes.
protocol::DescribeConfigsRequest wordyRequest() {
  protocol::DescribeConfigsRequest request;
  auto& resource = request.resources.emplace_back();
  resource.resource_type = 4;
  resource.resource_name = Text("1");
  request.include_documentation = true;
  return request;
}

std::uint64_t requestsOf(TestBroker& broker) {
  return broker->node().metrics().counter("millrace_requests_total", "").value();
}

std::int64_t connectionsOf(TestBroker& broker) {
  return broker->node().metrics().gauge("millrace_connections", "").value();
}

std::int16_t askVersions(WireClient& client) {
  return client.call(protocol::ApiVersionsRequest{}, 0).error_code;
}

/// Half of a frame.
void sendHalf(WireClient& client, std::int32_t size) {
  Bytes half(4 + static_cast<std::size_t>(size) / 2, 'x');
  storeBe(half.data(), size);
  client.send(half);
}

TEST(SlowClient, WhoDoesNotReadIsNotServedFurther) {
  TestBroker broker(Properties{{"millrace.shards", "1"}, {"socket.send.buffer.bytes", "65536"}});
  WireClient slow(broker.port());
  WireClient other(broker.port());
  constexpr int kRequests = 2'000;
  const auto request = wordyRequest();
  const auto answer = other.call(request, kConfigsVersion);
  ASSERT_GT(answer.results.at(0).configs.size(), 100U);
  for (int i = 0; i < kRequests; ++i) slow.sendRequest(request, kConfigsVersion, i);
  std::uint64_t before = 0;
  std::uint64_t after = requestsOf(broker);
  while (after != before) {  // until nothing but our own questions is served
    before = after + 10;
    for (int i = 0; i < 10; ++i) EXPECT_EQ(askVersions(other), 0);
    after = requestsOf(broker);
  }
  EXPECT_LT(after, 1'000U);
  for (int i = 0; i < kRequests; ++i)
    (void)slow.receiveAnswer<protocol::DescribeConfigsResponse>(kConfigsVersion, i);
}

TEST(SlowClient, WhoNeverReadsIsClosedAsIdle) {
  TestBroker broker(
      Properties{{"connections.max.idle.ms", "300"}, {"socket.send.buffer.bytes", "65536"}});
  WireClient slow(broker.port());
  const auto request = wordyRequest();
  for (int i = 0; i < 500; ++i) slow.sendRequest(request, kConfigsVersion, i);
  EXPECT_TRUE(eventually([&] { return connectionsOf(broker) == 0; }));
}

TEST(SlowClient, WhoStopsInTheMiddleOfARequestIsClosedAsIdle) {
  TestBroker broker(Properties{{"connections.max.idle.ms", "300"}});
  WireClient slow(broker.port());
  sendHalf(slow, 1'000);
  EXPECT_TRUE(slow.waitForClose());
}

TEST(QueuedRequests, ParkedOnesDoNotCount) {
  TestBroker broker(Properties{{"queued.max.requests", "1"}, {"millrace.shards", "2"}});
  WireClient producer(broker.port());
  ASSERT_EQ(createTopic(producer, "t"), 0);
  std::deque<WireClient> consumers;
  for (int i = 0; i < 5; ++i) {
    consumers.emplace_back(broker.port());
    consumers.back().sendRequest(fetchRequest("t", {0}, 0, 60'000), kFetchVersion, 1);
  }
  EXPECT_EQ(produce(producer, "t", 0, {"v"}).error_code, 0);
  for (auto& consumer : consumers) {
    const auto answer = consumer.receiveAnswer<protocol::FetchResponse>(kFetchVersion, 1);
    EXPECT_EQ(recordsOf(answer.responses.at(0).partitions.at(0)).size(), 1U);
  }
}

TEST(QueuedRequests, OneAtATimeServesEverybodyInTheEnd) {
  TestBroker broker(
      {{"queued.max.requests", "1"}, {"queued.max.request.bytes", "1"}, {"millrace.shards", "3"}});
  std::deque<WireClient> clients;
  for (int i = 0; i < 6; ++i) clients.emplace_back(broker.port());
  ASSERT_EQ(createTopic(clients.front(), "t", 6), 0);
  constexpr int kRequests = 50;
  const Bytes batch = batchOf({"v"});
  for (int i = 0; i < kRequests; ++i) {
    for (int c = 0; c < 6; ++c) {
      clients[static_cast<std::size_t>(c)].sendRequest(produceRequest("t", (c + i) % 6, batch),
                                                       kProduceVersion, i);
    }
  }
  for (auto& client : clients) {
    for (int i = 0; i < kRequests; ++i) {
      const auto answer = client.receiveAnswer<protocol::ProduceResponse>(kProduceVersion, i);
      EXPECT_EQ(answer.responses.at(0).partition_responses.at(0).error_code, 0);
    }
  }
}

/// How a client that holds all the bytes there may be comes to its end.
enum class End { kGoesOn, kCloses, kIdle };
class QueuedBytes : public ::testing::TestWithParam<End> {};

TEST_P(QueuedBytes, OthersWaitUntilTheyAreGivenBack) {
  Properties properties{{"queued.max.request.bytes", "1000"}, {"millrace.shards", "2"}};
  if (GetParam() == End::kIdle) properties["connections.max.idle.ms"] = "1000";
  TestBroker broker(std::move(properties));
  std::optional<WireClient> holder(broker.port());
  WireClient other(broker.port());
  EXPECT_EQ(askVersions(other), 0);
  constexpr std::int32_t kSize = 100'000;
  const Bytes half(kSize / 2, 'x');
  sendHalf(*holder, kSize);
  // What the broker has taken on is known once the next one must wait.
  const auto bytes = [&] { return broker->node().requestBudget().bytes(); };
  ASSERT_TRUE(eventually([&] { return bytes() == kSize; }));
  other.sendRequest(protocol::ApiVersionsRequest{}, 0, 7);
  EXPECT_FALSE(other.receive(100));
  switch (GetParam()) {
    case End::kGoesOn: holder->send(half); break;
    case End::kCloses: holder.reset(); break;
    case End::kIdle: break;
  }
  EXPECT_EQ(other.receiveAnswer<protocol::ApiVersionsResponse>(0, 7).error_code, 0);
  EXPECT_TRUE(eventually([&] { return bytes() == 0; }));
  EXPECT_EQ(broker->node().requestBudget().requests(), 0);
}

INSTANTIATE_TEST_SUITE_P(End, QueuedBytes,
                         ::testing::Values(End::kGoesOn, End::kCloses, End::kIdle));

}  // namespace
}  // namespace millrace::broker::testing
