#include "cli/group_offsets.h"

#include "cli/output.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <fmt/format.h>

namespace millrace::cli {

namespace {

namespace json = boost::json;

struct Row {
  std::int64_t committed = -1;  ///< -1: nothing yet
  std::int64_t end = -1;        ///< -1: unknown
  const GroupMember* member = nullptr;

  [[nodiscard]] std::int64_t lag() const {
    return committed < 0 || end < 0 ? -1 : std::max<std::int64_t>(0, end - committed);
  }
};
using Rows = std::map<TopicPartition, Row>;

Result<Rows> collect(Admin& admin, const GroupDescription& group) {
  Rows rows;
  MILLRACE_TRY(const auto committed, admin.listGroupOffsets(group.group_id));
  for (const auto& [partition, offset] : committed) rows[partition].committed = offset.offset;
  for (const auto& member : group.members) {
    for (const auto& partition : member.assignment) rows[partition].member = &member;
  }
  std::map<TopicPartition, std::int64_t> specs;
  for (const auto& [partition, row] : rows) specs[partition] = OffsetSpec::kLatest;
  if (specs.empty()) return rows;
  MILLRACE_TRY(const auto ends, admin.listOffsets(specs));
  for (const auto& [partition, end] : ends) {
    if (end) rows[partition].end = end->offset;
  }
  return rows;
}

std::string orDash(std::int64_t n) { return n < 0 ? "-" : std::to_string(n); }
json::value orNull(std::int64_t n) { return n < 0 ? json::value(nullptr) : json::value(n); }

void printAsJson(const GroupDescription& group, const Rows& rows) {
  json::array members;
  for (const auto& member : group.members) {
    json::array assignment;
    for (const auto& p : member.assignment)
      assignment.push_back(json::object{{"topic", p.topic}, {"partition", p.partition}});
    json::object entry{{"memberId", member.member_id},
                       {"clientId", member.client_id},
                       {"host", member.host},
                       {"assignment", std::move(assignment)}};
    if (member.group_instance_id) entry["instanceId"] = *member.group_instance_id;
    members.push_back(std::move(entry));
  }
  json::array offsets;
  for (const auto& [partition, row] : rows) {
    offsets.push_back(
        json::object{{"topic", partition.topic},
                     {"partition", partition.partition},
                     {"committed", orNull(row.committed)},
                     {"end", orNull(row.end)},
                     {"lag", orNull(row.lag())},
                     {"memberId", row.member != nullptr ? json::value(row.member->member_id)
                                                        : json::value(nullptr)}});
  }
  printJson(json::object{{"group", group.group_id},
                         {"state", group.state},
                         {"protocolType", group.protocol_type},
                         {"protocol", group.protocol},
                         {"coordinator", group.coordinator},
                         {"members", std::move(members)},
                         {"offsets", std::move(offsets)}});
}

void printAsText(const GroupDescription& group, const Rows& rows) {
  fmt::print("{}   {}   {} members", group.group_id, group.state, group.members.size());
  if (!group.protocol.empty()) fmt::print("   assignor {}", group.protocol);
  fmt::print("   coordinator {}\n", group.coordinator);
  if (!rows.empty()) {
    std::int64_t total = 0;
    Table table({"TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "CLIENT", "HOST"});
    for (const auto& [partition, row] : rows) {
      total += std::max<std::int64_t>(0, row.lag());
      table.add({partition.topic, std::to_string(partition.partition), orDash(row.committed),
                 orDash(row.end), orDash(row.lag()),
                 row.member != nullptr ? row.member->client_id : "-",
                 row.member != nullptr ? row.member->host : "-"});
    }
    table.print();
    fmt::print("total lag {}\n", total);
  }
  for (const auto& member : group.members) {
    if (member.assignment.empty())
      fmt::print("{} ({}) has no partitions\n", member.client_id, member.host);
  }
}

}  // namespace

Status describeGroup(Admin& admin, const std::string& group, const Context& context) {
  MILLRACE_TRY(const auto described, admin.describeGroups({group}));
  const auto found = described.find(group);
  if (found == described.end()) return fail(Errc::kGroupIdNotFound, "there is no group " + group);
  if (!found->second) {
    return fail(found->second.error().code,
                fmt::format("group {}: {}", group, errorMessage(found->second.error().code)));
  }
  MILLRACE_TRY(const Rows rows, collect(admin, *found->second));
  // Old brokers describe a group that does not exist as Dead.
  if (found->second->state == "Dead" && rows.empty())
    return fail(Errc::kGroupIdNotFound, "there is no group " + group);
  if (context.json())
    printAsJson(*found->second, rows);
  else
    printAsText(*found->second, rows);
  return {};
}

}  // namespace millrace::cli
