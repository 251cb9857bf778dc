#include "client/positions.h"

#include <fmt/format.h>

#include <cctype>

namespace millrace::client {
namespace {

/// ISO-8601 duration of days, hours, minutes and seconds, as java.time.Duration.parse.
std::optional<Millis> parseDuration(std::string_view text) {
  if (text.empty() || (text.front() != 'P' && text.front() != 'p')) return std::nullopt;
  text.remove_prefix(1);
  double total_s = 0;
  bool in_time = false;
  bool any = false;
  while (!text.empty()) {
    if (text.front() == 'T' || text.front() == 't') {
      in_time = true;
      text.remove_prefix(1);
      continue;
    }
    std::size_t digits = 0;
    while (digits < text.size() &&
           (std::isdigit(static_cast<unsigned char>(text[digits])) != 0 || text[digits] == '.')) {
      ++digits;
    }
    if (digits == 0 || digits == text.size() || digits > 12) return std::nullopt;
    const double number = std::stod(std::string(text.substr(0, digits)));
    const int unit = std::toupper(static_cast<unsigned char>(text[digits]));
    if (unit == 'D' && !in_time) {
      total_s += number * 86400;
    } else if (unit == 'H' && in_time) {
      total_s += number * 3600;
    } else if (unit == 'M' && in_time) {
      total_s += number * 60;
    } else if (unit == 'S' && in_time) {
      total_s += number;
    } else {
      return std::nullopt;
    }
    any = true;
    text.remove_prefix(digits + 1);
  }
  if (!any) return std::nullopt;
  return static_cast<Millis>(total_s * 1000);
}

}  // namespace

std::optional<std::int64_t> ResetPolicy::timestamp(Millis now_wall_ms) const {
  switch (kind) {
    case Kind::kNone: return std::nullopt;
    case Kind::kEarliest: return -2;
    case Kind::kLatest: return -1;
    case Kind::kByDuration: return std::max<Millis>(now_wall_ms - duration_ms, 0);
  }
  return std::nullopt;
}

Result<ResetPolicy> parseResetPolicy(const std::string& text) {
  std::string lower = text;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower == "earliest") return ResetPolicy{ResetPolicy::Kind::kEarliest};
  if (lower == "latest") return ResetPolicy{ResetPolicy::Kind::kLatest};
  if (lower == "none") return ResetPolicy{ResetPolicy::Kind::kNone};
  if (lower.starts_with("by_duration:")) {
    const auto duration = parseDuration(std::string_view(text).substr(12));
    if (duration) return ResetPolicy{ResetPolicy::Kind::kByDuration, *duration};
  }
  return fail(Errc::kConfig, fmt::format("auto.offset.reset={}: write earliest, latest, none or "
                                         "by_duration:PT1H",
                                         text));
}

void Positions::assign(const std::vector<TopicPartition>& partitions) {
  std::map<TopicPartition, PartitionPosition> fresh;
  for (const TopicPartition& tp : partitions) {
    auto node = map_.extract(tp);
    if (!node.empty()) {
      fresh.insert(std::move(node));
      continue;
    }
    fresh[tp].incarnation = next_incarnation_++;
  }
  map_ = std::move(fresh);
}

PartitionPosition* Positions::find(const TopicPartition& tp) {
  const auto it = map_.find(tp);
  return it == map_.end() ? nullptr : &it->second;
}

const PartitionPosition* Positions::find(const TopicPartition& tp) const {
  const auto it = map_.find(tp);
  return it == map_.end() ? nullptr : &it->second;
}

void Positions::seek(PartitionPosition& p, std::int64_t offset, std::int32_t epoch) {
  p.offset = offset;
  p.offset_epoch = epoch;
  p.reset = std::nullopt;
  p.looking_up = false;
  p.fetch_offset = offset;
  p.prefetched.clear();
  p.prefetched_bytes = 0;
  p.not_before_ms = 0;
  p.error = std::nullopt;
  p.incarnation = next_incarnation_++;
}

void Positions::reset(PartitionPosition& p, std::int64_t timestamp) {
  seek(p, 0);
  p.offset = std::nullopt;
  p.reset = timestamp;
}

