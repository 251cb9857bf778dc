#include "cli/context.h"

#include "base/log.h"
#include "cli/output.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace millrace::cli {

namespace {

constexpr const char* kAbout =
    "Millrace: event streaming that speaks Kafka's protocol.\n"
    "A first run: `millrace broker` in one terminal, and in another\n"
    "  millrace topic create orders --partitions 3\n"
    "  echo 'hello' | millrace produce orders\n"
    "  millrace consume orders --from beginning --until-end";

std::string defaultBootstrap() {
  const char* set = std::getenv("MILLRACE_BOOTSTRAP");
  return set != nullptr && *set != '\0' ? set : "localhost:9092";
}

/// Clients log reconnects and the like; a tool's user sees them with -v only.
void chooseLogLevel(bool verbose) {
  if (std::getenv("MILLRACE_LOG") != nullptr) return;
  setLogLevel(verbose ? LogLevel::kInfo : LogLevel::kError);
}

}  // namespace

Result<std::pair<std::string, std::string>> splitPair(const std::string& text) {
  const auto at = text.find('=');
  if (at == std::string::npos || at == 0)
    return fail(Errc::kConfig, "\"" + text + "\" is not key=value");
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

Result<std::map<std::string, std::string>> Context::clientProperties() const {
  std::map<std::string, std::string> out;
  for (const std::string& text : properties) {
    MILLRACE_TRY(auto pair, splitPair(text));
    out.insert_or_assign(std::move(pair.first), std::move(pair.second));
  }
  return out;
}

Result<Admin> Context::admin() const {
  AdminOptions options{.bootstrapServers = bootstrap, .clientId = "millrace-cli"};
  MILLRACE_TRY(options.properties, clientProperties());
  // A person waits: say after 15 s rather than a minute that nobody answers.
  options.properties.try_emplace("default.api.timeout.ms", "15000");
  options.properties.try_emplace("request.timeout.ms", "10000");
  return Admin::create(std::move(options));
}

void addOutputOption(CLI::App& app, Context& context) {
  app.add_option_function<std::string>(
         "-o,--output",
         [&context](const std::string& text) {
           context.output = text == "json" ? Output::kJson : Output::kText;
         },
         "How to print: text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
}

void addClientOptions(CLI::App& app, Context& context) {
  app.add_option("-b,--bootstrap", context.bootstrap,
                 "Brokers to start from, host:port[,...]; $MILLRACE_BOOTSTRAP, else localhost:9092")
      ->type_name("HOSTS");
  app.add_option("-X", context.properties,
                 "A client configuration, as -X security.protocol=PLAINTEXT; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  app.add_flag("-v,--verbose", context.verbose, "Show what the client logs");
  addOutputOption(app, context);
}

namespace {

/// What to say of a command line that is wrong. Of a misspelt command the parser only says that one
/// is missing.
int explain(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* last = &app;
  while (!last->get_subcommands().empty()) last = last->get_subcommands().front();
  const auto unknown = app.remaining(true);
  if (last->get_require_subcommand_min() > 0 && error.get_exit_code() != 0 && !unknown.empty()) {
    const bool option = unknown.front().starts_with('-');
    fmt::print(stderr, "There is no {} '{}' here.\nRun with --help for more information.\n",
               option ? "option" : "command", unknown.front());
    return 2;
  }
  return app.exit(error) == 0 ? 0 : 2;
}

}  // namespace

CLI::Validator wholeNumberFrom(std::int64_t least) {
  const auto check = [least](const std::string& text) -> std::string {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc{} && stop == end && number >= least) return {};
    return fmt::format("{} is not a whole number of at least {}", text, least);
  };
  return CLI::Validator(check, "");
}

int runCommandLine(int argc, const char* const* argv) {
  Context context;
  context.bootstrap = defaultBootstrap();
  CLI::App app(kAbout, "millrace");
  app.require_subcommand(1);
  app.set_version_flag("--version", "millrace " MILLRACE_VERSION);
  app.get_formatter()->column_width(34);
  addBrokerCommand(app, context);
  addTopicCommand(app, context);
  addProduceCommand(app, context);
  addConsumeCommand(app, context);
  addGroupCommand(app, context);
  addConnectCommand(app, context);
  addConfigCommand(app, context);
  addDumpLogCommand(app, context);
  addCheckLogCommand(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain(app, error);
  }
  chooseLogLevel(context.verbose);
  const Status status = context.action();
  std::fflush(stdout);
  if (status) return 0;
  printError(status.error(), context.output);
  return status.error().code == Errc::kConfig ? 2 : 1;
}

}  // namespace millrace::cli
