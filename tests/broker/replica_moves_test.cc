// AlterReplicaLogDirs: partitions move between the directories of a running broker.
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/api_versions_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "tests/broker/support/moving_replicas.h"
#include "tests/support/eventually.h"

#include <atomic>
#include <filesystem>
#include <thread>

namespace millrace::broker::testing {
namespace {

using millrace::testing::eventually;

class ReplicaMoves : public MovingReplicas {};

TEST_F(ReplicaMoves, ItIsAdvertised) {
  start();
  const auto answer = client_->call(protocol::ApiVersionsRequest{}, 0);
  const auto found =
      std::ranges::find(answer.api_keys, 34, [](const auto& k) { return k.api_key; });
  ASSERT_NE(found, answer.api_keys.end());
  EXPECT_EQ(found->min_version, 1);
  EXPECT_EQ(found->max_version, 2);
}

TEST_F(ReplicaMoves, APartitionMovesAndStaysThereAfterARestart) {
  start();
  ASSERT_EQ(createTopic(*client_, "orders", 1, {{"segment.bytes", "1048576"}}), 0);
  fill("orders", 30, 100'000);
  const std::string from = placesOf("orders").at(0).directory;
  const std::string to = other(from);
  const auto size = placesOf("orders").at(0).size;
  ASSERT_EQ(move("orders", to), Errc::kNone);
  ASSERT_TRUE(eventually([&] { return liesIn("orders", to); }));
  EXPECT_EQ(placesOf("orders").at(0).size, size);
  fill("orders", 3);
  EXPECT_EQ(readAll(*client_, "orders", 0).size(), 33U);
  for (int i = 0; i < 2; ++i) {
    stop();
    EXPECT_FALSE(std::filesystem::exists(from + "/orders-0"));
    start();
    EXPECT_TRUE(liesIn("orders", to));
    EXPECT_EQ(readAll(*client_, "orders", 0).size(), 33U);
  }
  EXPECT_EQ(move("orders", from), Errc::kNone);
  ASSERT_TRUE(eventually([&] { return liesIn("orders", from); }));
  EXPECT_EQ(readAll(*client_, "orders", 0).size(), 33U);
}

TEST_F(ReplicaMoves, AnswersAreKafkas) {
  start();
  ASSERT_EQ(createTopic(*client_, "orders", 1), 0);
  fill("orders", 1);
  EXPECT_EQ(move("orders", directory_.path() + "/nowhere"), Errc::kLogDirNotFound);
  EXPECT_EQ(move("unknown", directory_.path() + "/nowhere"), Errc::kLogDirNotFound);
  EXPECT_EQ(move("unknown", a()), Errc::kUnknownTopicOrPartition);
  EXPECT_EQ(move("orders", a(), 7), Errc::kUnknownTopicOrPartition);
  EXPECT_EQ(move("__cluster_metadata", b()), Errc::kUnknownTopicOrPartition);
  EXPECT_EQ(move(std::string(249, 'o'), a()), Errc::kInvalidTopicException);
  EXPECT_EQ(move("orders", placesOf("orders").at(0).directory), Errc::kNone);
  EXPECT_EQ(placesOf("orders").size(), 1U);
}

TEST_F(ReplicaMoves, WhereAPartitionStandsTwiceTheLastCounts) {
  start();
  ASSERT_EQ(createTopic(*client_, "orders", 2), 0);
  fill("orders", 1);
  protocol::AlterReplicaLogDirsRequest request;
  for (const std::string& path : {a(), b(), c()}) {
    auto& dir = request.dirs.emplace_back();
    dir.path = Text(path);
    auto& topic = dir.topics.emplace_back();
    topic.name = Text("orders");
    topic.partitions = {0};
  }
  request.dirs.back().topics.back().partitions = {1, 0};
  const auto answer = client_->call(request, 2);
  ASSERT_EQ(answer.results.size(), 1U);
  ASSERT_EQ(answer.results[0].partitions.size(), 2U);
  for (const auto& partition : answer.results[0].partitions) EXPECT_EQ(partition.error_code, 0);
  EXPECT_TRUE(eventually([&] { return liesIn("orders", c()); }));
}

TEST_F(ReplicaMoves, ASlowMoveIsSeenAndCanBeTurnedRoundOrGivenUp) {
  start();
  limit("1000");
  ASSERT_EQ(createTopic(*client_, "orders", 1), 0);
  fill("orders", 50, 100'000);
  const std::string from = placesOf("orders").at(0).directory;
  const std::string to = other(from);
  ASSERT_EQ(move("orders", to), Errc::kNone);
  auto places = placesOf("orders");
  ASSERT_EQ(places.size(), 2U);
  for (const Place& place : places) {
    EXPECT_EQ(place.future, place.directory == to);
    if (place.future) EXPECT_GT(place.lag, 0);
  }
  const std::string elsewhere = third(from, to);
  ASSERT_EQ(move("orders", elsewhere), Errc::kNone);
  places = placesOf("orders");
  ASSERT_EQ(places.size(), 2U);
  EXPECT_TRUE(std::ranges::any_of(
      places, [&](const Place& p) { return p.future && p.directory == elsewhere; }));
  EXPECT_EQ(move("orders", from), Errc::kNone);
  EXPECT_TRUE(liesIn("orders", from));
  // And one that a stop interrupts.
  ASSERT_EQ(move("orders", to), Errc::kNone);
  stop();
  start();
  EXPECT_EQ(placesOf("orders").size(), 2U);
  limit("1000000000000");
  EXPECT_TRUE(eventually([&] { return liesIn("orders", to); }));
  EXPECT_EQ(readAll(*client_, "orders", 0).size(), 50U);
}

TEST_F(ReplicaMoves, ADeletedTopicEndsItsMove) {
  start();
  limit("1000");
  ASSERT_EQ(createTopic(*client_, "orders", 1), 0);
  fill("orders", 50, 100'000);
  const std::string to = other(placesOf("orders").at(0).directory);
  ASSERT_EQ(move("orders", to), Errc::kNone);
  protocol::DeleteTopicsRequest request;
  request.topic_names = {Text("orders")};
  ASSERT_EQ(client_->call(request, 3).responses.at(0).error_code, 0);
  EXPECT_TRUE(placesOf("orders").empty());
  ASSERT_EQ(createTopic(*client_, "orders", 1), 0);
  fill("orders", 1);
  stop();
  start();
  EXPECT_EQ(placesOf("orders").size(), 1U);
  EXPECT_EQ(readAll(*client_, "orders", 0).size(), 1U);
}

TEST_F(ReplicaMoves, NothingIsLostOrOutOfOrderWhileItMovesUnderLoad) {
  for (const char* const flush_on_ack : {"false", "true"}) {
    start();
    const std::string topic = std::string("orders-") + flush_on_ack;
    ASSERT_EQ(createTopic(*client_, topic, 1,
                          {{"flush.on.ack", flush_on_ack}, {"segment.bytes", "1048576"}}),
              0);
    std::atomic<bool> stopping{false};
    std::vector<std::int64_t> offsets[3];
    std::vector<std::thread> producers;
    for (auto& mine : offsets)
      producers.emplace_back([&, port = broker_->port()] {
        WireClient client(port);
        while (!stopping) {
          const auto answer = produce(client, topic, 0, {std::string(50, 'y')});
          ASSERT_EQ(answer.error_code, 0);
          mine.push_back(answer.base_offset);
        }
      });
    for (int i = 0; i < 5; ++i) {
      const std::string to = i % 3 == 0 ? a() : i % 3 == 1 ? b() : c();
      ASSERT_EQ(move(topic, to), Errc::kNone);
      ASSERT_TRUE(eventually([&] { return liesIn(topic, to); }));
    }
    stopping = true;
    for (auto& producer : producers) producer.join();
    std::size_t total = 0;
    for (const auto& mine : offsets) {
      EXPECT_TRUE(std::ranges::is_sorted(mine));
      total += mine.size();
    }
    EXPECT_EQ(readAll(*client_, topic, 0).size(), total);
    stop();
    start();
    EXPECT_EQ(readAll(*client_, topic, 0).size(), total);
    stop();
  }
}

}  // namespace
}  // namespace millrace::broker::testing
