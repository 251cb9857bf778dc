#include "cli/dump/kafka_form_records.h"

#include "base/base64.h"
#include "base/java_real.h"
#include "protocol/codec.h"
#include "protocol/json.h"
#include "protocol/record_frame.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <cctype>
#include <cmath>

namespace millrace::cli {

namespace {

namespace json = boost::json;
using protocol::MessageKind;

constexpr std::string_view kDeleted = "<DELETE>";
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// One line, numbers as Java prints them.
std::string jsonLine(const json::value& value) {
  std::string out;
  const auto add = [&out](char open, const std::string& item) {
    out += out.empty() ? open : ',';
    out += item;
  };
  if (value.is_double() && std::isfinite(value.get_double())) return javaDouble(value.get_double());
  if (value.is_array() && !value.get_array().empty()) {
    for (const json::value& item : value.get_array()) add('[', jsonLine(item));
    return out + ']';
  }
  if (value.is_object() && !value.get_object().empty()) {
    for (const auto& [name, item] : value.get_object())
      add('{', json::serialize(json::string(name)) + ':' + jsonLine(item));
    return out + '}';
  }
  return json::serialize(value);
}

std::string skipped(const record::RecordView& record, std::string_view why) {
  return fmt::format("Error at offset {}, skipping. {}", record.offset.value(), why);
}

/// "RegisterBrokerRecord" as "REGISTER_BROKER_RECORD".
std::string enumName(std::string_view name) {
  std::string out;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isupper(byte) != 0 && !out.empty()) out += '_';
    out += static_cast<char>(std::toupper(byte));
  }
  return out;
}

std::string metadataText(const record::RecordView& record) {
  if (!record.value) return fmt::format("Error at {}, skipping. no value", record.offset.value());
  const auto read = protocol::decodeFramed(MessageKind::kMetadataRecord, *record.value);
  if (!read)
    return fmt::format("Error at {}, skipping. {}", record.offset.value(), read.error().detail);
  const auto& info = read->message.info();
  return jsonLine(
      json::object{{"type", enumName(info.name)},
                   {"version", read->version},
                   {"data", protocol::toJson(info, read->message.data(), read->version)}});
}

/// The consumers' protocol in place of the bytes that hold it, where they do.
void unfold(json::object& member, std::string_view field, std::string_view message_name,
            std::string_view base64) {
  const protocol::MessageInfo* const info = protocol::findMessage(message_name);
  const auto bytes = fromBase64(base64);
  if (info == nullptr || !bytes || bytes->size() < 2) return;
  protocol::AnyMessage message(*info);
  const auto version =
      protocol::decodeVersionedInto(*info, message.data(), *bytes, protocol::Newer::kRefuse);
  if (version) member[field] = protocol::toJson(*info, message.data(), *version);
}

void unfoldMembers(json::object& group) {
  const auto* const type = group.if_contains("protocolType");
  auto* const members = group.if_contains("members");
  if (type == nullptr || *type != "consumer" || members == nullptr || !members->is_array()) return;
  for (json::value& one : members->get_array()) {
    json::object& member = one.get_object();
    for (const auto& [field, name] : {std::pair{"subscription", "ConsumerProtocolSubscription"},
                                      std::pair{"assignment", "ConsumerProtocolAssignment"}})
      if (const auto* const value = member.if_contains(field); value && value->is_string())
        unfold(member, field, name, value->get_string());
  }
}

MessageKind keyKind(Decoding decoding) {
  if (decoding == Decoding::kTransactions) return MessageKind::kTransactionKey;
  return decoding == Decoding::kShareState ? MessageKind::kShareKey : MessageKind::kGroupKey;
}

MessageKind valueKind(Decoding decoding) {
  if (decoding == Decoding::kTransactions) return MessageKind::kTransactionValue;
  return decoding == Decoding::kShareState ? MessageKind::kShareValue : MessageKind::kGroupValue;
}

