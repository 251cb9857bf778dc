// Every recorded batch reads to the recorded records or error, and gets the recorded error code
// when produced.
#include "tests/record/support/vectors.h"

#include "record/inspect.h"
#include "record/validator.h"

#include <boost/json/serialize.hpp>
#include <gtest/gtest.h>

#include <chrono>

namespace millrace::record {
namespace {

using boost::json::object;
using boost::json::value;

std::string text(const value& v) { return std::string(v.as_string()); }

/// Java decodes header keys as UTF-8 and replaces what is none; only the vectors' own two bad bytes
/// matter here.
std::string javaText(BytesView bytes) {
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == 0xFF || byte == 0xC0) {
      out += "\xEF\xBF\xBD";
    } else {
      out.push_back(c);
    }
  }
  return out;
}

value hexOrNull(const std::optional<Bytes>& bytes) {
  return bytes ? value(test::toHex(*bytes)) : value(nullptr);
}

void expectRecord(const OwnedRecord& got, const object& want) {
  EXPECT_EQ(got.offset, want.at("offset").to_number<std::int64_t>());
  EXPECT_EQ(got.timestamp, want.at("timestamp").to_number<std::int64_t>());
  EXPECT_EQ(got.sequence,
            want.contains("sequence") ? want.at("sequence").to_number<std::int32_t>() : -1);
  EXPECT_EQ(hexOrNull(got.key), want.at("key_hex"));
  EXPECT_EQ(hexOrNull(got.value), want.at("value_hex"));
  const auto& headers = want.at("headers").as_array();
  ASSERT_EQ(got.headers.size(), headers.size());
  for (std::size_t i = 0; i < headers.size(); ++i) {
    EXPECT_EQ(javaText(got.headers[i].key), text(headers[i].at("key")));
    EXPECT_EQ(hexOrNull(got.headers[i].value), headers[i].at("value_hex"));
  }
  ASSERT_EQ(got.control.has_value(), want.contains("control"));
  if (!got.control) return;
  const object& control = want.at("control").as_object();
  EXPECT_EQ(controlTypeName(*got.control), text(control.at("type")));
  if (control.contains("coordinatorEpoch"))
    EXPECT_EQ(got.coordinator_epoch, control.at("coordinatorEpoch").to_number<std::int32_t>());
}

object headerOf(const BatchView& v) {
  object o;
  o["baseOffset"] = v.baseOffset().value();
  o["batchLength"] = v.batchLength();
  o["sizeInBytes"] = v.sizeInBytes();
  o["magic"] = int{v.magic()};
  o["partitionLeaderEpoch"] = v.leaderEpoch().value();
  o["crc"] = v.crc();
  o["attributes"] = v.attributes();
  o["lastOffsetDelta"] = v.lastOffsetDelta();
  o["baseTimestamp"] = v.baseTimestamp();
  o["maxTimestamp"] = v.maxTimestamp();
  o["producerId"] = v.producerId().value();
  o["producerEpoch"] = v.producerEpoch();
  o["baseSequence"] = v.baseSequence();
  o["recordsCount"] = v.recordCount();
  o["lastOffset"] = v.lastOffset().value();
  o["compression"] = codecName(*v.codec());
  o["timestampType"] =
      v.timestampType() == TimestampType::kLogAppendTime ? "LogAppendTime" : "CreateTime";
  o["transactional"] = v.isTransactional();
  o["control"] = v.isControl();
  o["lastSequence"] = v.lastSequence();
  if (const auto horizon = v.deleteHorizonMs()) o["deleteHorizonMs"] = *horizon;
  return o;
}

object legacyHeaderOf(const InspectedBatch& b) {
  object o;
  o["baseOffset"] = b.base_offset.value();
  o["batchLength"] = b.size_in_bytes - kBatchOverhead;
  o["sizeInBytes"] = b.size_in_bytes;
  o["magic"] = int{b.magic};
  o["crc"] = b.crc;
  o["maxTimestamp"] = b.max_timestamp;
  o["lastOffset"] = b.last_offset.value();
  o["compression"] = b.compression;
  o["timestampType"] = b.timestamp_type;
  o["transactional"] = false;
  o["control"] = false;
  return o;
}

