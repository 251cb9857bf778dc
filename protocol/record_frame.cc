#include "protocol/record_frame.h"

#include "base/assert.h"
#include "protocol/wire.h"

#include <fmt/format.h>

namespace millrace::protocol {

namespace {

constexpr std::uint32_t kFrameVersion = 1;

void appendVarint(Bytes& out, std::uint32_t v) {
  char buffer[10];
  out.append(buffer, putVarint(buffer, v));
}

void appendInt16(Bytes& out, std::int16_t v) {
  char buffer[2];
  storeBe(buffer, v);
  out.append(buffer, sizeof buffer);
}

Result<std::int16_t> leadingInt16(BytesView bytes, std::string_view what) {
  if (bytes.size() < 2)
    return fail(Errc::kMalformed, fmt::format("{} of {} bytes", what, bytes.size()));
  return loadBe<std::int16_t>(bytes.data());
}

MessageKind valueKind(MessageKind kind) {
  switch (kind) {
    case MessageKind::kGroupKey: return MessageKind::kGroupValue;
    case MessageKind::kTransactionKey: return MessageKind::kTransactionValue;
    case MessageKind::kShareKey: return MessageKind::kShareValue;
    default: return kind;
  }
}

}  // namespace

Result<Bytes> encodeFramed(const MessageInfo& info, const void* message, std::int16_t version) {
  MILLRACE_ASSERT(
      info.kind == MessageKind::kMetadataRecord || info.kind == MessageKind::kRemoteLogRecord,
      std::string(info.name));
  Bytes out;
  appendVarint(out, kFrameVersion);
  appendVarint(out, static_cast<std::uint32_t>(info.key));
  appendVarint(out, static_cast<std::uint32_t>(version));
  MILLRACE_CHECK_OK(encodeTo(info, message, version, out));
  return out;
}

Result<VersionedMessage> decodeFramed(MessageKind kind, BytesView value) {
  Reader reader(value);
  const std::uint32_t frame_version = reader.varint();
  const std::uint32_t type = reader.varint();
  const std::uint32_t version = reader.varint();
  if (!reader.ok()) return std::unexpected(reader.error());
  if (frame_version != kFrameVersion) {
    return fail(Errc::kUnsupportedVersion,
                fmt::format("a record's frame has version {}, not 1", frame_version));
  }
  const MessageInfo* info =
      type > 0x7FFF ? nullptr : findMessage(kind, static_cast<std::int16_t>(type));
  if (info == nullptr)
    return fail(Errc::kUnsupportedVersion, fmt::format("there is no record type {}", type));
  if (version > 0x7FFF)
    return fail(Errc::kUnsupportedVersion, fmt::format("{} v{}", info->name, version));
  VersionedMessage out{AnyMessage(*info), static_cast<std::int16_t>(version)};
  const BytesView fields = value.substr(value.size() - reader.remaining());
  MILLRACE_CHECK_OK(decodeInto(*info, out.message.data(), fields, out.version));
  return out;
}

Result<Bytes> encodeRecordKey(const MessageInfo& info, const void* message) {
  MILLRACE_ASSERT(valueKind(info.kind) != info.kind, std::string(info.name));
  Bytes out;
  appendInt16(out, info.key);
  MILLRACE_CHECK_OK(encodeTo(info, message, 0, out));
  return out;
}

Result<AnyMessage> decodeRecordKey(MessageKind kind, BytesView key) {
  MILLRACE_ASSERT(valueKind(kind) != kind, "not a kind of key");
  MILLRACE_TRY(const std::int16_t type, leadingInt16(key, "a record key"));
  const MessageInfo* info = findMessage(kind, type);
  if (info == nullptr)
    return fail(Errc::kUnsupportedVersion, fmt::format("there is no record type {}", type));
  AnyMessage message(*info);
  MILLRACE_CHECK_OK(decodeInto(*info, message.data(), key.substr(2), 0));
  return message;
}

Result<VersionedMessage> decodeRecordValue(MessageKind kind, std::int16_t record_type,
                                           BytesView value) {
  const MessageInfo* info = findMessage(kind, record_type);
  if (info == nullptr)
    return fail(Errc::kUnsupportedVersion, fmt::format("there is no record type {}", record_type));
  VersionedMessage out{AnyMessage(*info), 0};
  MILLRACE_TRY(out.version, decodeVersionedInto(*info, out.message.data(), value, Newer::kRefuse));
  return out;
}

Result<Bytes> encodeVersioned(const MessageInfo& info, const void* message, std::int16_t version) {
  Bytes out;
  appendInt16(out, version);
  MILLRACE_CHECK_OK(encodeTo(info, message, version, out));
  return out;
}

Result<std::int16_t> decodeVersionedInto(const MessageInfo& info, void* message, BytesView bytes,
                                         Newer newer) {
  MILLRACE_TRY(const std::int16_t version, leadingInt16(bytes, info.name));
  const BytesView fields = bytes.substr(2);
  if (version <= info.max_version || newer == Newer::kRefuse) {
    MILLRACE_CHECK_OK(decodeInto(info, message, fields, version));
    return version;
  }
  Reader reader(fields);
  info.read(reader, message, info.max_version);
  if (!reader.ok()) return std::unexpected(reader.error());
  return version;
}

}  // namespace millrace::protocol
