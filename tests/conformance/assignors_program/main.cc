// Replays recorded rebalances of Apache Kafka's client-side assignors, and the user data they
// exchange. One line for each step that fails; the last line is "N passed, M failed". Exit 0 only
// if none failed. Steps of other assignors (coordinator, streams) are counted as skipped.
#include "client/assignors/sticky.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <zlib.h>

#include <functional>
#include <memory>

namespace {

using namespace millrace;
using namespace millrace::client;
namespace json = boost::json;

using Shares = std::map<std::string, std::set<TopicPartition>>;

struct Tally {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::size_t skipped = 0;
  std::size_t unequal = 0;  // passed by validity and measures only
};

bool forEachLine(const std::string& path, const std::function<void(std::string_view)>& line) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), gzclose);
  if (!file) return false;
  std::string text;
  char buffer[1 << 16];
  int n = 0;
  while ((n = gzread(file.get(), buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(n));
  }
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = text.find('\n', begin);
    if (end == std::string::npos) end = text.size();
    if (end > begin) line(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
  }
  return n == 0;
}

std::string str(const json::value& v) { return std::string(v.as_string()); }
std::int32_t num(const json::value& v) {
  return static_cast<std::int32_t>(v.to_number<std::int64_t>());
}

std::vector<TopicPartition> readPartitions(const json::value& v) {
  std::vector<TopicPartition> out;
  for (const auto& [topic, list] : v.as_object()) {
    for (const auto& p : list.as_array()) out.push_back(TopicPartition{topic, num(p)});
  }
  return out;
}

AssignableTopics readTopics(const json::value& v) {
  AssignableTopics out;
  for (const auto& [name, info] : v.as_object()) {
    AssignableTopic& topic = out[name];
    topic.partitions = num(info.at("partitions"));
    const auto* racks = info.as_object().if_contains("racks");
    if (racks == nullptr) continue;
    for (const auto& of_partition : racks->as_array()) {
      auto& list = topic.racks.emplace_back();
      for (const auto& rack : of_partition.as_array()) list.push_back(str(rack));
    }
  }
  return out;
}

GroupSubscriptions readMembers(const json::value& v, const std::string& assignor) {
  GroupSubscriptions out;
  for (const auto& [id, info] : v.as_object()) {
    const json::object& o = info.as_object();
    MemberSubscription& m = out[id];
    for (const auto& topic : o.at("topics").as_array()) m.topics.push_back(str(topic));
    if (const auto* rack = o.if_contains("rack")) m.rack = str(*rack);
    if (const auto* instance = o.if_contains("instance")) m.group_instance_id = str(*instance);
    const auto* owned = o.if_contains("owned");
    const auto* generation = o.if_contains("generation");
    if (owned == nullptr) continue;
    const std::int32_t since = generation == nullptr ? -1 : num(*generation);
    if (assignor == "sticky") {
      m.user_data = encodeStickyUserData(readPartitions(*owned), since);
    }
    m.owned = readPartitions(*owned);
    m.generation = since;
  }
  return out;
}

Shares readExpected(const json::value& v) {
  Shares out;
  for (const auto& [member, list] : v.as_object()) {
    const auto partitions = readPartitions(list);
    out[member].insert(partitions.begin(), partitions.end());
  }
  return out;
}

std::map<std::string, std::int64_t> measure(const AssignableTopics& topics,
                                            const GroupSubscriptions& group, const Shares& shares) {
  std::map<std::string, std::int64_t> m{{"assigned_total", 0}, {"assigned_twice", 0},
                                        {"invalid", 0},        {"kept", 0},
                                        {"moved", 0},          {"rack_matches", 0}};
  std::map<TopicPartition, std::set<std::string>> before;
  for (const auto& [member, sub] : group) {
    for (const TopicPartition& tp : sub.owned) before[tp].insert(member);
  }
  std::set<TopicPartition> seen;
  std::int64_t least = INT64_MAX;
  std::int64_t most = 0;
  for (const auto& [member, sub] : group) {
    const auto it = shares.find(member);
    const std::set<TopicPartition> mine =
        it == shares.end() ? std::set<TopicPartition>() : it->second;
    least = std::min(least, static_cast<std::int64_t>(mine.size()));
    most = std::max(most, static_cast<std::int64_t>(mine.size()));
    for (const TopicPartition& tp : mine) {
      ++m["assigned_total"];
      if (!seen.insert(tp).second) ++m["assigned_twice"];
      if (std::find(sub.topics.begin(), sub.topics.end(), tp.topic) == sub.topics.end())
        ++m["invalid"];
      const auto had = before.find(tp);
      if (had != before.end()) ++m[had->second.contains(member) ? "kept" : "moved"];
      const auto& racks = topics.at(tp.topic).racks;
      const auto index = static_cast<std::size_t>(tp.partition);
      if (sub.rack && index < racks.size() &&
          std::find(racks[index].begin(), racks[index].end(), *sub.rack) != racks[index].end()) {
        ++m["rack_matches"];
      }
    }
  }
  m["members_min"] = least;
  m["members_max"] = most;
  return m;
}

/// What is worse than recorded; empty where nothing is.
std::string worse(const json::value& recorded, const std::map<std::string, std::int64_t>& ours) {
  for (const auto& [key, range] : recorded.as_object()) {
    const std::string name(key);
    const auto it = ours.find(name);
    if (it == ours.end()) continue;
    const std::int64_t low = num(range.is_array() ? range.as_array().front() : range);
    const std::int64_t high = num(range.is_array() ? range.as_array().back() : range);
    const bool more_is_better = name == "kept" || name == "rack_matches" || name == "members_min";
    const bool exact = name == "assigned_total";
    const bool bad = exact            ? it->second < low || it->second > high
                     : more_is_better ? it->second < low
                                      : it->second > high;
    if (bad) return fmt::format("{} is {}, recorded {}..{}", name, it->second, low, high);
  }
  return {};
}