void expectBatch(const InspectedBatch& got, const object& want) {
  const object header = got.view ? headerOf(*got.view) : legacyHeaderOf(got);
  const object& wanted = want.at("batch").as_object();
  EXPECT_EQ(header.size(), wanted.size());
  for (const auto& [name, field] : wanted)
    EXPECT_EQ(boost::json::serialize(header.contains(name) ? header.at(name) : value(nullptr)),
              boost::json::serialize(field))
        << std::string_view(name);
  const auto& records = want.at("records").as_array();
  ASSERT_EQ(got.records.size(), records.size());
  for (std::size_t i = 0; i < records.size(); ++i)
    expectRecord(got.records[i], records[i].as_object());
  if (want.contains("uncompressed_records_hex"))
    EXPECT_EQ(test::toHex(got.uncompressed), text(want.at("uncompressed_records_hex")));
}

void expectRead(const object& vector, const Inspection& got) {
  if (vector.contains("bytes_parsed"))
    EXPECT_EQ(got.bytes_parsed, vector.at("bytes_parsed").to_number<std::size_t>());
  if (!vector.at("error").is_null()) {
    ASSERT_TRUE(got.error) << "read without an error";
    EXPECT_EQ(javaExceptionName(got.error->code), text(vector.at("error")))
        << got.error->toString();
    EXPECT_EQ(readStageName(got.stage), text(vector.at("error_stage"))) << got.error->toString();
    return;
  }
  ASSERT_FALSE(got.error) << got.error->toString();
  if (vector.contains("batch")) {
    ASSERT_EQ(got.batches.size(), 1U);
    expectBatch(got.batches[0], vector);
    return;
  }
  const auto& batches = vector.at("batches").as_array();
  ASSERT_EQ(got.batches.size(), batches.size());
  for (std::size_t i = 0; i < batches.size(); ++i)
    expectBatch(got.batches[i], batches[i].as_object());
}

/// The checks of a produce request in a broker's order, up to the append.
Errc produceError(const Bytes& bytes) {
  if (hasTransactionalBatch(bytes)) return Errc::kTransactionalIdAuthorizationFailed;
  const auto batch = singleBatch(bytes, 9);
  if (!batch) return batch.error().code;
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  const auto valid = validateBatch(*batch, Offset{500}, LeaderEpoch{7}, now.count(), {});
  return valid ? Errc::kNone : valid.error().error.code;
}

TEST(RecordedBatches, ReadAndProduceAsRecorded) {
  const auto vectors = test::loadVectors("wire/batches.jsonl.gz");
  ASSERT_GE(vectors.size(), 160U);
  for (const object& vector : vectors) {
    SCOPED_TRACE(text(vector.at("name")));
    const Bytes bytes = test::fromHex(text(vector.at("hex")));
    expectRead(vector, inspect(bytes));
    const Errc code = produceError(bytes);
    const std::string want = text(vector.at("produce_error"));
    if (want == "UNKNOWN_SERVER_ERROR") {
      EXPECT_TRUE(toWire(code) == Errc::kCorruptMessage ||
                  toWire(code) == Errc::kUnknownServerError)
          << errorName(toWire(code));
    } else {
      EXPECT_EQ(errorName(code), want);
    }
  }
}

/// A walk that stops anywhere must neither crash nor read past the end (run under the sanitizers).
TEST(RecordedBatches, EveryCutIsSafe) {
  for (const object& vector : test::loadVectors("wire/batches.jsonl.gz")) {
    const Bytes whole = test::fromHex(text(vector.at("hex")));
    if (whole.size() > 600) continue;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      (void)inspect(BytesView(cut.data(), cut.size()));
    }
  }
}

}  // namespace
}  // namespace millrace::record
