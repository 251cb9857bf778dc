// millrace topic: list, describe, create, alter, delete.
#include "cli/context.h"
#include "cli/output.h"
#include "cli/topic_describe.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

#include <memory>

namespace millrace::cli {

namespace {

namespace json = boost::json;

struct TopicArguments {
  std::vector<std::string> names;
  std::int32_t partitions = -1;
  std::int16_t replication_factor = -1;
  std::vector<std::string> set;
  std::vector<std::string> unset;
  bool internal = false;
  bool tolerant = false;  ///< --if-exists, --if-not-exists
};

/// "created orders", or {"topic","event"}.
void report(const Context& context, const std::string& event, const std::string& topic) {
  if (context.json())
    printJson(json::object{{"topic", topic}, {"event", event}});
  else
    fmt::print("{} {}\n", event, topic);
}

/// Reports each topic's outcome. The first error is the command's; those after it are printed.
template <class Value>
Status reportAll(const Context& context, const std::string& event,
                 const AdminResults<std::string, Value>& results, std::optional<Errc> tolerated) {
  Status first;
  for (const auto& [topic, result] : results) {
    if (result) {
      report(context, event, topic);
    } else if (tolerated == result.error().code) {
      report(context, "unchanged", topic);
    } else {
      Error error = result.error();
      if (error.detail.find(topic) == std::string::npos) {
        error.detail =
            topic + ": " +
            (error.detail.empty() ? std::string(errorMessage(error.code)) : error.detail);
      }
      if (first)
        first = std::unexpected(error);
      else
        printError(error, context.output);
    }
  }
  return first;
}

Status listTopics(const TopicArguments& arguments, const Context& context) {
  MILLRACE_TRY(Admin admin, context.admin());
  MILLRACE_TRY(auto listed, admin.listTopics());
  std::vector<std::string> names;
  for (const auto& topic : listed) {
    if (arguments.internal || !topic.internal) names.push_back(topic.name);
  }
  MILLRACE_TRY(const auto described, admin.describeTopics(names));
  json::array list;
  Table table({"TOPIC", "PARTITIONS", "REPLICAS"});
  for (const auto& [name, topic] : described) {
    if (!topic) continue;  // deleted in between
    const std::size_t replicas =
        topic->partitions.empty() ? 0 : topic->partitions[0].replicas.size();
    list.push_back(json::object{{"topic", name},
                                {"id", topic->id.toString()},
                                {"partitions", topic->partitions.size()},
                                {"replicas", replicas},
                                {"internal", topic->internal}});
    table.add({name, std::to_string(topic->partitions.size()), std::to_string(replicas)});
  }
  if (context.json())
    printJson(list);
  else if (list.empty())
    fmt::print("There are no topics. `millrace topic create NAME` makes one.\n");
  else
    table.print();
  return {};
}

Status createTopics(const TopicArguments& arguments, const Context& context) {
  std::vector<NewTopic> topics;
  for (const std::string& name : arguments.names) {
    NewTopic topic{.name = name,
                   .partitions = arguments.partitions,
                   .replicationFactor = arguments.replication_factor};
    for (const std::string& text : arguments.set) {
      MILLRACE_TRY(auto pair, splitPair(text));
      topic.configs.insert_or_assign(std::move(pair.first), std::move(pair.second));
    }
    topics.push_back(std::move(topic));
  }
  MILLRACE_TRY(Admin admin, context.admin());
  MILLRACE_TRY(const auto results, admin.createTopics(topics));
  return reportAll(context, "created", results,
                   arguments.tolerant ? std::optional(Errc::kTopicAlreadyExists) : std::nullopt);
}

Status deleteTopics(const TopicArguments& arguments, const Context& context) {
  MILLRACE_TRY(Admin admin, context.admin());
  MILLRACE_TRY(const auto results, admin.deleteTopics(arguments.names));
  return reportAll(
      context, "deleted", results,
      arguments.tolerant ? std::optional(Errc::kUnknownTopicOrPartition) : std::nullopt);
}

Status alterTopics(const TopicArguments& arguments, const Context& context) {
  std::vector<AlterConfig> changes;
  for (const std::string& text : arguments.set) {
    MILLRACE_TRY(auto pair, splitPair(text));
    changes.push_back({.name = pair.first, .value = pair.second});
  }
  for (const std::string& name : arguments.unset)
    changes.push_back({.name = name, .op = AlterConfigOp::kDelete});
  if (changes.empty() && arguments.partitions < 0) {
    return fail(Errc::kConfig, "nothing to change: give --partitions, --set or --unset");
  }
  MILLRACE_TRY(Admin admin, context.admin());
  if (arguments.partitions >= 0) {
    std::map<std::string, std::int32_t> totals;
    for (const std::string& name : arguments.names) totals[name] = arguments.partitions;
    MILLRACE_TRY(const auto results, admin.createPartitions(totals));
    MILLRACE_CHECK_OK(reportAll(context, "extended", results, std::nullopt));
  }
  if (changes.empty()) return {};
  std::map<ConfigResource, std::vector<AlterConfig>> by_topic;
  for (const std::string& name : arguments.names) by_topic[{.name = name}] = changes;
  MILLRACE_TRY(const auto answers, admin.alterConfigs(by_topic));
  AdminResults<std::string, void> results;
  for (const auto& [resource, result] : answers) results.emplace(resource.name, result);
  return reportAll(context, "configured", results, std::nullopt);
}

using Arguments = std::shared_ptr<TopicArguments>;
using Work = Status (*)(const TopicArguments&, const Context&);

/// A sub-command with its own arguments and the options of every client.
std::pair<CLI::App*, Arguments> subcommand(CLI::App& topic, Context& context,
                                           const std::string& name, const std::string& about,
                                           Work work) {
  CLI::App* command = topic.add_subcommand(name, about);
  auto arguments = std::make_shared<TopicArguments>();
  command->callback([arguments, &context, work] {
    context.action = [arguments, &context, work] { return work(*arguments, context); };
  });
  addClientOptions(*command, context);
  return {command, arguments};
}

CLI::Option* addNames(CLI::App& command, TopicArguments& arguments) {
  return command.add_option("topic", arguments.names, "Topics")->required()->type_name("TOPIC...");
}

Status describe(const TopicArguments& arguments, const Context& context) {
  return describeTopics(arguments.names, context);
}

void addReading(CLI::App& topic, Context& context) {
  auto [list, list_arguments] = subcommand(topic, context, "list", "List the topics", listTopics);
  list->add_flag("--internal", list_arguments->internal,
                 "Internal topics (as __consumer_offsets) too");
  auto [show, show_arguments] = subcommand(topic, context, "describe",
                                           "Show partitions, offsets and configurations", describe);
  addNames(*show, *show_arguments);
}

void addWriting(CLI::App& topic, Context& context) {
  auto [create, make] = subcommand(topic, context, "create", "Create topics", createTopics);
  addNames(*create, *make);
  create
      ->add_option("-p,--partitions", make->partitions,
                   "How many partitions (default: the broker's)")
      ->check(wholeNumberFrom(1));
  create
      ->add_option("-r,--replication-factor", make->replication_factor,
                   "Copies of each (default: the broker's)")
      ->check(wholeNumberFrom(1));
  create
      ->add_option("--set", make->set,
                   "A topic configuration, as --set retention.ms=60000; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  create->add_flag("--if-not-exists", make->tolerant, "No error where the topic is there already");

  auto [alter, change] =
      subcommand(topic, context, "alter", "Add partitions, change configurations", alterTopics);
  addNames(*alter, *change);
  alter->add_option("-p,--partitions", change->partitions, "The new, larger number of partitions")
      ->check(wholeNumberFrom(1));
  alter->add_option("--set", change->set, "A topic configuration; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  alter->add_option("--unset", change->unset, "Back to the default; repeatable")
      ->type_name("KEY")
      ->allow_extra_args(false);

  auto [remove, gone] =
      subcommand(topic, context, "delete", "Delete topics and their records", deleteTopics);
  addNames(*remove, *gone);
  remove->add_flag("--if-exists", gone->tolerant, "No error where there is no such topic");
}

}  // namespace

void addTopicCommand(CLI::App& app, Context& context) {
  auto& topic = *app.add_subcommand("topic", "List, describe, create, alter and delete topics");
  topic.require_subcommand(1);
  addReading(topic, context);
  addWriting(topic, context);
  topic.footer(
      "Examples:\n"
      "  millrace topic create orders --partitions 6\n"
      "  millrace topic create prices --set cleanup.policy=compact\n"
      "  millrace topic describe orders\n"
      "  millrace topic alter orders --partitions 12 --set retention.ms=86400000\n");
}

}  // namespace millrace::cli
