#include "broker/net/connection.h"

#include "base/log.h"
#include "broker/handler_table.h"
#include "broker/net/connection_host.h"
#include "protocol/messages/api_versions_response.h"

#include <boost/asio/buffer.hpp>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace millrace::broker {

Connection::Connection(ConnectionHost& host, TcpSocket socket, ConnectionClient client,
                       BytesView begun)
    : host_(host),
      socket_(std::move(socket)),
      client_(std::move(client)),
      reader_(host.chunks(), host.limits().max_request_bytes),
      last_active_ms_(host.clock().monotonicMs()) {
  while (!begun.empty()) {
    const auto space = reader_.space();
    reader_.filled(begun.copy(space.data(), space.size()));
    begun.remove_prefix(std::min(begun.size(), space.size()));
  }
  host_.add(this);
}

Connection::~Connection() {
  close();
  host_.remove(this);
}

void Connection::close() {
  if (!open_) return;
  open_ = false;
  ErrorCode ignored;
  socket_.close(ignored);
  client_.session.closed = true;
  permit_.release();
  while (!client_.session.on_close.empty()) {
    const auto call = std::move(client_.session.on_close.front());
    client_.session.on_close.pop_front();
    call();
  }
  room_.close();
}

Task<> Connection::run() {
  const auto self = shared_from_this();
  while (open_ && !refusing_) {
    const bool has_room = mayStartAnother() && admitNext();
    if (!has_room) {
      co_await room_.park(std::chrono::hours(1));
    } else if (!reader_.hasWhole()) {  // else: frames that there was no room for
      const ReadOutcome outcome = readAvailable();
      if (outcome == ReadOutcome::kEnded) break;
      if (outcome == ReadOutcome::kWait) {
        const auto space = reader_.space();
        const auto buffer = boost::asio::buffer(space.data(), space.size());
        const auto result = co_await socket_.async_read_some(buffer, kUseTask);
        if (std::get<0>(result)) break;
        reader_.filled(std::get<1>(result));
        host_.metrics().bytes_in.add(std::get<1>(result));
      }
    }
    if (!open_) break;
    ConnectionHost* const better = isBetweenRequests() ? host_.betterFor(affinity_) : nullptr;
    if (better != nullptr) co_return moveTo(*better);
    last_active_ms_ = host_.clock().monotonicMs();
    corked_ = true;
    consume();
    corked_ = false;
    flush();
  }
  // The client has ended, or sends nonsense: what it is owed still leaves, unless the socket is
  // broken.
  if (!refusing_ || (replies_.waiting() == 0 && writer_.empty())) close();
}

bool Connection::isBetweenRequests() const {
  return replies_.waiting() == 0 && writer_.empty() && !blocked_ && !refusing_ &&
         reader_.begun().size() <= ShardAffinity::kSmallBytes;
}

/// What arrives meanwhile waits in the socket.
void Connection::moveTo(ConnectionHost& host) {
  ErrorCode error;
  const auto local = socket_.local_endpoint(error);
  if (error) return close();
  auto socket = std::make_shared<TcpSocket>(host.shard().executor());
  const int descriptor = socket_.release(error);
  if (!error) {
    socket->assign(local.protocol(), descriptor, error);
    if (error) ::close(descriptor);
  }
  if (!error) socket->non_blocking(true, error);
  if (error) {
    complain("moving between shards", error.message());
    return close();
  }
  host_.metrics().moves.add();
  permit_.release();
  open_ = false;
  auto client = std::make_shared<ConnectionClient>(std::move(client_));
  host.shard().post([&host, socket, client, begun = Bytes(reader_.begun())] {
    const auto moved =
        std::make_shared<Connection>(host, std::move(*socket), std::move(*client), begun);
    spawn(host.gate(), host.shard(), "connection", moved->run());
  });
}

