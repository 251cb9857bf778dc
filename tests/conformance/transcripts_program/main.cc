// transcripts FILE...: plays recorded conversations with Apache Kafka against a broker of this
// build, on a fresh directory and a free port for each file. One line per scenario that differs,
// last line "N passed, M failed", exit 0 only if none failed.
//
//   --skip=PREFIX   leaves out scenarios whose names begin so (what a later version brings);
//   repeatable
//   --only=PREFIX   plays only those
#include "base/log.h"
#include "tests/broker/support/test_broker.h"
#include "tests/broker/support/transcript.h"

#include <boost/json.hpp>
#include <fmt/format.h>

#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace millrace;
using namespace millrace::broker::testing;

struct Options {
  std::vector<std::string> files;
  std::vector<std::string> skip;
  std::vector<std::string> only;
};

bool beginsWithOneOf(std::string_view name, const std::vector<std::string>& prefixes) {
  for (const std::string& prefix : prefixes) {
    if (name.starts_with(prefix)) return true;
  }
  return false;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument.starts_with("--skip=")) {
      options.skip.emplace_back(argument.substr(7));
    } else if (argument.starts_with("--only=")) {
      options.only.emplace_back(argument.substr(7));
    } else {
      options.files.emplace_back(argument);
    }
  }
  return options;
}

/// The recorded node's setup: the coordinators' topics are there and loaded.
void warmUp(std::uint16_t port) {
  constexpr const char* kSetup = R"({"scenario": "setup", "steps": [
    {"conn": "c1", "api": "FindCoordinator", "v": 4,
     "req": {"keyType": 1, "coordinatorKeys": ["warm"]},
     "mask": ["$.coordinators"], "res": {"throttleTimeMs": 0, "coordinators": "*"}},
    {"conn": "c1", "api": "FindCoordinator", "v": 4,
     "req": {"keyType": 0, "coordinatorKeys": ["warm"]},
     "until": [{"path": "$.coordinators[0].errorCode", "is": 0}],
     "mask": ["$.coordinators"], "res": {"throttleTimeMs": 0, "coordinators": "*"}},
    {"conn": "c1", "api": "ListGroups", "v": 4, "req": {"statesFilter": []},
     "until": [{"path": "$.errorCode", "is": 0}],
     "mask": ["$.groups"], "res": {"throttleTimeMs": 0, "errorCode": 0, "groups": "*"}}]})";
  const boost::json::object scenario = boost::json::parse(kSetup).as_object();
  const std::string problem = Player(port).play(scenario);
  if (!problem.empty()) throw std::runtime_error("setup: " + problem);
}

struct Tally {
  int passed = 0;
  int failed = 0;
};

void playFile(const std::string& path, const Options& options, Tally& tally) {
  const auto scenarios = loadScenarioFile(path);
  if (scenarios.empty()) {
    fmt::print("FAIL {}: the file holds no scenarios\n", path);
    ++tally.failed;
    return;
  }
  Properties node = recordedNode();
  node["broker.id"] = "1";  // as it was given there: DescribeConfigs tells of it
  TestBroker broker(node);
  warmUp(broker.port());
  for (const auto& scenario : scenarios) {
    const std::string name(scenario.at("scenario").as_string());
    if (beginsWithOneOf(name, options.skip)) continue;
    if (!options.only.empty() && !beginsWithOneOf(name, options.only)) continue;
    const std::string problem = Player(broker.port()).play(scenario);
    if (problem.empty()) {
      ++tally.passed;
    } else {
      ++tally.failed;
      fmt::print("FAIL {}: {}\n", name, problem);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse(argc, argv);
  if (options.files.empty()) {
    fmt::print(
        stderr,
        "usage: transcripts [--skip=PREFIX] [--only=PREFIX] FILE...   (.jsonl or .jsonl.gz)\n");
    return 2;
  }
  setLogLevel(LogLevel::kWarn);
  Tally tally;
  for (const std::string& path : options.files) {
    try {
      playFile(path, options, tally);
    } catch (const std::exception& e) {
      fmt::print("FAIL {}: {}\n", path, e.what());
      ++tally.failed;
    }
  }
  fmt::print("{} passed, {} failed\n", tally.passed, tally.failed);
  return tally.failed == 0 ? 0 : 1;
}
