// What the controller decides, without a log, a clock or a socket.
#include "broker/metadata/controller.h"

#include "protocol/messages/create_partitions_request.h"
#include "protocol/messages/create_partitions_response.h"
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "protocol/messages/incremental_alter_configs_request.h"
#include "protocol/messages/incremental_alter_configs_response.h"
#include "tests/broker_metadata/support/cluster.h"

#include <gmock/gmock.h>

#include <chrono>

namespace millrace::broker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Controller, CreatedTopicHasPartitionsLedByLiveBrokers) {
  Cluster c({1, 2, 3});
  ASSERT_EQ(c.create("orders", 6, 2), Errc::kNone);
  const TopicPtr topic = c.image().topic("orders");
  ASSERT_TRUE(topic);
  ASSERT_EQ(topic->partitions.size(), 6U);
  std::map<std::int32_t, int> leads;
  for (const PartitionImage& p : topic->partitions) {
    EXPECT_EQ(p.replicas.size(), 2U);
    EXPECT_NE(p.replicas[0], p.replicas[1]);
    EXPECT_EQ(p.leader, p.replicas[0]);
    EXPECT_EQ(p.leader_epoch, 0);
    ++leads[p.leader];
  }
  EXPECT_THAT(leads, ElementsAre(std::pair(1, 2), std::pair(2, 2), std::pair(3, 2)));
  ASSERT_EQ(c.last_changes.topics.size(), 1U);
  EXPECT_EQ(c.last_changes.topics[0]->name, "orders");
}

TEST(Controller, NamesThatDifferInDotAndUnderscoreCollide) {
  Cluster c;
  ASSERT_EQ(c.create("a.b"), Errc::kNone);
  std::string text;
  EXPECT_EQ(c.create("a_b", 1, 1, {}, &text), Errc::kInvalidTopicException);
  EXPECT_EQ(text, "Topic 'a_b' collides with existing topic: a.b");
  EXPECT_EQ(c.create("a.b"), Errc::kTopicAlreadyExists);
  EXPECT_EQ(c.create("a-b"), Errc::kNone);
}

