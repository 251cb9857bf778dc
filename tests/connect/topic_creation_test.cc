#include "connect/topic_creation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::connect::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Result<std::optional<TopicCreationRules>> rules(Properties properties) {
  properties["name"] = "source";
  properties["connector.class"] = "FileStreamSource";
  const auto config = Config::parse(connectSourceConfigDef(), properties);
  EXPECT_TRUE(config.has_value()) << config.error().toString();
  return TopicCreationRules::read(*config);
}

Properties twoGroups() {
  return {{"topic.creation.default.partitions", "3"},
          {"topic.creation.default.replication.factor", "-1"},
          {"topic.creation.default.compression.type", "lz4"},
          {"topic.creation.default.include", "nothing"},
          {"topic.creation.groups", "compacted, wide"},
          {"topic.creation.compacted.include", "state-.*, kept"},
          {"topic.creation.compacted.exclude", "state-old.*"},
          {"topic.creation.compacted.cleanup.policy", "compact"},
          {"topic.creation.wide.include", "state-.*"},
          {"topic.creation.wide.partitions", "24"}};
}

TEST(TopicCreation, WithoutKeysTheBrokersDecide) { EXPECT_FALSE(rules({}).value().has_value()); }

TEST(TopicCreation, TheFirstGroupThatCoversTheNameDecides) {
  const auto read = rules(twoGroups());
  ASSERT_TRUE(read.has_value()) << read.error().toString();
  const TopicCreationRules& all = **read;
  const NewTopic compacted = all.describe("state-a");
  EXPECT_EQ(compacted.name, "state-a");
  EXPECT_EQ(compacted.partitions, 3) << "as the default group says";
  EXPECT_EQ(compacted.replicationFactor, -1);
  EXPECT_THAT(compacted.configs, ElementsAre(Pair("cleanup.policy", "compact")));
  EXPECT_EQ(all.describe("state-old-1").partitions, 24) << "excluded from the first";
  EXPECT_THAT(all.describe("kept-not").configs, ElementsAre(Pair("compression.type", "lz4")))
      << "patterns cover whole names";
}

TEST(TopicCreation, RefusesWhatIsWrongByName) {
  auto properties = twoGroups();
  properties.erase("topic.creation.default.replication.factor");
  EXPECT_THAT(rules(properties).error().detail, HasSubstr("replication.factor"));
  properties = twoGroups();
  properties["topic.creation.wide.include"] = "state-(";
  EXPECT_THAT(rules(properties).error().detail, HasSubstr("topic.creation.wide.include"));
  properties = twoGroups();
  properties["topic.creation.wide.partitions"] = "0";
  EXPECT_THAT(rules(properties).error().detail, HasSubstr("wide"));
}

}  // namespace
}  // namespace millrace::connect::testing
