// What all commands share: where the cluster is, how to print, what runs in the end.
#pragma once

#include "base/result.h"
#include "client/admin.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace CLI {
class App;
class Validator;
}  // namespace CLI

namespace millrace::cli {

enum class Output { kText, kJson };

/// Filled while the command line is parsed. The chosen command stores its work in `action`, which
/// main runs.
struct Context {
  std::string bootstrap;
  Output output = Output::kText;
  /// key=value, for the client's configuration.
  std::vector<std::string> properties;
  bool verbose = false;
  std::function<Status()> action;

  [[nodiscard]] bool json() const { return output == Output::kJson; }
  /// `properties` taken apart. Errors: kConfig where one has no '='.
  [[nodiscard]] Result<std::map<std::string, std::string>> clientProperties() const;
  /// An administrator for `bootstrap`.
  [[nodiscard]] Result<Admin> admin() const;
};

/// -b, -X, -v: for every command that talks to a cluster. -o too.
void addClientOptions(CLI::App& app, Context& context);
/// -o alone.
void addOutputOption(CLI::App& app, Context& context);

/// One for each word after `millrace`.
void addBrokerCommand(CLI::App& app, Context& context);
void addTopicCommand(CLI::App& app, Context& context);
void addProduceCommand(CLI::App& app, Context& context);
void addConsumeCommand(CLI::App& app, Context& context);
void addGroupCommand(CLI::App& app, Context& context);
void addConnectCommand(CLI::App& app, Context& context);
void addConfigCommand(CLI::App& app, Context& context);
void addDumpLogCommand(CLI::App& app, Context& context);
void addCheckLogCommand(CLI::App& app, Context& context);

/// A check of an option's text: a whole number that is not below `least`.
[[nodiscard]] CLI::Validator wholeNumberFrom(std::int64_t least);

/// "key=value" taken apart at the first '='. Errors: kConfig.
[[nodiscard]] Result<std::pair<std::string, std::string>> splitPair(const std::string& text);

/// The whole program: parses, runs, prints errors. Returns the exit code: 0 done, 1 it failed, 2
/// the command line is wrong.
[[nodiscard]] int runCommandLine(int argc, const char* const* argv);

}  // namespace millrace::cli
