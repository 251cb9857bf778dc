#include "broker/metadata/metadata_log.h"

#include "base/assert.h"
#include "base/file.h"
#include "broker/metadata/controller.h"
#include "log/log_manager.h"
#include "log/partition_log.h"
#include "protocol/codec.h"
#include "protocol/messages/leader_change_message.h"
#include "protocol/messages/snapshot_footer_record.h"
#include "protocol/messages/snapshot_header_record.h"
#include "record/batch.h"
#include "record/builder.h"
#include "record/records.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

namespace millrace::broker {
namespace {

constexpr std::uint64_t kReadBytes = 4 << 20;

/// Kafka reads the metadata log without any retention by time; one batch may hold thousands of
/// records.
log::LogConfig metadataLogConfig() {
  log::LogConfig config;
  config.retention_ms = -1;
  config.max_message_bytes = 64 << 20;
  config.timestamp_after_max_ms = std::numeric_limits<std::int64_t>::max();
  return config;
}

/// The number after `"name":` in a flat JSON object.
std::optional<std::int32_t> jsonNumber(std::string_view json, std::string_view name) {
  const std::size_t at = json.find(fmt::format("\"{}\":", name));
  if (at == json.npos) return std::nullopt;
  std::int32_t value = 0;
  const char* begin = json.data() + at + name.size() + 3;
  const auto [stop, error] = std::from_chars(begin, json.data() + json.size(), value);
  return error == std::errc{} ? std::optional(value) : std::nullopt;
}

template <class M>
Bytes encodeOrDie(const M& message, std::int16_t version) {
  auto bytes = protocol::encode(message, version);
  MILLRACE_ASSERT(bytes.has_value(), bytes ? "" : bytes.error().toString());
  return std::move(*bytes);
}

/// Applies records as they come, but those of a metadata transaction (KIP-868) only when it ends.
class Replayer {
 public:
  explicit Replayer(MetadataDelta& delta) : delta_(delta) {}

  Status batch(const record::BatchView& batch) {
    MILLRACE_CHECK_OK(batch.checkCrc());
    if (!batch.isControl()) MILLRACE_CHECK_OK(records(batch));
    delta_.setPosition(batch.lastOffset().value(), batch.leaderEpoch().value());
    return {};
  }
  Status batches(BytesView bytes) {
    record::BatchIterator iterator(bytes);
    record::BatchView view;
    while (iterator.next(view)) MILLRACE_CHECK_OK(batch(view));
    return iterator.status();
  }

 private:
  struct Pending {
    Bytes framed;
    std::int64_t offset;
  };

  Status records(const record::BatchView& batch) {
    // The delta copies what it keeps, so that records may borrow from the batch.
    Bytes scratch;
    MILLRACE_TRY(record::RecordCursor cursor, record::openRecords(batch, scratch));
    record::RecordView r;
    while (cursor.next(r)) {
      if (!r.value) return fail(Errc::kCorruptData, "a metadata record without a value");
      MILLRACE_CHECK_OK(one(*r.value, r.offset.value()));
    }
    return cursor.status();
  }

  Status one(BytesView framed, std::int64_t offset) {
    MILLRACE_TRY(const MetadataRecord record, parseRecord(framed));
    if (std::holds_alternative<protocol::BeginTransactionRecord>(record)) {
      in_transaction_ = true;
      return {};
    }
    const bool ends = std::holds_alternative<protocol::EndTransactionRecord>(record);
    const bool aborts = isAbort(record);
    if (in_transaction_ && !ends && !aborts) {
      pending_.push_back({Bytes(framed), offset});
      return {};
    }
    if (ends) MILLRACE_CHECK_OK(applyPending());
    if (ends || aborts) {
      in_transaction_ = false;
      pending_.clear();
      return {};
    }
    return delta_.apply(record, offset);
  }

  Status applyPending() {
    for (const Pending& p : pending_) {
      MILLRACE_TRY(const MetadataRecord record, parseRecord(p.framed));
      MILLRACE_CHECK_OK(delta_.apply(record, p.offset));
    }
    return {};
  }

  static bool isAbort(const MetadataRecord& record) {
    constexpr std::int16_t kAbortTransaction = 25;
    const auto* other = std::get_if<OtherRecord>(&record);
    return other && other->type == kAbortTransaction;
  }

