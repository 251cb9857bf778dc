#include "client/producer.h"

#include "base/checksum.h"
#include "client/sticky_partitioner.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"
#include "record/records.h"
#include "support/fake_transport.h"
#include "tests/support/eventually.h"

#include <gtest/gtest.h>

#include <atomic>

namespace millrace {
namespace {

using client::FakeTransport;
using protocol::ProduceRequest;
using protocol::ProduceResponse;
using testing::eventually;

/// One leader's log: checks sequences as a broker does, refuses or loses answers as the test says.
class FakeLog {
 public:
  explicit FakeLog(FakeTransport& transport) {
    transport.on<ProduceRequest>(
        [this](const ProduceRequest& request) { return produce(request); });
  }
  /// What the nth produce request (from 0) gets instead of being served.
  std::function<std::optional<Errc>(int n)> refuse = [](int) { return std::nullopt; };
  /// Whether the answer to the nth request gets lost after the append.
  std::function<bool(int n)> lose = [](int) { return false; };

  std::vector<std::string> values(std::int32_t partition) {
    const std::lock_guard lock(mutex_);
    return values_[partition];
  }
  int requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  Result<std::shared_ptr<ProduceResponse>> produce(const ProduceRequest& request) {
    const std::lock_guard lock(mutex_);
    const int n = requests_++;
    const auto refused = refuse(n);
    auto answer = std::make_shared<ProduceResponse>();
    for (const auto& topic : request.topic_data) {
      ProduceResponse::TopicProduceResponse out;
      out.topic_id = topic.topic_id;
      for (const auto& data : topic.partition_data) {
        ProduceResponse::PartitionProduceResponse p;
        p.index = data.index;
        if (refused) {
          p.error_code = static_cast<std::int16_t>(*refused);
        } else {
          append(data.index, data.records.bytes(), p);
        }
        out.partition_responses.push_back(std::move(p));
      }
      answer->responses.push_back(std::move(out));
    }
    if (lose(n)) return fail(Errc::kNetworkException, "the connection broke");
    return answer;
  }

  void append(std::int32_t partition, BytesView bytes,
              ProduceResponse::PartitionProduceResponse& p) {
    const auto batch = record::BatchView::parse(bytes);
    ASSERT_TRUE(batch.has_value());
    ASSERT_TRUE(batch->checkCrc().has_value());
    std::int32_t& expected = sequences_[partition];
    auto& log = values_[partition];
    if (batch->hasProducerId() && batch->baseSequence() != expected) {
      const bool old = batch->baseSequence() < expected;
      p.error_code = static_cast<std::int16_t>(old ? Errc::kDuplicateSequenceNumber
                                                   : Errc::kOutOfOrderSequenceNumber);
      return;
    }
    expected += batch->recordCount();
    p.base_offset = static_cast<std::int64_t>(log.size());
    Bytes scratch;
    auto cursor = record::openRecords(*batch, scratch);
    record::RecordView view;
    while (cursor->next(view)) log.emplace_back(*view.value);
  }

