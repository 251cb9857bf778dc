// millrace check-log: whether everything in a data directory is as it must be.
#include "base/file.h"
#include "cli/context.h"
#include "cli/output.h"
#include "log/check/check.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <memory>

namespace millrace::cli {

namespace {

namespace json = boost::json;

void printProblem(const log::Problem& problem, const Context& context) {
  if (!context.json()) {
    const std::string where =
        problem.position ? fmt::format("{}:{}", problem.file, *problem.position) : problem.file;
    fmt::print("{}: {}\n", where, problem.what);
    return;
  }
  json::object line{{"file", problem.file}, {"problem", problem.what}};
  if (problem.position) line["position"] = *problem.position;
  printJson(line);
}

void printTotals(const std::string& path, const log::CheckTotals& t, const Context& context) {
  if (context.json()) {
    printJson(json::object{{"directory", path},
                           {"logs", t.logs},
                           {"segments", t.segments},
                           {"batches", t.batches},
                           {"records", t.records},
                           {"bytes", t.bytes},
                           {"problems", t.problems}});
    return;
  }
  const auto count = [](std::int64_t n) { return grouped(static_cast<std::uint64_t>(n)); };
  fmt::print("{}: {} logs, {} segments, {} batches, {} records, {}: {} problems\n", path,
             count(t.logs), count(t.segments), count(t.batches), count(t.records),
             byteSize(t.bytes), t.problems == 0 ? "no" : count(t.problems));
}

Status checkAll(const std::vector<std::string>& paths, const Context& context) {
  std::int64_t problems = 0;
  for (const std::string& path : paths) {
    MILLRACE_TRY(const log::CheckTotals totals,
                 log::checkLogs(systemFiles(), path, [&context](const log::Problem& problem) {
                   printProblem(problem, context);
                 }));
    printTotals(path, totals, context);
    problems += totals.problems;
  }
  if (problems == 0) return {};
  return fail(Errc::kCorruptData, fmt::format("{} problems were found", problems));
}

}  // namespace

void addCheckLogCommand(CLI::App& app, Context& context) {
  auto& check = *app.add_subcommand(
      "check-log", "Check data directories or single logs, Millrace's or Apache Kafka's");
  const auto paths = std::make_shared<std::vector<std::string>>();
  check
      .add_option("DIR", *paths,
                  "A data directory (an entry of log.dirs) or the directory of one "
                  "log, as data/orders-0")
      ->required()
      ->type_name("");
  addOutputOption(check, context);
  check.footer(
      "Reads every batch and every index, checkpoint and snapshot, changes nothing, and prints a\n"
      "line for each problem with file and position. Exit code: 0 all is well, 1 there are "
      "problems.\n"
      "Stop the broker first: what it is just writing looks unfinished.\n"
      "Examples:\n"
      "  millrace check-log data\n"
      "  millrace check-log -o json /var/lib/kafka/data\n");
  check.callback([paths, &context] {
    context.action = [paths, &context] { return checkAll(*paths, context); };
  });
}

}  // namespace millrace::cli
