// One of two data directories fails under a running broker. The failure is a real one: a limit on
// the size of files, which the topic on that directory reaches first.
#include "broker/node.h"
#include "protocol/messages/describe_log_dirs_request.h"
#include "protocol/messages/describe_log_dirs_response.h"
#include "protocol/messages/list_offsets_request.h"
#include "protocol/messages/list_offsets_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <stdexcept>

namespace millrace::broker::testing {
namespace {

constexpr rlim_t kLargestFile = 256 << 10;

/// Files of this process end at kLargestFile while it lives: writes fail with EFBIG.
class FileSizeLimit {
 public:
  FileSizeLimit() {
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{kLargestFile, before_.rlim_max};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) std::abort();
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

class DiskFailure : public ::testing::Test {
 protected:
  void start() {
    BrokerOptions options;
    options.properties["listeners"] = "PLAINTEXT://127.0.0.1:0";
    options.properties["log.cleaner.backoff.ms"] = "1";
    options.properties["log.dirs"] = directory_.path() + "/a," + directory_.path() + "/b";
    broker_.emplace(Broker::open(std::move(options)));
    client_.emplace(broker_->port());
  }
  /// Appends until the broker refuses; the error.
  Errc fill(std::int32_t partition) {
    for (int i = 0; i < 100; ++i) {
      const auto answer = produce(*client_, "orders", partition, {std::string(16 << 10, 'x')});
      if (answer.error_code != 0) return fromWire(answer.error_code);
      ++written_;
    }
    return Errc::kNone;
  }
  /// The partition of "orders" that lies in a directory.
  std::int32_t partitionIn(const std::string& name) {
    return std::filesystem::exists(directory_.path() + "/" + name + "/orders-0") ? 0 : 1;
  }
  protocol::MetadataResponse::MetadataResponsePartition describe(std::int32_t partition) {
    protocol::MetadataRequest request;
    request.topics.emplace().emplace_back().name = Text("orders");
    auto answer = client_->call(request, 9);
    for (auto& p : answer.topics.at(0).partitions)
      if (p.partition_index == partition) return p;
    return {};
  }
  void waitForLeader(std::int32_t partition, std::int32_t leader) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (describe(partition).leader_id != leader) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }
  /// One partition of "orders" in each directory, a record in each.
  void startWithOrders() {
    start();
    ASSERT_EQ(createTopic(*client_, "orders", 2), 0);
    ASSERT_EQ(produce(*client_, "orders", 0, {"zero"}).error_code, 0);
    ASSERT_EQ(produce(*client_, "orders", 1, {"one"}).error_code, 0);
    ASSERT_NE(partitionIn("a"), partitionIn("b"));
  }
  void expectOffline(std::int32_t partition) {
    waitForLeader(partition, -1);
    const auto described = describe(partition);
    EXPECT_EQ(fromWire(described.error_code), Errc::kLeaderNotAvailable);
    EXPECT_EQ(described.offline_replicas, described.replica_nodes);
    const auto produced = produce(*client_, "orders", partition, {"x"});
    EXPECT_EQ(fromWire(produced.error_code), Errc::kKafkaStorageError);
    const auto fetched = client_->call(fetchRequest("orders", {partition}, 0), kFetchVersion);
    EXPECT_EQ(fromWire(fetched.responses.at(0).partitions.at(0).error_code),
              Errc::kKafkaStorageError);
    EXPECT_EQ(listOffsets(partition), Errc::kKafkaStorageError);
  }
  Errc listOffsets(std::int32_t partition) {
    protocol::ListOffsetsRequest request;
    request.replica_id = -1;
    auto& topic = request.topics.emplace_back();
    topic.name = Text("orders");
    auto& p = topic.partitions.emplace_back();
    p.partition_index = partition;
    p.timestamp = -1;
    return fromWire(client_->call(request, 5).topics.at(0).partitions.at(0).error_code);
  }
  std::map<std::string, Errc> logDirs() {
    protocol::DescribeLogDirsRequest request;
    request.topics = std::nullopt;
    const auto answer = client_->call(request, 4);
    std::map<std::string, Errc> errors;
    for (const auto& dir : answer.results) errors[dir.log_dir.str()] = fromWire(dir.error_code);
    return errors;
  }

