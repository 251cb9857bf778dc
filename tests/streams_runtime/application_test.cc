// Applications against a broker in this process: tasks, commits, restarts, rebalances.
#include "broker/broker.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"
#include "tests/streams_runtime/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>

#include <atomic>
#include <millrace/streams.h>

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::Cluster;
using testing::eventually;

/// "in" -> count by key -> table "counts" -> "out".
Topology countTopology() {
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("in")
      .groupByKey()
      .count({.store = "counts"})
      .toStream()
      .to("out");
  return builder.build();
}

StreamsOptions options(Cluster& cluster, const std::string& state_dir) {
  return {.applicationId = "app",
          .broker = cluster.broker(),
          .stateDir = state_dir,
          .properties = {{"commit.interval.ms", "50"}, {"producer.linger.ms", "0"}}};
}

bool waitProcessed(const Streams& streams, std::uint64_t records) {
  return eventually([&] { return streams.error() || streams.metrics().processed >= records; },
                    60s) &&
         !streams.error();
}

using Counts = std::map<std::string, std::int64_t>;

Counts countsOf(const Streams& streams) {
  const auto rows = streams.store<std::string, std::int64_t>("counts").all();
  EXPECT_TRUE(rows) << rows.error().toString();
  return rows ? Counts(rows->begin(), rows->end()) : Counts();
}

Counts produceKeys(Cluster& cluster, int records, int keys) {
  Counts counts;
  std::vector<std::pair<std::string, std::string>> batch;
  for (int i = 0; i < records; ++i) {
    const std::string key = "key-" + std::to_string(i % keys);
    batch.emplace_back(key, "value");
    ++counts[key];
  }
  cluster.produce("in", batch);
  return counts;
}

Counts operator+(Counts a, const Counts& b) {
  for (const auto& [key, count] : b) a[key] += count;
  return a;
}

class Application : public ::testing::Test {
 protected:
  Application() {
    cluster_.createTopic("in", 4);
    cluster_.createTopic("out", 1);
  }
  Cluster cluster_;
  TempDir state_;
};

