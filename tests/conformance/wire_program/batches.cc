// A batch: it reads to the same header and records, or to the same kind of error at the same stage;
// and what is sent in Produce v9 gets the recorded error code.
#include "produce_probe.h"
#include "protocol/codec.h"
#include "protocol/json.h"
#include "record/inspect.h"
#include "vectors.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

namespace millrace::wire_check {

namespace {

namespace json = boost::json;
using record::InspectedBatch;
using record::OwnedRecord;

json::value hexOrNull(const std::optional<Bytes>& bytes) {
  if (!bytes) return nullptr;
  return json::string(toHex(*bytes));
}

/// Text as Java reads it: each byte sequence that is not UTF-8 becomes U+FFFD.
std::string readable(std::string_view bytes) {
  std::string out;
  std::size_t i = 0;
  while (i < bytes.size()) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t more = lead < 0x80                   ? 0
                             : lead >= 0xC2 && lead < 0xE0 ? 1
                             : (lead & 0xF0) == 0xE0       ? 2
                             : lead >= 0xF0 && lead < 0xF5 ? 3
                                                           : 9;
    std::size_t n = 0;
    while (more < 9 && n < more && i + n + 1 < bytes.size() && (bytes[i + n + 1] & 0xC0) == 0x80)
      ++n;
    if (more == n)
      out += bytes.substr(i, n + 1);
    else
      out += "\xEF\xBF\xBD";
    i += n + 1;
  }
  return out;
}

/// The value of a control record that has a schema of its own.
Result<json::value> controlValue(record::ControlType type, BytesView value) {
  const char* name = nullptr;
  switch (type) {
    case record::ControlType::kLeaderChange: name = "LeaderChangeMessage"; break;
    case record::ControlType::kSnapshotHeader: name = "SnapshotHeaderRecord"; break;
    case record::ControlType::kSnapshotFooter: name = "SnapshotFooterRecord"; break;
    case record::ControlType::kKRaftVersion: name = "KRaftVersionRecord"; break;
    case record::ControlType::kKRaftVoters: name = "VotersRecord"; break;
    default: return json::value(nullptr);
  }
  if (value.size() < 2) return fail(Errc::kMalformed, "the control record has no version");
  const auto version = loadBe<std::int16_t>(value.data());
  protocol::AnyMessage message(*protocol::findMessage(name));
  MILLRACE_CHECK_OK(protocol::decodeInto(message.info(), message.data(), value, version));
  return protocol::toJson(message.info(), message.data(), version);
}

json::object headOf(const InspectedBatch& batch, std::string_view bytes) {
  json::object out;
  out["baseOffset"] = batch.base_offset.value();
  out["batchLength"] = loadBe<std::int32_t>(bytes.data() + record::layout::kLength);
  out["sizeInBytes"] = batch.size_in_bytes;
  out["magic"] = batch.magic;
  if (batch.view) {
    const auto& view = *batch.view;
    out["partitionLeaderEpoch"] = view.leaderEpoch().value();
    out["attributes"] = view.attributes();
    out["lastOffsetDelta"] = view.lastOffsetDelta();
    out["baseTimestamp"] = view.baseTimestamp();
    out["producerId"] = view.producerId().value();
    out["producerEpoch"] = view.producerEpoch();
    out["baseSequence"] = view.baseSequence();
    out["recordsCount"] = view.recordCount();
    out["lastSequence"] = view.lastSequence();
    if (const auto horizon = view.deleteHorizonMs()) out["deleteHorizonMs"] = *horizon;
  }
  out["crc"] = batch.crc;
  out["maxTimestamp"] = batch.max_timestamp;
  out["lastOffset"] = batch.last_offset.value();
  out["compression"] = batch.compression;
  out["timestampType"] = batch.timestamp_type;
  out["transactional"] = batch.view && batch.view->isTransactional();
  out["control"] = batch.view && batch.view->isControl();
  return out;
}

json::object recordOf(const OwnedRecord& record) {
  json::object out;
  out["offset"] = record.offset;
  out["timestamp"] = record.timestamp;
  if (record.sequence != record::kNoSequence) out["sequence"] = record.sequence;
  out["key_hex"] = hexOrNull(record.key);
  out["value_hex"] = hexOrNull(record.value);
  json::array headers;
  for (const auto& header : record.headers) {
    headers.push_back({{"key", readable(header.key)}, {"value_hex", hexOrNull(header.value)}});
  }
  out["headers"] = std::move(headers);
  if (record.control) {
    json::object control;
    control["type"] = std::string(record::controlTypeName(*record.control));
    if (record.coordinator_epoch) control["coordinatorEpoch"] = *record.coordinator_epoch;
    const auto value = controlValue(*record.control, record.value.value_or(""));
    if (!value)
      control["value"] = value.error().toString();
    else if (!value->is_null())
      control["value"] = *value;
    out["control"] = std::move(control);
  }
  return out;
}

json::array recordsOf(const InspectedBatch& batch) {
  json::array out;
  for (const auto& record : batch.records) out.push_back(recordOf(record));
  return out;
}

std::string differs(std::string_view what, const json::value& ours, const json::value& theirs) {
  return ours == theirs ? "" : fmt::format("{} is {}", what, json::serialize(ours));
}

std::string compareBatch(const InspectedBatch& batch, std::string_view bytes,
                         const json::object& expected) {
  std::string problem = differs("the header", headOf(batch, bytes), expected.at("batch"));
  if (problem.empty()) problem = differs("records", recordsOf(batch), expected.at("records"));
  return problem;
}

std::string compareContent(const record::Inspection& read, std::string_view bytes,
                           const json::object& vector) {
  json::array expected;
  if (const auto* list = vector.if_contains("batches"))
    expected = list->as_array();
  else
    expected.push_back(vector);
  if (read.batches.size() != expected.size()) {
    return fmt::format("it holds {} batches, not {}", read.batches.size(), expected.size());
  }
  std::size_t position = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto problem =
        compareBatch(read.batches[i], bytes.substr(position), expected[i].as_object());
    if (!problem.empty()) return fmt::format("batch {}: {}", i, problem);
    position += read.batches[i].size_in_bytes;
  }
  if (const auto* plain = vector.if_contains("uncompressed_records_hex")) {
    return differs("the uncompressed section", json::value(toHex(read.batches.at(0).uncompressed)),
                   *plain);
  }
  return "";
}

