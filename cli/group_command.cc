// millrace group: list, describe, delete, reset-offsets.
#include "base/clock.h"
#include "cli/context.h"
#include "cli/group_offsets.h"
#include "cli/output.h"
#include "cli/places.h"

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

struct GroupArguments {
  std::vector<std::string> names;
  std::vector<std::string> topics;
  std::string place;
  bool dry_run = false;
};

Status listGroups(const GroupArguments&, const Context& context) {
  MILLRACE_TRY(Admin admin, context.admin());
  MILLRACE_TRY(const auto groups, admin.listGroups());
  json::array list;
  Table table({"GROUP", "STATE", "PROTOCOL", "TYPE"});
  for (const auto& group : groups) {
    list.push_back(json::object{{"group", group.group_id},
                                {"state", group.state},
                                {"protocolType", group.protocol_type},
                                {"type", group.type}});
    table.add({group.group_id, group.state, group.protocol_type, group.type});
  }
  if (context.json())
    printJson(list);
  else if (list.empty())
    fmt::print("There are no groups.\n");
  else
    table.print();
  return {};
}

Status describeGroups(const GroupArguments& arguments, const Context& context) {
  MILLRACE_TRY(Admin admin, context.admin());
  for (std::size_t i = 0; i < arguments.names.size(); ++i) {
    if (i > 0 && !context.json()) fmt::print("\n");
    MILLRACE_CHECK_OK(describeGroup(admin, arguments.names[i], context));
  }
  return {};
}

Status deleteGroups(const GroupArguments& arguments, const Context& context) {
  MILLRACE_TRY(Admin admin, context.admin());
  MILLRACE_TRY(const auto results, admin.deleteGroups(arguments.names));
  Status first;
  for (const auto& [group, result] : results) {
    if (result) {
      if (context.json())
        printJson(json::object{{"group", group}, {"event", "deleted"}});
      else
        fmt::print("deleted {}\n", group);
      continue;
    }
    Error error = result.error();
    error.detail = fmt::format(
        "group {}: {}", group,
        error.detail.empty() ? errorMessage(error.code) : std::string_view(error.detail));
    if (first)
      first = std::unexpected(error);
    else
      printError(error, context.output);
  }
  return first;
}

/// The partitions that --topic names, or all that the group has committed.
Result<std::vector<TopicPartition>> selected(Admin& admin, const GroupArguments& arguments,
                                             const GroupOffsets& committed) {
  std::vector<TopicPartition> out;
  if (arguments.topics.empty()) {
    for (const auto& [partition, offset] : committed) out.push_back(partition);
    if (out.empty())
      return fail(Errc::kConfig,
                  "the group has committed nothing yet: name its topics with --topic");
  }
  for (const std::string& text : arguments.topics) {
    MILLRACE_TRY(const TopicSelection selection, parseSelection(text));
    if (selection.partitions.empty()) {
      MILLRACE_TRY(const auto all, partitionsOf(admin, selection.topic));
      out.insert(out.end(), all.begin(), all.end());
    }
    for (const std::int32_t p : selection.partitions) out.push_back({selection.topic, p});
  }
  return out;
}

void printPlan(const Context& context, const std::map<TopicPartition, std::int64_t>& targets,
               const GroupOffsets& committed, bool dry_run) {
  Table table({"TOPIC", "PARTITION", "WAS", "NOW"});
  for (const auto& [partition, offset] : targets) {
    const auto was = committed.find(partition);
    const std::string before = was == committed.end() ? "-" : std::to_string(was->second.offset);
    table.add(
        {partition.topic, std::to_string(partition.partition), before, std::to_string(offset)});
    if (!context.json()) continue;
    json::object line{{"topic", partition.topic},
                      {"partition", partition.partition},
                      {"offset", offset},
                      {"dryRun", dry_run}};
    if (was == committed.end())
      line["was"] = nullptr;
    else
      line["was"] = was->second.offset;
    printJson(line);
  }
  if (!context.json()) table.print();
}

Status resetOffsets(const GroupArguments& arguments, const Context& context) {
  MILLRACE_TRY(const Place place, parsePlace(arguments.place, systemClock().wallMs()));
  MILLRACE_TRY(Admin admin, context.admin());
  const std::string& group = arguments.names.at(0);
  MILLRACE_TRY(const GroupOffsets committed, admin.listGroupOffsets(group));
  MILLRACE_TRY(const auto partitions, selected(admin, arguments, committed));
  MILLRACE_TRY(const auto targets, offsetsOf(admin, place, partitions));
  if (!arguments.dry_run) {
    std::map<TopicPartition, OffsetAndMetadata> offsets;
    for (const auto& [partition, offset] : targets) offsets[partition] = {.offset = offset};
    MILLRACE_TRY(const auto results, admin.alterGroupOffsets(group, offsets));
    for (const auto& [partition, result] : results) {
      if (result) continue;
      const Error& error = result.error();
      return fail(error.code, fmt::format("group {}, {}: {}", group, partition.toString(),
                                          errorMessage(error.code)));
    }
  }
  printPlan(context, targets, committed, arguments.dry_run);
  if (arguments.dry_run && !context.json()) fmt::print("Nothing was changed (--dry-run).\n");
  return {};
}

using Work = Status (*)(const GroupArguments&, const Context&);

std::pair<CLI::App*, std::shared_ptr<GroupArguments>> subcommand(CLI::App& group, Context& context,
                                                                 const std::string& name,
                                                                 const std::string& about,
                                                                 Work work) {
  CLI::App* command = group.add_subcommand(name, about);
  auto arguments = std::make_shared<GroupArguments>();
  command->callback([arguments, &context, work] {
    context.action = [arguments, &context, work] { return work(*arguments, context); };
  });
  addClientOptions(*command, context);
  return {command, arguments};
}

}  // namespace

void addGroupCommand(CLI::App& app, Context& context) {
  auto& group =
      *app.add_subcommand("group", "List, describe and delete consumer groups, move their offsets");
  group.require_subcommand(1);
  subcommand(group, context, "list", "List the groups", listGroups);
  auto [show, show_arguments] =
      subcommand(group, context, "describe", "Show members, offsets and lag", describeGroups);
  show->add_option("group", show_arguments->names, "Groups")->required()->type_name("GROUP...");
  auto [remove, remove_arguments] =
      subcommand(group, context, "delete", "Delete groups and what they committed", deleteGroups);
  remove->add_option("group", remove_arguments->names, "Groups")->required()->type_name("GROUP...");
  auto [reset, target] =
      subcommand(group, context, "reset-offsets", "Move a group (without members) to another place",
                 resetOffsets);
  reset->add_option("group", target->names, "The group")
      ->required()
      ->expected(1)
      ->type_name("GROUP");
  reset
      ->add_option("-t,--topic", target->topics,
                   "TOPIC or TOPIC:0,2; repeatable (default: all that the group has committed)")
      ->type_name("TOPIC")
      ->allow_extra_args(false);
  reset
      ->add_option("--to", target->place,
                   "beginning, end, an offset, a time (2026-01-31T12:00, UTC), a while ago (-15m)")
      ->required()
      ->type_name("PLACE");
  reset->add_flag("--dry-run", target->dry_run, "Only show what would change");
  group.footer(
      "Examples:\n"
      "  millrace group describe billing\n"
      "  millrace group reset-offsets billing --topic orders --to beginning\n");
}

}  // namespace millrace::cli
