// Requests and responses with their headers, as they stand on a connection: int32 size, header,
// body.
#pragma once

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "protocol/any_message.h"
#include "protocol/api.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace millrace::protocol {

/// One piece of a frame: bytes, or a range of a file.
struct Segment {
  BytesView bytes;                    ///< empty when in a file
  FileSlice file;                     ///< file.file == nullptr when in memory
  std::shared_ptr<const void> owner;  ///< keeps bytes alive where the frame does not own them
  [[nodiscard]] bool inFile() const { return file.file != nullptr; }
  [[nodiscard]] std::size_t size() const { return inFile() ? file.size : bytes.size(); }
};

/// An encoded frame, its size prefix included: pieces for writev and sendfile, in order. Move-only.
/// Owns what it refers to; records that own or share their bytes are referred to, not copied, and
/// borrowed ones are copied.
class Frame {
 public:
  [[nodiscard]] std::span<const Segment> segments() const { return segments_; }
  /// Bytes of all segments: 4 + the number in the size prefix.
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Bytes of the segments that are not in files.
  [[nodiscard]] std::size_t bytesInMemory() const {
    std::size_t bytes = 0;
    for (const Segment& segment : segments_) bytes += segment.bytes.size();
    return bytes;
  }
  /// The whole frame in one string; reads file segments. Errors: the file's.
  [[nodiscard]] Result<Bytes> join() const;

 private:
  friend class FrameBuilder;
  std::unique_ptr<char[]> buffer_;
  std::vector<Segment> segments_;
  std::size_t size_ = 0;
};

/// The header of a request, in all of its versions.
struct RequestHead {
  std::int16_t api_key = 0;
  std::int16_t api_version = 0;
  std::int32_t correlation_id = 0;
  std::optional<Text> client_id;
};

/// A request frame taken apart.
struct RequestFrame {
  RequestHead head;
  const ApiInfo* api = nullptr;  ///< never null
  BytesView body;                ///< borrows from the frame
};

/// Reads the header of a frame (without its size prefix). The client id borrows from `frame`.
/// Errors: kUnsupportedVersion for an api that does not exist; kMalformed. The version may be one
/// that this build does not know: see supports().
[[nodiscard]] Result<RequestFrame> splitRequest(BytesView frame);
/// Whether a body of this version can be decoded (stable versions, and the unstable one of an api
/// if `unstable`).
[[nodiscard]] bool supports(const ApiInfo& api, int version, bool unstable = false);
/// Decodes the body. Errors: kUnsupportedVersion, kMalformed. Borrows from the frame.
[[nodiscard]] Result<AnyMessage> decodeRequestBody(const RequestFrame& request);

/// A response frame (without its size prefix) taken apart; the caller knows api and version from
/// its request.
struct ResponseFrame {
  std::int32_t correlation_id = 0;
  BytesView body;
};
/// The correlation id stands first in every response frame. Errors: kMalformed.
[[nodiscard]] Result<std::int32_t> peekCorrelationId(BytesView frame);
[[nodiscard]] Result<ResponseFrame> splitResponse(BytesView frame, const ApiInfo& api,
                                                  std::int16_t version);
/// Decodes the body of a response. For ApiVersions, a body that answers in version 0 because the
/// server does not know `version` (error code 35) is decoded as such. Borrows from the frame.
[[nodiscard]] Result<AnyMessage> decodeResponseBody(BytesView body, const ApiInfo& api,
                                                    std::int16_t version);

/// A whole request. `head.api_key` is taken from the message. Errors: as encodedSize.
[[nodiscard]] Result<Frame> encodeRequest(const RequestHead& head, const MessageInfo& info,
                                          const void* message);
/// A whole response to a request of this version. Errors: as encodedSize.
[[nodiscard]] Result<Frame> encodeResponse(std::int32_t correlation_id, std::int16_t version,
                                           const MessageInfo& info, const void* message);

template <Message M>
[[nodiscard]] Result<Frame> encodeRequest(const RequestHead& head, const M& message) {
  return encodeRequest(head, M::info(), &message);
}
[[nodiscard]] inline Result<Frame> encodeRequest(const RequestHead& head,
                                                 const AnyMessage& message) {
  return encodeRequest(head, message.info(), message.data());
}
template <Message M>
[[nodiscard]] Result<Frame> encodeResponse(std::int32_t correlation_id, std::int16_t version,
                                           const M& message) {
  return encodeResponse(correlation_id, version, M::info(), &message);
}
[[nodiscard]] inline Result<Frame> encodeResponse(std::int32_t correlation_id, std::int16_t version,
                                                  const AnyMessage& message) {
  return encodeResponse(correlation_id, version, message.info(), message.data());
}

}  // namespace millrace::protocol
