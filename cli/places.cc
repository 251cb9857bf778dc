#include "cli/places.h"

#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace millrace::cli {

namespace {

bool parseNumber(std::string_view text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// Milliseconds of "15m"; -1 where it is no duration.
std::int64_t duration(std::string_view text) {
  if (text.size() < 2) return -1;
  std::int64_t n = 0;
  if (!parseNumber(text.substr(0, text.size() - 1), n) || n < 0) return -1;
  switch (text.back()) {
    case 's': return n * 1000;
    case 'm': return n * 60'000;
    case 'h': return n * 3'600'000;
    case 'd': return n * 86'400'000;
    default: return -1;
  }
}

using Offsets = std::map<TopicPartition, std::int64_t>;

Result<Offsets> ask(Admin& admin, std::int64_t spec,
                    const std::vector<TopicPartition>& partitions) {
  std::map<TopicPartition, std::int64_t> specs;
  for (const auto& partition : partitions) specs[partition] = spec;
  MILLRACE_TRY(const auto answers, admin.listOffsets(specs));
  Offsets out;
  for (const auto& [partition, answer] : answers) {
    if (!answer) return std::unexpected(answer.error());
    out[partition] = answer->offset;
  }
  return out;
}

}  // namespace

Result<Place> parsePlace(std::string_view text, std::int64_t now_ms) {
  using Kind = Place::Kind;
  if (text == "beginning" || text == "earliest") return Place{Kind::kBeginning, 0};
  if (text == "end" || text == "latest") return Place{Kind::kEnd, 0};
  std::int64_t n = 0;
  if (parseNumber(text, n) && n >= 0) return Place{Kind::kOffset, n};
  if (text.starts_with('@') && parseNumber(text.substr(1), n) && n >= 0)
    return Place{Kind::kTime, n};
  if (text.starts_with('-') && duration(text.substr(1)) >= 0)
    return Place{Kind::kTime, now_ms - duration(text.substr(1))};
  const auto time = parseIsoTime(text);
  if (time) return Place{Kind::kTime, *time};
  return fail(
      Errc::kConfig,
      fmt::format("\"{}\" is neither beginning, end, an offset, a time as 2026-01-31T12:00 (UTC) "
                  "or @milliseconds, nor a while ago as -15m",
                  text));
}

Result<TopicSelection> parseSelection(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return TopicSelection{text, {}};
  TopicSelection out{text.substr(0, colon), {}};
  std::string_view rest = std::string_view(text).substr(colon + 1);
  while (true) {
    const auto comma = rest.find(',');
    std::int64_t partition = 0;
    if (!parseNumber(rest.substr(0, comma), partition) || partition < 0 || partition > 0x7FFFFFFF) {
      return fail(Errc::kConfig, fmt::format("\"{}\" is not TOPIC or TOPIC:PARTITION,...", text));
    }
    out.partitions.push_back(static_cast<std::int32_t>(partition));
    if (comma == std::string_view::npos) return out;
    rest.remove_prefix(comma + 1);
  }
}

Result<Offsets> offsetsOf(Admin& admin, const Place& place,
                          const std::vector<TopicPartition>& partitions) {
  if (place.kind == Place::Kind::kBeginning) return ask(admin, OffsetSpec::kEarliest, partitions);
  MILLRACE_TRY(Offsets ends, ask(admin, OffsetSpec::kLatest, partitions));
  if (place.kind == Place::Kind::kEnd) return ends;
  if (place.kind == Place::Kind::kTime) {
    MILLRACE_TRY(Offsets found, ask(admin, std::max<std::int64_t>(place.value, 0), partitions));
    for (auto& [partition, offset] : found) {
      if (offset < 0) offset = ends[partition];
    }
    return found;
  }
  MILLRACE_TRY(const Offsets begins, ask(admin, OffsetSpec::kEarliest, partitions));
  Offsets out;
  for (const auto& [partition, begin] : begins)
    out[partition] = std::clamp(place.value, begin, ends[partition]);
  return out;
}

Result<std::vector<TopicPartition>> partitionsOf(Admin& admin, const std::string& topic) {
  MILLRACE_TRY(const auto answers, admin.describeTopics({topic}));
  const auto found = answers.find(topic);
  if (found == answers.end())
    return fail(Errc::kUnknownTopicOrPartition, fmt::format("there is no topic {}", topic));
  if (!found->second) {
    Error error = found->second.error();
    error.detail = fmt::format("topic {}: {}", topic, errorMessage(error.code));
    return std::unexpected(std::move(error));
  }
  std::vector<TopicPartition> out;
  for (const auto& p : found->second->partitions) out.push_back({topic, p.partition});
  return out;
}

}  // namespace millrace::cli
