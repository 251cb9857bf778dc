// The .snapshot file: version i16 = 1, CRC-32C u32 of what follows, count i32, entries of 46 bytes:
// producer id i64, epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp i64,
// coordinator epoch i32, first offset of the open transaction i64. Absent numbers are -1.
#include "base/checksum.h"
#include "base/varint.h"
#include "log/producer_state.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::log {
namespace {

constexpr std::int16_t kVersion = 1;
constexpr std::size_t kCrcAt = 2, kCountAt = 6, kEntriesAt = 10, kEntrySize = 46;

void encodeEntry(char* p, std::int64_t id, const ProducerEntry& entry) {
  const ProducerBatch last = entry.lastBatch() == nullptr ? ProducerBatch{} : *entry.lastBatch();
  storeBe(p, id);
  storeBe(p + 8, entry.epoch);
  storeBe(p + 10, last.last_sequence);
  storeBe(p + 14, last.last_offset.value());
  storeBe(p + 22, last.offset_delta);
  storeBe(p + 26, std::max(entry.last_timestamp, entry.active_ms));
  storeBe(p + 34, entry.coordinator_epoch);
  storeBe(p + 38, entry.current_txn_first_offset.value_or(Offset{-1}).value());
}

ProducerEntry decodeEntry(const char* p) {
  ProducerEntry entry;
  entry.epoch = loadBe<std::int16_t>(p + 8);
  const ProducerBatch last{loadBe<std::int32_t>(p + 10), loadBe<std::int32_t>(p + 22),
                           Offset{loadBe<std::int64_t>(p + 14)}, loadBe<std::int64_t>(p + 26)};
  // A producer that only ever got a marker has no batch.
  if (last.last_offset >= Offset{0}) entry.add(last);
  entry.last_timestamp = last.timestamp;
  entry.active_ms = last.timestamp;
  entry.coordinator_epoch = loadBe<std::int32_t>(p + 34);
  const Offset txn{loadBe<std::int64_t>(p + 38)};
  if (txn >= Offset{0}) entry.current_txn_first_offset = txn;
  return entry;
}

}  // namespace

Bytes ProducerState::encodeSnapshot() const {
  Bytes out(kEntriesAt + producers_.size() * kEntrySize, '\0');
  storeBe(out.data(), kVersion);
  storeBe(out.data() + kCountAt, static_cast<std::int32_t>(producers_.size()));
  char* p = out.data() + kEntriesAt;
  for (const auto& [id, entry] : producers_) {
    encodeEntry(p, id, entry);
    p += kEntrySize;
  }
  storeBe(out.data() + kCrcAt, crc32c(BytesView(out).substr(kCountAt)));
  return out;
}

Result<std::vector<SnapshotEntry>> readSnapshot(BytesView bytes) {
  if (bytes.size() < kEntriesAt)
    return fail(Errc::kCorruptData, "a producer snapshot that is cut off");
  if (loadBe<std::int16_t>(bytes.data()) != kVersion)
    return fail(Errc::kCorruptData, "a producer snapshot of an unknown version");
  if (loadBe<std::uint32_t>(bytes.data() + kCrcAt) != crc32c(bytes.substr(kCountAt)))
    return fail(Errc::kCorruptData, "a producer snapshot with a wrong CRC");
  const auto count = loadBe<std::int32_t>(bytes.data() + kCountAt);
  if (count < 0 || bytes.size() != kEntriesAt + static_cast<std::size_t>(count) * kEntrySize)
    return fail(Errc::kCorruptData,
                fmt::format("a producer snapshot of {} entries in {} bytes", count, bytes.size()));
  std::vector<SnapshotEntry> entries;
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
    const char* p = bytes.data() + kEntriesAt + i * kEntrySize;
    entries.push_back({ProducerId{loadBe<std::int64_t>(p)}, decodeEntry(p)});
  }
  return entries;
}

Status ProducerState::loadSnapshot(BytesView bytes) {
  MILLRACE_TRY(const auto entries, readSnapshot(bytes));
  clear();
  for (const SnapshotEntry& one : entries) addEntry(one.id, one.producer);
  return {};
}

}  // namespace millrace::log
