#include "log/index_file.h"

#include "base/varint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace millrace::log {
namespace {

/// Entries kept in memory before they are written: one write for many.
constexpr std::size_t kMaxPending = 1024;

OffsetEntry decodeOffset(Offset base, const char* p) {
  return {base + loadBe<std::int32_t>(p), loadBe<std::uint32_t>(p + 4)};
}

TimeEntry decodeTime(Offset base, const char* p) {
  return {loadBe<std::int64_t>(p), base + loadBe<std::int32_t>(p + 8)};
}

AbortedTransaction decodeTxn(const char* p) {
  return {ProducerId{loadBe<std::int64_t>(p + 2)}, Offset{loadBe<std::int64_t>(p + 10)},
          Offset{loadBe<std::int64_t>(p + 18)}, Offset{loadBe<std::int64_t>(p + 26)}};
}

}  // namespace

Status EntryFile::load() {
  if (loaded_) return {};
  auto opened = files_->system.open(path(), OpenMode::kReadWrite);
  if (!opened && opened.error().code != Errc::kNotFound) return std::unexpected(opened.error());
  if (opened) {
    MILLRACE_TRY(const std::uint64_t size, (*opened)->size());
    saved_ = static_cast<std::uint32_t>(size / entry_size_);
    torn_ = size % entry_size_ != 0;
    file_.set(std::move(*opened));
    exists_ = true;
  }
  loaded_ = true;
  return {};
}

Result<std::uint32_t> EntryFile::count() {
  MILLRACE_CHECK_OK(load());
  return saved_ + static_cast<std::uint32_t>(pending_.size()) / entry_size_;
}

Status EntryFile::read(std::uint32_t first, std::uint32_t n, char* out) {
  MILLRACE_CHECK_OK(load());
  const std::uint32_t from_file = first >= saved_ ? 0 : std::min(n, saved_ - first);
  if (from_file > 0) {
    MILLRACE_TRY(const auto opened, file());
    const std::size_t bytes = std::size_t{from_file} * entry_size_;
    MILLRACE_TRY(const std::size_t got,
                 opened->read(std::uint64_t{first} * entry_size_, out, bytes));
    if (got != bytes) return fail(Errc::kCorruptData, path() + " is shorter than it was");
    out += bytes;
  }
  if (n > from_file) {
    const std::size_t skip = std::size_t{first + from_file - saved_} * entry_size_;
    std::memcpy(out, pending_.data() + skip, std::size_t{n - from_file} * entry_size_);
  }
  return {};
}

Result<const char*> EntryFile::at(std::uint32_t index) {
  MILLRACE_CHECK_OK(load());
  if (index >= saved_) return pending_.data() + std::size_t{index - saved_} * entry_size_;
  if (pages_ == nullptr) pages_ = std::make_unique<EntryPages>();
  const std::uint32_t page = index / perPage(), first = page * perPage();
  const char* here = pages_->find(page);
  if (here == nullptr) {
    const std::uint32_t n = std::min(perPage(), saved_ - first);
    char* const room = pages_->add(page, std::size_t{n} * entry_size_);
    if (const Status loaded = read(first, n, room); !loaded) {
      pages_->dropFrom(page);
      return std::unexpected(loaded.error());
    }
    here = room;
  }
  return here + std::size_t{index - first} * entry_size_;
}

Status EntryFile::append(BytesView entry) {
  MILLRACE_CHECK_OK(load());
  if (pending_.size() + entry.size() > kMaxPending) MILLRACE_CHECK_OK(save());
  pending_.append(entry);
  return {};
}

Status EntryFile::truncate(std::uint32_t count) {
  MILLRACE_CHECK_OK(load());
  if (torn_) {
    // Part of an entry behind the last whole one must not come back to life under a new entry.
    MILLRACE_TRY(const auto opened, file());
    MILLRACE_CHECK_OK(opened->truncate(std::uint64_t{saved_} * entry_size_));
    torn_ = false;
  }
  if (count >= saved_) {
    const std::size_t keep = std::size_t{count - saved_} * entry_size_;
    if (keep < pending_.size()) pending_.resize(keep);
    return {};
  }
  pending_.clear();
  if (pages_ != nullptr) pages_->dropFrom(count / perPage());
  MILLRACE_TRY(const auto opened, file());
  MILLRACE_CHECK_OK(opened->truncate(std::uint64_t{count} * entry_size_));
  saved_ = count;
  return {};
}