bool Positions::applyCommitted(PartitionPosition& p,
                               const std::optional<OffsetAndMetadata>& committed,
                               Millis now_wall_ms) {
  if (committed) {
    seek(p, committed->offset, committed->leader_epoch.value_or(-1));
    return true;
  }
  const auto timestamp = options_.reset.timestamp(now_wall_ms);
  if (!timestamp) return false;
  reset(p, *timestamp);
  return true;
}

std::map<NodeId, FetchWishes> Positions::wishes(const ClusterImage& image, Millis now_ms,
                                                int& leaderless) const {
  std::map<NodeId, FetchWishes> out;
  const auto enough = static_cast<std::size_t>(options_.partition_max_bytes);
  for (const auto& [tp, p] : map_) {
    if (!p.offset || p.paused || p.revoking || p.error || p.prefetched_bytes >= enough) continue;
    if (p.not_before_ms > now_ms) continue;
    const PartitionMeta* meta = image.partition(tp.topic, tp.partition);
    if (meta == nullptr || meta->leader < 0) {
      ++leaderless;
      continue;
    }
    FetchWish wish;
    wish.topic_id = image.topic(tp.topic)->id;
    wish.offset = p.fetch_offset;
    wish.leader_epoch = meta->leader_epoch;
    wish.max_bytes = options_.partition_max_bytes;
    out[meta->leader][tp] = wish;
  }
  return out;
}

bool Positions::addFetched(const TopicPartition& tp, std::uint64_t incarnation,
                           std::int64_t asked_offset, DecodedFetch decoded, std::size_t bytes) {
  PartitionPosition* p = find(tp);
  if (p == nullptr || p->incarnation != incarnation || p->fetch_offset != asked_offset)
    return false;
  for (RecordSlice& slice : decoded.slices) p->prefetched.push_back(std::move(slice));
  p->fetch_offset = decoded.next_offset;
  if (decoded.error) p->error = std::move(decoded.error);
  if (p->prefetched.empty()) {
    p->offset = p->fetch_offset;  // nothing but control batches: stand behind them
  } else {
    p->prefetched_bytes += bytes;
  }
  return true;
}

void Positions::collectFrom(PartitionPosition& p, std::size_t& room,
                            std::vector<RecordSlice>& out) {
  while (room > 0 && !p.prefetched.empty()) {
    RecordSlice& next = p.prefetched.front();
    if (static_cast<std::size_t>(next.count) > room) {
      out.push_back(takeFirst(next, static_cast<std::int32_t>(room)));
    } else {
      out.push_back(std::move(next));
      p.prefetched.pop_front();
    }
    room -= static_cast<std::size_t>(out.back().count);
    p.offset = out.back().next_offset;
    p.offset_epoch = out.back().batch->leader_epoch;
  }
  if (p.prefetched.empty()) {
    p.prefetched_bytes = 0;
    p.offset = p.fetch_offset;
  }
}

std::vector<RecordSlice> Positions::collect(std::size_t max_records) {
  std::vector<RecordSlice> out;
  std::size_t room = max_records;
  // Starts behind the partition served last, so that none starves.
  auto it = map_.upper_bound(last_served_);
  for (std::size_t i = 0; i < map_.size() && room > 0; ++i, ++it) {
    if (it == map_.end()) it = map_.begin();
    PartitionPosition& p = it->second;
    if (p.paused || p.revoking || !p.offset || p.prefetched.empty()) continue;
    collectFrom(p, room, out);
    // A partition that was cut short goes on first next time: its data is warm.
    if (p.prefetched.empty()) last_served_ = it->first;
  }
  return out;
}

std::map<TopicPartition, OffsetAndMetadata> Positions::committable() const {
  std::map<TopicPartition, OffsetAndMetadata> out;
  for (const auto& [tp, p] : map_) {
    if (!p.offset) continue;
    out[tp] = OffsetAndMetadata{
        *p.offset, p.offset_epoch < 0 ? std::nullopt : std::optional(p.offset_epoch), {}};
  }
  return out;
}

bool Positions::hasRecords() const {
  for (const auto& [tp, p] : map_) {
    if (!p.paused && !p.revoking && p.offset && !p.prefetched.empty()) return true;
  }
  return false;
}

}  // namespace millrace::client
