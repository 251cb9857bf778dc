// kill -9 of an application that counts: afterwards the state is as if nothing had happened.
#include "client/transport.h"
#include "tests/streams_runtime/support/cluster.h"
#include "tests/support/eventually.h"
#include "tests/support/temp_dir.h"

#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <millrace/streams.h>
#include <optional>
#include <random>

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::Cluster;
using testing::eventually;
using Counts = std::map<std::string, std::int64_t>;

Topology countTopology() {
  StreamsBuilder builder;
  builder.stream<std::string, std::string>("in")
      .groupByKey()
      .count({.store = "counts"})
      .toStream()
      .to("out");
  return builder.build();
}

/// The application in a process of its own.
class Application {
 public:
  explicit Application(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), MILLRACE_STREAMS_APP);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    EXPECT_EQ(posix_spawn(&pid_, MILLRACE_STREAMS_APP, nullptr, nullptr, argv.data(), environ), 0);
  }
  ~Application() { end(SIGKILL); }
  /// The exit code; -1 where the signal ended it.
  int end(int signal) {
    if (pid_ <= 0) return 0;
    kill(pid_, signal);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
};

std::vector<std::string> arguments(Cluster& cluster, const std::string& state_dir) {
  return {"--bootstrap",
          cluster.bootstrap(),
          "--application-id=app",
          "--state.dir=" + state_dir,
          "--commit.interval.ms=100",
          "--statestore.cache.max.bytes=0",
          "--producer.linger.ms=0",
          "--consumer.session.timeout.ms=2000",
          "--consumer.heartbeat.interval.ms=200"};
}

StreamsOptions sameHere(Cluster& cluster, const std::string& state_dir) {
  return {.applicationId = "app",
          .bootstrapServers = cluster.bootstrap(),
          .stateDir = state_dir,
          .properties = {{"commit.interval.ms", "100"},
                         {"consumer.session.timeout.ms", "2000"},
                         {"consumer.heartbeat.interval.ms", "200"}}};
}

Counts countsOf(const Streams& streams) {
  const auto rows = streams.store<std::string, std::int64_t>("counts").all();
  return rows ? Counts(rows->begin(), rows->end()) : Counts();
}

std::int64_t total(const Counts& counts) {
  std::int64_t sum = 0;
  for (const auto& [key, count] : counts) sum += count;
  return sum;
}

class Kill : public ::testing::TestWithParam<bool> {};

/// Parameter: whether the local state survives the kills.
TEST_P(Kill, StateAfterKillsEqualsARunWithoutThem) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  Cluster cluster(Properties{{"group.min.session.timeout.ms", "100"},
                             {"group.initial.rebalance.delay.ms", "0"}});
  cluster.createTopic("in", 2);
  cluster.createTopic("out", 1);
  TempDir state;
  Counts expected;
  for (int round = 0; round < 4; ++round) {
    std::vector<std::pair<std::string, std::string>> batch;
    for (int i = 0; i < 5'000; ++i) {
      const std::string key = "key-" + std::to_string(random() % 300);
      batch.emplace_back(key, "v");
      ++expected[key];
    }
    const std::int64_t before = cluster.end("out");
    Application application(arguments(cluster, state.path()));
    cluster.produce("in", batch);
    // Somewhere in the middle: results are on their way, not all of them committed.
    const auto enough = before + static_cast<std::int64_t>(random() % 4'000) + 1;
    ASSERT_TRUE(eventually([&] { return cluster.end("out") >= enough; }, 60s));
    EXPECT_EQ(application.end(SIGKILL), -1);
    if (!GetParam()) std::filesystem::remove_all(state.path() + "/app");
  }
  Streams streams(countTopology(), sameHere(cluster, state.path()));
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(eventually([&] { return total(countsOf(streams)) >= total(expected); }, 60s));
  EXPECT_EQ(countsOf(streams), expected);
  EXPECT_TRUE(streams.close(30s));
  EXPECT_EQ(cluster.lastValues<std::int64_t>("out"), expected);
}

INSTANTIATE_TEST_SUITE_P(State, Kill, ::testing::Values(true, false),
                         [](const auto& p) { return p.param ? "Kept" : "Lost"; });

/// An application that commits at a clean end only has counted a, b, a.
class Uncommitted : public ::testing::Test {
 protected:
  Uncommitted() {
    cluster_.createTopic("in", 2);
    cluster_.createTopic("out", 1);
    cluster_.produce("in", {{"a", "v"}, {"b", "v"}, {"a", "v"}});
    auto slow = arguments(cluster_, state_.path());
    slow[4] = "--commit.interval.ms=3600000";
    application_.emplace(slow);
  }
  void SetUp() override {
    ASSERT_TRUE(eventually([&] { return cluster_.end("out") == 3; }, 60s));
    ASSERT_TRUE(eventually([&] { return cluster_.end("app-counts-changelog") == 3; }, 60s));
  }

  Cluster cluster_{Properties{{"group.min.session.timeout.ms", "100"}}};
  TempDir state_;
  std::optional<Application> application_;
};

TEST_F(Uncommitted, ATerminationSignalCommitsAndEnds) {
  EXPECT_EQ(application_->end(SIGTERM), 0);
  Streams streams(countTopology(), sameHere(cluster_, state_.path()));
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(streams.waitUntilRunning());
  EXPECT_EQ(countsOf(streams), (Counts{{"a", 2}, {"b", 1}}));
  EXPECT_EQ(streams.metrics().restored, 0U);
}

TEST_F(Uncommitted, KilledItCountsNothingTwice) {
  EXPECT_EQ(application_->end(SIGKILL), -1);
  Streams streams(countTopology(), sameHere(cluster_, state_.path()));
  ASSERT_TRUE(streams.start());
  ASSERT_TRUE(eventually([&] { return streams.metrics().processed == 3; }, 60s));
  EXPECT_EQ(countsOf(streams), (Counts{{"a", 2}, {"b", 1}}));
}

TEST(RunProgram, RefusesWrongArguments) {
  for (const auto& wrong : std::vector<std::vector<std::string>>{
           {"stray"}, {"--commit.interval.ms=soon"}, {"--poll.ms"}}) {
    auto arguments = wrong;
    arguments.insert(arguments.begin(), MILLRACE_STREAMS_APP);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    EXPECT_EQ(run(countTopology(), static_cast<int>(argv.size()), argv.data()), 2);
  }
}

}  // namespace
}  // namespace millrace
