// Files that are of no more use go from the disk when their delay is over, whatever the interval of
// the retention checks.
#include "protocol/messages/delete_topics_request.h"
#include "protocol/messages/delete_topics_response.h"
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"
#include "tests/support/eventually.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace millrace::broker::testing {
namespace {

using millrace::testing::eventually;

class Removal : public ::testing::Test {
 protected:
  void create(const std::string& name, const std::map<std::string, std::string>& configs) {
    ASSERT_EQ(createTopic(client_, name, 1, configs), 0);
  }
  void put(const std::string& topic, const std::string& value) {
    record::BatchBuilder builder;
    time_ += 1000;
    builder.append(time_, "k", value);
    const Bytes batch = builder.build().value();
    const auto answer = client_.call(produceRequest(topic, 0, batch), kProduceVersion);
    ASSERT_EQ(answer.responses.at(0).partition_responses.at(0).error_code, 0);
  }
  /// How many names in the data directory, or one of its logs, there are with this in them.
  [[nodiscard]] std::ptrdiff_t count(const std::string& part, const std::string& log = "") const {
    std::error_code gone;  // files come and go meanwhile
    std::filesystem::directory_iterator names(broker_.directory() + "/" + log, gone);
    return std::count_if(begin(names), end(names), [&](const auto& entry) {
      return entry.path().filename().string().contains(part);
    });
  }

  TestBroker broker_{{{"log.cleaner.backoff.ms", "1"},
                      {"log.initial.task.delay.ms", "10"},
                      {"log.segment.delete.delay.ms", "10"}}};
  WireClient client_{broker_.port()};
  Millis time_ = 1'700'000'000'000;
};

TEST_F(Removal, ADeletedTopicsFilesGo) {
  create("t", {});
  put("t", "1");
  protocol::DeleteTopicsRequest request;
  request.topic_names.emplace_back("t");
  request.timeout_ms = 10'000;
  ASSERT_EQ(client_.call(request, 5).responses.at(0).error_code, 0);
  EXPECT_TRUE(eventually([&] { return count("t-0") == 0; }));
}

TEST_F(Removal, SegmentsThatWereCompactedGo) {
  create("t", {{"cleanup.policy", "compact"},
               {"segment.ms", "1"},
               {"min.cleanable.dirty.ratio", "0.01"},
               {"message.timestamp.before.max.ms", "9223372036854775807"}});
  for (const auto* value : {"1", "2", "3"}) put("t", value);
  EXPECT_TRUE(eventually([&] { return count(".log", "t-0") == 2; }));
  EXPECT_EQ(count("00002.log", "t-0"), 1) << "the active one stays";
}

TEST_F(Removal, OldSegmentsGo) {
  create("t", {{"segment.ms", "1"},
               {"retention.ms", "1"},
               {"message.timestamp.before.max.ms", "9223372036854775807"}});
  for (const auto* value : {"1", "2", "3"}) put("t", value);
  broker_.stop();
  broker_.start();
  EXPECT_TRUE(eventually([&] {
    return count("00003.log", "t-0") == 1 && count(".log", "t-0") == 1;
  })) << "the first check comes soon after the start";
}

}  // namespace
}  // namespace millrace::broker::testing
