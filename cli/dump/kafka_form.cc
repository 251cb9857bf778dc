#include "cli/dump/kafka_form.h"

#include "base/file.h"
#include "cli/dump/each_record.h"
#include "cli/dump/kafka_form_indexes.h"
#include "cli/dump/kafka_form_records.h"
#include "log/batch_reader.h"
#include "log/log_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace millrace::cli {

namespace {

using record::BatchView;
using record::RecordView;

constexpr std::size_t kReadBuffer = 1 << 20;
constexpr std::string_view kIndent = "| ";

std::string_view timestampType(const BatchView& batch) {
  return batch.timestampType() == record::TimestampType::kLogAppendTime ? "LogAppendTime"
                                                                        : "CreateTime";
}

std::string batchLine(const BatchView& batch, std::uint64_t position) {
  const auto horizon = batch.deleteHorizonMs();
  const auto codec = batch.codec();
  std::string out = fmt::format(
      "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} "
      "producerEpoch: {} partitionLeaderEpoch: {} isTransactional: {} isControl: {} "
      "deleteHorizonMs: OptionalLong{}",
      batch.baseOffset().value(), batch.lastOffset().value(), batch.recordCount(),
      batch.baseSequence(), batch.lastSequence(), batch.producerId().value(), batch.producerEpoch(),
      batch.leaderEpoch().value(), batch.isTransactional(), batch.isControl(),
      horizon ? fmt::format("[{}]", *horizon) : ".empty");
  return out +
         fmt::format(" position: {} {}: {} size: {} magic: 2 compresscodec: {} crc: {} isvalid: {}",
                     position, timestampType(batch), batch.maxTimestamp(), batch.sizeInBytes(),
                     codec ? record::codecName(*codec) : "unknown", batch.crc(),
                     batch.checkCrc().has_value());
}

std::ptrdiff_t sizeOrNone(const std::optional<BytesView>& bytes) {
  return bytes ? static_cast<std::ptrdiff_t>(bytes->size()) : -1;
}

std::string recordLine(const BatchView& batch, const RecordView& record,
                       const KafkaFormOptions& options) {
  std::string out;
  std::string_view prefix = kIndent;
  if (!options.skip_record_metadata) {
    std::string headers;
    for (const auto& header : record.headers)
      headers += (headers.empty() ? "" : ",") + javaText(header.key);
    out = fmt::format("{}offset: {} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
                      kIndent, record.offset.value(), timestampType(batch), record.timestamp,
                      sizeOrNone(record.key), sizeOrNone(record.value), record.sequence, headers);
    prefix = " ";
    if (batch.isControl()) out += kafkaControlText(record);
  }
  if (!options.data || batch.isControl()) return out;
  const KafkaText text = kafkaText(options.decoding, record);
  if (text.key) out += fmt::format("{}key: {}", prefix, *text.key);
  if (text.value) out += fmt::format(" payload: {}", *text.value);
  return out;
}

/// "00000000000000000064-0000000001.checkpoint" or the bootstrap snapshot.
std::string snapshotTitle(const std::string& name) {
  if (name == "bootstrap.checkpoint") return "KRaft bootstrap snapshot";
  const std::size_t dash = name.find('-');
  const auto number = [](std::string digits) {
    digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size() - 1));
    return digits;
  };
  if (dash == std::string::npos || dash == 0) return "Snapshot " + name;
  return fmt::format("Snapshot end offset: {}, epoch: {}", number(name.substr(0, dash)),
                     number(name.substr(dash + 1, name.find('.') - dash - 1)));
}

class LogDump {
 public:
  LogDump(std::string path, const KafkaFormOptions& options, KafkaSinks sinks)
      : path_(std::move(path)), options_(options), sinks_(sinks) {}

  Status run() {
    MILLRACE_TRY(const auto file, systemFiles().open(path_, OpenMode::kRead));
    MILLRACE_TRY(const std::uint64_t size, file->size());
    tellTitle();
    const std::uint64_t end = std::min(size, static_cast<std::uint64_t>(options_.max_bytes));
    log::BatchReader reader(*file, 0, end, kReadBuffer);
    BatchView batch;
    for (;;) {
      const std::uint64_t at = reader.position();
      const auto more = reader.next(batch);
      if (!more && more.error().code != Errc::kCorruptData) return std::unexpected(more.error());
      if (more && *more) {
        show(batch, at);
        continue;
      }
      if (at == size || end < size) return outcome_;
      sinks_.out(fmt::format("Found {} invalid bytes at the end of {}", size - at, name()));
      return more ? outcome_ : std::unexpected(more.error());
    }
  }

