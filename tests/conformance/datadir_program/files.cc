#include "tests/conformance/datadir_program/files.h"

#include "base/file.h"
#include "log/index_file.h"
#include "log/producer_state.h"
#include "record/inspect.h"

#include <charconv>

namespace millrace::conformance {
namespace {

using boost::json::array;
using boost::json::object;
using boost::json::value;

std::string toHex(BytesView bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

value hexOrNull(const std::optional<Bytes>& bytes) {
  return bytes ? value(toHex(*bytes)) : value(nullptr);
}

void checkRecord(const record::OwnedRecord& got, const object& want, Case& result) {
  const std::string where = fmt::format("record {}", got.offset);
  result.equalJson(where, value(got.offset), want.at("offset"));
  result.equalJson(where + " timestamp", value(got.timestamp), want.at("timestamp"));
  if (want.contains("sequence"))
    result.equalJson(where + " sequence", value(got.sequence), want.at("sequence"));
  result.equalJson(where + " key", hexOrNull(got.key), want.at("key_hex"));
  result.equalJson(where + " value", hexOrNull(got.value), want.at("value_hex"));
  array headers;
  for (const auto& header : got.headers)
    headers.push_back(object{{"key", header.key}, {"value_hex", hexOrNull(header.value)}});
  result.equalJson(where + " headers", headers, want.at("headers"));
  if (!want.contains("control")) return;
  const object& control = want.at("control").as_object();
  if (!got.control) return result.differ(where + " is no control record");
  result.equal(where + " control", std::string(record::controlTypeName(*got.control)),
               std::string(control.at("type").as_string()));
  if (control.contains("coordinatorEpoch"))
    result.equalJson(where + " coordinator epoch", value(got.coordinator_epoch.value_or(-1)),
                     control.at("coordinatorEpoch"));
}

object headerOf(const record::BatchView& v, std::size_t position) {
  object o{
      {"baseOffset", v.baseOffset().value()},
      {"batchLength", v.batchLength()},
      {"sizeInBytes", v.sizeInBytes()},
      {"magic", int{v.magic()}},
      {"partitionLeaderEpoch", v.leaderEpoch().value()},
      {"crc", v.crc()},
      {"attributes", v.attributes()},
      {"lastOffsetDelta", v.lastOffsetDelta()},
      {"baseTimestamp", v.baseTimestamp()},
      {"maxTimestamp", v.maxTimestamp()},
      {"producerId", v.producerId().value()},
      {"producerEpoch", v.producerEpoch()},
      {"baseSequence", v.baseSequence()},
      {"recordsCount", v.recordCount()},
      {"lastOffset", v.lastOffset().value()},
      {"compression", record::codecName(*v.codec())},
      {"timestampType",
       v.timestampType() == record::TimestampType::kLogAppendTime ? "LogAppendTime" : "CreateTime"},
      {"transactional", v.isTransactional()},
      {"control", v.isControl()},
      {"lastSequence", v.lastSequence()},
      {"position", position}};
  if (const auto horizon = v.deleteHorizonMs()) o["deleteHorizonMs"] = *horizon;
  return o;
}

void checkBatches(const Bytes& bytes, const object& line, Case& result) {
  const record::Inspection got = record::inspect(bytes);
  if (got.error) return result.differ(got.error->toString());
  result.equal("bytes of whole batches", got.bytes_parsed, bytes.size());
  const array& wanted = line.at("batches").as_array();
  result.equal("number of batches", got.batches.size(), wanted.size());
  if (got.batches.size() != wanted.size()) return;
  std::size_t position = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const object& want = wanted[i].as_object();
    const object header = headerOf(*got.batches[i].view, position);
    for (const auto& [name, field] : want) {
      if (name == "records") continue;
      if (!header.contains(name)) continue;
      result.equalJson(fmt::format("batch at {}: {}", position, std::string_view(name)),
                       header.at(name), field);
    }
    const array& records = want.at("records").as_array();
    result.equal(fmt::format("batch at {}: records", position), got.batches[i].records.size(),
                 records.size());
    for (std::size_t r = 0; r < std::min(records.size(), got.batches[i].records.size()); ++r)
      checkRecord(got.batches[i].records[r], records[r].as_object(), result);
    position += got.batches[i].size_in_bytes;
  }
}

/// The directory and base offset of a segment file's path.
struct Place {
  log::LogFiles files;
  Offset base;
};

Place placeOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const auto name = log::parseFileName(std::string_view(path).substr(slash + 1));
  return {{systemFiles(), path.substr(0, slash)}, name ? name->base : Offset{0}};
}

void checkOffsetIndex(const std::string& path, const object& line, Case& result) {
  const Place place = placeOf(path);
  log::EntryFile entries(place.files, place.base, log::FileKind::kOffsetIndex,
                         log::OffsetIndex::kEntrySize);
  const auto count = entries.count();
  if (!count) return result.differ(count.error().toString());
  array got;
  for (std::uint32_t i = 0; i < *count; ++i) {
    char entry[log::OffsetIndex::kEntrySize];
    if (!entries.read(i, 1, entry)) return result.differ("an entry cannot be read");
    got.push_back(object{{"relativeOffset", loadBe<std::int32_t>(entry)},
                         {"position", loadBe<std::int32_t>(entry + 4)}});
  }
  result.equalJson("entries", got, line.at("entries"));
}

void checkTimeIndex(const std::string& path, const object& line, Case& result) {
  const Place place = placeOf(path);
  log::EntryFile entries(place.files, place.base, log::FileKind::kTimeIndex,
                         log::TimeIndex::kEntrySize);
  const auto count = entries.count();
  if (!count) return result.differ(count.error().toString());
  array got;
  for (std::uint32_t i = 0; i < *count; ++i) {
    char entry[log::TimeIndex::kEntrySize];
    if (!entries.read(i, 1, entry)) return result.differ("an entry cannot be read");
    got.push_back(object{{"timestamp", loadBe<std::int64_t>(entry)},
                         {"relativeOffset", loadBe<std::int32_t>(entry + 8)}});
  }
  result.equalJson("entries", got, line.at("entries"));
}

void checkTxnIndex(const std::string& path, const object& line, Case& result) {
  const Place place = placeOf(path);
  log::TxnIndex index(place.files, place.base);
  const auto all = index.all();
  if (!all) return result.differ(all.error().toString());
  array got;
  for (const auto& txn : *all)
    got.push_back(object{{"version", 0},
                         {"producerId", txn.producer_id.value()},
                         {"firstOffset", txn.first_offset.value()},
                         {"lastOffset", txn.last_offset.value()},
                         {"lastStableOffset", txn.last_stable_offset.value()}});
  result.equalJson("entries", got, line.at("entries"));
}

void checkSnapshot(const Bytes& bytes, const object& line, Case& result) {
  log::ProducerState state;
  if (const Status loaded = state.loadSnapshot(bytes); !loaded)
    return result.differ(loaded.error().toString());
  const object& snapshot = line.at("snapshot").as_object();
  const array& wanted = snapshot.at("producerEntries").as_array();
  const auto producers = state.list();
  result.equal("producers", producers.size(), wanted.size());
  for (const value& item : wanted) {
    const object& want = item.as_object();
    const auto found = std::find_if(producers.begin(), producers.end(), [&](const auto& p) {
      return p.producer_id.value() == want.at("producerId").as_int64();
    });
    if (found == producers.end()) {
      result.differ("a producer is missing: " + boost::json::serialize(want));
      continue;
    }
    const object got{
        {"producerId", found->producer_id.value()},
        {"epoch", found->epoch},
        {"lastSequence", found->last_sequence},
        {"lastOffset", found->last_offset.value()},
        {"offsetDelta", found->last_offset_delta},
        {"timestamp", found->last_timestamp},
        {"coordinatorEpoch", found->coordinator_epoch},
        {"currentTxnFirstOffset", found->current_txn_first_offset.value_or(Offset{-1}).value()}};
    result.equalJson("producer", got, want);
  }
  // Written again, it has the same entries in whatever order, so the same size and the same
  // reading.
  log::ProducerState again;
  if (!again.loadSnapshot(state.encodeSnapshot()))
    result.differ("cannot be read when written again");
  result.equal("size when written again", state.encodeSnapshot().size(), bytes.size());
}

}  // namespace

void checkFile(const std::string& root, const object& line, Case& result) {
  const std::string path = root + "/" + std::string(line.at("file").as_string());
  const auto bytes = systemFiles().readAll(path);
  if (!bytes) return result.differ(bytes.error().toString());
  result.equal("size", static_cast<std::int64_t>(bytes->size()), line.at("size").as_int64());
  const std::string kind(line.at("kind").as_string());
  if (kind == "log" || kind == "metadata snapshot" || kind == "bootstrap metadata") {
    checkBatches(*bytes, line, result);
  } else if (kind == "offset index") {
    checkOffsetIndex(path, line, result);
  } else if (kind == "time index") {
    checkTimeIndex(path, line, result);
  } else if (kind == "transaction index") {
    checkTxnIndex(path, line, result);
  } else if (kind == "producer snapshot") {
    checkSnapshot(*bytes, line, result);
  } else if (kind == "text") {
    result.equal("text", *bytes, std::string(line.at("text").as_string()));
  } else {
    result.differ("unknown kind " + kind);
  }
}

}  // namespace millrace::conformance
