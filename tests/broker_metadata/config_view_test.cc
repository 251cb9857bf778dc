// What DescribeConfigs shows of a key: its value, and the places that give it.
#include "broker/metadata/config_view.h"

#include <gtest/gtest.h>

#include <memory>

namespace millrace::broker::testing {
namespace {

std::string places(const ConfigView& view) {
  std::string text;
  for (const ConfigSynonymView& s : view.synonyms) {
    text += s.name + "=" + s.value.value_or("null") + ":" +
            std::to_string(static_cast<int>(s.source)) + " ";
  }
  return text;
}

class ConfigViewTest : public ::testing::Test {
 protected:
  BrokerSettings broker(Properties given = {}) {
    given_ = std::move(given);
    return {.node_id = 1,
            .dynamic = std::make_shared<ConfigMap>(),
            .dynamic_default = std::make_shared<ConfigMap>(),
            .given = &given_};
  }
  ConfigView topic(std::string_view key, const BrokerSettings& settings, ConfigMap own = {}) {
    return viewOf(*topicConfigDef().find(key), own, ConfigSource::kTopic, settings);
  }
  ConfigView node(std::string_view key, const BrokerSettings& settings) {
    return viewOfBroker(*brokerConfigDef().find(key), settings);
  }

 private:
  Properties given_;
};

// Hours stand in for milliseconds without being shown under them, as in Kafka.
TEST_F(ConfigViewTest, SynonymsBeginAtTheKeysOwnName) {
  const BrokerSettings defaults = broker();
  EXPECT_EQ(places(node("log.retention.ms", defaults)), "");
  EXPECT_EQ(node("log.retention.ms", defaults).source, ConfigSource::kDefault);
  EXPECT_EQ(places(node("log.retention.hours", defaults)), "log.retention.hours=168:5 ");
  EXPECT_EQ(topic("retention.ms", defaults).value, "604800000");
  EXPECT_EQ(places(topic("retention.ms", defaults)), "");
  EXPECT_EQ(places(topic("retention.ms", defaults, {{"retention.ms", "7"}})), "retention.ms=7:1 ");
}

TEST_F(ConfigViewTest, ShownPlacesAreOfTheOwnNameFirst) {
  const BrokerSettings given = broker(
      {{"log.retention.hours", "1"}, {"log.retention.ms", "5"}, {"log.segment.bytes", "99"}});
  EXPECT_EQ(places(topic("retention.ms", given)),
            "log.retention.ms=5:4 log.retention.hours=1:4 log.retention.hours=168:5 ");
  EXPECT_EQ(places(topic("segment.bytes", given)),
            "log.segment.bytes=99:4 log.segment.bytes=1073741824:5 ");
  EXPECT_EQ(topic("segment.bytes", given).source, ConfigSource::kStaticBroker);
}

TEST_F(ConfigViewTest, WhatIsOnlyEverSetWhileTheBrokerRunsIsShown) {
  const std::string throttle = "replica.alter.log.dirs.io.max.bytes.per.second";
  BrokerSettings settings = broker();
  EXPECT_TRUE(viewsOfDynamicOnly(settings).empty());
  settings.dynamic =
      std::make_shared<ConfigMap>(ConfigMap{{throttle, "5"}, {"log.cleaner.threads", "2"}});
  settings.dynamic_default = std::make_shared<ConfigMap>(ConfigMap{{throttle, "7"}, {"x", "y"}});
  const auto views = viewsOfDynamicOnly(settings);
  ASSERT_EQ(views.size(), 2U);
  EXPECT_EQ(views[0].name, throttle);
  EXPECT_EQ(views[0].value, "5");
  EXPECT_EQ(views[0].type, ConfigType::kLong);
  EXPECT_EQ(views[0].source, ConfigSource::kDynamicBroker);
  EXPECT_EQ(places(views[0]), throttle + "=5:2 " + throttle + "=7:3 ");
  EXPECT_EQ(views[1].name, "x");
  EXPECT_TRUE(views[1].sensitive);
  EXPECT_EQ(views[1].source, ConfigSource::kDynamicDefaultBroker);
  EXPECT_EQ(places(views[1]), "x=null:3 ");
}

}  // namespace
}  // namespace millrace::broker::testing
