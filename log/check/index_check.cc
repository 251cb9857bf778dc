#include "log/check/index_check.h"

#include "base/varint.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log::detail {
namespace {

/// The entries of an index file as bytes; a size that is no multiple is reported, the rest used.
Result<Bytes> readEntries(const LogFiles& files, const std::string& path, std::size_t entry_size,
                          IndexRules rules, Report& report) {
  auto bytes = files.system.readAll(path, std::size_t{1} << 31);
  if (!bytes && bytes.error().code == Errc::kNotFound) {
    if (rules.required)
      report.problem(path, std::nullopt, "is missing; the next start makes it anew");
    return Bytes{};
  }
  if (!bytes) return std::unexpected(bytes.error());
  const std::size_t rest = bytes->size() % entry_size;
  if (rest != 0)
    report.problem(
        path, bytes->size() - rest,
        fmt::format("{} bytes are no multiple of an entry's {}", bytes->size(), entry_size));
  bytes->resize(bytes->size() - rest);
  if (!rules.may_have_zeros) return bytes;
  const std::size_t used = bytes->find_last_not_of('\0');
  const std::size_t entries = used == Bytes::npos ? 0 : used / entry_size + 1;
  bytes->resize(entries * entry_size);
  return bytes;
}

}  // namespace

OffsetIndexCheck::OffsetIndexCheck(const LogFiles& files, Offset base, Report& report)
    : path_(files.path(base, FileKind::kOffsetIndex)),
      files_(files),
      base_(base),
      report_(report) {}

void OffsetIndexCheck::problem(std::size_t index, std::string what) {
  report_.problem(path_, index * OffsetIndex::kEntrySize, std::move(what));
}

Status OffsetIndexCheck::load(IndexRules rules) {
  MILLRACE_TRY(const Bytes bytes,
               readEntries(files_, path_, OffsetIndex::kEntrySize, rules, report_));
  for (std::size_t at = 0; at < bytes.size(); at += OffsetIndex::kEntrySize) {
    const OffsetEntry entry{base_ + loadBe<std::int32_t>(bytes.data() + at),
                            loadBe<std::uint32_t>(bytes.data() + at + 4)};
    const bool rises = entries_.empty() || (entry.offset > entries_.back().offset &&
                                            entry.position > entries_.back().position);
    if (entry.offset < base_ || !rises) {
      problem(entries_.size(), fmt::format("offset {} at {} does not follow the entry before it",
                                           entry.offset.value(), entry.position));
      return {};
    }
    entries_.push_back(entry);
  }
  return {};
}

void OffsetIndexCheck::onBatch(const BatchReader::Head& batch) {
  for (; next_ < entries_.size() && entries_[next_].position < batch.position; ++next_)
    problem(next_, fmt::format("no batch begins at {} in the log", entries_[next_].position));
  if (next_ < entries_.size() && entries_[next_].position == batch.position) {
    if (awaited_) missed(*awaited_);
    awaited_ = next_++;
  }
  if (!awaited_ || entries_[*awaited_].offset > batch.last_offset) return;
  if (entries_[*awaited_].offset < batch.last_offset) missed(*awaited_);
  awaited_.reset();
}

void OffsetIndexCheck::missed(std::size_t index) {
  problem(index, fmt::format("offset {} is not the last one of a batch at or behind {}",
                             entries_[index].offset.value(), entries_[index].position));
}

void OffsetIndexCheck::finish(bool whole) {
  if (!whole) return;
  if (awaited_) missed(*awaited_);
  if (next_ < entries_.size())
    problem(next_, fmt::format("{} entries point behind the end of the log file",
                               entries_.size() - next_));
}

TimeIndexCheck::TimeIndexCheck(const LogFiles& files, Offset base, Report& report)
    : path_(files.path(base, FileKind::kTimeIndex)), files_(files), base_(base), report_(report) {}

void TimeIndexCheck::problem(std::size_t index, std::string what) {
  report_.problem(path_, index * TimeIndex::kEntrySize, std::move(what));
}

Status TimeIndexCheck::load(IndexRules rules) {
  MILLRACE_TRY(const Bytes bytes,
               readEntries(files_, path_, TimeIndex::kEntrySize, rules, report_));
  for (std::size_t at = 0; at < bytes.size(); at += TimeIndex::kEntrySize) {
    const TimeEntry entry{loadBe<std::int64_t>(bytes.data() + at),
                          base_ + loadBe<std::int32_t>(bytes.data() + at + 8)};
    const bool rises = entries_.empty() || (entry.timestamp > entries_.back().timestamp &&
                                            entry.offset >= entries_.back().offset);
    if (entry.offset < base_ || !rises) {
      problem(entries_.size(), fmt::format("timestamp {} at offset {} does not follow the entry "
                                           "before it",
                                           entry.timestamp, entry.offset.value()));
      return {};
    }
    entries_.push_back(entry);
  }
  return {};
}

void TimeIndexCheck::onBatch(const BatchReader::Head& batch) {
  for (; next_ < entries_.size() && entries_[next_].offset < batch.base_offset; ++next_)
    problem(next_, fmt::format("no batch holds offset {}", entries_[next_].offset.value()));
  newest_ = std::max(newest_, batch.max_timestamp);
  for (; next_ < entries_.size() && entries_[next_].offset <= batch.last_offset; ++next_) {
    const TimeEntry& entry = entries_[next_];
    if (entry.timestamp == newest_ && entry.timestamp == batch.max_timestamp) continue;
    // Entries within one batch (older Kafka) lie below the batch's greatest but for the last.
    const bool more =
        next_ + 1 < entries_.size() && entries_[next_ + 1].offset <= batch.last_offset;
    if (more && entry.timestamp < newest_) continue;
    problem(next_,
            fmt::format("offset {} has timestamp {}, the newest so far is {}; the index "
                        "says {}",
                        entry.offset.value(), batch.max_timestamp, newest_, entry.timestamp));
  }
}

void TimeIndexCheck::finish(bool whole) {
  if (whole && next_ < entries_.size())
    problem(next_, fmt::format("offset {} is behind the last one in the log",
                               entries_[next_].offset.value()));
}

}  // namespace millrace::log::detail