  MetadataDelta& delta_;
  bool in_transaction_ = false;
  std::vector<Pending> pending_;
};

Result<Bytes> readSlices(const log::ReadResult& read) {
  Bytes bytes;
  bytes.resize(read.size);
  std::size_t at = 0;
  for (const FileSlice& slice : read.slices) {
    MILLRACE_TRY(const std::size_t got,
                 slice.file->read(slice.position, bytes.data() + at, slice.size));
    if (got != slice.size) return fail(Errc::kTruncated, slice.file->path() + " ends early");
    at += got;
  }
  return bytes;
}

/// The newest "<offset>-<epoch>.checkpoint" in the log's directory; empty where there is none.
Result<std::string> latestSnapshot(FileSystem& files, const std::string& directory) {
  MILLRACE_TRY(std::vector<std::string> names, files.list(directory));
  std::string latest;
  for (const std::string& name : names) {
    if (name.size() > 31 && name.ends_with(".checkpoint") && name[20] == '-')
      latest = std::max(latest, name);
  }
  return latest;
}

}  // namespace

Result<std::unique_ptr<MetadataLog>> MetadataLog::open(Options options) {
  const log::TopicPartition tp{std::string(kMetadataTopic), PartitionIndex{0}};
  MILLRACE_TRY(
      log::PartitionLog* const log,
      options.logs->create(tp, kMetadataTopicId, metadataLogConfig(), options.directory_id));
  log->setConfig(metadataLogConfig());
  auto result = std::unique_ptr<MetadataLog>(new MetadataLog(std::move(options), *log));
  if (const auto latest = log->latestEpoch()) result->epoch_ = latest->value();
  FileSystem& files = result->options_.logs->files();
  const std::string path = log->directory() + "/quorum-state";
  MILLRACE_TRY(const bool exists, files.exists(path));
  if (exists) {
    MILLRACE_TRY(const Bytes json, files.readAll(path, 1 << 20));
    const auto epoch = jsonNumber(json, "leaderEpoch");
    if (!epoch) return fail(Errc::kCorruptData, path + " has no leaderEpoch");
    result->epoch_ = std::max(result->epoch_, *epoch);
  }
  log->setHighWatermark(log->endOffset());
  return result;
}

Status MetadataLog::replay(MetadataDelta& delta) const {
  Replayer replayer(delta);
  if (log_.startOffset() > Offset{0}) {
    FileSystem& files = options_.logs->files();
    MILLRACE_TRY(const std::string name, latestSnapshot(files, log_.directory()));
    if (name.empty()) {
      return fail(Errc::kCorruptData,
                  fmt::format("{} starts at {} and there is no snapshot below it", log_.directory(),
                              log_.startOffset().value()));
    }
    MILLRACE_TRY(const Bytes snapshot, files.readAll(log_.directory() + "/" + name));
    MILLRACE_CHECK_OK(replayer.batches(snapshot));
  }
  Offset next = log_.startOffset();
  while (next < log_.endOffset()) {
    MILLRACE_TRY(const log::ReadResult read, log_.read(next, kReadBytes, log::Isolation::kLogEnd));
    if (read.slices.empty()) break;
    MILLRACE_TRY(const Bytes bytes, readSlices(read));
    MILLRACE_CHECK_OK(replayer.batches(bytes));
    next = read.next_offset;
  }
  return {};
}

Status MetadataLog::writeQuorumState() const {
  const std::string json = fmt::format(
      "{{\"clusterId\":\"\",\"leaderId\":{0},\"leaderEpoch\":{1},\"votedId\":-1,"
      "\"appliedOffset\":0,\"currentVoters\":[{{\"voterId\":{0}}}],\"data_version\":0}}",
      options_.node_id, epoch_);
  return options_.logs->files().writeAtomically(log_.directory() + "/quorum-state", json);
}

Status MetadataLog::becomeLeader(Millis now_ms) {
  ++epoch_;
  protocol::LeaderChangeMessage message;
  message.leader_id = options_.node_id;
  message.voters.emplace_back().voter_id = options_.node_id;
  message.granting_voters.emplace_back().voter_id = options_.node_id;
  const Bytes value = encodeOrDie(message, 0);
  const Bytes batch = record::buildControlBatch(record::ControlType::kLeaderChange, value, now_ms,
                                                LeaderEpoch{epoch_}, log_.endOffset());
  MILLRACE_TRY(const log::AppendInfo info, log_.appendAsFollower(batch));
  log_.setHighWatermark(info.last_offset + 1);
  return {};
}

Result<std::int64_t> MetadataLog::append(const MetadataRecords& records, Millis now_ms) {
  record::BatchOptions options;
  options.base_offset = log_.endOffset();
  options.leader_epoch = LeaderEpoch{epoch_};
  record::BatchBuilder builder(options);
  for (const MetadataRecord& record : records)
    builder.append(now_ms, std::nullopt, frameRecord(record));
  MILLRACE_TRY(const Bytes batch, builder.build());
  MILLRACE_TRY(const log::AppendInfo info, log_.appendAsFollower(batch));
  log_.setHighWatermark(info.last_offset + 1);
  return info.base_offset.value();
}

std::int64_t MetadataLog::endOffset() const { return log_.endOffset().value(); }
log::FlushJob MetadataLog::prepareFlush() { return log_.prepareFlush(); }
void MetadataLog::flushed(const log::FlushJob& job, const Status& outcome) {
  log_.flushed(job, outcome);
}

Status writeBootstrapCheckpoint(FileSystem& files, const std::string& directory, Millis now_ms) {
  const std::string path = directory + "/bootstrap.checkpoint";
  MILLRACE_TRY(const bool exists, files.exists(path));
  if (exists) return {};
  Bytes content = record::buildControlBatch(record::ControlType::kSnapshotHeader,
                                            encodeOrDie(protocol::SnapshotHeaderRecord{}, 0),
                                            now_ms, LeaderEpoch{0});
  record::BatchOptions options;
  options.base_offset = Offset{1};
  options.leader_epoch = LeaderEpoch{0};
  record::BatchBuilder builder(options);
  for (const auto& [name, level] : bootstrapFeatures()) {
    protocol::FeatureLevelRecord r;
    r.name = name;
    r.feature_level = level;
    builder.append(now_ms, std::nullopt, frameRecord(r));
  }
  const Offset footer = Offset{1} + builder.count();
  MILLRACE_TRY(const Bytes features, builder.build());
  content += features;
  content += record::buildControlBatch(record::ControlType::kSnapshotFooter,
                                       encodeOrDie(protocol::SnapshotFooterRecord{}, 0), now_ms,
                                       LeaderEpoch{0}, footer);
  return files.writeAtomically(path, content);
}

}  // namespace millrace::broker
