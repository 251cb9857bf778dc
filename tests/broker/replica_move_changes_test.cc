// What happens to a partition while it is on its way to another data directory.
#include "protocol/messages/delete_records_request.h"
#include "protocol/messages/delete_records_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"
#include "tests/broker/support/moving_replicas.h"
#include "tests/support/eventually.h"

#include <filesystem>

namespace millrace::broker::testing {
namespace {

using millrace::testing::eventually;
using Values = std::vector<std::string>;

class ReplicaMoveChanges : public MovingReplicas {
 protected:
  /// A topic that lies in b, without the metadata log.
  void create(const std::map<std::string, std::string>& configs) {
    ASSERT_EQ(createTopic(*client_, "orders", 1, configs), 0);
    ASSERT_EQ(move("orders", b()), Errc::kNone);
    ASSERT_TRUE(eventually([&] { return liesIn("orders", b()); }));
  }
  /// 20 segments of one record each, on their way to c as slowly as can be.
  void startSlowMove() {
    start();
    create({{"segment.bytes", "1048576"}});
    fill("orders", 20, 900'000);
    limit("1000");
    ASSERT_EQ(move("orders", c()), Errc::kNone);
    ASSERT_EQ(placesOf("orders").size(), 2U);
  }
  void letItArrive() {
    limit("1000000000000");
    ASSERT_TRUE(eventually([&] { return liesIn("orders", c()); }));
  }
  std::int64_t deleteBelow(std::int64_t offset) {
    protocol::DeleteRecordsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = Text("orders");
    topic.partitions.push_back({.partition_index = 0, .offset = offset});
    request.timeout_ms = 10'000;
    return client_->call(request, 2).topics.at(0).partitions.at(0).low_watermark;
  }
  std::int64_t firstOffset() {
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = Text("orders");
    auto& partition = topic.partitions.emplace_back();
    partition.partition_index = 0;
    partition.timestamp = -2;
    return client_->call(request, 5).topics.at(0).partitions.at(0).offset;
  }
  /// A record with a key, in time order.
  void put(const std::string& key, const std::string& value) {
    record::BatchBuilder builder;
    time_ += 1000;
    builder.append(time_, key, value);
    const Bytes batch = builder.build().value();
    const auto answer = client_->call(produceRequest("orders", 0, batch), kProduceVersion);
    ASSERT_EQ(answer.responses.at(0).partition_responses.at(0).error_code, 0);
  }
  Values values() {
    Values values;
    for (const ReadRecord& record : readAll(*client_, "orders", 0)) values.push_back(record.value);
    return values;
  }
  bool isServedIn(const std::string& directory) {
    for (const Place& place : placesOf("orders"))
      if (place.directory == directory && !place.future) return true;
    return false;
  }

  Millis time_ = 1'700'000'000'000;
};

TEST_F(ReplicaMoveChanges, DeletedRecordsDoNotComeBack) {
  startSlowMove();
  EXPECT_EQ(deleteBelow(7), 7);
  letItArrive();
  EXPECT_EQ(firstOffset(), 7);
  fill("orders", 1);
  stop();
  start();
  EXPECT_TRUE(isServedIn(c()));
  EXPECT_EQ(firstOffset(), 7);
  const auto fetched = client_->call(fetchRequest("orders", {0}, 6), kFetchVersion);
  EXPECT_EQ(fromWire(fetched.responses.at(0).partitions.at(0).error_code), Errc::kOffsetOutOfRange);
}

TEST_F(ReplicaMoveChanges, SettingsChangeOnTheWay) {
  startSlowMove();
  set(ConfigResourceType::kTopic, "orders", "max.message.bytes", "1000");
  letItArrive();
  EXPECT_EQ(fromWire(produce(*client_, "orders", 0, {std::string(2000, 'x')}).error_code),
            Errc::kMessageTooLarge);
  set(ConfigResourceType::kTopic, "orders", "max.message.bytes", "100000");
  EXPECT_EQ(produce(*client_, "orders", 0, {std::string(2000, 'x')}).error_code, 0);
}

TEST_F(ReplicaMoveChanges, ACompactedTopicIsCompactedWhereItArrives) {
  start();
  create({{"cleanup.policy", "compact"},
          {"segment.ms", "1"},
          {"min.cleanable.dirty.ratio", "0.01"},
          {"message.timestamp.before.max.ms", "9223372036854775807"}});
  put("k", "0");
  limit("1");
  ASSERT_EQ(move("orders", c()), Errc::kNone);
  for (const char* const value : {"1", "2", "3", "4"}) put("k", value);
  letItArrive();
  EXPECT_TRUE(eventually([&] { return values() == Values{"3", "4"}; }));
  stop();
  start();
  EXPECT_TRUE(isServedIn(c()));
  put("k", "5");
  EXPECT_TRUE(eventually([&] { return values() == Values{"4", "5"}; }));
}

TEST_F(ReplicaMoveChanges, ATargetThatGoesAwayEndsTheMoveUntilItIsBack) {
  startSlowMove();
  std::filesystem::rename(c(), c() + ".away");
  ASSERT_TRUE(eventually([&] { return placesOf("orders").size() == 1; }));
  EXPECT_TRUE(liesIn("orders", b()));
  fill("orders", 1);
  EXPECT_EQ(readAll(*client_, "orders", 0).size(), 21U);
  EXPECT_EQ(move("orders", c()), Errc::kKafkaStorageError);
  stop();
  std::filesystem::rename(c() + ".away", c());
  start();
  letItArrive();
  EXPECT_EQ(readAll(*client_, "orders", 0).size(), 21U);
}

TEST_F(ReplicaMoveChanges, ALogThatGoesAwayEndsItsMove) {
  startSlowMove();
  std::filesystem::rename(b(), b() + ".away");
  ASSERT_TRUE(eventually([&] { return !isServedIn(b()); }));
  EXPECT_EQ(fromWire(produce(*client_, "orders", 0, {"x"}).error_code), Errc::kKafkaStorageError);
  EXPECT_FALSE(isServedIn(c())) << "what is copied is not all of it";
  stop();
  std::filesystem::rename(b() + ".away", b());
  start();
  EXPECT_TRUE(liesIn("orders", b()));
  EXPECT_EQ(readAll(*client_, "orders", 0).size(), 20U);
}

}  // namespace
}  // namespace millrace::broker::testing
