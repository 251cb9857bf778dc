// millrace connect run: a standalone worker in the foreground.
#include "base/config.h"
#include "base/log.h"
#include "base/properties.h"
#include "cli/context.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "connect/standalone.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <set>

namespace millrace::cli {

namespace {

namespace json = boost::json;
using connect::ConnectorStatus;
using connect::Standalone;
using connect::TaskState;
using connect::TaskStatus;

constexpr std::chrono::milliseconds kLookInterval{200};

struct ConnectArguments {
  std::vector<std::string> files;
  bool bootstrap_given = false;
};

/// What the files say together.
struct Plan {
  Properties worker;
  std::vector<Properties> connectors;
};

bool isWorkerKey(const std::string& key) {
  static constexpr std::array<std::string_view, 5> kPrefixes{"producer.", "consumer.", "admin.",
                                                             "key.converter.", "value.converter."};
  const auto begins = [&key](std::string_view prefix) {
    return key.starts_with(prefix) && !key.starts_with(std::string(prefix) + "override.");
  };
  return connectStandaloneConfigDef().find(key) != nullptr ||
         std::ranges::any_of(kPrefixes, begins);
}

/// A file with connector.class is a connector, the one without is the worker's. Where there is
/// none, the worker takes what it knows from the connectors' files.
Result<Plan> readPlan(const std::vector<std::string>& files) {
  Plan plan;
  std::string worker_file;
  for (const std::string& file : files) {
    MILLRACE_TRY(Properties properties, loadProperties(file));
    if (properties.contains("connector.class")) {
      plan.connectors.push_back(std::move(properties));
    } else if (worker_file.empty()) {
      worker_file = file;
      plan.worker = std::move(properties);
    } else {
      return fail(Errc::kConfig,
                  fmt::format("{} and {} both have no connector.class: only one file "
                              "can configure the worker",
                              worker_file, file));
    }
  }
  if (plan.connectors.empty())
    return fail(Errc::kConfig, "no file has a connector.class: there is nothing to run");
  if (!worker_file.empty()) return plan;
  for (const Properties& connector : plan.connectors) {
    for (const auto& [key, value] : connector) {
      if (isWorkerKey(key)) plan.worker.try_emplace(key, value);
    }
  }
  return plan;
}

void applyDefaults(Properties& worker, const Context& context, bool bootstrap_given) {
  constexpr const char* kText = "org.apache.kafka.connect.storage.StringConverter";
  if (bootstrap_given) worker.insert_or_assign("bootstrap.servers", context.bootstrap);
  worker.try_emplace("bootstrap.servers", context.bootstrap);
  worker.try_emplace("key.converter", kText);
  worker.try_emplace("value.converter", kText);
  worker.try_emplace("offset.storage.file.filename", "millrace-connect.offsets");
}

json::object toJson(const ConnectorStatus& connector) {
  json::array tasks;
  for (const TaskStatus& task : connector.tasks) {
    json::object one{
        {"id", task.id}, {"state", connect::taskStateName(task.state)}, {"records", task.records}};
    if (!task.error.empty()) one["error"] = task.error;
    tasks.push_back(std::move(one));
  }
  return {{"name", connector.name}, {"type", connector.type}, {"tasks", std::move(tasks)}};
}

/// What a person, or a program, is told about a worker.
class Reporter {
 public:
  explicit Reporter(const Context& context) : context_(context) {}

  void ready(const std::vector<ConnectorStatus>& connectors) const {
    if (context_.json()) return print("ready", connectors);
    for (const ConnectorStatus& connector : connectors) {
      fmt::print("{} runs: a {} with {} task{}. Ctrl-C stops it.\n", connector.name, connector.type,
                 connector.tasks.size(), connector.tasks.size() == 1 ? "" : "s");
    }
    std::fflush(stdout);
  }
  /// Tells of each task that failed, once.
  void look(const std::vector<ConnectorStatus>& connectors) {
    for (const ConnectorStatus& connector : connectors) {
      for (const TaskStatus& task : connector.tasks) {
        if (task.state != TaskState::kFailed) continue;
        const auto name = fmt::format("{}-{}", connector.name, task.id);
        if (!failed_.insert(name).second) continue;
        const auto text = fmt::format("task {} failed: {}", name, task.error);
        printError(Error{Errc::kState, text}, context_.output);
      }
    }
  }
  void stopped(const std::vector<ConnectorStatus>& connectors) const {
    if (context_.json()) return print("stopped", connectors);
    for (const ConnectorStatus& connector : connectors) {
      std::uint64_t records = 0;
      for (const TaskStatus& task : connector.tasks) records += task.records;
      fmt::print("{}: {} records\n", connector.name, grouped(records));
    }
  }
  [[nodiscard]] std::size_t failures() const { return failed_.size(); }