TEST(Controller, IllegalTopicsAreRefusedAndWriteNothing) {
  Cluster c;
  const std::int64_t before = c.image().offset;
  EXPECT_EQ(c.create(""), Errc::kInvalidTopicException);
  EXPECT_EQ(c.create("."), Errc::kInvalidTopicException);
  EXPECT_EQ(c.create(std::string(250, 'x')), Errc::kInvalidTopicException);
  EXPECT_EQ(c.create("x", 0), Errc::kInvalidPartitions);
  EXPECT_EQ(c.create("x", 1, 0), Errc::kInvalidReplicationFactor);
  EXPECT_EQ(c.create("x", 1, 2), Errc::kInvalidReplicationFactor);
  EXPECT_EQ(c.create("x", 1, 1, {{"no.such", "1"}}), Errc::kInvalidConfig);
  EXPECT_EQ(c.create("x", 1, 1, {{"segment.bytes", "1"}}), Errc::kInvalidConfig);
  EXPECT_EQ(c.create("x", 10'001), Errc::kPolicyViolation);
  EXPECT_EQ(c.create("__cluster_metadata"), Errc::kInvalidRequest);
  EXPECT_EQ(c.image().offset, before);
}

TEST(Controller, DefaultsOfTheBrokerCountForMinusOne) {
  Cluster c({1}, {.default_partitions = 3});
  ASSERT_EQ(c.create("t", -1, -1), Errc::kNone);
  EXPECT_EQ(c.image().topic("t")->partitions.size(), 3U);
}

TEST(Controller, DeletedTopicIsGoneWithItsConfigs) {
  Cluster c;
  ASSERT_EQ(c.create("t", 1, 1, {{"retention.ms", "1000"}}), Errc::kNone);
  const Uuid id = c.image().topic("t")->id;
  protocol::DeleteTopicsRequest request;
  request.topics.emplace_back().name = Text("t");
  const auto changes = c.apply(c.controller().deleteTopics(c.image(), request, 6).records);
  EXPECT_FALSE(c.image().topic("t"));
  EXPECT_FALSE(c.image().topic(id));
  EXPECT_TRUE(c.image().config(ConfigResourceType::kTopic, "t")->empty());
  ASSERT_EQ(changes.deleted.size(), 1U);
  EXPECT_EQ(changes.deleted[0]->id, id);
  ASSERT_EQ(c.create("t"), Errc::kNone);
  EXPECT_NE(c.image().topic("t")->id, id);
}

TEST(Controller, PartitionsGrowAndNeverShrink) {
  Cluster c;
  ASSERT_EQ(c.create("t", 2), Errc::kNone);
  const auto grow = [&](std::int32_t count) {
    protocol::CreatePartitionsRequest request;
    auto& topic = request.topics.emplace_back();
    topic.name = "t";
    topic.count = count;
    topic.assignments.reset();
    const auto decision = c.controller().createPartitions(c.image(), request);
    c.apply(decision.records);
    return fromWire(decision.response.results.at(0).error_code);
  };
  EXPECT_EQ(grow(5), Errc::kNone);
  EXPECT_EQ(c.image().topic("t")->partitions.size(), 5U);
  EXPECT_EQ(grow(5), Errc::kInvalidPartitions);
  EXPECT_EQ(grow(1), Errc::kInvalidPartitions);
}

TEST(Controller, ListConfigsAreAppendedToAndSubtractedFrom) {
  Cluster c;
  ASSERT_EQ(c.create("t", 1, 1, {{"cleanup.policy", "compact"}}), Errc::kNone);
  const auto alter = [&](const std::string& key, std::int8_t operation, const std::string& value) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = 2;
    resource.resource_name = "t";
    auto& config = resource.configs.emplace_back();
    config.name = key;
    config.config_operation = operation;
    config.value = Text(value);
    const auto decision = c.controller().incrementalAlterConfigs(c.image(), request);
    c.apply(decision.records);
    return fromWire(decision.response.responses.at(0).error_code);
  };
  EXPECT_EQ(alter("cleanup.policy", 2, "delete"), Errc::kNone);
  EXPECT_EQ(c.image().config(ConfigResourceType::kTopic, "t")->at("cleanup.policy"),
            "compact,delete");
  EXPECT_EQ(alter("cleanup.policy", 3, "compact"), Errc::kNone);
  EXPECT_EQ(c.image().config(ConfigResourceType::kTopic, "t")->at("cleanup.policy"), "delete");
  EXPECT_EQ(alter("retention.ms", 2, "1"), Errc::kInvalidConfig);
}

TEST(Controller, BrokerConfigsThatWouldLoseOrStopEverythingAreRefused) {
  Cluster c;
  const auto alter = [&](const std::string& name, const std::string& key,
                         const std::string& value) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = static_cast<std::int8_t>(ConfigResourceType::kBroker);
    resource.resource_name = Text(name);
    auto& config = resource.configs.emplace_back();
    config.name = Text(key);
    config.value = Text(value);
    const auto decision = c.controller().incrementalAlterConfigs(c.image(), request);
    c.apply(decision.records);
    return fromWire(decision.response.responses.at(0).error_code);
  };
  EXPECT_EQ(alter("", "log.roll.ms", "0"), Errc::kInvalidRequest);
  EXPECT_EQ(alter("", "log.retention.ms", "0"), Errc::kInvalidRequest);
  EXPECT_EQ(alter("", "log.cleaner.dedupe.buffer.size", "1000000"), Errc::kInvalidRequest);
  EXPECT_EQ(alter("", "log.cleaner.threads", "2"), Errc::kNone);
  EXPECT_EQ(alter("", "log.cleaner.dedupe.buffer.size", "2000000"), Errc::kInvalidRequest);
  EXPECT_EQ(alter("", "log.cleaner.dedupe.buffer.size", "2097154"), Errc::kNone);
}

// Kafka's tools send an empty value with DELETE.
TEST(Controller, DeletedBrokerConfigsValueIsNotLookedAt) {
  Cluster c;
  const auto alter = [&](std::int8_t operation, const std::string& value) {
    protocol::IncrementalAlterConfigsRequest request;
    auto& resource = request.resources.emplace_back();
    resource.resource_type = static_cast<std::int8_t>(ConfigResourceType::kBroker);
    resource.resource_name = "";
    auto& config = resource.configs.emplace_back();
    config.name = "log.retention.ms";
    config.config_operation = operation;
    config.value = Text(value);
    const auto decision = c.controller().incrementalAlterConfigs(c.image(), request);
    c.apply(decision.records);
    return fromWire(decision.response.responses.at(0).error_code);
  };
  const auto isSet = [&] {
    return c.image().config(ConfigResourceType::kBroker, "")->contains("log.retention.ms");
  };
  EXPECT_EQ(alter(0, ""), Errc::kInvalidRequest);
  EXPECT_EQ(alter(0, "60000"), Errc::kNone);
  EXPECT_TRUE(isSet());
  EXPECT_EQ(alter(1, ""), Errc::kNone);
  EXPECT_FALSE(isSet());
}

TEST(Controller, TieredStorageIsRefused) {
  Cluster c;
  std::string text;
  EXPECT_EQ(c.create("t", 1, 1, {{"remote.storage.enable", "true"}}, &text), Errc::kInvalidConfig);
  EXPECT_THAT(text, HasSubstr("Tiered storage is disabled"));
  EXPECT_EQ(c.create("t", 1, 1, {{"remote.storage.enable", "false"}}), Errc::kNone);
}