  std::mutex mutex_;
  std::map<std::int32_t, std::vector<std::string>> values_;
  std::map<std::int32_t, std::int32_t> sequences_;
  int requests_ = 0;
};

struct TestCluster {
  std::shared_ptr<FakeTransport> transport = std::make_shared<FakeTransport>();
  FakeLog log{*transport};
  TestCluster() { transport->serveMetadata(); }
  ~TestCluster() { transport->stop(); }
  ProducerOptions options() {
    ProducerOptions o;
    o.linger = std::chrono::milliseconds(0);
    o.properties = {{"retry.backoff.ms", "1"}, {"retry.backoff.max.ms", "2"}};
    o.transport = transport;
    return o;
  }
};

TEST(Producer, AcknowledgedRecordHasItsPlace) {
  TestCluster setup;
  Producer producer(setup.options());
  const auto first = producer.send({.topic = "t", .partition = 1, .value = "a"}).get();
  ASSERT_TRUE(first.has_value()) << first.error().toString();
  EXPECT_EQ(first->partition, 1);
  EXPECT_EQ(first->offset, 0);
  EXPECT_EQ(producer.send({.topic = "t", .partition = 1, .value = "b"}).get()->offset, 1);
}

/// No second thread has to wake up first. Where that thread is busy with an answer, it sends.
TEST(Producer, WithoutLingerARecordLeavesOnTheCallersThread) {
  TestCluster setup;
  Producer producer(setup.options());
  EXPECT_TRUE(eventually([&] {
    EXPECT_TRUE(producer.send({.topic = "t", .partition = 0, .value = "a"}).get().has_value());
    return setup.transport->callerOf(protocol::ApiKey::kProduce) == std::this_thread::get_id();
  }));
}

/// The report is the user's code: it may take locks that the caller of send() holds.
TEST(Producer, ReportsNeverComeOnTheCallersThread) {
  TestCluster setup;
  setup.log.refuse = [](int n) {
    return n % 2 == 1 ? std::optional(Errc::kInvalidRecord) : std::nullopt;
  };
  std::atomic<int> reports = 0;
  std::atomic<int> here = 0;
  auto options = setup.options();
  options.onDelivery = [&, caller = std::this_thread::get_id()](const DeliveryReport&) {
    ++reports;
    if (std::this_thread::get_id() == caller) ++here;
  };
  Producer producer(std::move(options));
  for (int i = 0; i < 50; ++i)
    std::ignore = producer.send({.topic = "t", .partition = 0, .value = "a"});
  std::ignore = producer.flush();
  EXPECT_GT(reports, 0);
  EXPECT_EQ(here, 0);
}

TEST(Producer, KeyDecidesThePartition) {
  TestCluster setup;
  Producer producer(setup.options());
  for (const std::string key : {"a", "b", "c", "d", "e"}) {
    EXPECT_EQ(producer.send({.topic = "t", .key = key, .value = "x"}).get()->partition,
              partitionForKey(key, 2));
  }
}

TEST(Producer, LostAnswersNeitherLoseNorDoubleRecords) {
  TestCluster setup;
  setup.log.lose = [](int n) { return n % 3 == 1; };
  setup.log.refuse = [](int n) {
    return n % 4 == 2 ? std::optional(Errc::kNotLeaderOrFollower) : std::nullopt;
  };
  auto options = setup.options();
  options.batchSize = 200;
  Producer producer(std::move(options));
  std::vector<std::string> expected;
  const auto topic = producer.topic("t");
  ASSERT_TRUE(topic.has_value());
  for (int i = 0; i < 500; ++i) {
    expected.push_back("value-" + std::to_string(i));
    ASSERT_TRUE(
        producer.append(*topic, 0, std::nullopt, BytesView(expected.back()), 1).has_value());
  }
  const Status flushed = producer.flush();
  ASSERT_TRUE(flushed.has_value()) << flushed.error().toString();
  EXPECT_EQ(setup.log.values(0), expected);
  EXPECT_GT(setup.log.requests(), 10);
}

TEST(Producer, FatalErrorReachesFutureCallbackReportAndFlush) {
  TestCluster setup;
  setup.log.refuse = [](int) { return std::optional(Errc::kTopicAuthorizationFailed); };
  std::atomic<int> reports{0};
  auto options = setup.options();
  options.onDelivery = [&](const DeliveryReport& report) {
    if (!report.status && report.topic == "t") ++reports;
  };
  Producer producer(std::move(options));
  const auto sent = producer.send({.topic = "t", .partition = 0, .value = "a"}).get();
  ASSERT_FALSE(sent.has_value());
  EXPECT_EQ(sent.error().code, Errc::kTopicAuthorizationFailed);
  std::atomic<bool> called{false};
  producer.send({.topic = "t", .partition = 0, .value = "b"},
                [&](const Result<RecordMetadata>& result) { called = !result; });
  const Status flushed = producer.flush();
  EXPECT_FALSE(flushed.has_value());
  EXPECT_TRUE(called);
  EXPECT_EQ(reports, 2);
  EXPECT_TRUE(producer.flush().has_value());  // reported once
}

TEST(Producer, FullBufferBlocksAndThenFails) {
  TestCluster setup;
  setup.log.refuse = [](int) { return std::optional(Errc::kNotEnoughReplicas); };
  auto options = setup.options();
  options.batchSize = 1'000;
  options.properties["buffer.memory"] = "4000";
  options.properties["max.block.ms"] = "30";
  Producer producer(std::move(options));
  const auto topic = producer.topic("t");
  const std::string value(900, 'x');
  Status status;
  for (int i = 0; i < 10 && status; ++i) {
    status = producer.append(*topic, 0, std::nullopt, BytesView(value), 1);
  }
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ(status.error().code, Errc::kTimeout);
  setup.log.refuse = [](int) { return std::nullopt; };
  EXPECT_TRUE(producer.flush().has_value());
  EXPECT_TRUE(producer.append(*topic, 0, std::nullopt, BytesView(value), 1).has_value());
}

TEST(Producer, TooLargeRecordIsRefusedAtOnce) {
  TestCluster setup;
  auto options = setup.options();
  options.properties["max.request.size"] = "1000";
  Producer producer(std::move(options));
  const auto sent = producer.send({.topic = "t", .value = std::string(2'000, 'x')}).get();
  EXPECT_EQ(sent.error().code, Errc::kMessageTooLarge);
}

TEST(Producer, UnknownTopicFailsAfterMaxBlock) {
  TestCluster setup;
  auto options = setup.options();
  options.properties["max.block.ms"] = "30";
  Producer producer(std::move(options));
  EXPECT_EQ(producer.send({.topic = "other", .value = "x"}).get().error().code, Errc::kTimeout);
}

TEST(Producer, ClosingWithoutTimeFailsWhatIsLeft) {
  TestCluster setup;
  setup.log.refuse = [](int) { return std::optional(Errc::kNotEnoughReplicas); };
  Producer producer(setup.options());
  const auto future = producer.send({.topic = "t", .partition = 0, .value = "a"});
  EXPECT_FALSE(producer.close(std::chrono::milliseconds(20)).has_value());
  EXPECT_EQ(future.get().error().code, Errc::kClosed);
  EXPECT_EQ(producer.send({.topic = "t", .value = "b"}).get().error().code, Errc::kClosed);
}

TEST(Producer, ConfigurationErrorsNameTheKey) {
  const auto bad = Producer::create({.bootstrapServers = "nowhere"});
  ASSERT_FALSE(bad.has_value());
  EXPECT_NE(bad.error().detail.find("bootstrap.servers"), std::string::npos);
  const auto acks = Producer::create({.bootstrapServers = "a:1", .acks = "1", .idempotence = true});
  ASSERT_FALSE(acks.has_value());
  EXPECT_NE(acks.error().detail.find("acks"), std::string::npos);
  EXPECT_THROW(Producer({.bootstrapServers = "nowhere"}), std::invalid_argument);
}

TEST(StickyPartitioner, ChangesAfterABatchOfBytesAndAvoidsLongQueues) {
  SeededRandom random(7);
  client::StickyPartitioner sticky(1'000, random);
  const std::vector<std::pair<std::int32_t, std::int32_t>> loads{{0, 0}, {1, 99}};
  int first = 0;
  for (int i = 0; i < 1'000; ++i) first += sticky.choose(loads) == 0 ? 1 : 0;
  EXPECT_GT(first, 950);
  EXPECT_FALSE(sticky.add(999, true));
  EXPECT_FALSE(sticky.add(2, false));  // not in the middle of a batch
  EXPECT_TRUE(sticky.add(1, true));
  EXPECT_TRUE(sticky.add(1'000, false));  // but not for ever
}

}  // namespace
}  // namespace millrace