KafkaText coordinatorText(Decoding decoding, const record::RecordView& record) {
  if (!record.key) return {skipped(record, "The record has no key."), std::nullopt};
  const auto key = protocol::decodeRecordKey(keyKind(decoding), *record.key);
  if (!key && key.error().code == Errc::kUnsupportedVersion && record.key->size() >= 2)
    return {fmt::format("Unknown record type {} at offset {}, skipping.",
                        loadBe<std::int16_t>(record.key->data()), record.offset.value()),
            std::nullopt};
  if (!key) return {skipped(record, key.error().detail), std::nullopt};
  const auto& info = key->info();
  KafkaText out;
  out.key = jsonLine(json::object{{"type", std::to_string(info.key)},
                                  {"data", protocol::toJson(info, key->data(), info.max_version)}});
  if (!record.value) {
    out.value = kDeleted;
    return out;
  }
  const auto value = protocol::decodeRecordValue(valueKind(decoding), info.key, *record.value);
  if (!value) return {skipped(record, value.error().detail), std::nullopt};
  const auto& value_info = value->message.info();
  json::value data = protocol::toJson(value_info, value->message.data(), value->version);
  if (value_info.name == "GroupMetadataValue") unfoldMembers(data.get_object());
  out.value = jsonLine(
      json::object{{"version", std::to_string(value->version)}, {"data", std::move(data)}});
  return out;
}

bool continues(BytesView bytes, std::size_t at) {
  return at < bytes.size() && (static_cast<unsigned char>(bytes[at]) & 0xC0) == 0x80;
}

struct Sequence {
  std::size_t size = 1;
  bool valid = false;
};

/// The character at `at`, or how many bytes Java takes for one that is none.
Sequence sequenceAt(BytesView bytes, std::size_t at) {
  const auto lead = static_cast<unsigned char>(bytes[at]);
  const auto second = at + 1 < bytes.size() ? static_cast<unsigned char>(bytes[at + 1]) : 0;
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4 || !continues(bytes, at + 1)) return {};
  if (lead < 0xE0) return {2, true};
  if (lead < 0xF0) {
    if (lead == 0xE0 && second < 0xA0) return {};
    if (!continues(bytes, at + 2)) return {2, false};
    return {3, lead != 0xED || second < 0xA0};  // surrogates are no characters
  }
  if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return {};
  if (!continues(bytes, at + 2)) return {2, false};
  return continues(bytes, at + 3) ? Sequence{4, true} : Sequence{3, false};
}

std::optional<std::string> textOf(const std::optional<BytesView>& bytes) {
  if (!bytes) return std::nullopt;
  return javaText(*bytes);
}

}  // namespace

std::string javaText(BytesView bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size();) {
    const Sequence next = sequenceAt(bytes, at);
    out += next.valid ? bytes.substr(at, next.size) : kReplacement;
    at += next.size;
  }
  return out;
}

KafkaText kafkaText(Decoding decoding, const record::RecordView& record) {
  switch (decoding) {
    case Decoding::kAuto:
    case Decoding::kNone: return {textOf(record.key), textOf(record.value)};
    case Decoding::kMetadata: return {std::nullopt, metadataText(record)};
    default: return coordinatorText(decoding, record);
  }
}

std::string kafkaControlText(const record::RecordView& record) {
  const auto type = record::parseControlKey(record.key);
  if (!type) return " controlType: " + type.error().detail;
  const json::value value = decodeControl(record).value;
  switch (*type) {
    case record::ControlType::kAbort:
    case record::ControlType::kCommit:
      return fmt::format(" endTxnMarker: {} coordinatorEpoch: {}", record::controlTypeName(*type),
                         jsonLine(value.is_object() ? value.get_object().begin()->value() : value));
    case record::ControlType::kLeaderChange: return " LeaderChange: " + jsonLine(value);
    case record::ControlType::kSnapshotHeader: return " SnapshotHeader " + jsonLine(value);
    case record::ControlType::kSnapshotFooter: return " SnapshotFooter " + jsonLine(value);
    case record::ControlType::kKRaftVersion: return " KRaftVersion " + jsonLine(value);
    case record::ControlType::kKRaftVoters: return " KRaftVoters " + jsonLine(value);
    default:
      return fmt::format(" controlType: {}({})", record::controlTypeName(*type),
                         loadBe<std::int16_t>(record.key->data() + 2));
  }
}

}  // namespace millrace::cli
