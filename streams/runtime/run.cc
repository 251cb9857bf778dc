// run(): a topology as a program of its own.
#include "base/config.h"
#include "streams/runtime/streams.h"

#include <fmt/core.h>
#include <pthread.h>

#include <csignal>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <string_view>
#include <variant>

namespace millrace {
namespace {

constexpr int kOk = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

void printHelp(const char* program) {
  fmt::print(
      "Usage: {} [--bootstrap HOST:PORT[,...]] [--application-id ID] [--NAME=VALUE ...]\n\n"
      "Runs the topology until Ctrl-C.\n"
      "  --bootstrap HOST:PORT   brokers to start from (default localhost:9092)\n"
      "  --application-id ID     group id and prefix of internal topics (default: the program's "
      "name)\n"
      "  --describe              print the topology and stop\n"
      "  --NAME=VALUE            any key of Kafka Streams, for example:\n",
      program);
  for (const char* key :
       {"num.stream.threads", "state.dir", "commit.interval.ms", "statestore.cache.max.bytes"}) {
    const ConfigKey* const known = streamsConfigDef().find(key);
    if (known == nullptr) continue;
    fmt::print("    --{}={}\n        {}\n", key, known->default_value.value_or(""), known->doc);
  }
}

/// What to run, or the exit code to stop with.
using Parsed = std::variant<StreamsOptions, int>;

Parsed refuse(const std::string& message) {
  fmt::print(stderr, "{}\nTry --help.\n", message);
  return kUsage;
}

/// "--name=value" or "--name value" from position `i`, which moves over a value of its own.
std::pair<std::string, std::optional<std::string>> option(int argc, const char* const* argv,
                                                          int& i) {
  const std::string_view argument(argv[i] + 2);
  const auto equals = argument.find('=');
  if (equals != std::string_view::npos) {
    return {std::string(argument.substr(0, equals)), std::string(argument.substr(equals + 1))};
  }
  if (i + 1 < argc && !std::string_view(argv[i + 1]).starts_with("--"))
    return {std::string(argument), argv[++i]};
  return {std::string(argument), std::nullopt};
}

Parsed parseArguments(const streams::Topology& topology, int argc, const char* const* argv) {
  StreamsOptions options;
  options.bootstrapServers = "localhost:9092";
  if (argc > 0) options.applicationId = std::filesystem::path(argv[0]).stem().string();
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with("--")) return refuse(fmt::format("unknown argument {}", argument));
    if (argument == "--help") {
      printHelp(argv[0]);
      return kOk;
    }
    if (argument == "--describe") {
      fmt::print("{}", topology.describe());
      return kOk;
    }
    auto [name, value] = option(argc, argv, i);
    if (!value) return refuse(fmt::format("--{} needs a value", name));
    if (name == "bootstrap")
      options.bootstrapServers = *value;
    else if (name == "application-id")
      options.applicationId = *value;
    else
      options.properties[name] = *value;
  }
  return options;
}

/// Waits for Ctrl-C, SIGTERM or the end of the application.
void waitForEnd(const Streams& streams, const sigset_t& signals) {
  const auto ended = [](StreamsState state) {
    return state == StreamsState::kNotRunning || state == StreamsState::kError;
  };
  const timespec tick{.tv_sec = 0, .tv_nsec = 200'000'000};
  while (!ended(streams.state())) {
    const int signal = sigtimedwait(&signals, nullptr, &tick);
    if (signal == SIGINT || signal == SIGTERM) return;
  }
}

}  // namespace

int run(const streams::Topology& topology, int argc, const char* const* argv) {
  Parsed parsed = parseArguments(topology, argc, argv);
  if (const int* code = std::get_if<int>(&parsed)) return *code;
  auto streams = Streams::create(topology, std::move(std::get<StreamsOptions>(parsed)));
  if (!streams) return std::get<int>(refuse(streams.error().toString()));
  // Blocked before any thread starts, so that only sigtimedwait below receives them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  if (const Status started = streams->start(); !started) {
    fmt::print(stderr, "{}\n", started.error().toString());
    return kFailed;
  }
  waitForEnd(*streams, signals);
  streams->close();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  const auto error = streams->error();
  if (error) fmt::print(stderr, "{}\n", error->toString());
  return error ? kFailed : kOk;
}

}  // namespace millrace
