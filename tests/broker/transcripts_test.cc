// Recorded conversations with Apache Kafka 4.2.0, played against our broker: the same requests, the
// same answers.
#include "base/log.h"
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/api_versions_response.h"
#include "tests/broker/support/test_broker.h"
#include "tests/broker/support/transcript.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace millrace::broker::testing {
namespace {

/// Scenarios that ask for what a later version brings, by the start of their names.
const std::map<std::string, std::string>& notYet() {
  static const std::map<std::string, std::string> names{
      {"api_versions.ranges", "lists all of Kafka's apis; see ApiVersions.RangesAreKafkas"},
      {"frames.raw_frame.sasl_authenticate_on_plaintext", "security"},
      {"produce.damaged.codec_5", "answered as CORRUPT_MESSAGE, which is allowed"},
      {"produce.null_records", "Kafka never answers: a fault that is not copied"},
  };
  return names;
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

TEST(ApiVersions, RangesAreKafkas) {
  TestBroker broker(recordedNode());
  int compared = 0;
  for (const auto& scenario : loadScenarios("api_versions")) {
    if (!scenario.at("scenario").as_string().starts_with("api_versions.ranges")) continue;
    // Apis that come later are missing here; those that are listed have Kafka's versions.
    const auto& step = scenario.at("steps").as_array().at(0).as_object();
    std::map<std::int64_t, boost::json::value> kafka;
    for (const auto& range : step.at("res").at("apiKeys").as_array())
      kafka[range.at("apiKey").as_int64()] = range;
    WireClient client(broker.port());
    protocol::ApiVersionsRequest request;
    const auto version = step.at("v").to_number<std::int16_t>();
    if (version >= 3) {
      request.client_software_name = Text("test");
      request.client_software_version = Text("1");
    }
    for (const auto& range : client.call(request, version).api_keys) {
      const boost::json::value ours{{"apiKey", range.api_key},
                                    {"minVersion", range.min_version},
                                    {"maxVersion", range.max_version}};
      EXPECT_EQ(difference(kafka[range.api_key], ours), "");
      ++compared;
    }
  }
  EXPECT_GT(compared, 80);
}

INSTANTIATE_TEST_SUITE_P(Data, Transcripts,
                         ::testing::Values("api_versions", "frames", "produce",
                                           "produce_idempotent", "fetch", "list_offsets"),
                         [](const auto& name) { return name.param; });

}  // namespace
}  // namespace millrace::broker::testing