Status EntryFile::save(bool create) {
  if (pending_.empty() && !create) return {};
  MILLRACE_CHECK_OK(load());
  if (!file_) {
    MILLRACE_TRY(auto opened, files_->system.open(path(), OpenMode::kCreate));
    made_ = exists_ = true;
    MILLRACE_TRY(const std::uint64_t size, opened->size());
    if (size > std::uint64_t{saved_} * entry_size_)
      MILLRACE_CHECK_OK(opened->truncate(std::uint64_t{saved_} * entry_size_));
    file_.set(std::move(opened));
  }
  if (pending_.empty()) return {};
  const BytesView bytes = pending_;
  MILLRACE_CHECK_OK(file_.get()->write(std::uint64_t{saved_} * entry_size_, std::span(&bytes, 1)));
  if (pages_ != nullptr) pages_->dropFrom(saved_ / perPage());  // it was not full
  saved_ += static_cast<std::uint32_t>(pending_.size()) / entry_size_;
  pending_.clear();
  return {};
}

Status EntryFile::release() {
  MILLRACE_CHECK_OK(save());
  pending_.shrink_to_fit();
  pages_.reset();
  file_.reset();
  return {};
}

Result<std::shared_ptr<File>> EntryFile::file() {
  MILLRACE_CHECK_OK(load());
  // Also where it was cut to nothing: that is to be synced, too.
  if (!file_ && exists_) {
    MILLRACE_TRY(auto opened, files_->system.open(path(), OpenMode::kReadWrite));
    file_.set(std::move(opened));
  }
  return file_.get();
}

Result<OffsetEntry> OffsetIndex::at(std::uint32_t index) {
  MILLRACE_TRY(const char* const entry, entries_.at(index));
  return decodeOffset(entries_.base(), entry);
}

Result<std::optional<OffsetEntry>> OffsetIndex::floor(Offset offset) {
  MILLRACE_TRY(const Around both, around(offset));
  return both.below;
}

Result<OffsetIndex::Around> OffsetIndex::around(Offset offset) {
  const std::int64_t relative = offset - entries_.base();
  MILLRACE_TRY(const std::uint32_t above, entries_.lowerBound([relative](const char* p) {
    return loadBe<std::int32_t>(p) <= relative;
  }));
  Around out;
  if (above > 0) {
    MILLRACE_TRY(out.below, at(above - 1));
  }
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  if (above < n) {
    MILLRACE_TRY(out.above, at(above));
  }
  return out;
}

Result<std::optional<OffsetEntry>> OffsetIndex::floorPosition(std::uint64_t position) {
  MILLRACE_TRY(const std::uint32_t above, entries_.lowerBound([position](const char* p) {
    return loadBe<std::uint32_t>(p + 4) <= position;
  }));
  if (above == 0) return std::nullopt;
  return at(above - 1);
}

Result<std::optional<OffsetEntry>> OffsetIndex::last() {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  if (n == 0) return std::nullopt;
  return at(n - 1);
}

Status OffsetIndex::append(Offset offset, std::uint32_t position) {
  char entry[kEntrySize];
  storeBe(entry, static_cast<std::int32_t>(offset - entries_.base()));
  storeBe(entry + 4, position);
  return entries_.append(BytesView(entry, sizeof entry));
}

Status OffsetIndex::truncateToPosition(std::uint64_t position) {
  MILLRACE_TRY(const std::uint32_t keep, entries_.firstNot([position](const char* p) {
    return loadBe<std::uint32_t>(p + 4) < position;
  }));
  return entries_.truncate(keep);
}

Status OffsetIndex::check(std::uint64_t log_size) {
  MILLRACE_TRY(const auto entry, last());
  if (entries_.torn()) return fail(Errc::kCorruptData, entries_.path() + " ends inside an entry");
  if (!entry) return {};
  if (entry->offset < entries_.base() || entry->position >= log_size)
    return fail(Errc::kCorruptData,
                fmt::format("{}: last entry {} at {} in a log of {} bytes", entries_.path(),
                            entry->offset.value(), entry->position, log_size));
  return {};
}

Result<TimeEntry> TimeIndex::at(std::uint32_t index) {
  MILLRACE_TRY(const char* const entry, entries_.at(index));
  return decodeTime(entries_.base(), entry);
}

Result<TimeEntry> TimeIndex::floor(std::int64_t timestamp) {
  MILLRACE_TRY(const std::uint32_t above, entries_.lowerBound([timestamp](const char* p) {
    return loadBe<std::int64_t>(p) <= timestamp;
  }));
  if (above == 0) return TimeEntry{-1, entries_.base()};
  return at(above - 1);
}