 private:
  static void print(std::string_view event, const std::vector<ConnectorStatus>& connectors) {
    json::array list;
    for (const ConnectorStatus& connector : connectors) list.push_back(toJson(connector));
    printJson(json::object{{"event", event}, {"connectors", std::move(list)}});
    std::fflush(stdout);
  }

  const Context& context_;
  std::set<std::string> failed_;
};

bool anyRuns(const std::vector<ConnectorStatus>& connectors) {
  const auto runs = [](const TaskStatus& task) { return task.state == TaskState::kRunning; };
  return std::ranges::any_of(connectors, [&](const ConnectorStatus& connector) {
    return std::ranges::any_of(connector.tasks, runs);
  });
}

Status runConnect(const ConnectArguments& arguments, const Context& context) {
  if (std::getenv("MILLRACE_LOG") == nullptr)
    setLogLevel(context.verbose ? LogLevel::kInfo : LogLevel::kWarn);
  MILLRACE_TRY(Plan plan, readPlan(arguments.files));
  applyDefaults(plan.worker, context, arguments.bootstrap_given);
  MILLRACE_TRY(const auto more, context.clientProperties());
  for (const auto& [key, value] : more) plan.worker.insert_or_assign(key, value);
  // Before the worker starts its threads, so that none of them takes the signal.
  blockInterrupts();
  MILLRACE_TRY(Standalone worker, Standalone::create({.properties = std::move(plan.worker)}));
  for (const Properties& connector : plan.connectors) MILLRACE_CHECK_OK(worker.add(connector));
  Reporter reporter(context);
  reporter.ready(worker.status());
  while (!waitForInterrupt(kLookInterval)) {
    const auto connectors = worker.status();
    reporter.look(connectors);
    if (!anyRuns(connectors)) break;
  }
  const Status stopped = worker.stop();
  const auto connectors = worker.status();
  reporter.look(connectors);
  reporter.stopped(connectors);
  MILLRACE_CHECK_OK(stopped);
  if (reporter.failures() > 0)
    return fail(Errc::kState, fmt::format("{} tasks failed", reporter.failures()));
  return {};
}

}  // namespace

void addConnectCommand(CLI::App& app, Context& context) {
  auto& connect = *app.add_subcommand("connect", "Stream data in and out by connectors");
  connect.require_subcommand(1);
  auto& run = *connect.add_subcommand(
      "run", "Run connectors in this terminal until Ctrl-C, or until all have finished");
  auto arguments = std::make_shared<ConnectArguments>();
  run.add_option(
         "files", arguments->files,
         "One with the worker's configuration (it has no connector.class), and one for each "
         "connector; without the first, the worker's keys are looked for in the others")
      ->required()
      ->check(CLI::ExistingFile)
      ->type_name("FILE...");
  addClientOptions(run, context);
  run.footer(
      "-X sets a key of the worker. Unless the files say otherwise, keys and values are text "
      "(StringConverter),\n"
      "and positions are kept in ./millrace-connect.offsets, from where the next run goes on.\n"
      "\n"
      "Example: a file with\n"
      "  name=lines\n"
      "  connector.class=FileStreamSource\n"
      "  file=/var/log/app.log\n"
      "  topic=app-log\n"
      "and\n"
      "  millrace connect run lines.properties\n");
  run.callback([arguments, &context, &run] {
    arguments->bootstrap_given = run.get_option("--bootstrap")->count() > 0;
    context.action = [arguments, &context] { return runConnect(*arguments, context); };
  });
}

}  // namespace millrace::cli
