#include "streams/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::streams {
namespace {

class AnyStore final : public StoreBuilder {
 public:
  using StoreBuilder::StoreBuilder;
  [[nodiscard]] std::unique_ptr<TaskStore> make() const override { return nullptr; }
};

TEST(TopologyBuilder, GroupsByParentsAndSharedStores) {
  TopologyBuilder builder;
  ASSERT_TRUE(builder.addSource({.name = "s1", .topics = {"t1"}}));
  ASSERT_TRUE(builder.addSource({.name = "s2", .topics = {"t2"}}));
  ASSERT_TRUE(builder.addSource({.name = "s3", .topics = {"t3"}}));
  ASSERT_TRUE(builder.addProcessor({.name = "p1", .parents = {"s1"}}));
  ASSERT_TRUE(builder.addProcessor({.name = "p3", .parents = {"s3"}}));
  const auto store = std::make_shared<AnyStore>(StoreSpec{.name = "shared"});
  ASSERT_TRUE(builder.addStateStore(store, {"p1", "p3"}));
  const auto topology = builder.build();
  ASSERT_TRUE(topology);
  ASSERT_EQ(topology->subtopologies().size(), 2U);
  EXPECT_THAT(topology->subtopologies()[0].source_topics, testing::ElementsAre("t1", "t3"));
  EXPECT_THAT(topology->subtopologies()[0].stores, testing::ElementsAre("shared"));
  EXPECT_EQ(topology->subtopologies()[0].changelogs.at("shared").topic.name, "shared-changelog");
  EXPECT_THAT(topology->subtopologies()[1].source_topics, testing::ElementsAre("t2"));
}

TEST(TopologyBuilder, RefusesWhatKafkaRefuses) {
  TopologyBuilder builder;
  ASSERT_TRUE(builder.addSource({.name = "s", .topics = {"t"}}));
  EXPECT_FALSE(builder.addSource({.name = "s", .topics = {"u"}}));
  EXPECT_FALSE(builder.addSource({.name = "other", .topics = {"t"}}));
  EXPECT_FALSE(builder.addProcessor({.name = "p", .parents = {"nobody"}}));
  EXPECT_FALSE(builder.connect("s", {"no-store"}));
  ASSERT_TRUE(builder.addStateStore(std::make_shared<AnyStore>(StoreSpec{.name = "x"}), {}));
  EXPECT_FALSE(builder.addStateStore(std::make_shared<AnyStore>(StoreSpec{.name = "x"}), {}));
}

TEST(TopologyBuilder, InternalTopicsHaveKafkasConfigs) {
  TopologyBuilder builder;
  ASSERT_TRUE(builder.addSource({.name = "s", .topics = {"t-repartition"}}));
  ASSERT_TRUE(builder.addProcessor({.name = "p", .parents = {"s"}}));
  builder.addRepartitionTopic("t-repartition", 5);
  const StoreSpec window{
      .name = "w", .kind = StoreKind::kTimestampedWindow, .retention_ms = 4'200'000};
  ASSERT_TRUE(builder.addStateStore(std::make_shared<AnyStore>(window), {"p"}));
  const auto topology = builder.build();
  ASSERT_TRUE(topology);
  const Subtopology& sub = topology->subtopologies()[0];
  const InternalTopic& repartition = sub.repartition_topics.at("t-repartition");
  EXPECT_EQ(repartition.partitions, 5);
  EXPECT_THAT(repartition.configs,
              testing::ElementsAre(testing::Pair("cleanup.policy", "delete"),
                                   testing::Pair("message.timestamp.type", "CreateTime"),
                                   testing::Pair("retention.ms", "-1"),
                                   testing::Pair("segment.bytes", "52428800")));
  EXPECT_EQ(sub.changelogs.at("w").topic.configs.at("cleanup.policy"), "compact,delete");
  EXPECT_EQ(sub.changelogs.at("w").topic.configs.at("retention.ms"), "90600000");
  EXPECT_EQ(decorateTopic("app", "w-changelog"), "app-w-changelog");
}

}  // namespace
}  // namespace millrace::streams
