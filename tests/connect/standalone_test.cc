// Whole connectors against a broker in this process.
#include "connect/standalone.h"

#include "broker/broker.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "client/transport.h"
#include "connect/stream_file.h"
#include "tests/connect/support/notation.h"
#include "tests/support/eventually.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace millrace::connect::testing {
namespace {

using millrace::testing::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StandaloneTest : public ::testing::Test {
 protected:
  StandaloneTest()
      : broker_(Broker::open(
            BrokerOptions{.directory = dir_.path("data"),
                          .properties = {{"listeners", "PLAINTEXT://127.0.0.1:0"},
                                         {"num.partitions", "1"},
                                         {"group.initial.rebalance.delay.ms", "0"}}})) {}

  Properties workerProperties() const {
    return {{"bootstrap.servers", broker_.bootstrap()},
            {"key.converter", "org.apache.kafka.connect.storage.StringConverter"},
            {"value.converter", "org.apache.kafka.connect.storage.StringConverter"},
            {"offset.storage.file.filename", dir_.path("connect.offsets")},
            {"offset.flush.interval.ms", "20"}};
  }
  Standalone worker(const Properties& more = {}) {
    Properties properties = workerProperties();
    for (const auto& [key, value] : more) properties[key] = value;
    auto created = Standalone::create({.properties = properties});
    EXPECT_TRUE(created.has_value()) << created.error().toString();
    return std::move(*created);
  }
  Properties source(const Properties& more = {}) const {
    Properties properties{{"name", "lines"},
                          {"connector.class", "FileStreamSource"},
                          {"file", dir_.path("in.txt")},
                          {"topic", "lines"},
                          {"poll.wait.ms", "5"}};
    for (const auto& [key, value] : more) properties[key] = value;
    return properties;
  }
  /// Values of a topic's partition 0, once there are `count` of them.
  std::vector<std::string> values(const std::string& topic, std::size_t count) {
    Consumer consumer({.bootstrapServers = broker_.bootstrap()});
    EXPECT_TRUE(consumer.assign({{topic, 0}}).has_value());
    EXPECT_TRUE(consumer.seekToBeginning().has_value());
    std::vector<std::string> values;
    EXPECT_TRUE(eventually([&] {
      for (const Record& record : consumer.poll(milliseconds(50))) {
        values.emplace_back(record.value());
      }
      return values.size() >= count;
    })) << values.size();
    return values;
  }

  TempDir dir_;
  Broker broker_;
};

TEST_F(StandaloneTest, TailsAFileAndResumesExactlyAfterARestart) {
  writeFile(dir_.path("in.txt"), "one\nz\xC3\xBCrich\npart");
  {
    Standalone running = worker();
    ASSERT_TRUE(running.add(source()).has_value());
    EXPECT_THAT(values("lines", 2), ElementsAre("one", "z\xC3\xBCrich"));
    appendFile(dir_.path("in.txt"), "ial\n");
    EXPECT_THAT(values("lines", 3), ElementsAre("one", "z\xC3\xBCrich", "partial"));
    EXPECT_TRUE(eventually([&] { return running.status()[0].tasks[0].records == 3; }));
    EXPECT_TRUE(running.stop().has_value());
  }
  appendFile(dir_.path("in.txt"), "last\n");
  Standalone again = worker();
  ASSERT_TRUE(again.add(source()).has_value());
  EXPECT_THAT(values("lines", 4), ElementsAre("one", "z\xC3\xBCrich", "partial", "last"));
}

TEST_F(StandaloneTest, StreamsACsvFileAsJson) {
  writeFile(
      dir_.path("in.csv"),
      "carrier,delay,at,minute\nAA,5,2013-01-01T10:00:00Z,15\n\"U,A\",NA,2013-01-01T11:00:00Z,0");
  const auto records = streamFile({.file = dir_.path("in.csv"),
                                   .topic = "flights",
                                   .bootstrapServers = broker_.bootstrap(),
                                   .keyColumn = "carrier",
                                   .timeColumn = "at",
                                   .timeMinutesColumn = "minute",
                                   .nullText = "NA"});
  ASSERT_TRUE(records.has_value()) << records.error().toString();
  EXPECT_EQ(*records, 2U);
  Consumer consumer({.bootstrapServers = broker_.bootstrap()});
  ASSERT_TRUE(consumer.assign({{"flights", 0}}).has_value());
  ASSERT_TRUE(consumer.seekToBeginning().has_value());
  std::vector<std::string> seen;
  ASSERT_TRUE(eventually([&] {
    for (const Record& record : consumer.poll(milliseconds(50))) {
      seen.push_back(std::string(record.key()) + " " + std::to_string(record.timestamp()) + " " +
                     std::string(record.value()));
    }
    return seen.size() == 2;
  }));
  EXPECT_THAT(seen, ElementsAre("AA 1357035300000 {\"carrier\":\"AA\",\"delay\":5,"
                                "\"at\":\"2013-01-01T10:00:00Z\",\"minute\":15}",
                                "U,A 1357038000000 {\"carrier\":\"U,A\",\"delay\":null,"
                                "\"at\":\"2013-01-01T11:00:00Z\",\"minute\":0}"));
}

TEST_F(StandaloneTest, TheDemosFileTakesWellUnderASecond) {
  const auto began = std::chrono::steady_clock::now();
  const auto records =
      streamFile({.file = std::string(MILLRACE_SOURCE_DIR) + "/examples/data/flights-2013-01.csv",
                  .topic = "flights",
                  .transport = std::shared_ptr<client::Transport>(broker_.transport()),
                  .keyColumn = "carrier",
                  .timeColumn = "time_hour",
                  .timeMinutesColumn = "minute",
                  .nullText = "NA",
                  .textColumns = {"tailnum"}});
  ASSERT_TRUE(records.has_value()) << records.error().toString();
  EXPECT_EQ(*records, 27004U);
  const auto took = std::chrono::steady_clock::now() - began;
  RecordProperty("ms", std::to_string(std::chrono::duration_cast<milliseconds>(took).count()));
}

TEST_F(StandaloneTest, SinkWritesWhatTheTopicHoldsAndResumes) {
  Producer producer({.bootstrapServers = broker_.bootstrap()});
  const auto send = [&](const std::string& value) {
    ASSERT_TRUE(producer.send({.topic = "out", .value = value}).get().has_value());
  };
  send("a");
  send("b");
  const Properties sink{{"name", "file-sink"},
                        {"connector.class", "FileStreamSink"},
                        {"topics", "out"},
                        {"file", dir_.path("out.txt")}};
  {
    Standalone running = worker();
    ASSERT_TRUE(running.add(sink).has_value());
    EXPECT_TRUE(eventually([&] { return readFile(dir_.path("out.txt")) == "a\nb\n"; }))
        << readFile(dir_.path("out.txt"));
    EXPECT_TRUE(running.stop().has_value());
  }
  send("c");
  Standalone again = worker();
  ASSERT_TRUE(again.add(sink).has_value());
  EXPECT_TRUE(eventually([&] { return readFile(dir_.path("out.txt")) == "a\nb\nc\n"; }))
      << readFile(dir_.path("out.txt"));
}

TEST_F(StandaloneTest, BadRecordsBecomeDeadLetters) {
  Producer producer({.bootstrapServers = broker_.bootstrap()});
  for (const char* value : {"1", "{bad", "2"}) {
    ASSERT_TRUE(producer.send({.topic = "json", .value = value}).get().has_value());
  }
  Standalone running = worker();
  ASSERT_TRUE(running
                  .add({{"name", "sink"},
                        {"connector.class", "FileStreamSink"},
                        {"topics", "json"},
                        {"file", dir_.path("out.txt")},
                        {"value.converter", "JsonConverter"},
                        {"value.converter.schemas.enable", "false"},
                        {"errors.tolerance", "all"},
                        {"errors.deadletterqueue.topic.name", "dead"},
                        {"errors.deadletterqueue.context.headers.enable", "true"}})
                  .has_value());
  EXPECT_TRUE(eventually([&] { return readFile(dir_.path("out.txt")) == "1\n2\n"; }));
  EXPECT_THAT(values("dead", 1), ElementsAre("{bad"));
}

TEST_F(StandaloneTest, APluginThatThrowsOrHangsFailsItsTaskOnly) {
  Standalone running = worker({{"plugin.path", MILLRACE_TEST_PLUGINS "/good.so"},
                               {"task.call.timeout.ms", "300"},
                               {"task.shutdown.graceful.timeout.ms", "200"}});
  const Properties rows{{"connector.class", "rows"}, {"topic", "rows"}};
  const auto add = [&](const std::string& name, const std::string& flag) {
    Properties properties = rows;
    properties["name"] = name;
    if (!flag.empty()) properties[flag] = "true";
    ASSERT_TRUE(running.add(properties).has_value());
  };
  add("throws", "throw");
  add("hangs", "hang");
  add("works", "");
  EXPECT_THAT(values("rows", 3), ElementsAre("row 0", "row 1", "row 2"));
  const auto stateOf = [&](const std::string& name) {
    for (const ConnectorStatus& connector : running.status()) {
      if (connector.name == name) return connector.tasks[0];
    }
    return TaskStatus{};
  };
  EXPECT_TRUE(eventually([&] { return stateOf("throws").state == TaskState::kFailed; }));
  EXPECT_THAT(stateOf("throws").error, HasSubstr("row"));
  EXPECT_TRUE(eventually([&] { return stateOf("hangs").state == TaskState::kFailed; }));
  EXPECT_THAT(stateOf("hangs").error, HasSubstr("poll has not returned for 300 ms"));
  EXPECT_TRUE(eventually([&] { return stateOf("works").state == TaskState::kFinished; }));
  const auto outcome = running.waitUntilFinished(seconds(30));
  ASSERT_FALSE(outcome.has_value());
  EXPECT_TRUE(running.stop().has_value());
}

TEST_F(StandaloneTest, RefusesWrongConfigurationsWithAReason) {
  Standalone running = worker();
  const auto problem = [&](const Properties& properties) {
    const Status added = running.add(properties);
    return added ? std::string() : added.error().detail;
  };
  EXPECT_THAT(problem({{"name", "x"}}), HasSubstr("FileStreamSource"));
  EXPECT_THAT(problem({{"name", "x"}, {"connector.class", "Nope"}}), HasSubstr("Nope"));
  EXPECT_THAT(problem({{"name", "x"}, {"connector.class", "FileStreamSource"}}),
              HasSubstr("topic must be set"));
  EXPECT_THAT(problem(source({{"tasks.max", "many"}})), HasSubstr("tasks.max=many"));
  EXPECT_THAT(problem(source({{"value.converter", "Nope"}})), HasSubstr("Nope"));
  EXPECT_THAT(problem({{"name", "x"}, {"connector.class", "FileStreamSink"}}),
              HasSubstr("either topics or topics.regex"));
  ASSERT_TRUE(running.add(source()).has_value());
  EXPECT_THAT(problem(source()), HasSubstr("already"));
  EXPECT_TRUE(running.remove("lines").has_value());
  EXPECT_EQ(running.remove("lines").error().code, Errc::kNotFound);
}

TEST(Standalone, NeedsItsConfiguration) {
  const auto created = Standalone::create({.properties = {{"bootstrap.servers", "localhost:1"}}});
  ASSERT_FALSE(created.has_value());
  EXPECT_THAT(created.error().detail, HasSubstr("key.converter must be set"));
}

}  // namespace
}  // namespace millrace::connect::testing
