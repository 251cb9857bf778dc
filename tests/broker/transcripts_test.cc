// Recorded conversations with Apache Kafka 4.2.0, played against our broker: the same requests, the same answers.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

#include "base/log.h"
#include "tests/broker/support/test_broker.h"
#include "tests/broker/support/transcript.h"

namespace millrace::broker::testing {
namespace {

/// Scenarios that ask for what a later version brings, by the start of their names.
const std::map<std::string, std::string>& notYet() {
  static const std::map<std::string, std::string> names{};
  return names;
}

/// The node that the transcripts were recorded from.
Properties recordedNode() {
  return {{"num.partitions", "3"},
          {"offsets.topic.num.partitions", "4"},
          {"offsets.topic.replication.factor", "1"},
          {"transaction.state.log.num.partitions", "4"},
          {"transaction.state.log.replication.factor", "1"},
          {"transaction.state.log.min.isr", "1"},
          {"group.initial.rebalance.delay.ms", "0"},
          {"group.min.session.timeout.ms", "1000"},
          {"log.retention.ms", "-1"}};
}

class Transcripts : public ::testing::TestWithParam<std::string> {};

TEST_P(Transcripts, AnswersAreKafkas) {
  TestBroker broker(recordedNode());
  int played = 0;
  for (const auto& scenario : loadScenarios(GetParam())) {
    const std::string name(scenario.at("scenario").as_string());
    bool skip = false;
    for (const auto& [start, reason] : notYet()) skip |= name.starts_with(start);
    if (skip) continue;
    ++played;
    EXPECT_EQ(Player(broker.port()).play(scenario), "") << name;
  }
  EXPECT_GT(played, 0);
}

INSTANTIATE_TEST_SUITE_P(Data, Transcripts,
                         ::testing::Values("api_versions", "frames", "produce", "produce_idempotent", "fetch",
                                           "list_offsets"),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace millrace::broker::testing
