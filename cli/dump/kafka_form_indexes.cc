#include "cli/dump/kafka_form_indexes.h"

#include "base/file.h"
#include "cli/dump/each_record.h"
#include "log/batch_reader.h"
#include "log/index_file.h"
#include "log/log_files.h"
#include "log/producer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace millrace::cli {

namespace {

using log::OffsetIndex;
using log::TimeIndex;
using Kind = Findings::Kind;

constexpr std::size_t kLargestIndex = std::size_t{1} << 31;

std::string absolute(const std::string& path) { return std::filesystem::absolute(path).string(); }

/// The file of another kind beside this one.
std::string besides(const std::string& path, log::FileKind kind) {
  return std::filesystem::path(path).replace_extension(log::suffixOf(kind)).string();
}

struct Entries {
  Bytes bytes;
  std::size_t entry_size = 0;
  Offset base;

  [[nodiscard]] std::size_t count() const { return bytes.size() / entry_size; }
  [[nodiscard]] const char* at(std::size_t i) const { return bytes.data() + i * entry_size; }
  /// The offset of an entry; its four bytes stand at `where` in it.
  [[nodiscard]] Offset offset(std::size_t i, std::size_t where) const {
    return base + loadBe<std::int32_t>(at(i) + where);
  }
};

Result<Entries> readEntries(const std::string& path, std::size_t entry_size) {
  const auto name = log::parseFileName(std::filesystem::path(path).filename().string());
  if (!name) return fail(Errc::kConfig, fmt::format("{}: the name tells no offset", path));
  MILLRACE_TRY(Bytes bytes, systemFiles().readAll(path, kLargestIndex));
  return Entries{std::move(bytes), entry_size, name->base};
}

/// Why Kafka would make the index anew at a start; nothing where it would not.
std::optional<std::string> insane(const Entries& entries, std::size_t offset_at) {
  if (entries.bytes.size() % entries.entry_size != 0)
    return fmt::format("its size, {}, is no multiple of {}", entries.bytes.size(),
                       entries.entry_size);
  const std::size_t count = entries.count();
  if (count > 0 && entries.offset(count - 1, offset_at) < entries.base)
    return fmt::format("the last offset {} lies below {}",
                       entries.offset(count - 1, offset_at).value(), entries.base.value());
  const bool times = entries.entry_size == TimeIndex::kEntrySize;
  if (times && count > 0 &&
      loadBe<std::int64_t>(entries.at(count - 1)) < loadBe<std::int64_t>(entries.at(0)))
    return "the last timestamp lies before the first one";
  return std::nullopt;
}

Status tellSanity(const std::string& path, const Entries& entries, std::size_t offset_at,
                  const LineSink& out) {
  if (const auto why = insane(entries, offset_at))
    return fail(Errc::kCorruptData,
                fmt::format("{} did not pass the sanity check: {}", path, *why));
  out(fmt::format("{} passed sanity check.", path));
  return {};
}

struct LogFile {
  std::shared_ptr<File> file;
  std::uint64_t size = 0;
};

Result<LogFile> openLog(const std::string& index) {
  LogFile log;
  MILLRACE_TRY(log.file, systemFiles().open(besides(index, log::FileKind::kLog), OpenMode::kRead));
  MILLRACE_TRY(log.size, log.file->size());
  return log;
}

/// The first batch from `position` that ends at or above `offset`, whole, in `batch`; false where
/// none stands there.
bool findBatch(log::BatchReader& reader, Offset offset, record::BatchView& batch) {
  for (;;) {
    const auto more = reader.next(batch);
    if (!more || !*more) return false;
    if (batch.lastOffset() >= offset) return true;
  }
}

/// Position of the last entry at or below `offset` in an offset index; 0 where there is none.
std::uint64_t lookUp(const Entries& index, Offset offset) {
  std::uint64_t position = 0;
  for (std::size_t i = 0; i < index.count() && index.offset(i, 0) <= offset; ++i) {
    if (i > 0 && index.offset(i, 0) == index.base) break;
    position = loadBe<std::uint32_t>(index.at(i) + 4);
  }
  return position;
}

/// Holds one time index entry against the log.
class TimeEntryCheck {
 public:
  TimeEntryCheck(std::string path, const LogFile& log, Findings& findings)
      : path_(std::move(path)), log_(log), findings_(findings) {}

  void look(std::int64_t timestamp, Offset offset, std::uint64_t position) {
    log::BatchReader reader(*log_.file, position, log_.size);
    record::BatchView batch;
    const bool found = findBatch(reader, offset, batch);
    if (!found || batch.lastOffset() != offset) {
      findings_.add(Kind::kOffsetNotFound,
                    "The following indexed offsets are not found in the log.",
                    fmt::format("Indexed offset: {}, found log offset: {}", offset.value(),
                                found ? batch.lastOffset().value() : -1));
    } else {
      std::int64_t newest = -1;
      const Status read =
          eachRecord(batch, [&newest](const auto& r) { newest = std::max(newest, r.timestamp); });
      if (!read || newest != timestamp)
        findings_.add(Kind::kTimestamp, "Found timestamp mismatch in :" + path_,
                      fmt::format("  Index timestamp: {}, log timestamp: {}", timestamp, newest));
      if (previous_ >= timestamp)
        findings_.add(Kind::kTimestampOrder, "Found out of order timestamp in :" + path_,
                      fmt::format("  Index timestamp: {}, Previously indexed timestamp: {}",
                                  timestamp, previous_));
    }
    previous_ = timestamp;
  }

