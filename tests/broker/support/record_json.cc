#include "tests/broker/support/record_json.h"

#include "base/checksum.h"
#include "base/varint.h"
#include "record/builder.h"
#include "record/records.h"

#include <stdexcept>
#include <vector>

namespace millrace::broker::testing {

namespace json = boost::json;

namespace {

std::int64_t number(const json::object& o, std::string_view key, std::int64_t otherwise) {
  const auto* v = o.if_contains(key);
  return v == nullptr ? otherwise : v->to_number<std::int64_t>();
}
bool flag(const json::object& o, std::string_view key) {
  const auto* v = o.if_contains(key);
  return v != nullptr && v->as_bool();
}

/// "x*300" stands for 300 times x.
std::optional<Bytes> expand(const json::value* v) {
  if (v == nullptr || v->is_null()) return std::nullopt;
  const std::string s(v->as_string());
  if (s.size() > 2 && s[1] == '*' && s.find_first_not_of("0123456789", 2) == s.npos) {
    return Bytes(std::stoul(s.substr(2)), s[0]);
  }
  return s;
}

record::Codec codecOf(const json::object& batch) {
  const auto* v = batch.if_contains("compression");
  if (v == nullptr) return record::Codec::kNone;
  for (const auto codec : {record::Codec::kNone, record::Codec::kGzip, record::Codec::kSnappy,
                           record::Codec::kLz4, record::Codec::kZstd}) {
    if (record::codecName(codec) == v->as_string()) return codec;
  }
  throw std::runtime_error("codec " + json::serialize(*v));
}

void putSized(Bytes& out, const std::optional<Bytes>& bytes) {
  char size[4];
  storeBe<std::int32_t>(size, bytes ? static_cast<std::int32_t>(bytes->size()) : -1);
  out.append(size, 4);
  if (bytes) out += *bytes;
}

/// Message formats 0 and 1; their CRC is of another kind and is not looked at by anybody.
Bytes legacyBatch(const json::object& batch, std::int64_t magic) {
  Bytes out;
  for (const auto& r : batch.at("records").as_array()) {
    Bytes body(4, '\0');
    body += static_cast<char>(magic);
    body += '\0';
    char eight[8];
    if (magic == 1) {
      storeBe<std::int64_t>(eight, number(r.as_object(), "timestamp", 1700000000000));
      body.append(eight, 8);
    }
    putSized(body, expand(r.as_object().if_contains("key")));
    putSized(body, expand(r.as_object().if_contains("value")));
    storeBe<std::int64_t>(eight, 0);
    out.append(eight, 8);
    putSized(out, body);
  }
  return out;
}

Bytes soundBatch(const json::object& batch) {
  record::BatchOptions options;
  options.codec = codecOf(batch);
  options.base_offset = Offset(number(batch, "baseOffset", 0));
  options.leader_epoch =
      LeaderEpoch(static_cast<std::int32_t>(number(batch, "partitionLeaderEpoch", -1)));
  if (const auto* type = batch.if_contains("timestampType");
      type != nullptr && type->as_string() == "LogAppendTime") {
    options.timestamp_type = record::TimestampType::kLogAppendTime;
  }
  options.transactional = flag(batch, "transactional");
  options.producer_id = ProducerId(number(batch, "producerId", -1));
  options.producer_epoch = static_cast<std::int16_t>(number(batch, "producerEpoch", -1));
  options.base_sequence = static_cast<std::int32_t>(number(batch, "baseSequence", -1));
  record::BatchBuilder builder(options);
  for (const auto& r : batch.at("records").as_array()) {
    const auto& o = r.as_object();
    const auto key = expand(o.if_contains("key"));
    const auto value = expand(o.if_contains("value"));
    std::vector<std::pair<Bytes, std::optional<Bytes>>> owned;
    if (const auto* headers = o.if_contains("headers")) {
      for (const auto& h : headers->as_array()) {
        owned.emplace_back(Bytes(h.at("key").as_string()),
                           expand(h.as_object().if_contains("value")));
      }
    }
    std::vector<record::HeaderView> headers;
    for (const auto& [k, v] : owned) headers.push_back({k, v});
    builder.append(number(o, "timestamp", 1700000000000), key, value, headers);
  }
  auto built = builder.build();
  if (!built) throw std::runtime_error(built.error().toString());
  if (options.timestamp_type == record::TimestampType::kLogAppendTime) {
    record::patchMaxTimestamp(*built, 1700000000000, options.timestamp_type);
  }
  return std::move(*built);
}

/// A batch with a valid header and no records.
Bytes emptyBatch(const json::object& batch) {
  Bytes bytes(record::kBatchHeaderSize, '\0');
  char* p = bytes.data();
  storeBe<std::int32_t>(
      p + record::layout::kLength,
      static_cast<std::int32_t>(record::kBatchHeaderSize - record::kBatchOverhead));
  storeBe<std::int32_t>(p + record::layout::kLeaderEpoch, -1);
  p[record::layout::kMagic] = 2;
  storeBe<std::int32_t>(p + record::layout::kLastOffsetDelta, -1);
  storeBe<std::int64_t>(p + record::layout::kBaseTimestamp, -1);
  storeBe<std::int64_t>(p + record::layout::kMaxTimestamp, -1);
  storeBe<std::int64_t>(p + record::layout::kProducerId, number(batch, "producerId", -1));
  storeBe<std::int16_t>(p + record::layout::kProducerEpoch,
                        static_cast<std::int16_t>(number(batch, "producerEpoch", -1)));
  storeBe<std::int32_t>(p + record::layout::kBaseSequence,
                        static_cast<std::int32_t>(number(batch, "baseSequence", -1)));
  record::patchCrc(bytes);
  return bytes;
}

json::value jsonOf(const std::optional<BytesView>& v) {
  return v ? json::value(std::string(*v)) : json::value(nullptr);
}

json::object recordToJson(const record::RecordView& r) {
  json::object o;
  o["offset"] = r.offset.value();
  o["timestamp"] = r.timestamp;
  o["key"] = jsonOf(r.key);
  o["value"] = jsonOf(r.value);
  if (!r.headers.empty()) {
    json::array headers;
    for (const auto& h : r.headers)
      headers.push_back(json::object{{"key", std::string(h.key)}, {"value", jsonOf(h.value)}});
    o["headers"] = std::move(headers);
  }
  return o;
}

}  // namespace

Bytes batchesFromJson(const json::array& batches) {
  Bytes out;
  for (const auto& b : batches) {
    const auto& o = b.as_object();
    const std::int64_t magic = number(o, "magic", 2);
    if (!o.contains("records"))
      throw std::runtime_error("control batches are not written by clients");
    Bytes bytes = magic < 2                            ? legacyBatch(o, magic)
                  : o.at("records").as_array().empty() ? emptyBatch(o)
                                                       : soundBatch(o);
    if (const auto* patches = o.if_contains("patch")) {
      for (const auto& p : patches->as_array()) {
        const Bytes with = fromHex(p.as_array().at(1).as_string());
        bytes.replace(p.as_array().at(0).to_number<std::size_t>(), with.size(), with);
      }
    }
    if (flag(o, "recrc")) record::patchCrc(bytes);
    bytes.resize(bytes.size() - static_cast<std::size_t>(number(o, "cut", 0)));
    out += bytes;
  }
  return out;
}

json::array batchesToJson(BytesView batches) {
  json::array out;
  record::BatchIterator iterator(batches);
  record::BatchView batch;
  while (iterator.next(batch)) {
    json::object o;
    o["baseOffset"] = batch.baseOffset().value();
    o["lastOffset"] = batch.lastOffset().value();
    o["partitionLeaderEpoch"] = batch.leaderEpoch().value();
    o["magic"] = batch.magic();
    const auto codec = batch.codec();
    o["compression"] = codec ? std::string(record::codecName(*codec)) : "unknown";
    o["timestampType"] = batch.timestampType() == record::TimestampType::kLogAppendTime
                             ? "LogAppendTime"
                             : "CreateTime";
    o["transactional"] = batch.isTransactional();
    o["control"] = batch.isControl();
    o["producerId"] = batch.producerId().value();
    o["producerEpoch"] = batch.producerEpoch();
    o["baseSequence"] = batch.baseSequence();
    o["maxTimestamp"] = batch.maxTimestamp();
    json::array records;
    Bytes scratch;
    auto cursor = record::openRecords(batch, scratch);
    if (!cursor) throw std::runtime_error(cursor.error().toString());
    record::RecordView r;
    while (cursor->next(r)) records.push_back(recordToJson(r));
    o["records"] = std::move(records);
    out.push_back(std::move(o));
  }
  return out;
}

Bytes fromHex(std::string_view hex) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}

}  // namespace millrace::broker::testing
