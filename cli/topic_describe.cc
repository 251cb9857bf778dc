#include "cli/topic_describe.h"

#include "cli/output.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace millrace::cli {

namespace {

namespace json = boost::json;

/// First and next offset of each partition; -1 where it has no leader to ask.
struct Range {
  std::int64_t begin = -1;
  std::int64_t end = -1;
};
using Ranges = std::map<TopicPartition, Range>;

Result<Ranges> rangesOf(Admin& admin, const TopicDescription& topic) {
  Ranges out;
  std::map<TopicPartition, std::int64_t> first;
  std::map<TopicPartition, std::int64_t> last;
  for (const auto& p : topic.partitions) {
    const TopicPartition key{topic.name, p.partition};
    out[key] = {};
    if (p.leader < 0) continue;
    first[key] = OffsetSpec::kEarliest;
    last[key] = OffsetSpec::kLatest;
  }
  MILLRACE_TRY(const auto begins, admin.listOffsets(first));
  MILLRACE_TRY(const auto ends, admin.listOffsets(last));
  for (const auto& [key, result] : begins) {
    if (result) out[key].begin = result->offset;
  }
  for (const auto& [key, result] : ends) {
    if (result) out[key].end = result->offset;
  }
  return out;
}

/// What somebody has set for the topic, by name.
Result<std::map<std::string, std::string>> ownConfigs(Admin& admin, const std::string& topic) {
  MILLRACE_TRY(const auto answers, admin.describeConfigs({{.name = topic}}));
  std::map<std::string, std::string> out;
  for (const auto& [resource, entries] : answers) {
    if (!entries) return std::unexpected(entries.error());
    for (const auto& entry : *entries) {
      if (entry.source == ConfigSource::kTopic) out.emplace(entry.name, entry.value.value_or(""));
    }
  }
  return out;
}

json::array numbers(const std::vector<std::int32_t>& values) {
  return json::array(values.begin(), values.end());
}

void printAsJson(const TopicDescription& topic, const Ranges& ranges,
                 const std::map<std::string, std::string>& configs) {
  json::array partitions;
  for (const auto& p : topic.partitions) {
    const Range range = ranges.at({topic.name, p.partition});
    partitions.push_back(json::object{{"partition", p.partition},
                                      {"leader", p.leader},
                                      {"leaderEpoch", p.leader_epoch},
                                      {"replicas", numbers(p.replicas)},
                                      {"inSync", numbers(p.in_sync_replicas)},
                                      {"begin", range.begin},
                                      {"end", range.end}});
  }
  json::object set;
  for (const auto& [name, value] : configs) set.emplace(name, value);
  printJson(json::object{{"topic", topic.name},
                         {"id", topic.id.toString()},
                         {"internal", topic.internal},
                         {"partitions", std::move(partitions)},
                         {"configs", std::move(set)}});
}

void printAsText(const TopicDescription& topic, const Ranges& ranges,
                 const std::map<std::string, std::string>& configs) {
  fmt::print("{}   id {}   {} partitions\n", topic.name, topic.id.toString(),
             topic.partitions.size());
  for (const auto& [name, value] : configs) fmt::print("  {}={}\n", name, value);
  Table table({"PARTITION", "LEADER", "REPLICAS", "IN SYNC", "BEGIN", "END", "RECORDS"});
  for (const auto& p : topic.partitions) {
    const Range range = ranges.at({topic.name, p.partition});
    table.add({std::to_string(p.partition), p.leader < 0 ? "none" : std::to_string(p.leader),
               joined(p.replicas), joined(p.in_sync_replicas), std::to_string(range.begin),
               std::to_string(range.end), std::to_string(range.end - range.begin)});
  }
  table.print();
}

}  // namespace

Status describeTopics(const std::vector<std::string>& names, const Context& context) {
  MILLRACE_TRY(Admin admin, context.admin());
  MILLRACE_TRY(const auto topics, admin.describeTopics(names));
  bool first = true;
  for (const auto& [name, topic] : topics) {
    if (!topic) {
      Error error = topic.error();
      error.detail = fmt::format("topic {}: {}", name, errorMessage(error.code));
      return std::unexpected(std::move(error));
    }
    MILLRACE_TRY(const Ranges ranges, rangesOf(admin, *topic));
    MILLRACE_TRY(const auto configs, ownConfigs(admin, name));
    if (context.json()) {
      printAsJson(*topic, ranges, configs);
    } else {
      if (!first) fmt::print("\n");
      printAsText(*topic, ranges, configs);
    }
    first = false;
  }
  return {};
}

}  // namespace millrace::cli
