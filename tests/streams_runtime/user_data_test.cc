#include "streams/runtime/user_data.h"

#include "tests/streams_runtime/support/vectors.h"

#include <gmock/gmock.h>

namespace millrace::streams {
namespace {

using boost::json::value;
using testing::fromHex;
using testing::readVectors;
using testing::text;
using testing::toHex;

Uuid uuidOf(const std::string& dashed) {
  std::string hex;
  for (const char c : dashed) {
    if (c != '-') hex += c;
  }
  return {std::stoull(hex.substr(0, 16), nullptr, 16), std::stoull(hex.substr(16), nullptr, 16)};
}

/// "name__0_1" or "0_1".
AssignedTask taskOf(const value& v) {
  const std::string all = text(v);
  const auto at = all.find("__");
  if (at == std::string::npos) return {*parseTaskId(all)};
  return {*parseTaskId(all.substr(at + 2)), all.substr(0, at)};
}

SubscriptionInfo subscriptionOf(const value& v) {
  SubscriptionInfo info;
  info.version = static_cast<std::int32_t>(v.at("version").as_int64());
  info.latest_supported_version =
      static_cast<std::int32_t>(v.at("latest_supported_version").as_int64());
  info.process_id = uuidOf(text(v.at("process_id")));
  if (v.at("user_end_point").is_string()) info.user_end_point = text(v.at("user_end_point"));
  for (const value& sum : v.at("task_offset_sums").as_array()) {
    const AssignedTask task = taskOf(sum.at(0));
    info.task_offset_sums.push_back({task.id, sum.at(1).as_int64()});
    if (!task.named_topology.empty())
      info.task_offset_sums.back().named_topology = task.named_topology;
  }
  info.unique_field = static_cast<std::int8_t>(v.at("unique_field").as_int64());
  info.error_code = static_cast<std::int32_t>(v.at("error_code").as_int64());
  for (const value& tag : v.at("client_tags").as_array()) {
    info.client_tags.emplace_back(text(tag.at(0)), text(tag.at(1)));
  }
  return info;
}

std::vector<TopicPartitionName> partitionsOf(const value& list) {
  std::vector<TopicPartitionName> out;
  for (const value& p : list.as_array()) {
    out.emplace_back(text(p.at(0)), static_cast<std::int32_t>(p.at(1).as_int64()));
  }
  std::ranges::sort(out);
  return out;
}

std::map<HostInfo, std::vector<TopicPartitionName>> hostsOf(const value& list) {
  std::map<HostInfo, std::vector<TopicPartitionName>> out;
  for (const value& h : list.as_array()) {
    out[{text(h.at(0)), static_cast<std::int32_t>(h.at(1).as_int64())}] = partitionsOf(h.at(2));
  }
  return out;
}

AssignmentInfo assignmentOf(const value& v) {
  AssignmentInfo info;
  info.version = static_cast<std::int32_t>(v.at("version").as_int64());
  info.commonly_supported_version =
      static_cast<std::int32_t>(v.at("commonly_supported_version").as_int64());
  for (const value& task : v.at("active").as_array()) info.active.push_back(taskOf(task));
  for (const value& task : v.at("standby").as_array()) {
    info.standby[taskOf(task.at(0))] = partitionsOf(task.at(1));
  }
  info.partitions_by_host = hostsOf(v.at("partitions_by_host"));
  info.standby_partitions_by_host = hostsOf(v.at("standby_partitions_by_host"));
  info.error_code = static_cast<std::int32_t>(v.at("error_code").as_int64());
  info.next_rebalance_ms = v.at("next_rebalance_ms").as_int64();
  return info;
}

AssignmentInfo sorted(AssignmentInfo info) {
  for (auto& [task, partitions] : info.standby) std::ranges::sort(partitions);
  for (auto* hosts : {&info.partitions_by_host, &info.standby_partitions_by_host}) {
    for (auto& [host, partitions] : *hosts) std::ranges::sort(partitions);
  }
  return info;
}

TEST(UserData, SubscriptionsOfKafkaDecodeAndEncode) {
  int seen = 0;
  for (const value& v : readVectors("assignors/userdata.jsonl.gz")) {
    if (text(v.at("kind")) != "streams-subscription") continue;
    ++seen;
    const auto decoded = decodeSubscriptionInfo(fromHex(text(v.at("hex"))));
    ASSERT_TRUE(decoded) << v.at("name");
    EXPECT_EQ(*decoded, subscriptionOf(v.at("value"))) << v.at("name");
    const Bytes again = encodeSubscriptionInfo(*decoded);
    if (v.at("bytes_exact").as_bool()) EXPECT_EQ(toHex(again), text(v.at("hex"))) << v.at("name");
    EXPECT_EQ(decodeSubscriptionInfo(again), decoded) << v.at("name");
  }
  EXPECT_EQ(seen, 50);
}

TEST(UserData, AssignmentsOfKafkaDecodeAndEncode) {
  int seen = 0;
  for (const value& v : readVectors("assignors/userdata.jsonl.gz")) {
    if (text(v.at("kind")) != "streams-assignment") continue;
    ++seen;
    const auto decoded = decodeAssignmentInfo(fromHex(text(v.at("hex"))));
    ASSERT_TRUE(decoded) << v.at("name");
    EXPECT_EQ(sorted(*decoded), assignmentOf(v.at("value"))) << v.at("name");
    const Bytes again = encodeAssignmentInfo(*decoded);
    if (v.at("bytes_exact").as_bool()) EXPECT_EQ(toHex(again), text(v.at("hex"))) << v.at("name");
    EXPECT_EQ(decodeAssignmentInfo(again), decoded) << v.at("name");
  }
  EXPECT_EQ(seen, 50);
}

TEST(UserData, EveryTruncationIsRefused) {
  for (const value& v : readVectors("assignors/userdata.jsonl.gz")) {
    const std::string kind = text(v.at("kind"));
    const Bytes bytes = fromHex(text(v.at("hex")));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      const auto cut = BytesView(bytes).substr(0, size);
      if (kind == "streams-subscription")
        EXPECT_FALSE(decodeSubscriptionInfo(cut)) << v.at("name") << ' ' << size;
      if (kind == "streams-assignment")
        EXPECT_FALSE(decodeAssignmentInfo(cut)) << v.at("name") << ' ' << size;
    }
  }
}

TEST(UserData, UnknownVersionIsRefusedByName) {
  SubscriptionInfo info;
  Bytes bytes = encodeSubscriptionInfo(info);
  bytes[3] = 12;
  EXPECT_EQ(decodeSubscriptionInfo(bytes).error().code, Errc::kUnsupportedVersion);
}

TEST(TaskIds, ParseAndPrint) {
  EXPECT_EQ(parseTaskId("12_3"), (TaskId{12, 3}));
  EXPECT_EQ((TaskId{1, 0}).toString(), "1_0");
  for (const auto* bad : {"", "_", "1_", "_1", "a_1", "1_2x", "-1_0"})
    EXPECT_FALSE(parseTaskId(bad)) << bad;
}

}  // namespace
}  // namespace millrace::streams