/// Partitions of subscribed topics that have no owner: nothing may be forgotten but by
/// cooperative-sticky.
std::string forgotten(const AssignableTopics& topics, const GroupSubscriptions& group,
                      const Shares& shares) {
  std::set<TopicPartition> given;
  for (const auto& [member, mine] : shares) given.insert(mine.begin(), mine.end());
  for (const auto& [member, sub] : group) {
    for (const std::string& topic : sub.topics) {
      const auto it = topics.find(topic);
      if (it == topics.end()) continue;
      for (std::int32_t p = 0; p < it->second.partitions; ++p) {
        if (!given.contains(TopicPartition{topic, p})) {
          return fmt::format("{}-{} has no owner", topic, p);
        }
      }
    }
  }
  return {};
}

std::string checkStep(const json::value& step, const std::string& assignor, Tally& tally) {
  const json::value& input = step.at("input");
  const AssignableTopics topics = readTopics(input.at("topics"));
  const GroupSubscriptions group = readMembers(input.at("members"), assignor);
  const MemberPartitions result = assignor == "range"        ? assignRange(topics, group)
                                  : assignor == "roundrobin" ? assignRoundRobin(topics, group)
                                  : assignor == "sticky"     ? assignEagerSticky(topics, group)
                                                         : assignCooperativeSticky(topics, group);
  Shares ours;
  std::size_t listed = 0;
  std::size_t distinct = 0;
  for (const auto& [member, list] : result) {
    ours[member].insert(list.begin(), list.end());
    listed += list.size();
    distinct += ours[member].size();
  }
  if (listed != distinct) return "a member has a partition twice";
  const Shares expected = readExpected(step.at("expected"));
  if (ours == expected) return {};
  const std::string stability = str(step.at("stability"));
  if (stability == "exact") {
    for (const auto& [member, mine] : ours) {
      const auto it = expected.find(member);
      if (it != expected.end() && it->second == mine) continue;
      std::string got;
      std::string want;
      for (const auto& tp : mine) got += " " + tp.toString();
      if (it != expected.end()) {
        for (const auto& tp : it->second) want += " " + tp.toString();
      }
      return fmt::format("{} has{}, expected{}", member, got, want);
    }
    return "a member is missing";
  }
  std::string problem = worse(step.at("measures"), measure(topics, group, ours));
  if (problem.empty() && assignor != "cooperative-sticky") problem = forgotten(topics, group, ours);
  if (problem.empty()) ++tally.unequal;
  return problem;
}

std::string checkUserData(const json::object& vector, const std::string& kind) {
  std::string bytes;
  const std::string hex = str(vector.at("hex"));
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  const json::object& value = vector.at("value").as_object();
  const std::int32_t generation = num(value.at("generation"));
  const bool exact = vector.at("bytes_exact").as_bool();
  if (kind == "cooperative-sticky") {
    if (decodeGeneration(bytes) != generation) return "the generation differs";
    return exact && encodeGeneration(generation) != bytes ? "the bytes differ" : "";
  }
  auto decoded = decodeStickyUserData(bytes);
  if (!decoded) return decoded.error().toString();
  auto partitions = readPartitions(value.at("partitions"));
  const Bytes encoded = encodeStickyUserData(partitions, generation);
  std::sort(partitions.begin(), partitions.end());
  std::sort(decoded->partitions.begin(), decoded->partitions.end());
  if (decoded->partitions != partitions) return "the partitions differ";
  if (decoded->generation.value_or(-1) != generation) return "the generation differs";
  if (exact && encoded != bytes) return "the bytes differ";
  return {};
}

void checkLine(std::string_view line, Tally& tally) {
  const json::value parsed = json::parse(line);
  const json::object& vector = parsed.as_object();
  const std::string name = str(vector.at("name"));
  const auto note = [&](const std::string& what, const std::string& problem) {
    if (problem.empty()) {
      ++tally.passed;
    } else {
      ++tally.failed;
      fmt::print("FAIL {}: {}\n", what, problem);
    }
  };
  if (const auto* kind = vector.if_contains("kind")) {
    const std::string k = str(*kind);
    if (k != "sticky" && k != "cooperative-sticky") {
      ++tally.skipped;
      return;
    }
    return note(name, checkUserData(vector, k));
  }
  const std::string assignor = str(vector.at("assignor"));
  const bool known = assignor == "range" || assignor == "roundrobin" || assignor == "sticky" ||
                     assignor == "cooperative-sticky";
  std::size_t index = 0;
  for (const auto& step : vector.at("steps").as_array()) {
    if (!known) {
      ++tally.skipped;
      continue;
    }
    note(fmt::format("{} step {}", name, index++), checkStep(step, assignor, tally));
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: {} FILE... (.jsonl, .jsonl.gz)\n", argv[0]);
    return 2;
  }
  Tally tally;
  for (int i = 1; i < argc; ++i) {
    if (!forEachLine(argv[i], [&](std::string_view line) { checkLine(line, tally); })) {
      fmt::print(stderr, "cannot read {}\n", argv[i]);
      return 2;
    }
  }
  if (tally.unequal > 0) {
    fmt::print(
        "{} results differ from the recorded ones where those depend on hashing; they are valid "
        "and no worse\n",
        tally.unequal);
  }
  if (tally.skipped > 0) fmt::print("{} skipped (assignors of other rooms)\n", tally.skipped);
  fmt::print("{} passed, {} failed\n", tally.passed, tally.failed);
  return tally.failed == 0 ? 0 : 1;
}
