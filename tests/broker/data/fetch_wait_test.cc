// Fetches that find too little: what ends their wait, and what they then bring.
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <thread>

namespace millrace::broker::testing {
namespace {

constexpr std::int32_t kPartitions = 8;
constexpr std::int32_t kLong = 60'000;  ///< ms; no test waits for it

class FetchWaitTest : public ::testing::Test {
 protected:
  FetchWaitTest() {
    std::iota(all_.begin(), all_.end(), 0);
    EXPECT_EQ(createTopic(client_, "t", kPartitions), 0);
  }

  static std::size_t bytesIn(const protocol::FetchResponse& answer) {
    std::size_t bytes = 0;
    for (const auto& topic : answer.responses)
      for (const auto& partition : topic.partitions) bytes += partition.records.size();
    return bytes;
  }

  /// Several shards, so that partitions live on others than their clients.
  TestBroker broker_{Properties{{"millrace.shards", "3"}}};
  WireClient client_{broker_.port()};
  WireClient reader_{broker_.port()};
  std::vector<std::int32_t> all_ = std::vector<std::int32_t>(kPartitions);
};

TEST_F(FetchWaitTest, EveryPartitionEndsTheWait) {
  for (std::int32_t p = 0; p < kPartitions; ++p) {
    const auto request = fetchRequest("t", {p}, 0, kLong);
    reader_.sendRequest(request, kFetchVersion);
    ASSERT_EQ(produce(client_, "t", p, {"v"}).error_code, 0);
    const auto answer = reader_.receiveAnswer<protocol::FetchResponse>(kFetchVersion, 1);
    EXPECT_EQ(recordsOf(answer.responses.at(0).partitions.at(0)).size(), 1U) << p;
  }
}

TEST_F(FetchWaitTest, PartitionsOfAllShardsCountTogether) {
  const std::size_t one = batchOf({std::string(100, 'v')}).size();
  const auto wanted = static_cast<std::int32_t>(one * kPartitions);
  reader_.sendRequest(fetchRequest("t", all_, 0, kLong, wanted), kFetchVersion);
  for (const std::int32_t p : all_)
    ASSERT_EQ(produce(client_, "t", p, {std::string(100, 'v')}).error_code, 0);
  const auto answer = reader_.receiveAnswer<protocol::FetchResponse>(kFetchVersion, 1);
  EXPECT_GE(bytesIn(answer), static_cast<std::size_t>(wanted));
}

TEST_F(FetchWaitTest, AtTheDeadlineComesWhatIsThere) {
  ASSERT_EQ(produce(client_, "t", 3, {"v"}).error_code, 0);
  const auto answer = reader_.call(fetchRequest("t", all_, 0, 20, 1 << 20), kFetchVersion);
  EXPECT_EQ(bytesIn(answer), batchOf({"v"}).size());
}

TEST_F(FetchWaitTest, ADeletedTopicEndsTheWait) {
  reader_.sendRequest(fetchRequest("t", all_, 0, kLong), kFetchVersion);
  protocol::DeleteTopicsRequest request;
  request.topic_names.push_back(Text("t"));
  request.timeout_ms = 10'000;
  ASSERT_EQ(client_.call(request, 5).responses.at(0).error_code, 0);
  const auto answer = reader_.receiveAnswer<protocol::FetchResponse>(kFetchVersion, 1);
  ASSERT_EQ(answer.responses.at(0).partitions.size(), all_.size());
  // The first partition that goes ends the wait: others may still be there, and the topic, too.
  std::set<Errc> errors;
  for (const auto& partition : answer.responses.at(0).partitions)
    if (partition.error_code != 0) errors.insert(fromWire(partition.error_code));
  EXPECT_FALSE(errors.empty());
  errors.erase(Errc::kUnknownTopicOrPartition);
  errors.erase(Errc::kNotLeaderOrFollower);
  EXPECT_TRUE(errors.empty()) << errorName(*errors.begin());
}

/// Waits that end at their deadline while an append ends them, too, over and over.
TEST_F(FetchWaitTest, DeadlinesAndAppendsMayMeet) {
  constexpr std::size_t kRecords = 1'500;
  std::vector<std::thread> readers;
  std::vector<std::vector<std::int64_t>> seen(3);
  for (std::size_t r = 0; r < seen.size(); ++r) {
    readers.emplace_back([this, r, &offsets = seen[r]] {
      WireClient client(broker_.port());
      const auto partition = static_cast<std::int32_t>(r);
      while (offsets.size() < kRecords) {
        auto request = fetchRequest("t", {partition, partition + 3}, 0, 1);
        request.topics.at(0).partitions.at(0).fetch_offset =
            static_cast<std::int64_t>(offsets.size());
        const auto answer = client.call(request, kFetchVersion);
        for (const auto& record : recordsOf(answer.responses.at(0).partitions.at(0)))
          offsets.push_back(record.offset);
      }
    });
  }
  for (std::size_t i = 0; i < kRecords; ++i)
    for (std::int32_t p = 0; p < 3; ++p) (void)produce(client_, "t", p, {"v"});
  for (auto& reader : readers) reader.join();
  for (const auto& offsets : seen) {
    ASSERT_EQ(offsets.size(), kRecords);
    for (std::size_t i = 0; i < kRecords; ++i) ASSERT_EQ(offsets[i], static_cast<std::int64_t>(i));
  }
}

}  // namespace
}  // namespace millrace::broker::testing
