#include "tests/conformance/datadir_program/partitions.h"

#include "log/data_directory.h"
#include "log/log_files.h"
#include "log/log_manager.h"

#include <algorithm>
#include <filesystem>
#include <map>

namespace millrace::conformance {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// What the JSONL file says about one partition.
struct Expected {
  std::vector<const object*> batches;
  std::vector<log::AbortedTransaction> aborted;
  std::int64_t first_base = std::numeric_limits<std::int64_t>::max();
  std::int64_t end = 0;
};

std::string text(const object& o, std::string_view key) {
  return std::string(o.at(key).as_string());
}

std::map<std::string, Expected> expectedPartitions(const std::vector<object>& lines) {
  std::map<std::string, Expected> out;
  for (const object& line : lines) {
    const std::string file = text(line, "file");
    const std::size_t slash = file.find('/');
    if (slash == std::string::npos) continue;
    Expected& expected = out[file.substr(0, slash)];
    const std::string kind = text(line, "kind");
    if (kind == "log") {
      const auto name = log::parseFileName(std::string_view(file).substr(slash + 1));
      expected.first_base = std::min(expected.first_base, name->base.value());
      expected.end = std::max(expected.end, name->base.value());
      for (const value& batch : line.at("batches").as_array()) {
        expected.batches.push_back(&batch.as_object());
        expected.end = std::max(expected.end, batch.at("lastOffset").as_int64() + 1);
      }
    }
    if (kind == "transaction index")
      for (const value& e : line.at("entries").as_array())
        expected.aborted.push_back(
            {ProducerId{e.at("producerId").as_int64()}, Offset{e.at("firstOffset").as_int64()},
             Offset{e.at("lastOffset").as_int64()}, Offset{e.at("lastStableOffset").as_int64()}});
  }
  return out;
}

/// Reads the whole log in steps and notes base offset and CRC of every batch.
std::vector<std::pair<std::int64_t, std::uint32_t>> servedBatches(const log::PartitionLog& log,
                                                                  Case& result) {
  std::vector<std::pair<std::int64_t, std::uint32_t>> out;
  Offset from = log.startOffset();
  while (from < log.endOffset()) {
    const auto read = log.read(from, 1000, log::Isolation::kLogEnd);
    if (!read) {
      result.differ(read.error().toString());
      return out;
    }
    for (const FileSlice& slice : read->slices) {
      Bytes bytes(slice.size, '\0');
      const auto got = slice.file->read(slice.position, bytes.data(), bytes.size());
      if (!got || *got != bytes.size()) result.differ("a slice cannot be read");
      record::BatchIterator walk(bytes);
      record::BatchView batch;
      while (walk.next(batch)) {
        if (!batch.checkCrc()) result.differ("a batch with a wrong CRC is served");
        out.emplace_back(batch.baseOffset().value(), batch.crc());
      }
      if (walk.position() != bytes.size()) result.differ("a slice ends inside a batch");
    }
    if (read->next_offset <= from) {
      result.differ("reading does not get on");
      return out;
    }
    from = read->next_offset;
  }
  return out;
}

void checkReads(const log::PartitionLog& log, const Expected& want, Case& result) {
  const auto served = servedBatches(log, result);
  std::size_t next = 0;
  for (const object* batch : want.batches) {
    if (batch->at("lastOffset").as_int64() < log.startOffset().value()) continue;
    if (next == served.size()) return result.differ("batches are missing at the end");
    result.equal("base offset", served[next].first, batch->at("baseOffset").as_int64());
    result.equal("CRC", std::int64_t{served[next].second}, batch->at("crc").as_int64());
    ++next;
  }
  result.equal("batches served", served.size(), next);
}

void checkLookups(const log::PartitionLog& log, const Expected& want, Case& result) {
  // Every recorded timestamp leads to the first record at or after it.
  std::vector<std::pair<std::int64_t, std::int64_t>> records;  // offset, timestamp
  for (const object* batch : want.batches)
    for (const value& r : batch->at("records").as_array())
      if (r.at("offset").as_int64() >= log.startOffset().value())
        records.emplace_back(r.at("offset").as_int64(), r.at("timestamp").as_int64());
  const std::size_t step = std::max<std::size_t>(records.size() / 25, 1);
  for (std::size_t i = 0; i < records.size(); i += step) {
    const std::int64_t at = records[i].second;
    const auto first =
        std::ranges::find_if(records, [at](const auto& r) { return r.second >= at; });
    const auto found = log.offsetForTimestamp(at, log::Isolation::kLogEnd);
    if (!found) return result.differ(found.error().toString());
    result.equal(fmt::format("offset for time {}", at), found->offset.value(), first->first);
  }
}

}  // namespace

std::vector<Case> checkPartitions(const std::string& root, const std::vector<object>& lines,
                                  Opening opening) {
  std::vector<Case> cases;
  const bool crashed = opening == Opening::kCrashed;
  if (crashed) {
    for (const auto name : {log::kCleanShutdown, log::kRecoveryPoints})
      std::filesystem::remove(root + "/" + std::string(name));
  }
  log::LogConfig config;
  config.retention_ms = -1;
  auto manager = log::LogManager::open({.directories = {root}, .defaults = config});
  if (!manager) {
    cases.emplace_back("opening");
    cases.back().differ(manager.error().toString());
    return cases;
  }
  for (const auto& [name, want] : expectedPartitions(lines)) {
    Case& result = cases.emplace_back(name + (crashed ? " after a crash" : ""));
    const auto tp = log::parseLogDirectory(name);
    log::PartitionLog* log = tp ? (*manager)->find(*tp) : nullptr;
    if (log == nullptr) {
      result.differ("is not open");
      continue;
    }
    result.equal("clean", log->recovery().clean, !crashed);
    result.equal("bytes cut", log->recovery().truncated_bytes, 0U);
    result.equal("end offset", log->endOffset().value(), want.end);
    checkReads(*log, want, result);
    checkLookups(*log, want, result);
    const auto aborted = log->abortedTransactions(log->startOffset(), log->endOffset());
    if (!aborted || *aborted != want.aborted)
      result.differ("aborted transactions are not the recorded ones");
  }
  if (const Status closed = (*manager)->close(); !closed) {
    cases.emplace_back("closing").differ(closed.error().toString());
  }
  return cases;
}

}  // namespace millrace::conformance
