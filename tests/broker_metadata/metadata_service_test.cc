// The service on a real directory: what it writes is there after a restart.
#include "broker/metadata/metadata_service.h"

#include "base/file.h"
#include "base/net/blocking_pool.h"
#include "base/net/gate.h"
#include "base/net/shard.h"
#include "log/log_manager.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "tests/support/temp_dir.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace millrace::broker::testing {
namespace {

class MetadataServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    shard_.start();
    start();
  }
  void TearDown() override {
    if (service_) stop(true);
    shard_.stop();
  }

  void start() {
    log::LogManagerOptions options;
    options.directories = {root_.path() + "/data"};
    auto logs = log::LogManager::open(std::move(options));
    ASSERT_TRUE(logs) << logs.error().toString();
    logs_ = std::move(*logs);
    service_ = std::make_unique<MetadataService>(systemClock(), shard_);
    MetadataOptions metadata;
    metadata.logs = logs_.get();
    metadata.blocking = &*blocking_;
    metadata.directory = root_.path() + "/data";
    metadata.cluster_id = "cluster";
    metadata.directory_id = Uuid{5, 6};
    metadata.endpoints = {{"PLAINTEXT", "localhost", 9092, 0}};
    const Status opened = service_->open(std::move(metadata));
    ASSERT_TRUE(opened) << opened.error().toString();
    service_->follow([this](ImagePtr image, MetadataChanges changes) {
      return note(std::move(image), std::move(changes));
    });
    const Status started = runAndWait(shard_.executor(), service_->start());
    ASSERT_TRUE(started) << started.error().toString();
  }
  /// `cleanly`: as a shut down; otherwise the directories stay as a crash leaves them.
  void stop(bool cleanly) {
    if (cleanly) {
      runAndWait(shard_.executor(), service_->stop());
      EXPECT_TRUE(logs_->close());
    } else {
      // What runs in the background uses the service.
      blocking_.emplace(1);
    }
    service_.reset();
    logs_.reset();
  }
  Task<void> note(ImagePtr, MetadataChanges changes) {
    for (const TopicPtr& topic : changes.topics) followed_.push_back(topic->name);
    co_return;
  }
  Errc create(const std::string& name) {
    protocol::CreateTopicsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = name;
    topic.num_partitions = 2;
    topic.replication_factor = 1;
    const auto response = runAndWait(shard_.executor(), service_->createTopics(std::move(request)));
    return fromWire(response.topics.at(0).error_code);
  }

  millrace::TempDir root_;
  Shard shard_{0};
  std::optional<BlockingPool> blocking_{1};
  std::unique_ptr<log::LogManager> logs_;
  std::unique_ptr<MetadataService> service_;
  std::vector<std::string> followed_;
};

TEST_F(MetadataServiceTest, FreshDirectoryHasOneLiveBrokerAndFeatures) {
  const ImagePtr image = service_->cache().current();
  EXPECT_EQ(image->liveBrokers().size(), 1U);
  EXPECT_EQ(image->cluster_id, "cluster");
  EXPECT_EQ(image->feature("metadata.version"), 29);
  stop(true);
  EXPECT_TRUE(std::filesystem::exists(root_.path() + "/data/bootstrap.checkpoint"));
  EXPECT_TRUE(std::filesystem::exists(root_.path() + "/data/__cluster_metadata-0/quorum-state"));
}

TEST_F(MetadataServiceTest, TopicIsFollowedBeforeItsCreatorHearsOfIt) {
  ASSERT_EQ(create("t"), Errc::kNone);
  EXPECT_EQ(followed_, std::vector<std::string>{"t"});
  EXPECT_TRUE(service_->cache().current()->topic("t"));
}

TEST_F(MetadataServiceTest, TopicsSurviveACleanRestartWithNewLeaderEpochs) {
  ASSERT_EQ(create("t"), Errc::kNone);
  const Uuid id = service_->cache().current()->topic("t")->id;
  const std::int32_t epoch = service_->cache().current()->leader_epoch;
  stop(true);
  followed_.clear();
  start();
  const ImagePtr image = service_->cache().current();
  ASSERT_TRUE(image->topic("t"));
  EXPECT_EQ(image->topic("t")->id, id);
  EXPECT_EQ(image->topic("t")->partitions[0].leader, 1);
  EXPECT_EQ(image->topic("t")->partitions[0].leader_epoch, 2);
  EXPECT_EQ(image->leader_epoch, epoch + 1);
  EXPECT_EQ(followed_, std::vector<std::string>{"t"});
}

TEST_F(MetadataServiceTest, TopicsSurviveAStopWithoutAWord) {
  ASSERT_EQ(create("t"), Errc::kNone);
  stop(false);
  start();
  const ImagePtr image = service_->cache().current();
  ASSERT_TRUE(image->topic("t"));
  EXPECT_EQ(image->topic("t")->partitions[0].leader, 1);
  EXPECT_EQ(image->topic("t")->partitions[0].leader_epoch, 1);
  EXPECT_EQ(create("t"), Errc::kTopicAlreadyExists);
  EXPECT_EQ(create("u"), Errc::kNone);
}

TEST_F(MetadataServiceTest, ProducerIdsNeverRepeatAcrossRestarts) {
  const auto take = [this] { return runAndWait(shard_.executor(), service_->nextProducerId()); };
  const auto first = take();
  const auto second = take();
  ASSERT_TRUE(first && second);
  EXPECT_EQ(*second, *first + 1);
  stop(false);
  start();
  const auto third = take();
  ASSERT_TRUE(third);
  EXPECT_GT(*third, *second);
}

}  // namespace
}  // namespace millrace::broker::testing
