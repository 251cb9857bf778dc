#include "cli/dump/dump_batches.h"

#include "cli/dump/each_record.h"
#include "cli/output.h"
#include "log/batch_reader.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

namespace millrace::cli {

namespace {

namespace json = boost::json;
using record::BatchView;
using record::RecordView;

constexpr std::size_t kReadBuffer = 1 << 20;

std::string codecOf(const BatchView& batch) {
  const auto codec = batch.codec();
  return codec ? std::string(record::codecName(*codec)) : "unknown codec";
}

json::object headerOf(const BatchView& batch, std::uint64_t position) {
  const bool stamped = batch.timestampType() == record::TimestampType::kLogAppendTime;
  json::object out{{"position", position},
                   {"sizeInBytes", batch.sizeInBytes()},
                   {"baseOffset", batch.baseOffset().value()},
                   {"lastOffset", batch.lastOffset().value()},
                   {"recordCount", batch.recordCount()},
                   {"leaderEpoch", batch.leaderEpoch().value()},
                   {"compression", codecOf(batch)},
                   {"baseTimestamp", batch.baseTimestamp()},
                   {"maxTimestamp", batch.maxTimestamp()},
                   {"timestampType", stamped ? "LogAppendTime" : "CreateTime"},
                   {"producerId", batch.producerId().value()},
                   {"producerEpoch", batch.producerEpoch()},
                   {"baseSequence", batch.baseSequence()},
                   {"lastSequence", batch.lastSequence()},
                   {"transactional", batch.isTransactional()},
                   {"control", batch.isControl()},
                   {"crc", batch.crc()},
                   {"crcValid", batch.checkCrc().has_value()}};
  if (const auto horizon = batch.deleteHorizonMs()) out["deleteHorizonMs"] = *horizon;
  return out;
}

/// "  167-170 at 0: 4 records in 312 bytes, gzip, 2026-01-31T12:00:00.000Z, leader epoch 0, ...".
std::string headerText(const BatchView& batch, std::uint64_t position) {
  std::string out =
      fmt::format("  {}-{} at {}: {} record{} in {} bytes", batch.baseOffset().value(),
                  batch.lastOffset().value(), position, batch.recordCount(),
                  batch.recordCount() == 1 ? "" : "s", batch.sizeInBytes());
  if (codecOf(batch) != "none") out += ", " + codecOf(batch);
  if (batch.maxTimestamp() >= 0) out += ", newest " + isoTime(batch.maxTimestamp());
  if (batch.timestampType() == record::TimestampType::kLogAppendTime) out += " (append time)";
  out += fmt::format(", leader epoch {}", batch.leaderEpoch().value());
  if (batch.hasProducerId())
    out += fmt::format(", producer {} epoch {}", batch.producerId().value(), batch.producerEpoch());
  if (batch.baseSequence() != record::kNoSequence)
    out += fmt::format(" sequence {}-{}", batch.baseSequence(), batch.lastSequence());
  if (batch.isTransactional()) out += ", transactional";
  if (batch.isControl()) out += ", control";
  if (const auto horizon = batch.deleteHorizonMs())
    out += ", tombstones go after " + isoTime(*horizon);
  if (!batch.checkCrc())
    out += fmt::format(", CRC WRONG: {:#010x} stands there, the bytes give {:#010x}", batch.crc(),
                       batch.computedCrc());
  return out;
}

json::array headersOf(const RecordView& record) {
  json::array out;
  for (const auto& header : record.headers)
    out.push_back(json::object{{"key", jsonText(header.key)}, {"value", jsonText(header.value)}});
  return out;
}

json::object recordObject(const RecordView& record, const std::optional<DecodedRecord>& decoded) {
  json::object out{{"offset", record.offset.value()}, {"timestamp", record.timestamp}};
  if (record.sequence != record::kNoSequence) out["sequence"] = record.sequence;
  if (decoded) {
    out["type"] = decoded->type;
    out["key"] = decoded->key;
    out["value"] = decoded->value;
  } else {
    out["key"] = jsonText(record.key);
    out["value"] = jsonText(record.value);
  }
  if (!record.headers.empty()) out["headers"] = headersOf(record);
  return out;
}

std::string recordText(const RecordView& record, const std::optional<DecodedRecord>& decoded) {
  std::string out = fmt::format("    {}", record.offset.value());
  if (record.timestamp >= 0) out += " " + isoTime(record.timestamp);
  if (decoded) {
    out += " " + decoded->type;
    if (!decoded->key.is_null()) out += " " + json::serialize(decoded->key);
    out += " " + json::serialize(decoded->value);
  } else {
    out += " key " + json::serialize(jsonText(record.key));
    out += " value " + json::serialize(jsonText(record.value));
  }
  if (!record.headers.empty()) out += " headers " + json::serialize(headersOf(record));
  return out;
}

std::optional<DecodedRecord> decodedIn(const BatchView& batch, Decoding decoding,
                                       const RecordView& record) {
  return batch.isControl() ? std::optional(decodeControl(record)) : decodeRecord(decoding, record);
}

Status printBatch(const BatchView& batch, std::uint64_t at, Decoding decoding, bool records,
                  const Printer& printer) {
  MILLRACE_CHECK_OK([&]() -> Status {
    if (printer.json()) {
      json::object line = headerOf(batch, at);
      Status read;
      if (records && batch.checkCrc()) {
        json::array all;
        read = eachRecord(batch, [&](const RecordView& r) {
          all.push_back(recordObject(r, decodedIn(batch, decoding, r)));
        });
        line["records"] = std::move(all);
      }
      printer.object("batch", line);
      return read;
    }
    printer.text(headerText(batch, at));
    if (!records || !batch.checkCrc()) return {};
    return eachRecord(batch, [&](const RecordView& r) {
      printer.text(recordText(r, decodedIn(batch, decoding, r)));
    });
  }());
  return batch.checkCrc();
}

}  // namespace

Status dumpBatches(const File& file, Decoding decoding, bool records, const Printer& printer) {
  MILLRACE_TRY(const std::uint64_t size, file.size());
  log::BatchReader reader(file, 0, size, kReadBuffer);
  BatchView batch;
  Status outcome;
  for (;;) {
    const std::uint64_t at = reader.position();
    MILLRACE_TRY(const bool more, reader.next(batch));
    if (!more) return outcome;
    const Status printed = printBatch(batch, at, decoding, records, printer);
    if (!printed && outcome)
      outcome = fail(Errc::kCorruptData,
                     fmt::format("{} at position {}: {}", file.path(), at, printed.error().detail));
  }
}

}  // namespace millrace::cli
