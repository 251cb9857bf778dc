// millrace broker: a server in the foreground.
#include "base/log.h"
#include "base/properties.h"
#include "broker/broker.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/output.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <thread>

namespace millrace::cli {

namespace {

struct BrokerArguments {
  std::string file;
  std::string directory;
  std::string listen;
  std::vector<std::string> settings;
};

/// File, then --set, then the two short options; the defaults make a working node for one machine.
Result<BrokerOptions> brokerOptions(const BrokerArguments& arguments) {
  BrokerOptions options;
  if (!arguments.file.empty()) {
    MILLRACE_TRY(options.properties, loadProperties(arguments.file));
  }
  for (const std::string& setting : arguments.settings) {
    MILLRACE_TRY(auto pair, splitPair(setting));
    options.properties.insert_or_assign(std::move(pair.first), std::move(pair.second));
  }
  if (!arguments.listen.empty())
    options.properties.insert_or_assign("listeners", "PLAINTEXT://" + arguments.listen);
  // Nobody must log in to a fresh broker, so it is not open to the network unless it is told to be.
  if (arguments.file.empty())
    options.properties.try_emplace("listeners", "PLAINTEXT://127.0.0.1:9092");
  options.directory = arguments.directory;
  const bool placed =
      options.properties.contains("log.dirs") || options.properties.contains("log.dir");
  if (options.directory.empty() && !placed) options.directory = "millrace-data";
  return options;
}

void announce(const Broker& broker, const Context& context) {
  if (context.json()) {
    printJson(boost::json::object{{"event", "ready"},
                                  {"bootstrap", broker.bootstrap()},
                                  {"port", broker.port()},
                                  {"directory", broker.directory()},
                                  {"clusterId", broker.clusterId()}});
  } else {
    fmt::print("Millrace is ready: clients connect to {}, data is in {}. Ctrl-C stops it.\n",
               broker.bootstrap(), broker.directory());
  }
  std::fflush(stdout);
}

/// As many open files as the system lets this user have: a log file for each busy partition, and
/// the connections.
void raiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);  // without it, logs close their files after each use
}

Status runBroker(const BrokerArguments& arguments, const Context& context) {
  // A server's log is worth reading, unless the environment says otherwise.
  if (std::getenv("MILLRACE_LOG") == nullptr)
    setLogLevel(context.verbose ? LogLevel::kDebug : LogLevel::kInfo);
  MILLRACE_TRY(BrokerOptions options, brokerOptions(arguments));
  raiseFileLimit();
  // Before the broker starts its threads, so that none of them takes the signal.
  blockInterrupts();
  MILLRACE_TRY(Broker broker, Broker::tryOpen(std::move(options)));
  announce(broker, context);
  // A broker that stopped itself ends the wait like a signal from outside.
  const std::jthread watch([&broker] {
    broker.wait();
    if (!broker.failure()) ::kill(::getpid(), SIGTERM);
  });
  waitForInterrupt();
  if (!context.json()) fmt::print("Stopping.\n");
  broker.stop();
  return broker.failure();
}

}  // namespace

void addBrokerCommand(CLI::App& app, Context& context) {
  auto& command = *app.add_subcommand("broker", "Run a broker in this terminal until Ctrl-C");
  auto arguments = std::make_shared<BrokerArguments>();
  command
      .add_option("file", arguments->file, "Configuration with Kafka's keys (server.properties)")
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  command
      .add_option("-d,--data", arguments->directory,
                  "Where to keep the data (default ./millrace-data)")
      ->type_name("DIRECTORY");
  command
      .add_option("-l,--listen", arguments->listen,
                  "Where to listen (default 127.0.0.1:9092); 0.0.0.0:9092 is every network, port 0 "
                  "a free one")
      ->type_name("HOST:PORT");
  command
      .add_option("--set", arguments->settings,
                  "A configuration over the file's, as --set num.partitions=3; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  command.add_flag("-v,--verbose", context.verbose, "Log more");
  addOutputOption(command, context);
  command.footer(
      "Examples:\n"
      "  millrace broker                         a node in ./millrace-data on port 9092\n"
      "  millrace broker server.properties       as the file says\n"
      "  millrace broker -d /tmp/m -l 127.0.0.1:0   a free port; the first line says which\n");
  command.callback([arguments, &context] {
    context.action = [arguments, &context] { return runBroker(*arguments, context); };
  });
}

}  // namespace millrace::cli