  millrace::TempDir directory_;
  std::optional<Broker> broker_;
  std::optional<WireClient> client_;
  std::size_t written_ = 0;
};

TEST_F(DiskFailure, TheOtherDirectoryServesOn) {
  startWithOrders();
  const std::int32_t lost = partitionIn("b");
  const std::int32_t kept = 1 - lost;
  {
    const FileSizeLimit limit;
    EXPECT_EQ(fill(lost), Errc::kKafkaStorageError);
  }
  expectOffline(lost);
  EXPECT_EQ(logDirs(),
            (std::map<std::string, Errc>{{directory_.path() + "/a", Errc::kNone},
                                         {directory_.path() + "/b", Errc::kKafkaStorageError}}));
  EXPECT_NE(broker_->node().metrics().prometheusText().find("millrace_offline_log_directories 1"),
            std::string::npos);

  EXPECT_EQ(describe(kept).error_code, 0);
  EXPECT_EQ(produce(*client_, "orders", kept, {"more"}).error_code, 0);
  EXPECT_EQ(readAll(*client_, "orders", kept).size(), 2U);
  EXPECT_EQ(createTopic(*client_, "new", 2), 0) << "on the directory that is left";
  EXPECT_EQ(produce(*client_, "new", 1, {"first"}).error_code, 0);

  client_.reset();
  broker_.reset();
  start();  // the disk was mended
  waitForLeader(lost, describe(kept).leader_id);
  EXPECT_EQ(readAll(*client_, "orders", lost).size(), written_ + 1);
  EXPECT_EQ(produce(*client_, "orders", lost, {"x"}).error_code, 0);
  EXPECT_TRUE(broker_->failure());
}

/// Each segment is small enough for the disk; what compaction makes of them is not.
TEST_F(DiskFailure, WhatCompactionCannotWriteTakesTheDirectoryOffline) {
  startWithOrders();
  const FileSizeLimit limit;
  ASSERT_EQ(createTopic(*client_, "compacted", 2,
                        {{"cleanup.policy", "compact"},
                         {"segment.ms", "1"},
                         {"min.cleanable.dirty.ratio", "0.01"},
                         {"message.timestamp.before.max.ms", "9223372036854775807"}}),
            0);
  const auto put = [&](std::int32_t partition, int key) {
    record::BatchBuilder builder;
    builder.append(1'700'000'000'000 + key * 1000, std::to_string(key), std::string(16 << 10, 'x'));
    const Bytes batch = builder.build().value();
    const auto answer =
        client_->call(produceRequest("compacted", partition, batch), kProduceVersion);
    return fromWire(answer.responses.at(0).partition_responses.at(0).error_code);
  };
  ASSERT_EQ(put(0, 0), Errc::kNone);
  ASSERT_EQ(put(1, 0), Errc::kNone);
  const std::int32_t lost = std::filesystem::exists(directory_.path() + "/b/compacted-0") ? 0 : 1;
  Errc error = Errc::kNone;
  for (int i = 1; error == Errc::kNone && i < 2'000; ++i) error = put(lost, i);
  EXPECT_EQ(error, Errc::kKafkaStorageError);
  expectOffline(partitionIn("b"));
  EXPECT_EQ(produce(*client_, "orders", partitionIn("a"), {"more"}).error_code, 0);
}

TEST_F(DiskFailure, ADirectoryThatIsBrokenAtTheStartTakesItsPartitionsOffline) {
  startWithOrders();
  const std::int32_t lost = partitionIn("b");
  client_.reset();
  broker_.reset();
  const std::string path = directory_.path() + "/b/meta.properties";
  std::filesystem::rename(path, path + ".good");
  std::ofstream(path) << "version=7\n";
  start();
  expectOffline(lost);
  EXPECT_EQ(produce(*client_, "orders", 1 - lost, {"x"}).error_code, 0);
  client_.reset();
  broker_.reset();
  std::filesystem::rename(path + ".good", path);
  start();
  EXPECT_EQ(readAll(*client_, "orders", lost).size(), 1U);
}

TEST_F(DiskFailure, WithoutTheMetadataLogTheBrokerStops) {
  startWithOrders();
  const std::int32_t beside_the_metadata = partitionIn("a");
  const FileSizeLimit limit;
  try {
    (void)fill(beside_the_metadata);
  } catch (const std::runtime_error&) {
    // The broker may close the connection before it has answered: it stops.
  }
  broker_->wait();
  ASSERT_FALSE(broker_->failure());
  EXPECT_NE(broker_->failure().error().detail.find(directory_.path() + "/a"), std::string::npos);
}

}  // namespace
}  // namespace millrace::broker::testing
