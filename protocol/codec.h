// Encoding and decoding of whole messages, without their headers or frames (protocol/frame.h).
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "protocol/message.h"

#include <cstdint>

namespace millrace::protocol {

/// Decodes all of `bytes`. Strings, bytes and records of the result borrow from `bytes`.
/// Errors: kUnsupportedVersion outside the message's versions; kMalformed when the bytes break the
/// format, end early or go on after the message. Allocates no more than the bytes can account for.
[[nodiscard]] Status decodeInto(const MessageInfo& info, void* message, BytesView bytes,
                                std::int16_t version);

/// The same, but bytes after the message are left alone, as Kafka's broker does with requests.
[[nodiscard]] Status decodePrefixInto(const MessageInfo& info, void* message, BytesView bytes,
                                      std::int16_t version);

/// Exact number of bytes, records in files included.
/// Errors: kUnsupportedVersion; kInvalidRequest when the version cannot carry a field's value.
[[nodiscard]] Result<std::size_t> encodedSize(const MessageInfo& info, const void* message,
                                              std::int16_t version);

/// Appends the encoded message to `out`. Records in files are read. Errors as encodedSize, and the
/// file's.
[[nodiscard]] Status encodeTo(const MessageInfo& info, const void* message, std::int16_t version,
                              Bytes& out);

template <Message M>
[[nodiscard]] Result<M> decode(BytesView bytes, std::int16_t version) {
  Result<M> message(std::in_place);
  auto status = decodeInto(M::info(), &*message, bytes, version);
  if (!status) message = std::unexpected(std::move(status).error());
  return message;
}

template <Message M>
[[nodiscard]] Result<std::size_t> encodedSize(const M& message, std::int16_t version) {
  return encodedSize(M::info(), &message, version);
}

/// Appends to `out`.
template <Message M>
[[nodiscard]] Status encode(const M& message, std::int16_t version, Bytes& out) {
  return encodeTo(M::info(), &message, version, out);
}

template <Message M>
[[nodiscard]] Result<Bytes> encode(const M& message, std::int16_t version) {
  Result<Bytes> out(std::in_place);
  auto status = encodeTo(M::info(), &message, version, *out);
  if (!status) out = std::unexpected(std::move(status).error());
  return out;
}

}  // namespace millrace::protocol