TEST_F(Application, CountsAndAnswersQueries) {
  const Counts expected = produceKeys(cluster_, 1'000, 37);
  Streams streams(countTopology(), options(cluster_, state_.path()));
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(streams.waitUntilRunning());
  ASSERT_TRUE(waitProcessed(streams, 1'000));
  EXPECT_EQ(countsOf(streams), expected);
  const auto one = streams.store<std::string, std::int64_t>("counts").get("key-0");
  EXPECT_EQ(one.value(), expected.at("key-0"));
  EXPECT_EQ(streams.metrics().running_tasks, 4U);
  EXPECT_TRUE(streams.close(30s));
  EXPECT_EQ(streams.state(), StreamsState::kNotRunning);
  EXPECT_EQ(cluster_.lastValues<std::int64_t>("out"), expected);
}

TEST_F(Application, RestartGoesOnFromItsDirectoryWithoutRestore) {
  const Counts first = produceKeys(cluster_, 500, 37);
  {
    Streams streams(countTopology(), options(cluster_, state_.path()));
    ASSERT_TRUE(streams.start());
    ASSERT_TRUE(waitProcessed(streams, 500));
    ASSERT_TRUE(streams.close(30s));
  }
  const Counts second = produceKeys(cluster_, 300, 11);
  Streams streams(countTopology(), options(cluster_, state_.path()));
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(waitProcessed(streams, 300));
  EXPECT_EQ(streams.metrics().restored, 0U);
  EXPECT_EQ(countsOf(streams), first + second);
}

TEST_F(Application, LostDirectoryIsRestoredFromTheChangelog) {
  const Counts first = produceKeys(cluster_, 500, 37);
  {
    Streams streams(countTopology(), options(cluster_, state_.path()));
    ASSERT_TRUE(streams.start());
    ASSERT_TRUE(waitProcessed(streams, 500));
    ASSERT_TRUE(streams.close(30s));
    ASSERT_TRUE(streams.cleanUp());
  }
  Streams streams(countTopology(), options(cluster_, state_.path()));
  std::atomic<int> starts{0};
  std::atomic<int> ends{0};
  streams.setRestoreListener(
      {.onRestoreStart = [&](auto&&...) { ++starts; }, .onRestoreEnd = [&](auto&&...) { ++ends; }});
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(streams.waitUntilRunning());
  EXPECT_EQ(countsOf(streams), first);
  EXPECT_GE(streams.metrics().restored, 37U);
  EXPECT_EQ(starts, 4);
  EXPECT_EQ(ends, 4);
}

TEST_F(Application, InternalTopicsHaveKafkasNamesAndConfigs) {
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("in")
      .groupBy([](const std::string&, const std::string& v) { return v; })
      .count({.store = "counts"});
  Streams streams(builder.build(), options(cluster_, state_.path()));
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(streams.waitUntilRunning());
  EXPECT_EQ(cluster_.partitions("app-counts-repartition"), 4);
  EXPECT_EQ(cluster_.partitions("app-counts-changelog"), 4);
  EXPECT_EQ(cluster_.topicConfig("app-counts-changelog", "cleanup.policy"), "compact");
  EXPECT_EQ(cluster_.topicConfig("app-counts-repartition", "cleanup.policy"), "delete");
  EXPECT_EQ(cluster_.topicConfig("app-counts-repartition", "retention.ms"), "-1");
  EXPECT_EQ(cluster_.topicConfig("app-counts-repartition", "segment.bytes"), "52428800");
}

TEST_F(Application, SeveralThreadsShareTheTasks) {
  auto several = options(cluster_, state_.path());
  several.threads = 3;
  const Counts expected = produceKeys(cluster_, 2'000, 101);
  Streams streams(countTopology(), several);
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(waitProcessed(streams, 2'000));
  const auto settled = [&] {
    std::size_t busy = 0;
    for (const auto& thread : streams.threads()) busy += thread.active_tasks.empty() ? 0 : 1;
    return busy == 3 && streams.metrics().running_tasks == 4;
  };
  EXPECT_TRUE(eventually(settled));
  EXPECT_EQ(countsOf(streams), expected);
}

TEST_F(Application, ASecondInstanceTakesTasksAndGivesThemBack) {
  Counts expected = produceKeys(cluster_, 1'000, 101);
  TempDir other_state;
  auto first = std::make_unique<Streams>(countTopology(), options(cluster_, state_.path()));
  ASSERT_TRUE(first->start());
  ASSERT_TRUE(waitProcessed(*first, 1'000));
  Streams second(countTopology(), options(cluster_, other_state.path()));
  ASSERT_TRUE(second.start());
  const auto shared = [&] {
    return first->metrics().running_tasks == 2 && second.metrics().running_tasks == 2;
  };
  ASSERT_TRUE(eventually(shared, 60s));
  expected = expected + produceKeys(cluster_, 1'000, 101);
  (void)eventually([&] { return countsOf(*first) + countsOf(second) == expected; }, 60s);
  EXPECT_EQ(countsOf(*first) + countsOf(second), expected);
  EXPECT_TRUE(first->close(30s));
  EXPECT_TRUE(eventually([&] { return second.metrics().running_tasks == 4; }, 60s));
  EXPECT_EQ(countsOf(second), expected);
}

TEST_F(Application, RepartitionTopicsArePurged) {
  auto purging = options(cluster_, state_.path());
  purging.properties["repartition.purge.interval.ms"] = "50";
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("in")
      .groupBy([](const std::string& k, const std::string&) { return k + "!"; })
      .count({.store = "counts"});
  Streams streams(builder.build(), purging);
  ASSERT_TRUE(streams.start());
  produceKeys(cluster_, 400, 40);
  ASSERT_TRUE(waitProcessed(streams, 800));
  const auto purged = [&] { return cluster_.beginning("app-counts-repartition") == 400; };
  EXPECT_TRUE(eventually(purged));
}

TEST_F(Application, AMissingSourceTopicIsAnErrorThatSaysSo) {
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("nowhere").to("out");
  Streams streams(builder.build(), options(cluster_, state_.path()));
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(streams.waitFor([](StreamsState s) { return s == StreamsState::kError; }, 60s));
  EXPECT_EQ(streams.error()->code, Errc::kUnknownTopicOrPartition);
}

TEST_F(Application, AFailingLambdaReachesTheHandlerWhichMayReplaceTheThread) {
  std::atomic<int> failures{0};
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("in")
      .mapValues([&](const std::string& v) {
        if (v == "value" && failures == 0) throw std::runtime_error("not today");
        return v;
      })
      .to("out");
  Streams streams(builder.build(), options(cluster_, state_.path()));
  streams.setUncaughtHandler([&](const Error& error) {
    EXPECT_EQ(error.code, Errc::kUserCode);
    ++failures;
    return UncaughtResponse::kReplaceThread;
  });
  ASSERT_TRUE(streams.start());
  produceKeys(cluster_, 10, 10);
  ASSERT_TRUE(waitProcessed(streams, 10));
  EXPECT_GE(failures, 1);
  EXPECT_TRUE(streams.close(30s));
}

TEST_F(Application, WrongOptionsAreRefusedByName) {
  const auto refused = Streams::create(
      countTopology(),
      {.applicationId = "app", .broker = cluster_.broker(), .guarantee = exactlyOnce});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kConfig);
  EXPECT_FALSE(Streams::create(countTopology(), {.broker = cluster_.broker()}));
  EXPECT_FALSE(Streams::create(countTopology(), {.applicationId = "app",
                                                 .broker = cluster_.broker(),
                                                 .properties = {{"commit.interval.ms", "soon"}}}));
}

}  // namespace
}  // namespace millrace
