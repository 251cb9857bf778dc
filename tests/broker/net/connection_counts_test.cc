// How many connections there may be at once.
#include "broker/net/connection_counts.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::broker::testing {
namespace {

std::string refusal(ConnectionCounts& counts, const std::string& address) {
  const auto place = counts.enter(address);
  return place ? std::string() : place.error().detail;
}

TEST(ConnectionCounts, TheLogsKeepTheirFileDescriptors) {
  const auto counts = std::make_shared<ConnectionCounts>(100, 100, 2);
  auto first = counts->enter("a");
  {
    const auto second = counts->enter("b");
    EXPECT_EQ(refusal(*counts, "c"),
              "the limit on open files (ulimit -n) has room for 2 connections");
  }
  EXPECT_EQ(refusal(*counts, "c"), "");
}

TEST(ConnectionCounts, TheConfiguredLimitsHold) {
  const auto counts = std::make_shared<ConnectionCounts>(2, 1, 100);
  const auto first = counts->enter("a");
  EXPECT_EQ(refusal(*counts, "a"), "max.connections.per.ip=1 is reached");
  const auto second = counts->enter("b");
  EXPECT_EQ(refusal(*counts, "c"), "max.connections=2 is reached");
}

}  // namespace
}  // namespace millrace::broker::testing
