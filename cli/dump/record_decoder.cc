#include "cli/dump/record_decoder.h"

#include "cli/output.h"
#include "protocol/codec.h"
#include "protocol/json.h"
#include "protocol/record_frame.h"

#include <filesystem>

namespace millrace::cli {

namespace {

using protocol::AnyMessage;
using protocol::MessageKind;

struct Kinds {
  MessageKind key;
  MessageKind value;
};

Kinds kindsOf(Decoding decoding) {
  switch (decoding) {
    case Decoding::kTransactions:
      return {MessageKind::kTransactionKey, MessageKind::kTransactionValue};
    case Decoding::kShareState: return {MessageKind::kShareKey, MessageKind::kShareValue};
    default: return {MessageKind::kGroupKey, MessageKind::kGroupValue};
  }
}

std::optional<DecodedRecord> decodeMetadata(const record::RecordView& record) {
  if (!record.value) return std::nullopt;
  const auto message = protocol::decodeFramed(MessageKind::kMetadataRecord, *record.value);
  if (!message) return std::nullopt;
  const auto& info = message->message.info();
  return DecodedRecord{std::string(info.name), nullptr,
                       protocol::toJson(info, message->message.data(), message->version)};
}

std::optional<DecodedRecord> decodeCoordinator(Decoding decoding,
                                               const record::RecordView& record) {
  if (!record.key) return std::nullopt;
  const Kinds kinds = kindsOf(decoding);
  const auto key = protocol::decodeRecordKey(kinds.key, *record.key);
  if (!key) return std::nullopt;
  const auto& info = key->info();
  DecodedRecord out{std::string(info.name), protocol::toJson(info, key->data(), info.max_version),
                    nullptr};
  if (!record.value) return out;
  const auto value = protocol::decodeRecordValue(kinds.value, info.key, *record.value);
  if (!value) return std::nullopt;
  out.value = protocol::toJson(value->message.info(), value->message.data(), value->version);
  return out;
}

std::string_view controlMessage(record::ControlType type) {
  switch (type) {
    case record::ControlType::kLeaderChange: return "LeaderChangeMessage";
    case record::ControlType::kSnapshotHeader: return "SnapshotHeaderRecord";
    case record::ControlType::kSnapshotFooter: return "SnapshotFooterRecord";
    case record::ControlType::kKRaftVersion: return "KRaftVersionRecord";
    case record::ControlType::kKRaftVoters: return "VotersRecord";
    default: return "";
  }
}

/// These carry their version as their first field, which is also the one to read them in.
boost::json::value decodeControlValue(record::ControlType type, BytesView value) {
  const protocol::MessageInfo* info = protocol::findMessage(controlMessage(type));
  if (info == nullptr || value.size() < 2) return jsonText(value);
  const auto version = loadBe<std::int16_t>(value.data());
  AnyMessage message(*info);
  if (!protocol::decodeInto(*info, message.data(), value, version)) return jsonText(value);
  return protocol::toJson(*info, message.data(), version);
}

}  // namespace

Decoding decodingFor(const std::string& path, Decoding asked) {
  if (asked != Decoding::kAuto) return asked;
  const std::filesystem::path file = std::filesystem::absolute(path);
  const std::string directory = file.parent_path().filename().string();
  const std::string topic = directory.substr(0, directory.rfind('-'));
  if (topic == "__cluster_metadata" || file.extension() == ".checkpoint")
    return Decoding::kMetadata;
  if (topic == "__consumer_offsets") return Decoding::kOffsets;
  if (topic == "__transaction_state") return Decoding::kTransactions;
  if (topic == "__share_group_state") return Decoding::kShareState;
  return Decoding::kNone;
}

std::optional<DecodedRecord> decodeRecord(Decoding decoding, const record::RecordView& record) {
  switch (decoding) {
    case Decoding::kAuto:
    case Decoding::kNone: return std::nullopt;
    case Decoding::kMetadata: return decodeMetadata(record);
    default: return decodeCoordinator(decoding, record);
  }
}

DecodedRecord decodeControl(const record::RecordView& record) {
  const auto type = record::parseControlKey(record.key);
  if (!type) return {"UNKNOWN", jsonText(record.key), jsonText(record.value)};
  DecodedRecord out{std::string(record::controlTypeName(*type)), nullptr, nullptr};
  const auto marker = record::parseEndTxnMarker(record);
  if (marker)
    out.value = boost::json::object{{"coordinatorEpoch", marker->coordinator_epoch}};
  else if (record.value)
    out.value = decodeControlValue(*type, *record.value);
  return out;
}

}  // namespace millrace::cli
