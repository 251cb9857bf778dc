// millrace config: configurations of topics, brokers and groups.
#include "cli/context.h"
#include "cli/output.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <memory>

namespace millrace::cli {

namespace {

struct ConfigArguments {
  std::string kind;
  std::string name;
  std::vector<std::string> set;
  std::vector<std::string> unset;
  bool all = false;
};

ConfigResource resourceOf(const ConfigArguments& arguments) {
  if (arguments.kind == "topic") return {ConfigResourceType::kTopic, arguments.name};
  if (arguments.kind == "group") return {ConfigResourceType::kGroup, arguments.name};
  return {ConfigResourceType::kBroker, arguments.name == "default" ? "" : arguments.name};
}

std::string_view sourceName(ConfigSource source) {
  switch (source) {
    case ConfigSource::kTopic: return "topic";
    case ConfigSource::kDynamicBroker: return "broker";
    case ConfigSource::kDynamicDefaultBroker: return "all brokers";
    case ConfigSource::kStaticBroker: return "file";
    case ConfigSource::kDefault: return "default";
    case ConfigSource::kGroup: return "group";
    case ConfigSource::kUnknown: break;
  }
  return "unknown";
}

Error about(const ConfigArguments& arguments, const Error& error) {
  return {error.code, fmt::format("{} {}: {}", arguments.kind, arguments.name,
                                  error.detail.empty() ? errorMessage(error.code)
                                                       : std::string_view(error.detail))};
}

Status show(const ConfigArguments& arguments, const Context& context) {
  MILLRACE_TRY(Admin admin, context.admin());
  MILLRACE_TRY(const auto answers, admin.describeConfigs({resourceOf(arguments)}));
  boost::json::array list;
  Table table({"KEY", "VALUE", "FROM"});
  for (const auto& [resource, entries] : answers) {
    if (!entries) return std::unexpected(about(arguments, entries.error()));
    for (const auto& entry : *entries) {
      if (!arguments.all && entry.source == ConfigSource::kDefault) continue;
      const boost::json::value value =
          entry.value ? boost::json::value(*entry.value) : boost::json::value(nullptr);
      list.push_back(boost::json::object{{"key", entry.name},
                                         {"value", value},
                                         {"source", std::string(sourceName(entry.source))},
                                         {"readOnly", entry.read_only},
                                         {"sensitive", entry.sensitive}});
      table.add({entry.name, entry.sensitive ? "(hidden)" : entry.value.value_or("(null)"),
                 std::string(sourceName(entry.source))});
    }
  }
  if (context.json())
    printJson(list);
  else if (list.empty())
    fmt::print("Everything is at its default; --all shows it.\n");
  else
    table.print();
  return {};
}

Status alter(const ConfigArguments& arguments, const Context& context) {
  std::vector<AlterConfig> changes;
  for (const std::string& text : arguments.set) {
    MILLRACE_TRY(auto pair, splitPair(text));
    changes.push_back({.name = pair.first, .value = pair.second});
  }
  for (const std::string& key : arguments.unset)
    changes.push_back({.name = key, .op = AlterConfigOp::kDelete});
  if (changes.empty()) return fail(Errc::kConfig, "nothing to change: give --set or --unset");
  MILLRACE_TRY(Admin admin, context.admin());
  MILLRACE_TRY(const auto answers, admin.alterConfigs({{resourceOf(arguments), changes}}));
  for (const auto& [resource, result] : answers) {
    if (!result) return std::unexpected(about(arguments, result.error()));
  }
  if (context.json())
    printJson(boost::json::object{
        {"event", "configured"}, {"kind", arguments.kind}, {"name", arguments.name}});
  else
    fmt::print("configured {} {}\n", arguments.kind, arguments.name);
  return {};
}

std::pair<CLI::App*, std::shared_ptr<ConfigArguments>> subcommand(
    CLI::App& config, Context& context, const std::string& name, const std::string& help,
    Status (*work)(const ConfigArguments&, const Context&)) {
  CLI::App* command = config.add_subcommand(name, help);
  auto arguments = std::make_shared<ConfigArguments>();
  command->add_option("kind", arguments->kind, "topic, broker or group")
      ->required()
      ->check(CLI::IsMember({"topic", "broker", "group"}))
      ->type_name("KIND");
  command
      ->add_option("name", arguments->name, "Its name; a broker's id, or default for all brokers")
      ->required()
      ->type_name("NAME");
  command->callback([arguments, &context, work] {
    context.action = [arguments, &context, work] { return work(*arguments, context); };
  });
  addClientOptions(*command, context);
  return {command, arguments};
}

}  // namespace

void addConfigCommand(CLI::App& app, Context& context) {
  auto& config =
      *app.add_subcommand("config", "Show and change configurations of topics, brokers and groups");
  config.require_subcommand(1);
  auto [describe, shown] = subcommand(config, context, "describe", "Show what is set", show);
  describe->add_flag("-a,--all", shown->all, "Defaults too");
  auto [change, changed] = subcommand(config, context, "alter", "Set and unset keys", alter);
  change->add_option("--set", changed->set, "A configuration; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  change->add_option("--unset", changed->unset, "Back to the default; repeatable")
      ->type_name("KEY")
      ->allow_extra_args(false);
  config.footer(
      "Examples:\n"
      "  millrace config describe topic orders --all\n"
      "  millrace config alter broker default --set log.retention.ms=86400000\n");
}

}  // namespace millrace::cli