Result<TimeEntry> TimeIndex::last() {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  if (n == 0) return TimeEntry{-1, entries_.base()};
  return at(n - 1);
}

Status TimeIndex::maybeAppend(std::int64_t timestamp, Offset offset) {
  MILLRACE_TRY(const TimeEntry newest, last());
  if (timestamp <= newest.timestamp) return {};
  char entry[kEntrySize];
  storeBe(entry, timestamp);
  storeBe(entry + 8, static_cast<std::int32_t>(offset - entries_.base()));
  return entries_.append(BytesView(entry, sizeof entry));
}

Status TimeIndex::truncateToOffset(Offset offset) {
  const std::int64_t relative = offset - entries_.base();
  MILLRACE_TRY(const std::uint32_t keep, entries_.firstNot([relative](const char* p) {
    return loadBe<std::int32_t>(p + 8) < relative;
  }));
  return entries_.truncate(keep);
}

Status TimeIndex::check() {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  if (entries_.torn()) return fail(Errc::kCorruptData, entries_.path() + " ends inside an entry");
  if (n == 0) return {};
  MILLRACE_TRY(const TimeEntry first, at(0));
  MILLRACE_TRY(const TimeEntry newest, at(n - 1));
  if (newest.timestamp >= first.timestamp && newest.offset >= entries_.base()) return {};
  return fail(Errc::kCorruptData, fmt::format("{}: last entry {} at {}", entries_.path(),
                                              newest.offset.value(), newest.timestamp));
}

Result<std::vector<AbortedTransaction>> decodeTxnEntries(const std::string& path, BytesView bytes) {
  std::vector<AbortedTransaction> out;
  out.reserve(bytes.size() / TxnIndex::kEntrySize);
  for (; bytes.size() >= TxnIndex::kEntrySize; bytes.remove_prefix(TxnIndex::kEntrySize)) {
    if (loadBe<std::int16_t>(bytes.data()) != 0)
      return fail(Errc::kCorruptData, path + ": unknown version of an entry");
    out.push_back(decodeTxn(bytes.data()));
  }
  return out;
}

bool mayFollow(const AbortedTransaction& txn, Offset last) {
  return txn.last_offset > last && txn.first_offset >= Offset{0} &&
         txn.first_offset < txn.last_offset && txn.producer_id >= ProducerId{0} &&
         txn.last_stable_offset <= txn.last_offset + 1;
}

Bytes encodeTxnEntry(const AbortedTransaction& txn) {
  Bytes entry(TxnIndex::kEntrySize, '\0');  // begins with version 0
  storeBe(entry.data() + 2, txn.producer_id.value());
  storeBe(entry.data() + 10, txn.first_offset.value());
  storeBe(entry.data() + 18, txn.last_offset.value());
  storeBe(entry.data() + 26, txn.last_stable_offset.value());
  return entry;
}

Status TxnIndex::append(const AbortedTransaction& txn) {
  return entries_.append(encodeTxnEntry(txn));
}

Result<std::vector<AbortedTransaction>> TxnIndex::all() {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  Bytes bytes(std::size_t{n} * kEntrySize, '\0');
  if (n > 0) MILLRACE_CHECK_OK(entries_.read(0, n, bytes.data()));
  return decodeTxnEntries(entries_.path(), bytes);
}

Result<TxnIndex::Split> TxnIndex::split(Offset below) {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  Split out;
  Offset last = entries_.base() - 1;
  for (std::uint32_t i = 0; i < n; ++i) {
    char entry[kEntrySize];
    MILLRACE_CHECK_OK(entries_.read(i, 1, entry));
    const AbortedTransaction txn = decodeTxn(entry);
    const bool sound = loadBe<std::int16_t>(entry) == 0 && mayFollow(txn, last);
    const bool keep = out.rest.empty() && sound && txn.last_offset < below;
    (keep ? out.sound : out.rest).push_back(txn);
    last = txn.last_offset;
  }
  if (entries_.torn()) out.rest.emplace_back();
  return out;
}

Status TxnIndex::truncateToOffset(Offset offset) {
  MILLRACE_TRY(const std::uint32_t keep, entries_.firstNot([offset](const char* p) {
    return loadBe<std::int64_t>(p + 18) < offset.value();
  }));
  return entries_.truncate(keep);
}

}  // namespace millrace::log
