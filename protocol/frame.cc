#include "protocol/frame.h"

#include "base/assert.h"
#include "protocol/codec.h"
#include "protocol/measure.h"
#include "protocol/messages/request_header.h"
#include "protocol/messages/response_header.h"
#include "protocol/wire.h"

#include <fmt/format.h>

#include <limits>

namespace millrace::protocol {

/// Encodes a header and a body behind a size prefix into one buffer, and cuts it where records stay
/// outside.
class FrameBuilder {
 public:
  template <class Header>
  static Result<Frame> build(const Header& header, std::int16_t header_version,
                             const MessageInfo& info, const void* message, std::int16_t version) {
    MILLRACE_TRY(const std::size_t header_size, encodedSize(header, header_version));
    MILLRACE_TRY(const Measure body, measure(info, message, version));
    const std::size_t size = header_size + body.size;
    if (size > std::numeric_limits<std::int32_t>::max()) {
      return fail(Errc::kMessageTooLarge,
                  fmt::format("{} with {} bytes does not fit a frame", info.name, size));
    }
    Frame frame;
    frame.size_ = 4 + size;
    const std::size_t buffer_size = frame.size_ - body.outside;
    frame.buffer_ = std::make_unique_for_overwrite<char[]>(buffer_size);
    std::vector<WriterGap> gaps;
    Writer writer(frame.buffer_.get(), &gaps);
    writer.number(static_cast<std::int32_t>(size));
    Header::info().write(writer, &header, header_version);
    info.write(writer, message, version);
    MILLRACE_ASSERT(writer.written() == buffer_size, std::string(info.name));
    cut(frame, gaps, buffer_size);
    return frame;
  }

 private:
  static void cut(Frame& frame, const std::vector<WriterGap>& gaps, std::size_t written) {
    std::size_t done = 0;
    const auto add_until = [&](std::size_t end) {
      if (end > done)
        frame.segments_.push_back({{frame.buffer_.get() + done, end - done}, {}, nullptr});
      done = end;
    };
    for (const WriterGap& gap : gaps) {
      add_until(gap.position);
      for (const FileSlice& slice : gap.records->fileSlices()) {
        if (slice.size > 0) frame.segments_.push_back({{}, slice, nullptr});
      }
      if (!gap.records->inFile()) {
        frame.segments_.push_back({gap.records->bytes(), {}, gap.records->owner()});
      }
    }
    add_until(written);
  }
};

Result<Bytes> Frame::join() const {
  Bytes out;
  out.reserve(size_);
  for (const Segment& segment : segments_) {
    if (!segment.inFile()) {
      out.append(segment.bytes);
      continue;
    }
    Records records = Records::slices({segment.file});
    MILLRACE_CHECK_OK(records.load());
    out.append(records.bytes());
  }
  return out;
}

Result<RequestFrame> splitRequest(BytesView frame) {
  // Key and version stand first in every header version; they tell which one it is.
  if (frame.size() < 8)
    return fail(Errc::kMalformed, fmt::format("a request of {} bytes has no header", frame.size()));
  const ApiInfo* api = findApi(loadBe<std::int16_t>(frame.data()));
  const auto version = loadBe<std::int16_t>(frame.data() + 2);
  if (api == nullptr || api->request == nullptr) {
    return fail(Errc::kUnsupportedVersion,
                fmt::format("there is no api {}", loadBe<std::int16_t>(frame.data())));
  }
  RequestHeader header;
  Reader reader(frame);
  RequestHeader::info().read(reader, &header, api->requestHeaderVersion(version));
  if (!reader.ok()) {
    Error error = reader.error();
    error.detail = fmt::format("header of {} v{}: {}", api->name, version, error.detail);
    return std::unexpected(std::move(error));
  }
  RequestFrame out;
  out.head = {header.request_api_key, header.request_api_version, header.correlation_id,
              std::move(header.client_id)};
  out.api = api;
  out.body = frame.substr(frame.size() - reader.remaining());
  return out;
}

bool supports(const ApiInfo& api, int version, bool unstable) {
  return api.stable.contains(version) || (unstable && api.unstable >= 0 && version == api.unstable);
}

Result<AnyMessage> decodeRequestBody(const RequestFrame& request) {
  AnyMessage message(*request.api->request);
  MILLRACE_CHECK_OK(
      decodePrefixInto(message.info(), message.data(), request.body, request.head.api_version));
  return message;
}

Result<std::int32_t> peekCorrelationId(BytesView frame) {
  if (frame.size() < 4) return fail(Errc::kMalformed, "a response has no correlation id");
  return loadBe<std::int32_t>(frame.data());
}

Result<ResponseFrame> splitResponse(BytesView frame, const ApiInfo& api, std::int16_t version) {
  ResponseHeader header;
  Reader reader(frame);
  ResponseHeader::info().read(reader, &header, api.responseHeaderVersion(version));
  if (!reader.ok()) return std::unexpected(reader.error());
  return ResponseFrame{header.correlation_id, frame.substr(frame.size() - reader.remaining())};
}

Result<AnyMessage> decodeResponseBody(BytesView body, const ApiInfo& api, std::int16_t version) {
  if (api.response == nullptr)
    return fail(Errc::kUnsupportedVersion, fmt::format("{} was removed", api.name));
  AnyMessage message(*api.response);
  auto status = decodeInto(message.info(), message.data(), body, version);
  if (!status && api.key == ApiKey::kApiVersions && version > 0 && body.size() >= 2 &&
      fromWire(loadBe<std::int16_t>(body.data())) == Errc::kUnsupportedVersion) {
    message = AnyMessage(*api.response);
    status = decodeInto(message.info(), message.data(), body, 0);
  }
  if (!status) return std::unexpected(std::move(status).error());
  return message;
}

Result<Frame> encodeRequest(const RequestHead& head, const MessageInfo& info, const void* message) {
  MILLRACE_ASSERT(info.kind == MessageKind::kRequest, std::string(info.name));
  const ApiInfo* api = findApi(info.key);
  RequestHeader header;
  header.request_api_key = info.key;
  header.request_api_version = head.api_version;
  header.correlation_id = head.correlation_id;
  header.client_id = head.client_id;
  return FrameBuilder::build(header, api->requestHeaderVersion(head.api_version), info, message,
                             head.api_version);
}

Result<Frame> encodeResponse(std::int32_t correlation_id, std::int16_t version,
                             const MessageInfo& info, const void* message) {
  MILLRACE_ASSERT(info.kind == MessageKind::kResponse, std::string(info.name));
  ResponseHeader header;
  header.correlation_id = correlation_id;
  return FrameBuilder::build(header, findApi(info.key)->responseHeaderVersion(version), info,
                             message, version);
}

}  // namespace millrace::protocol
