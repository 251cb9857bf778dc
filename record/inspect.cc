#include "record/inspect.h"

#include <array>

namespace millrace::record {
namespace {

std::optional<Bytes> owned(const std::optional<BytesView>& bytes) {
  return bytes ? std::optional<Bytes>(Bytes(*bytes)) : std::nullopt;
}

OwnedRecord ownedRecord(const RecordView& record) {
  OwnedRecord out;
  out.offset = record.offset.value();
  out.timestamp = record.timestamp;
  out.sequence = record.sequence;
  out.key = owned(record.key);
  out.value = owned(record.value);
  for (const HeaderView& header : record.headers)
    out.headers.push_back({Bytes(header.key), owned(header.value)});
  return out;
}

Status addControl(const RecordView& record, OwnedRecord& out) {
  MILLRACE_TRY(const ControlType type, parseControlKey(record.key));
  out.control = type;
  if (type != ControlType::kAbort && type != ControlType::kCommit) return {};
  MILLRACE_TRY(const EndTxnMarker marker, parseEndTxnMarker(record));
  out.coordinator_epoch = marker.coordinator_epoch;
  return {};
}

void describeHeader(const BatchView& view, InspectedBatch& out) {
  out.magic = 2;
  out.size_in_bytes = view.sizeInBytes();
  out.base_offset = view.baseOffset();
  out.last_offset = view.lastOffset();
  out.max_timestamp = view.maxTimestamp();
  out.crc = view.crc();
  out.timestamp_type =
      view.timestampType() == TimestampType::kLogAppendTime ? "LogAppendTime" : "CreateTime";
  out.view = view;
}

Result<InspectedBatch> inspectV2(BytesView frame, std::size_t max_uncompressed, ReadStage& stage) {
  InspectedBatch out;
  stage = ReadStage::kCrc;
  MILLRACE_TRY(const BatchView view, BatchView::parse(frame));
  MILLRACE_CHECK_OK(view.checkCrc());
  stage = ReadStage::kHeader;
  MILLRACE_TRY(const Codec codec, view.codec());
  describeHeader(view, out);
  out.compression = codecName(codec);
  stage = ReadStage::kRecords;
  Bytes scratch;
  MILLRACE_TRY(RecordCursor cursor, openRecords(view, scratch, max_uncompressed));
  RecordView record;
  while (cursor.next(record)) {
    out.records.push_back(ownedRecord(record));
    if (view.isControl()) MILLRACE_CHECK_OK(addControl(record, out.records.back()));
  }
  MILLRACE_CHECK_OK(cursor.status());
  out.uncompressed = codec == Codec::kNone ? Bytes(view.payload()) : std::move(scratch);
  return out;
}

}  // namespace

std::string_view readStageName(ReadStage stage) {
  constexpr std::array<std::string_view, 4> kNames = {"batches", "crc", "header", "records"};
  return kNames[static_cast<std::size_t>(stage)];
}

std::string_view javaExceptionName(Errc code) {
  if (code == Errc::kCorruptMessage) return "CorruptRecordException";
  if (code == Errc::kInvalidRecord) return "InvalidRecordException";
  if (code == Errc::kMalformed) return "IllegalArgumentException";
  if (code == Errc::kCorruptData) return "KafkaException";
  return "UnknownServerException";
}

Inspection inspect(BytesView bytes, std::size_t max_uncompressed) {
  Inspection out;
  const auto stop = [&out](const Error& error, ReadStage stage) {
    out.batches.clear();
    out.error = error;
    out.stage = stage;
  };
  BatchIterator walk(bytes);
  for (BytesView frame; walk.nextFrame(frame);) {
    out.bytes_parsed = walk.position();
    ReadStage stage = ReadStage::kCrc;
    auto batch = frame[layout::kMagic] == 2 ? inspectV2(frame, max_uncompressed, stage)
                                            : inspectLegacy(frame, max_uncompressed, stage);
    if (!batch) {
      stop(batch.error(), stage);
      return out;
    }
    out.batches.push_back(std::move(*batch));
  }
  if (!walk.status()) stop(walk.status().error(), ReadStage::kBatches);
  return out;
}

}  // namespace millrace::record