/// A large buffer is not held while there is nothing to read: it tries first, and rests on a small
/// one.
Connection::ReadOutcome Connection::readAvailable() {
  if (!reader_.holdsLarge()) return ReadOutcome::kWait;
  const auto space = reader_.space();
  const ssize_t n = ::recv(socket_.native_handle(), space.data(), space.size(), MSG_DONTWAIT);
  if (n > 0) {
    reader_.filled(static_cast<std::size_t>(n));
    host_.metrics().bytes_in.add(static_cast<std::uint64_t>(n));
    return ReadOutcome::kData;
  }
  if (n == 0) return ReadOutcome::kEnded;
  if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) return ReadOutcome::kEnded;
  reader_.rest();
  return ReadOutcome::kWait;
}

bool Connection::mayStartAnother() const {
  const ConnectionLimits& limits = host_.limits();
  return replies_.waiting() < limits.max_pipelined &&
         replies_.bytes() + writer_.bytes() < limits.max_owed_bytes;
}

bool Connection::admitNext() {
  bool admitted = tryAdmitNext();
  if (!admitted) {
    host_.awaitRoom(this);
    admitted = tryAdmitNext();
  }
  starved_ = !admitted;
  return admitted;
}

/// As in Kafka, a request's bytes count from the moment its size is known, itself when it is whole.
bool Connection::tryAdmitNext() {
  const std::size_t size = reader_.claimed();
  if (size == 0) return true;
  if (!permit_.takeBytes(host_.budget(), static_cast<std::int64_t>(size))) return false;
  return !reader_.hasWhole() || permit_.takePlace(host_.budget());
}

void Connection::consume() {
  while (open_ && !refusing_ && mayStartAnother() && admitNext()) {
    auto frame = reader_.next();
    if (!frame) {
      refuse("frame size", frame.error().detail);
      return;
    }
    if (!*frame) return;
    dispatch(std::move(**frame));
  }
}

void Connection::dispatch(Frame frame) {
  RequestPermit permit = std::move(permit_);
  host_.metrics().requests.add();
  const auto request = protocol::splitRequest(frame.bytes);
  if (!request) {
    refuse("request header", request.error().toString());
    return;
  }
  if (request->head.client_id && request->head.client_id->view() != client_id_) {
    client_id_ = request->head.client_id->str();
  }
  const auto& api = *request->api;
  const std::int16_t version = request->head.api_version;
  ErasedHandler* handler = host_.handlers().find(api.key);
  if (handler != nullptr && protocol::supports(api, version)) {
    start(*request, *handler, std::move(frame.chunk), std::move(permit));
  } else if (api.key == protocol::ApiKey::kApiVersions) {
    answerUnsupportedApiVersions(request->head.correlation_id);
  } else {
    refuse(api.name, handler == nullptr
                         ? fmt::format("{} is not served here", api.name)
                         : fmt::format("{} version {} is not supported", api.name, version));
  }
}

/// KIP-511: a client that knows newer versions learns ours from an answer in version 0.
void Connection::answerUnsupportedApiVersions(std::int32_t correlation_id) {
  const auto& api = protocol::apiInfo(protocol::ApiKey::kApiVersions);
  protocol::ApiVersionsResponse response;
  response.error_code = static_cast<std::int16_t>(Errc::kUnsupportedVersion);
  protocol::ApiVersionsResponse::ApiVersion range;
  range.api_key = static_cast<std::int16_t>(api.key);
  range.min_version = api.on_broker.min;
  range.max_version = api.on_broker.max;
  response.api_keys.push_back(std::move(range));
  const auto place = replies_.open();
  auto frame = protocol::encodeResponse(correlation_id, 0, response);
  if (!frame) {
    replyClose(place, "ApiVersions", frame.error().toString());
    return;
  }
  reply(place, std::move(*frame));
}

void Connection::start(const protocol::RequestFrame& request, ErasedHandler& handler,
                       ChunkPtr chunk, RequestPermit permit) {
  const auto place = replies_.open();
  const bool started = spawn(
      host_.gate(), host_.shard(), "request",
      serve(shared_from_this(), place, std::move(chunk), std::move(permit), request, &handler));
  if (!started) close();  // the broker is stopping
}

