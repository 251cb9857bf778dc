#include "cli/dump/dump_file.h"

#include "base/file.h"
#include "cli/dump/dump_batches.h"
#include "cli/output.h"
#include "log/data_directory.h"
#include "log/index_file.h"
#include "log/log_files.h"
#include "log/producer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>

namespace millrace::cli {

namespace {

namespace json = boost::json;

enum class Content { kBatches, kOffsetIndex, kTimeIndex, kTxnIndex, kSnapshot, kLines, kText };

struct Known {
  Content content;
  std::string_view name;
  Offset base{0};
};

std::optional<Known> contentOf(const std::string& name) {
  if (const auto parsed = log::parseFileName(name)) {
    const Offset base = parsed->base;
    switch (parsed->kind) {
      case log::FileKind::kLog: return Known{Content::kBatches, "log", base};
      case log::FileKind::kOffsetIndex: return Known{Content::kOffsetIndex, "offset index", base};
      case log::FileKind::kTimeIndex: return Known{Content::kTimeIndex, "time index", base};
      case log::FileKind::kTxnIndex: return Known{Content::kTxnIndex, "transaction index", base};
      case log::FileKind::kSnapshot: return Known{Content::kSnapshot, "producer snapshot", base};
    }
  }
  if (name.ends_with(".checkpoint")) return Known{Content::kBatches, "metadata snapshot"};
  if (name == log::kEpochCheckpoint || name.ends_with("-offset-checkpoint"))
    return Known{Content::kLines, "checkpoint"};
  if (name == log::kPartitionMetadata || name == "meta.properties" || name == "quorum-state" ||
      name == log::kCleanShutdown)
    return Known{Content::kText, "text"};
  return std::nullopt;
}

/// Calls print(entry) for every whole entry; an error for bytes that are left over.
template <class Print>
Status eachEntry(const std::string& path, std::size_t size, Print print) {
  MILLRACE_TRY(const Bytes bytes, systemFiles().readAll(path, std::size_t{1} << 31));
  std::size_t at = 0;
  for (; at + size <= bytes.size(); at += size) print(bytes.data() + at);
  if (at == bytes.size()) return {};
  return fail(Errc::kCorruptData, fmt::format("{} at position {}: {} bytes are no whole entry",
                                              path, at, bytes.size() - at));
}

Status dumpOffsetIndex(const std::string& path, Offset base, const Printer& printer) {
  return eachEntry(path, log::OffsetIndex::kEntrySize, [&](const char* p) {
    printer.entry("offset index entry", {{"offset", (base + loadBe<std::int32_t>(p)).value()},
                                         {"position", loadBe<std::uint32_t>(p + 4)}});
  });
}

Status dumpTimeIndex(const std::string& path, Offset base, const Printer& printer) {
  return eachEntry(path, log::TimeIndex::kEntrySize, [&](const char* p) {
    json::object fields{{"timestamp", loadBe<std::int64_t>(p)},
                        {"offset", (base + loadBe<std::int32_t>(p + 8)).value()}};
    if (!printer.json()) fields["time"] = isoTime(loadBe<std::int64_t>(p));
    printer.entry("time index entry", fields);
  });
}

Status dumpTxnIndex(const std::string& path, const Printer& printer) {
  MILLRACE_TRY(const Bytes bytes, systemFiles().readAll(path));
  MILLRACE_TRY(const auto entries, log::decodeTxnEntries(path, bytes));
  for (const auto& txn : entries)
    printer.entry("aborted transaction", {{"producerId", txn.producer_id.value()},
                                          {"firstOffset", txn.first_offset.value()},
                                          {"lastOffset", txn.last_offset.value()},
                                          {"lastStableOffset", txn.last_stable_offset.value()}});
  if (bytes.size() % log::TxnIndex::kEntrySize == 0) return {};
  return fail(Errc::kCorruptData, fmt::format("{}: the last entry is cut off", path));
}

Status dumpSnapshot(const std::string& path, const Printer& printer) {
  MILLRACE_TRY(const Bytes bytes, systemFiles().readAll(path));
  log::ProducerState state;
  if (const Status loaded = state.loadSnapshot(bytes); !loaded)
    return fail(loaded.error().code, fmt::format("{}: {}", path, loaded.error().detail));
  auto producers = state.list();
  std::ranges::sort(producers, {}, &log::ProducerInfo::producer_id);
  for (const auto& p : producers) {
    json::object fields{
        {"producerId", p.producer_id.value()},    {"epoch", p.epoch},
        {"lastSequence", p.last_sequence},        {"lastOffset", p.last_offset.value()},
        {"offsetDelta", p.last_offset_delta},     {"timestamp", p.last_timestamp},
        {"coordinatorEpoch", p.coordinator_epoch}};
    if (p.current_txn_first_offset)
      fields["openTransactionFrom"] = p.current_txn_first_offset->value();
    printer.entry("producer", fields);
  }
  return {};
}

Status dumpLines(const std::string& path, const std::string& name, const Printer& printer) {
  MILLRACE_TRY(const Bytes text, systemFiles().readAll(path));
  MILLRACE_TRY(const auto lines, log::parseCheckpoint(path, text));
  for (const std::string& line : lines) {
    const std::size_t space = line.find(' ');
    const std::size_t last = line.rfind(' ');
    if (space == std::string::npos)
      return fail(Errc::kCorruptData, fmt::format("{}: '{}'", path, line));
    if (name == log::kEpochCheckpoint)
      printer.entry("leader epoch",
                    {{"epoch", line.substr(0, space)}, {"startOffset", line.substr(space + 1)}});
    else
      printer.entry("checkpoint", {{"topic", line.substr(0, space)},
                                   {"partition", line.substr(space + 1, last - space - 1)},
                                   {"offset", line.substr(last + 1)}});
  }
  return {};
}

Status dumpText(const std::string& path, const Printer& printer) {
  MILLRACE_TRY(const Bytes text, systemFiles().readAll(path));
  if (printer.json()) {
    printer.object("text", {{"text", jsonText(text)}});
    return {};
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    printer.text("  " + text.substr(at, end - at));
    at = end + 1;
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> filesBelow(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto status = fs::status(path, error);
  if (!fs::exists(status)) return fail(Errc::kNotFound, fmt::format("there is no {}", path));
  if (!fs::is_directory(status)) return std::vector{path};
  std::vector<std::string> out;
  for (fs::recursive_directory_iterator at(path, error), end; !error && at != end;
       at.increment(error))
    if (at->is_regular_file(error) && contentOf(at->path().filename().string()))
      out.push_back(at->path().string());
  if (error) return fail(Errc::kIo, fmt::format("cannot list {}: {}", path, error.message()));
  std::ranges::sort(out);
  return out;
}

Status dumpFile(const std::string& path, const DumpOptions& options, const LineSink& sink) {
  const std::string name = std::filesystem::path(path).filename().string();
  const auto known = contentOf(name);
  if (!known)
    return fail(Errc::kConfig, fmt::format("{}: the name is not one of a log's files, as "
                                           "00000000000000000000.log",
                                           path));
  MILLRACE_TRY(const auto file, systemFiles().open(path, OpenMode::kRead));
  MILLRACE_TRY(const std::uint64_t size, file->size());
  const Printer printer(path, options.json, sink);
  if (!options.json) printer.text(fmt::format("{} ({}, {} bytes)", path, known->name, size));
  switch (known->content) {
    case Content::kBatches:
      return dumpBatches(*file, decodingFor(path, options.decoding), options.records, printer);
    case Content::kOffsetIndex: return dumpOffsetIndex(path, known->base, printer);
    case Content::kTimeIndex: return dumpTimeIndex(path, known->base, printer);
    case Content::kTxnIndex: return dumpTxnIndex(path, printer);
    case Content::kSnapshot: return dumpSnapshot(path, printer);
    case Content::kLines: return dumpLines(path, name, printer);
    case Content::kText: return dumpText(path, printer);
  }
  return {};
}

}  // namespace millrace::cli
