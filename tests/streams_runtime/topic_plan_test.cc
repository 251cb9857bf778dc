#include "streams/runtime/topic_plan.h"

#include <gmock/gmock.h>

namespace millrace::streams {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

/// A store that no test opens.
class NoStore final : public StoreBuilder {
 public:
  using StoreBuilder::StoreBuilder;
  std::unique_ptr<TaskStore> make() const override { return nullptr; }
};

/// "in" -> select -> repartition topic "keyed" -> count (store) -> "out"; joined with "other" where
/// asked.
class TopicPlanTest : public ::testing::Test {
 protected:
  void declare(std::optional<std::int32_t> repartition_count, bool joined) {
    ASSERT_TRUE(builder_.addSource({.name = "in", .kind = NodeKind::kSource, .topics = {"in"}}));
    ASSERT_TRUE(builder_.addSink(
        {.name = "sink", .kind = NodeKind::kSink, .parents = {"in"}, .topic = "keyed"}));
    builder_.addRepartitionTopic("keyed", repartition_count);
    ASSERT_TRUE(
        builder_.addSource({.name = "keyed", .kind = NodeKind::kSource, .topics = {"keyed"}}));
    std::vector<std::string> parents{"keyed"};
    if (joined) {
      ASSERT_TRUE(
          builder_.addSource({.name = "other", .kind = NodeKind::kSource, .topics = {"other"}}));
      builder_.copartition({"keyed", "other"});
      parents.push_back("other");
    }
    ASSERT_TRUE(builder_.addProcessor({.name = "count", .parents = parents}));
    ASSERT_TRUE(
        builder_.addStateStore(std::make_shared<NoStore>(StoreSpec{.name = "counts"}), {"count"}));
    topology_ = *builder_.build();
  }
  Result<TopicPlan> plan(const std::map<std::string, std::int32_t>& existing) {
    return planTopics(topology_, "app", existing);
  }
  TopologyBuilder builder_;
  Topology topology_;
};

std::vector<std::pair<std::string, std::int32_t>> counts(const std::vector<PlannedTopic>& topics) {
  std::vector<std::pair<std::string, std::int32_t>> out;
  for (const auto& topic : topics) out.emplace_back(topic.name, topic.partitions);
  return out;
}

TEST_F(TopicPlanTest, RepartitionTopicsFollowTheirWriters) {
  declare(std::nullopt, false);
  const auto planned = plan({{"in", 3}});
  ASSERT_TRUE(planned) << planned.error().toString();
  EXPECT_THAT(counts(planned->repartition), ElementsAre(Pair("app-keyed", 3)));
  EXPECT_THAT(counts(planned->changelogs), ElementsAre(Pair("app-counts-changelog", 3)));
  EXPECT_THAT(planned->tasks, ElementsAre(Pair(0, 3), Pair(1, 3)));
  EXPECT_EQ(planned->repartition.front().configs.at("cleanup.policy"), "delete");
  EXPECT_EQ(planned->changelogs.front().configs.at("cleanup.policy"), "compact");
  EXPECT_THAT(inputPartitions(topology_, "app", planned->partitions, {1, 2}),
              ElementsAre(TopicPartition{"app-keyed", 2}));
}

TEST_F(TopicPlanTest, AskedForCountsWin) {
  declare(5, false);
  const auto planned = plan({{"in", 3}});
  EXPECT_THAT(counts(planned->repartition), ElementsAre(Pair("app-keyed", 5)));
  EXPECT_THAT(planned->tasks, ElementsAre(Pair(0, 3), Pair(1, 5)));
}

TEST_F(TopicPlanTest, JoinedRepartitionTopicsAdoptTheExternalCount) {
  declare(std::nullopt, true);
  const auto planned = plan({{"in", 3}, {"other", 7}});
  EXPECT_THAT(counts(planned->repartition), ElementsAre(Pair("app-keyed", 7)));
}

TEST_F(TopicPlanTest, CountsThatDisagreeAreRefused) {
  declare(5, true);
  const auto planned = plan({{"in", 3}, {"other", 7}});
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().code, Errc::kConfig);
  EXPECT_THAT(planned.error().detail, HasSubstr("not co-partitioned"));
}

TEST_F(TopicPlanTest, MissingSourcesAreNamed) {
  declare(std::nullopt, true);
  const auto planned = plan({{"in", 3}});
  ASSERT_FALSE(planned);
  EXPECT_EQ(planned.error().code, Errc::kUnknownTopicOrPartition);
  EXPECT_THAT(planned.error().detail, HasSubstr("other"));
}

}  // namespace
}  // namespace millrace::streams