std::string compareReading(std::string_view bytes, const json::object& vector) {
  const auto read = record::inspect(bytes);
  const json::value& error = vector.at("error");
  const std::string got =
      read.error ? std::string(record::javaExceptionName(read.error->code)) : "no error";
  const std::string wanted = error.is_null() ? "no error" : std::string(error.as_string());
  if (got != wanted) {
    return fmt::format("reading gives {}, not {}{}", got, wanted,
                       read.error ? " (" + read.error->toString() + ")" : "");
  }
  if (const auto* stage = vector.if_contains("error_stage")) {
    if (!stage->is_null() &&
        record::readStageName(read.stage) != std::string_view(stage->as_string())) {
      return fmt::format("it fails at the stage {}", record::readStageName(read.stage));
    }
  }
  if (const auto* parsed = vector.if_contains("bytes_parsed")) {
    if (parsed->to_number<std::size_t>() != read.bytes_parsed) {
      return fmt::format("{} bytes are whole batches", read.bytes_parsed);
    }
  }
  return compareContent(read, bytes, vector);
}

/// UNKNOWN_SERVER_ERROR may be CORRUPT_MESSAGE: it is what Kafka says to a payload that does not
/// decompress.
std::string compareProduce(std::string_view bytes, const json::object& vector) {
  const auto* wanted = vector.if_contains("produce_error");
  if (wanted == nullptr || wanted->is_null()) return "";
  const auto code = produceError(bytes);
  if (!code) return "producing it fails: " + code.error().toString();
  const std::string_view got = errorName(*code);
  const std::string_view expected = wanted->as_string();
  if (got == expected || (expected == "UNKNOWN_SERVER_ERROR" && got == "CORRUPT_MESSAGE"))
    return "";
  return fmt::format("producing it gives {}, not {}", got, expected);
}

}  // namespace

std::string checkBatch(const json::object& vector) {
  const auto hex = stringAt(vector, "hex");
  if (!hex) return hex.error().toString();
  const auto bytes = fromHex(*hex);
  if (!bytes) return bytes.error().toString();
  std::string problem = compareReading(*bytes, vector);
  return problem.empty() ? compareProduce(*bytes, vector) : problem;
}

}  // namespace millrace::wire_check
