// Messages inside records and byte fields: the version prefixes that Kafka puts in front of them.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/any_message.h"
#include "protocol/codec.h"

#include <cstdint>

namespace millrace::protocol {

/// A message and the version that it stood in.
struct VersionedMessage {
  AnyMessage message;
  std::int16_t version = 0;
};

/// The value of a metadata or remote log record: varint frame version 1, varint record type, varint
/// version, fields.
[[nodiscard]] Result<Bytes> encodeFramed(const MessageInfo& info, const void* message,
                                         std::int16_t version);
template <Message M>
[[nodiscard]] Result<Bytes> encodeFramed(const M& message, std::int16_t version) {
  return encodeFramed(M::info(), &message, version);
}
/// Reads such a value. `kind`: kMetadataRecord or kRemoteLogRecord. The message borrows from
/// `value`. Errors: kUnsupportedVersion for an unknown frame version, record type or version;
/// kMalformed.
[[nodiscard]] Result<VersionedMessage> decodeFramed(MessageKind kind, BytesView value);

/// The key of a coordinator record: int16 record type, fields. `message` is one of the key kinds.
[[nodiscard]] Result<Bytes> encodeRecordKey(const MessageInfo& info, const void* message);
template <Message M>
[[nodiscard]] Result<Bytes> encodeRecordKey(const M& message) {
  return encodeRecordKey(M::info(), &message);
}
/// `kind`: kGroupKey, kTransactionKey or kShareKey. Errors: kUnsupportedVersion for an unknown
/// record type (a newer broker's: skip it, as Kafka does); kMalformed. The message borrows from
/// `key`.
[[nodiscard]] Result<AnyMessage> decodeRecordKey(MessageKind kind, BytesView key);
/// The value that goes with a key of this record type. `kind`: kGroupValue, kTransactionValue or
/// kShareValue.
[[nodiscard]] Result<VersionedMessage> decodeRecordValue(MessageKind kind, std::int16_t record_type,
                                                         BytesView value);

/// int16 version, fields: coordinator values, consumer protocol blobs, EndTxnMarker, producer
/// snapshots.
[[nodiscard]] Result<Bytes> encodeVersioned(const MessageInfo& info, const void* message,
                                            std::int16_t version);
template <Message M>
[[nodiscard]] Result<Bytes> encodeVersioned(const M& message, std::int16_t version) {
  return encodeVersioned(M::info(), &message, version);
}

/// What to do with a version above the newest known one.
enum class Newer {
  kRefuse,      ///< kUnsupportedVersion
  kReadPrefix,  ///< read the newest known version and ignore the rest: the consumer protocol's rule
};
[[nodiscard]] Result<std::int16_t> decodeVersionedInto(const MessageInfo& info, void* message,
                                                       BytesView bytes, Newer newer);
/// Reads such bytes; the message borrows from them. Errors: kUnsupportedVersion, kMalformed.
template <Message M>
[[nodiscard]] Result<M> decodeVersioned(BytesView bytes, Newer newer = Newer::kRefuse) {
  Result<M> message(std::in_place);
  auto version = decodeVersionedInto(M::info(), &*message, bytes, newer);
  if (!version) message = std::unexpected(std::move(version).error());
  return message;
}

}  // namespace millrace::protocol
