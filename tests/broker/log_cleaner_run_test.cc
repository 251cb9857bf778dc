// Cleaners at work in a broker.
#include "tests/broker/support/requests.h"
#include "tests/broker/support/test_broker.h"
#include "tests/support/eventually.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace millrace::broker::testing {
namespace {

using millrace::testing::eventually;
using Values = std::vector<std::string>;

class LogCleanerRun : public ::testing::Test {
 protected:
  LogCleanerRun() { connect(); }

  void connect() { client_.emplace(broker_->port()); }
  void restart() {
    broker_.stop();
    broker_.start();
    connect();
  }
  /// Compacted, with a segment for each record.
  void createCompacted(const std::string& name) {
    ASSERT_EQ(createTopic(*client_, name, 1,
                          {{"cleanup.policy", "compact"},
                           {"segment.ms", "1"},
                           {"min.cleanable.dirty.ratio", "0.01"},
                           {"message.timestamp.before.max.ms", "9223372036854775807"}}),
              0);
  }
  void put(const std::string& topic, const std::string& key, const std::string& value) {
    record::BatchBuilder builder;
    time_ += 1000;
    builder.append(time_, key, value);
    const Bytes batch = builder.build().value();
    const auto answer = client_->call(produceRequest(topic, 0, batch), kProduceVersion);
    ASSERT_EQ(answer.responses.at(0).partition_responses.at(0).error_code, 0);
  }
  Values valuesOf(const std::string& topic) {
    Values values;
    for (const ReadRecord& record : readAll(*client_, topic, 0)) values.push_back(record.value);
    return values;
  }
  /// How far the topic is compacted, as a start would read it.
  [[nodiscard]] bool checkpointSays(const std::string& topic, int offset) const {
    std::ifstream file(broker_.directory() + "/cleaner-offset-checkpoint");
    std::stringstream text;
    text << file.rdbuf();
    return text.str().contains(topic + " 0 " + std::to_string(offset) + "\n");
  }

  TestBroker broker_{{{"log.cleaner.backoff.ms", "1"}}};
  std::optional<WireClient> client_;
  Millis time_ = 1'700'000'000'000;
};

TEST_F(LogCleanerRun, CompactsAllButTheActiveSegmentAndWritesItDown) {
  createCompacted("t");
  for (const auto* value : {"1", "2", "3"}) put("t", "k", value);
  EXPECT_TRUE(eventually([&] { return valuesOf("t") == Values{"2", "3"}; }));
  EXPECT_TRUE(eventually([&] { return checkpointSays("t", 2); }));
  restart();
  EXPECT_EQ(valuesOf("t"), (Values{"2", "3"}));
  put("t", "k", "4");
  EXPECT_TRUE(eventually([&] { return valuesOf("t") == Values{"3", "4"}; }));
}

TEST_F(LogCleanerRun, ADamagedLogDoesNotKeepOthersFromBeingCompacted) {
  createCompacted("bad");
  put("bad", "k", "1");
  const std::string segment = broker_.directory() + "/bad-0/00000000000000000000.log";
  const auto size = std::filesystem::file_size(segment);
  {
    std::fstream file(segment, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size - 1));
    file.put('\x55');
  }
  put("bad", "k", "2");
  put("bad", "k", "3");
  createCompacted("good");
  for (const auto* value : {"1", "2", "3"}) put("good", "k", value);
  EXPECT_TRUE(eventually([&] { return valuesOf("good") == Values{"2", "3"}; }));
  EXPECT_EQ(std::filesystem::file_size(segment), size) << "what cannot be read stays as it is";
}

TEST_F(LogCleanerRun, ATopicIsCompactedFromTheMomentThatItAsksForIt) {
  ASSERT_EQ(createTopic(*client_, "plain"), 0);
  createCompacted("t");
  for (const auto* value : {"1", "2", "3"}) {
    put("plain", "k", value);
    put("t", "k", value);
  }
  EXPECT_TRUE(eventually([&] { return valuesOf("t") == Values{"2", "3"}; }));
  EXPECT_EQ(valuesOf("plain"), (Values{"1", "2", "3"}));
}

}  // namespace
}  // namespace millrace::broker::testing
