// What a broker makes of its server.properties.
#include "broker/node_config.h"

#include <gtest/gtest.h>

namespace millrace::broker::testing {
namespace {

Result<NodeConfig> read(Properties given) {
  return readNodeConfig({.directory = "unused", .properties = std::move(given)});
}

// Files of older clusters name the node by broker.id.
TEST(NodeConfig, BrokerIdAndNodeIdAreOne) {
  for (const std::string_view name : {"node.id", "broker.id"}) {
    const auto node = read({{std::string(name), "5"}});
    ASSERT_TRUE(node) << node.error().toString();
    EXPECT_EQ(node->config.getInt("node.id"), 5);
    EXPECT_EQ(node->config.getInt("broker.id"), 5);
    EXPECT_TRUE(node->node_id_given);
  }
  const auto neither = read({});
  ASSERT_TRUE(neither);
  EXPECT_EQ(neither->config.getInt("broker.id"), 1);
  EXPECT_FALSE(neither->node_id_given);
}

TEST(NodeConfig, TwoDifferentIdsAreRefused) {
  const auto node = read({{"node.id", "5"}, {"broker.id", "6"}});
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().code, Errc::kConfig);
}

TEST(NodeConfig, LogSettingsThatWouldLoseOrStopEverythingAreRefused) {
  for (const auto& [key, value] : Properties{{"log.roll.ms", "0"},
                                             {"log.roll.jitter.ms", "-1"},
                                             {"log.retention.ms", "0"},
                                             {"log.retention.minutes", "0"},
                                             {"log.retention.hours", "0"},
                                             {"log.cleaner.dedupe.buffer.size", "1048576"}}) {
    const auto node = read({{key, value}});
    ASSERT_FALSE(node) << key;
    EXPECT_EQ(node.error().code, Errc::kConfig);
  }
  EXPECT_TRUE(read({{"log.retention.ms", "-1"}, {"log.retention.hours", "0"}}));
  EXPECT_TRUE(read({{"log.roll.ms", "1"}, {"log.cleaner.dedupe.buffer.size", "1048577"}}));
  EXPECT_FALSE(read({{"log.cleaner.threads", "128"}})) << "128 MB of memory for so many";
}

}  // namespace
}  // namespace millrace::broker::testing