 private:
  std::string path_;
  const LogFile& log_;
  Findings& findings_;
  std::int64_t previous_ = -1;
};

}  // namespace

Status dumpOffsetIndexAsKafka(const std::string& path, const KafkaFormOptions& options,
                              KafkaSinks sinks) {
  MILLRACE_TRY(const Entries entries, readEntries(path, OffsetIndex::kEntrySize));
  MILLRACE_TRY(const LogFile log, openLog(path));
  if (entries.count() == 0) {
    sinks.out(fmt::format("{} is empty.", path));
    return {};
  }
  if (options.index_sanity_only) return tellSanity(path, entries, 0, sinks.out);
  for (std::size_t i = 0; i < entries.count(); ++i) {
    const Offset offset = entries.offset(i, 0);
    // Behind the entries of a segment that is in use stand zeros.
    if (i > 0 && offset == entries.base) break;
    const auto position = loadBe<std::uint32_t>(entries.at(i) + 4);
    const auto head = log::BatchReader::headAt(*log.file, position, log.size);
    const bool there = head && head->size <= static_cast<std::uint32_t>(options.max_message_size);
    if (!there || head->last_offset != offset)
      sinks.findings.add(Kind::kOffsetIndex, "Mismatches in :" + absolute(path),
                         fmt::format("  Index offset: {}, log offset: {}", offset.value(),
                                     there ? head->last_offset.value() : -1));
    if (!options.verify_indexes_only)
      sinks.out(fmt::format("offset: {} position: {}", offset.value(), position));
  }
  return {};
}

Status dumpTimeIndexAsKafka(const std::string& path, const KafkaFormOptions& options,
                            KafkaSinks sinks) {
  constexpr std::size_t kOffsetAt = 8;
  MILLRACE_TRY(const Entries entries, readEntries(path, TimeIndex::kEntrySize));
  if (options.index_sanity_only) return tellSanity(path, entries, kOffsetAt, sinks.out);
  MILLRACE_TRY(const LogFile log, openLog(path));
  MILLRACE_TRY(const Entries offsets,
               readEntries(besides(path, log::FileKind::kOffsetIndex), OffsetIndex::kEntrySize));
  TimeEntryCheck check(absolute(path), log, sinks.findings);
  for (std::size_t i = 0; i < entries.count(); ++i) {
    const Offset offset = entries.offset(i, kOffsetAt);
    if (i > 0 && offset == entries.base) break;
    const auto timestamp = loadBe<std::int64_t>(entries.at(i));
    check.look(timestamp, offset, lookUp(offsets, offset));
    if (!options.verify_indexes_only)
      sinks.out(fmt::format("timestamp: {} offset: {}", timestamp, offset.value()));
  }
  return {};
}

Status dumpTxnIndexAsKafka(const std::string& path, const LineSink& out) {
  MILLRACE_TRY(const Bytes bytes, systemFiles().readAll(path));
  MILLRACE_TRY(const auto entries, log::decodeTxnEntries(path, bytes));
  for (const auto& txn : entries)
    out(fmt::format("version: 0 producerId: {} firstOffset: {} lastOffset: {} lastStableOffset: {}",
                    txn.producer_id.value(), txn.first_offset.value(), txn.last_offset.value(),
                    txn.last_stable_offset.value()));
  if (bytes.size() % log::TxnIndex::kEntrySize == 0) return {};
  return fail(Errc::kCorruptData, fmt::format("{}: the last entry is cut off", path));
}

Status dumpSnapshotAsKafka(const std::string& path, const LineSink& out) {
  MILLRACE_TRY(const Bytes bytes, systemFiles().readAll(path));
  const auto entries = log::readSnapshot(bytes);
  if (!entries)
    return fail(entries.error().code, fmt::format("{}: {}", path, entries.error().detail));
  for (const auto& [id, producer] : *entries) {
    const auto& txn = producer.current_txn_first_offset;
    std::string line = fmt::format(
        "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: "
        "OptionalLong{} lastTimestamp: {} ",
        id.value(), producer.epoch, producer.coordinator_epoch,
        txn ? fmt::format("[{}]", txn->value()) : ".empty", producer.last_timestamp);
    if (const log::ProducerBatch* const last = producer.lastBatch())
      line += fmt::format(
          "firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
          last->firstSequence(), last->last_sequence, last->last_offset.value(), last->offset_delta,
          last->timestamp);
    out(line);
  }
  return {};
}

}  // namespace millrace::cli