Task<> Connection::serve(std::shared_ptr<Connection> self, ReplyQueue::Place place,
                         [[maybe_unused]] ChunkPtr chunk,  // keeps the request's bytes
                         RequestPermit permit, protocol::RequestFrame request,
                         ErasedHandler* handler) {
  auto decoded = protocol::decodeRequestBody(request);
  if (!decoded) {
    const std::string cause = fmt::format("{} version {}: {}", request.api->name,
                                          request.head.api_version, decoded.error().toString());
    self->replyClose(place, request.api->name, cause);
    co_return;
  }
  ReplyControl control;
  RequestContext context;
  context.shard = &self->host_.shard();
  context.api = request.api->key;
  context.version = request.head.api_version;
  context.client_id = request.head.client_id ? request.head.client_id->view() : std::string_view{};
  context.session = &self->client_.session;
  context.reply = &control;
  context.permit = &permit;
  context.received_ms = self->last_active_ms_;
  protocol::AnyMessage answer = co_await handler->call(context, decoded->data());
  if (control.close) {
    self->replyClose(place, request.api->name, control.close_reason);
  } else if (control.suppressed) {
    self->affinity_.note(control.shard, request.body.size());
    self->reply(place, std::nullopt);
  } else {
    auto frame =
        protocol::encodeResponse(request.head.correlation_id, request.head.api_version, answer);
    if (!frame) {
      MILLRACE_LOG_ERROR("cannot encode the answer to {} version {}: {}", request.api->name,
                         request.head.api_version, frame.error().toString());
      self->replyClose(place, request.api->name, frame.error().toString());
      co_return;
    }
    self->affinity_.note(control.shard, request.body.size() + frame->size());
    self->reply(place, std::move(*frame));
  }
}

/// Once per address and kind: the client id is in the text only, since nonsense has a new one each
/// time.
void Connection::complain(std::string_view kind, std::string_view cause) {
  host_.complaints().log(
      fmt::format("client at {}", client_.session.client_host), kind,
      fmt::format("connection of {} from {} closed: {}",
                  client_id_.empty() ? "an unnamed client" : client_id_, client_.address, cause));
}

void Connection::refuse(std::string_view kind, std::string_view cause) {
  complain(kind, cause);
  refusing_ = true;
  replies_.fillWithClose(replies_.open());
  flush();
}

void Connection::replyClose(ReplyQueue::Place place, std::string_view kind,
                            std::string_view cause) {
  if (!open_) return;
  complain(kind, cause);
  refusing_ = true;
  replies_.fillWithClose(place);
  flush();
}

void Connection::reply(ReplyQueue::Place place, std::optional<protocol::Frame> frame) {
  if (!open_) return;
  replies_.fill(place, std::move(frame));
  if (replies_.waiting() == 1) {
    flush();
  } else {
    flushSoon();
  }
}

/// What lets one request of a connection go on often lets others go on: one write for them all.
void Connection::flushSoon() {
  if (corked_ || flush_posted_) return;
  flush_posted_ = true;
  host_.shard().post([self = shared_from_this()] {
    self->flush_posted_ = false;
    self->flush();
  });
}

void Connection::flush() {
  if (corked_ || blocked_ || !open_) return;
  const bool was_full = !mayStartAnother();
  while (auto frame = replies_.next()) writer_.push(std::move(*frame));
  if (!write()) return;
  if (was_full && mayStartAnother()) room_.wakeAll();
  if (blocked_) return;
  if (replies_.mustClose() || (refusing_ && replies_.waiting() == 0)) close();
}

bool Connection::write() {
  if (writer_.empty()) return true;
  const std::uint64_t before = writer_.written();
  const auto progress = writer_.writeTo(socket_.native_handle());
  if (!progress) {
    if (progress.error().code != Errc::kClosed) complain("write", progress.error().toString());
    if (!writer_.unreadable().empty()) host_.fileFailed(writer_.unreadable(), progress.error());
    close();
    return false;
  }
  if (writer_.written() != before) last_active_ms_ = host_.clock().monotonicMs();
  if (*progress != FrameWriter::Progress::kDrained) waitWritable();
  return true;
}

void Connection::waitWritable() {
  blocked_ = true;
  socket_.async_wait(TcpSocket::wait_write, [self = shared_from_this()](ErrorCode error) {
    self->blocked_ = false;
    if (error) {
      self->close();
    } else {
      self->flush();
    }
  });
}

}  // namespace millrace::broker
