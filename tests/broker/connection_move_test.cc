// A connection goes to the shard of the partitions that it uses, and nothing but speed tells.
#include "broker/node.h"
#include "broker/shard_affinity.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"
#include "tests/support/eventually.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace::broker::testing {
namespace {

/// So many that a connection finds hardly all of them on the shard where it begins.
constexpr std::int32_t kPartitions = 16;
constexpr int kTurn = 2 * ShardAffinity::kInARow;

class ConnectionMoves : public ::testing::Test {
 protected:
  ConnectionMoves() {
    WireClient client(port());
    EXPECT_EQ(createTopic(client, "t", kPartitions), 0);
  }

  std::uint16_t port() { return broker_.port(); }
  std::uint64_t moves() {
    return broker_->node().metrics().counter("millrace_connection_moves_total", "").value();
  }
  static void expectAppended(WireClient& client, std::int32_t correlation_id, std::int64_t offset) {
    const auto answer =
        client.receiveAnswer<protocol::ProduceResponse>(kProduceVersion, correlation_id);
    const auto& p = answer.responses.at(0).partition_responses.at(0);
    EXPECT_EQ(p.error_code, 0);
    EXPECT_EQ(p.base_offset, offset);
  }

  TestBroker broker_{Properties{{"millrace.shards", "3"}}};
};

TEST_F(ConnectionMoves, RequestsInBurstsAndInPiecesAreAnsweredInOrder) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  WireClient client(port());
  std::int32_t id = 0;
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    for (int done = 0; done < kTurn;) {
      const int burst = std::min<int>(1 + static_cast<int>(random() % 4), kTurn - done);
      Bytes frames;
      for (int i = 0; i < burst; ++i) {
        const Bytes batch = batchOf({std::to_string(done + i)});
        const auto request = produceRequest("t", p, batch);
        frames +=
            WireClient::encode(protocol::ProduceRequest::info(), &request, kProduceVersion, id + i);
      }
      const std::size_t cut = random() % frames.size();
      client.send(BytesView(frames).substr(0, cut));
      client.send(BytesView(frames).substr(cut));
      for (int i = 0; i < burst; ++i) expectAppended(client, id++, done++);
    }
  }
  EXPECT_GT(moves(), 0U);
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    const auto all = readAll(client, "t", p);
    ASSERT_EQ(all.size(), static_cast<std::size_t>(kTurn));
    for (int i = 0; i < kTurn; ++i)
      EXPECT_EQ(all[static_cast<std::size_t>(i)].value, std::to_string(i));
  }
}

TEST_F(ConnectionMoves, AConsumerThatWaitsForEachRecordGetsThemAll) {
  WireClient producer(port());
  WireClient consumer(port());
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    for (int i = 0; i < kTurn; ++i) {
      consumer.sendRequest(fetchRequest("t", {p}, i, 20'000), kFetchVersion, i);
      EXPECT_EQ(produce(producer, "t", p, {std::to_string(i)}).base_offset, i);
      const auto answer = consumer.receiveAnswer<protocol::FetchResponse>(kFetchVersion, i);
      const auto records = recordsOf(answer.responses.at(0).partitions.at(0));
      ASSERT_EQ(records.size(), 1U);
      EXPECT_EQ(records.at(0).value, std::to_string(i));
    }
  }
  EXPECT_GT(moves(), 0U);
}

TEST_F(ConnectionMoves, OneShardDoesNotGetThemAll) {
  std::vector<std::unique_ptr<WireClient>> clients;
  for (int i = 0; i < 30; ++i) clients.push_back(std::make_unique<WireClient>(port()));
  for (int i = 0; i < kTurn; ++i)
    for (const auto& client : clients) EXPECT_EQ(produce(*client, "t", 0, {"v"}).error_code, 0);
  // 10 on each; the other two shards give away until the one has two more than they.
  EXPECT_GT(moves(), 0U);
  EXPECT_LE(moves(), 6U);
}

TEST_F(ConnectionMoves, ClosedConnectionsAreForgottenWhereverTheyWent) {
  auto& open = broker_->node().metrics().gauge("millrace_connections", "");
  {
    WireClient client(port());
    for (std::int32_t p = 0; p < kPartitions; ++p)
      for (int i = 0; i < kTurn; ++i) EXPECT_EQ(produce(client, "t", p, {"v"}).error_code, 0);
    EXPECT_GT(moves(), 0U);
  }
  EXPECT_TRUE(millrace::testing::eventually([&] { return open.value() == 0; }));
}

}  // namespace
}  // namespace millrace::broker::testing
