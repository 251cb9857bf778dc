#include "log/index_file.h"

#include "base/varint.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace millrace::log {
namespace {

OffsetEntry decodeOffset(Offset base, const char* p) {
  return {base + loadBe<std::int32_t>(p), loadBe<std::uint32_t>(p + 4)};
}

/// No entry is made for a timestamp below 0: one that has it is damaged, and must not look like the
/// -1 that stands for none.
constexpr std::int64_t kDamagedTimestamp = -2;

TimeEntry decodeTime(Offset base, const char* p) {
  const auto timestamp = loadBe<std::int64_t>(p);
  return {timestamp < 0 ? kDamagedTimestamp : timestamp, base + loadBe<std::int32_t>(p + 8)};
}

AbortedTransaction decodeTxn(const char* p) {
  return {ProducerId{loadBe<std::int64_t>(p + 2)}, Offset{loadBe<std::int64_t>(p + 10)},
          Offset{loadBe<std::int64_t>(p + 18)}, Offset{loadBe<std::int64_t>(p + 26)}};
}

}  // namespace

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

/// How many entries are in order and below a position.
Result<std::uint32_t> OffsetIndex::risingBelow(std::uint64_t position) {
  OffsetEntry last{entries_.base() - 1, 0};
  return entries_.firstNot([&](const char* p) {
    const OffsetEntry before = std::exchange(last, decodeOffset(entries_.base(), p));
    return last.position < position && last.position > before.position &&
           last.offset > before.offset;
  });
}

Result<bool> OffsetIndex::rises() {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  MILLRACE_TRY(const std::uint32_t rising, risingBelow(std::uint64_t{1} << 32));
  return !entries_.torn() && rising == n;
}

Status OffsetIndex::truncateToPosition(std::uint64_t position) {
  MILLRACE_TRY(const std::uint32_t keep, risingBelow(position));
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

/// How many entries are in order and below an offset.
Result<std::uint32_t> TimeIndex::risingBelow(Offset offset) {
  TimeEntry last{-1, entries_.base() - 1};
  return entries_.firstNot([&](const char* p) {
    const TimeEntry before = std::exchange(last, decodeTime(entries_.base(), p));
    return last.offset < offset && last.offset > before.offset && last.timestamp > before.timestamp;
  });
}

Result<bool> TimeIndex::rises() {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  MILLRACE_TRY(const std::uint32_t rising,
               risingBelow(Offset{std::numeric_limits<std::int64_t>::max()}));
  return !entries_.torn() && rising == n;
}

Result<std::optional<TimeEntry>> TimeIndex::firstFrom(Offset offset) {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  MILLRACE_TRY(const std::uint32_t below, risingBelow(offset));
  if (below == n) return std::nullopt;
  return at(below);
}

Status TimeIndex::truncateToOffset(Offset offset) {
  MILLRACE_TRY(const std::uint32_t keep, risingBelow(offset));
  return entries_.truncate(keep);
}

Status TimeIndex::check() {
  MILLRACE_TRY(const std::uint32_t n, entries_.count());
  if (entries_.torn()) return fail(Errc::kCorruptData, entries_.path() + " ends inside an entry");
  if (n == 0) return {};
  MILLRACE_TRY(const TimeEntry first, at(0));
  MILLRACE_TRY(const TimeEntry newest, at(n - 1));
  const bool rising = first.timestamp >= 0 && newest.timestamp >= first.timestamp;
  if (rising && newest.offset >= entries_.base()) return {};
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
