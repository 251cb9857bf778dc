#include "log/leader_epochs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ranges>

namespace millrace::log {

Result<bool> LeaderEpochs::load() {
  const std::string path = files_->path(kEpochCheckpoint);
  const auto text = files_->system.readAll(path);
  if (!text && text.error().code == Errc::kNotFound) return false;
  exists_ = true;
  if (!text) return std::unexpected(text.error());
  entries_.clear();
  loaded_.reset();
  changed_ = true;  // damage is written over, even by nothing
  MILLRACE_TRY(const auto lines, parseCheckpoint(path, *text));
  for (const std::string& line : lines) {
    int epoch = 0;
    long long start = 0;
    const bool read = std::sscanf(line.c_str(), "%d %lld", &epoch, &start) == 2;
    const bool rising = entries_.empty() || Offset{start} > entries_.back().start_offset;
    if (!read || !rising || !assign(LeaderEpoch{epoch}, Offset{start}))
      return fail(Errc::kCorruptData, fmt::format("{}: '{}'", path, line));
  }
  changed_ = false;
  loaded_ = entries_;
  return true;
}

bool LeaderEpochs::assign(LeaderEpoch epoch, Offset start) {
  if (epoch < LeaderEpoch{0}) return false;
  if (!entries_.empty() && epoch <= entries_.back().epoch) return false;
  // A start that moved back means the later epochs never wrote anything that lasted.
  while (!entries_.empty() && entries_.back().start_offset >= start) entries_.pop_back();
  entries_.push_back({epoch, start});
  changed_ = true;
  return true;
}

void LeaderEpochs::truncateFromEnd(Offset end) {
  while (!entries_.empty() && entries_.back().start_offset >= end) {
    entries_.pop_back();
    changed_ = true;
  }
}

void LeaderEpochs::truncateFromStart(Offset start) {
  std::size_t covering = 0;
  while (covering + 1 < entries_.size() && entries_[covering + 1].start_offset <= start) ++covering;
  if (entries_.empty()) return;
  if (covering == 0 && entries_.front().start_offset >= start) return;
  entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(covering));
  entries_.front().start_offset = std::max(entries_.front().start_offset, start);
  changed_ = true;
}

void LeaderEpochs::clear() {
  changed_ = changed_ || !entries_.empty();
  entries_.clear();
}

Status LeaderEpochs::saveBelow(Offset end) {
  const auto begins_below = [end](const EpochEntry& entry) { return entry.start_offset < end; };
  const bool same = loaded_ && (loaded_->empty() || loaded_->back().start_offset <= end) &&
                    std::ranges::equal(entries_ | std::views::take_while(begins_below),
                                       *loaded_ | std::views::take_while(begins_below));
  return same ? Status{} : save();
}

Status LeaderEpochs::save() {
  if (!changed_) return {};
  const bool same = !entries_.empty() && entries_ == loaded_;
  loaded_.reset();
  changed_ = !same;
  saved_ = true;  // in either case a flush has to sync it: the process before may not have
  if (same) return {};
  std::vector<std::string> lines;
  for (const EpochEntry& e : entries_)
    lines.push_back(fmt::format("{} {}", e.epoch.value(), e.start_offset.value()));
  const std::string path = files_->path(kEpochCheckpoint);
  const Bytes text = formatCheckpoint(lines);
  // A torn one is as good as none: there was none before.
  MILLRACE_CHECK_OK(exists_ ? replaceFile(files_->system, path, text)
                            : writeFile(files_->system, path, text));
  exists_ = true;
  changed_ = false;
  return {};
}

std::optional<LeaderEpoch> LeaderEpochs::latest() const {
  if (entries_.empty()) return std::nullopt;
  return entries_.back().epoch;
}

std::optional<LeaderEpoch> LeaderEpochs::epochOf(Offset offset) const {
  const auto above = std::ranges::upper_bound(entries_, offset, {}, &EpochEntry::start_offset);
  if (above == entries_.begin()) return std::nullopt;
  return std::prev(above)->epoch;
}

EpochEnd LeaderEpochs::endOf(LeaderEpoch epoch, Offset log_end) const {
  if (entries_.empty() || epoch < LeaderEpoch{0} || epoch > entries_.back().epoch) return {};
  if (epoch == entries_.back().epoch) return {epoch, log_end};
  const auto higher = std::ranges::upper_bound(entries_, epoch, {}, &EpochEntry::epoch);
  if (higher == entries_.begin()) return {epoch, higher->start_offset};
  return {std::prev(higher)->epoch, higher->start_offset};
}

}  // namespace millrace::log