 private:
  [[nodiscard]] std::string name() const {
    return std::filesystem::path(path_).filename().string();
  }
  void tellTitle() const {
    const auto parsed = log::parseFileName(name());
    sinks_.out(parsed ? fmt::format("Log starting offset: {}", parsed->base.value())
                      : snapshotTitle(name()));
  }

  void show(const BatchView& batch, std::uint64_t at) {
    sinks_.out(batchLine(batch, at));
    const Status sound = batch.checkCrc();
    if (!sound) note(at, sound.error());
    if (!options_.deep) return;
    const Status read = eachRecord(batch, [&](const RecordView& record) {
      follow(record.offset);
      sinks_.out(recordLine(batch, record, options_));
    });
    if (!read && sound) note(at, read.error());
  }
  void follow(Offset offset) {
    if (last_ && offset != *last_ + 1)
      sinks_.findings.add(Findings::Kind::kOffsets,
                          "Non-consecutive offsets in " + std::filesystem::absolute(path_).string(),
                          fmt::format("  {} is followed by {}", last_->value(), offset.value()));
    last_ = offset;
  }
  void note(std::uint64_t at, const Error& error) {
    const std::string what = fmt::format("{} at position {}: {}", path_, at, error.detail);
    sinks_.problems(what);
    if (outcome_) outcome_ = fail(Errc::kCorruptData, what);
  }

  std::string path_;
  const KafkaFormOptions& options_;
  KafkaSinks sinks_;
  std::optional<Offset> last_;
  Status outcome_;
};

Status dumpOne(const std::string& path, const KafkaFormOptions& options, KafkaSinks sinks) {
  sinks.out("Dumping " + path);
  const std::string suffix = std::filesystem::path(path).extension().string();
  if (suffix == log::suffixOf(log::FileKind::kLog) || suffix == ".checkpoint")
    return LogDump(path, options, sinks).run();
  if (suffix == log::suffixOf(log::FileKind::kOffsetIndex))
    return dumpOffsetIndexAsKafka(path, options, sinks);
  if (suffix == log::suffixOf(log::FileKind::kTimeIndex))
    return dumpTimeIndexAsKafka(path, options, sinks);
  if (suffix == log::suffixOf(log::FileKind::kSnapshot))
    return dumpSnapshotAsKafka(path, sinks.out);
  if (suffix == log::suffixOf(log::FileKind::kTxnIndex))
    return dumpTxnIndexAsKafka(path, sinks.out);
  sinks.problems("Ignoring unknown file " + path);
  return {};
}

}  // namespace

void Findings::add(Kind kind, const std::string& title, std::string line) {
  auto group = std::ranges::find(groups_, title, &Group::title);
  if (group == groups_.end()) group = groups_.insert(groups_.end(), {kind, title, {}});
  group->lines.push_back(std::move(line));
}

bool Findings::indexesFit() const {
  return std::ranges::all_of(groups_, [](const Group& g) { return g.kind == Kind::kOffsets; });
}

void Findings::print(const LineSink& sink) const {
  for (const Kind kind : {Kind::kOffsetIndex, Kind::kTimestamp, Kind::kTimestampOrder,
                          Kind::kOffsetNotFound, Kind::kOffsets}) {
    for (const Group& group : groups_) {
      if (group.kind != kind) continue;
      sink(group.title);
      for (const std::string& line : group.lines) sink(line);
    }
  }
}

Status dumpAsKafka(const KafkaFormOptions& options, const LineSink& out, const LineSink& problems) {
  Findings findings;
  bool damaged = false;
  for (const std::string& path : options.files) {
    const Status done = dumpOne(path, options, {out, problems, findings});
    if (done) continue;
    if (done.error().code != Errc::kCorruptData) return done;
    problems(done.error().detail);
    damaged = true;
  }
  findings.print(problems);
  if (damaged) return fail(Errc::kCorruptData, "some of the files are damaged");
  if (findings.indexesFit()) return {};
  return fail(Errc::kCorruptData, "some of the indexes do not fit their log");
}

}  // namespace millrace::cli