TEST(Controller, CleanStopAndStartBeginNewLeaderEpochs) {
  Cluster c;
  ASSERT_EQ(c.create("t", 2), Errc::kNone);
  c.apply(c.controller().fenceBroker(c.image(), 1));
  EXPECT_EQ(c.image().topic("t")->partitions[0].leader, -1);
  EXPECT_THAT(c.image().topic("t")->partitions[0].eligible_leader_replicas, ElementsAre(1));
  c.apply(c.controller().unfenceBroker(c.image(), 1));
  const PartitionImage& p = c.image().topic("t")->partitions[0];
  EXPECT_EQ(p.leader, 1);
  EXPECT_EQ(p.leader_epoch, 2);
  EXPECT_THAT(p.isr, ElementsAre(1));
  EXPECT_THAT(p.eligible_leader_replicas, IsEmpty());
}

TEST(Controller, ProducerIdBlocksDoNotOverlap) {
  Cluster c;
  const auto first = c.controller().allocateProducerIds(c.image(), 1);
  c.apply(first.records);
  const auto second = c.controller().allocateProducerIds(c.image(), 1);
  EXPECT_EQ(first.response.first, 0);
  EXPECT_EQ(second.response.first, first.response.first + first.response.size);
}

TEST(Controller, CreatingTenThousandPartitionsIsNotQuadratic) {
  Cluster c;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(c.create("t" + std::to_string(i), 10), Errc::kNone);
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_EQ(c.image().topics.size(), 1000U);
  // A bound against quadratic cost, far above what it takes.
  EXPECT_LT(std::chrono::duration_cast<std::chrono::seconds>(took).count(), 20);
}

TEST(MetadataImage, OldImageIsUntouchedByLaterChanges) {
  Cluster c;
  ASSERT_EQ(c.create("a", 1), Errc::kNone);
  const ImagePtr old = c.shared();
  ASSERT_EQ(c.create("b", 1), Errc::kNone);
  EXPECT_FALSE(old->topic("b"));
  EXPECT_TRUE(old->topic("a"));
  EXPECT_EQ(old->topic("a"), c.image().topic("a")) << "shared, not copied";
}

TEST(Controller, AReplicaThatMovedLiesWhereItsBrokerSays) {
  Cluster c({1, 2});
  ASSERT_EQ(c.create("t", 1, 2), Errc::kNone);
  const TopicIdPartition id{c.image().topic("t")->id, 0};
  const PartitionImage before = c.image().topic("t")->partitions[0];
  const std::size_t first = before.replicas[0] == 1 ? 0 : 1;
  const Uuid there{7, 9};
  const auto moved = [&](std::int32_t broker, const TopicIdPartition& partition) {
    return c.controller().replicasMoved(c.image(), broker, {{partition, there}});
  };
  EXPECT_THAT(moved(3, id), IsEmpty()) << "it has no replica";
  EXPECT_THAT(moved(1, {id.topic_id, 1}), IsEmpty());
  EXPECT_THAT(moved(1, {Uuid{9, 9}, 0}), IsEmpty());
  c.apply(moved(1, id));
  const PartitionImage after = c.image().topic("t")->partitions[0];
  EXPECT_EQ(after.directories[first], there);
  EXPECT_EQ(after.directories[1 - first], before.directories[1 - first]);
  EXPECT_EQ(after.leader, before.leader);
  EXPECT_EQ(after.leader_epoch, before.leader_epoch);
  EXPECT_THAT(moved(1, id), IsEmpty()) << "that is known";
}

TEST(Controller, AReplicaThatIsFoundInADirectoryThatIsOnlineLeadsAgain) {
  Cluster c({1});
  ASSERT_EQ(c.create("t"), Errc::kNone);
  const TopicIdPartition id{c.image().topic("t")->id, 0};
  const Uuid online{7, 9};
  c.apply(c.controller().directoriesFailed(c.image(), 1, {online}));
  const std::int32_t epoch = c.image().topic("t")->partitions[0].leader_epoch;
  ASSERT_EQ(c.image().topic("t")->partitions[0].leader, -1);
  c.apply(c.controller().replicasMoved(c.image(), 1, {{id, {7, 8}}}));
  EXPECT_EQ(c.image().topic("t")->partitions[0].leader, -1) << "that one is offline, too";
  c.apply(c.controller().replicasMoved(c.image(), 1, {{id, online}}));
  EXPECT_EQ(c.image().topic("t")->partitions[0].leader, 1);
  EXPECT_EQ(c.image().topic("t")->partitions[0].leader_epoch, epoch + 1);
}

}  // namespace
}  // namespace millrace::broker::testing
