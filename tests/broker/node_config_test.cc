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

}  // namespace
}  // namespace millrace::broker::testing
