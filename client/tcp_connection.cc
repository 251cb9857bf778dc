#include "client/tcp_connection.h"

#include "base/log.h"
#include "base/varint.h"
#include "protocol/messages/api_versions_request.h"
#include "protocol/messages/api_versions_response.h"

#include <boost/asio/append.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace millrace::client {
namespace {

namespace asio = boost::asio;
using protocol::ApiVersionsRequest;
using protocol::ApiVersionsResponse;

/// No broker answers with more than this; a larger size is another protocol's bytes.
constexpr std::size_t kMaxFrameBytes = 1U << 30;
constexpr std::size_t kSizeBytes = 4;
constexpr std::int16_t kNewestApiVersions = 4;

SteadyTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

TcpConnection::TcpConnection(ClientRuntime& runtime, NodeAddress address,
                             const CommonConfig& config, Closed on_closed)
    : runtime_(runtime),
      address_(std::move(address)),
      config_(config),
      on_closed_(std::move(on_closed)),
      resolver_(runtime.context().get_executor()),
      socket_(runtime.context().get_executor()),
      timer_(runtime.context().get_executor()),
      last_used_(now()) {}

std::string TcpConnection::name() const {
  return fmt::format("{}:{}", address_.host, address_.port);
}

void TcpConnection::start() {
  setup_deadline_ = now() + std::chrono::milliseconds(config_.connection_setup_timeout_ms);
  watchDeadlines();
  resolve();
}

void TcpConnection::resolve() {
  auto connected = [self = shared_from_this()](const ErrorCode& failed, const auto&) {
    if (self->closed()) return;
    if (!failed) return self->onConnected();
    self->close(Error{Errc::kNetworkException,
                      fmt::format("cannot connect to {}: {}", self->name(), failed.message())});
  };
  auto resolved = [self = shared_from_this(), connected = std::move(connected)](
                      const ErrorCode& error, const auto& results) mutable {
    if (self->closed()) return;
    if (error) {
      return self->close(
          Error{Errc::kNetworkException,
                fmt::format("cannot resolve {}: {}", self->address_.host, error.message())});
    }
    for (const auto& entry : results) self->endpoints_.push_back(entry.endpoint());
    asio::async_connect(self->socket_, self->endpoints_,
                        self->runtime_.guard(std::move(connected)));
  };
  resolver_.async_resolve(address_.host, std::to_string(address_.port),
                          runtime_.guard(std::move(resolved)));
}

void TcpConnection::onConnected() {
  ErrorCode failed;
  socket_.non_blocking(true, failed);  // write() may run on the thread of a caller
  if (failed) {
    return close(
        Error{Errc::kNetworkException, fmt::format("socket to {}: {}", name(), failed.message())});
  }
  ErrorCode ignored;  // options are a matter of speed only
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  if (config_.send_buffer_bytes > 0) {
    socket_.set_option(asio::socket_base::send_buffer_size(config_.send_buffer_bytes), ignored);
  }
  if (config_.receive_buffer_bytes > 0) {
    socket_.set_option(asio::socket_base::receive_buffer_size(config_.receive_buffer_bytes),
                       ignored);
  }
  state_ = State::kNegotiating;
  read();
  negotiate(kNewestApiVersions);
}

void TcpConnection::negotiate(std::int16_t version) {
  Waiting hello{{}, {}, setup_deadline_};
  hello.call.request = &ApiVersionsRequest::info();
  hello.call.response = &ApiVersionsResponse::info();
  hello.call.build = [](std::int16_t v) -> std::shared_ptr<void> {
    auto request = std::make_shared<ApiVersionsRequest>();
    if (v >= 3) {
      request->client_software_name = Text::borrow("millrace");
      request->client_software_version = Text::borrow("0.1.0");
    }
    return request;
  };
  hello.done = [this, version](Result<Reply> reply) { onVersions(std::move(reply), version); };
  sendVersion(std::move(hello), version);
}

void TcpConnection::onVersions(Result<Reply> reply, std::int16_t asked) {
  if (closed()) return;
  if (!reply) return close(reply.error());
  const auto& answer = *static_cast<const ApiVersionsResponse*>(reply->body.get());
  const Errc code = fromWire(answer.error_code);
  if (code == Errc::kUnsupportedVersion && asked > 0) return negotiate(0);  // KIP-511
  if (code != Errc::kNone) {
    return close(Error{Errc::kNetworkException,
                       fmt::format("{} refuses ApiVersions: {}", name(), errorName(code))});
  }
  for (const auto& api : answer.api_keys) {
    versions_[api.api_key] = VersionRange{api.min_version, api.max_version};
  }
  state_ = State::kReady;
  std::deque<Waiting> waiting = std::exchange(waiting_, {});
  for (Waiting& w : waiting) {
    if (closed()) {
      w.done(fail(Errc::kNetworkException, fmt::format("connection to {} is closed", name())));
    } else {
      send(std::move(w));
    }
  }
}

void TcpConnection::call(Call call, Done done) {
  Waiting waiting{std::move(call), std::move(done), {}};
  waiting.deadline = now() + std::chrono::milliseconds(waiting.call.timeout_ms);
  if (state_ == State::kReady) return send(std::move(waiting));
  if (closed()) {
    return failSoon(
        std::move(waiting.done),
        Error{Errc::kNetworkException, fmt::format("connection to {} is closed", name())});
  }
  waiting_.push_back(std::move(waiting));
  watchDeadlines();
}

Result<std::int16_t> TcpConnection::pickVersion(const Call& call) const {
  const auto it = versions_.find(call.request->key);
  if (it == versions_.end()) {
    return fail(Errc::kUnsupportedVersion,
                fmt::format("{} does not serve {}", name(), call.request->name));
  }
  const std::int16_t top = std::min(call.max_version, it->second.max);
  if (top < std::max(call.min_version, it->second.min)) {
    return fail(Errc::kUnsupportedVersion,
                fmt::format("{} serves {} {}-{}, needed is {}-{}: use a broker of another version",
                            name(), call.request->name, it->second.min, it->second.max,
                            call.min_version, call.max_version));
  }
  return top;
}

void TcpConnection::send(Waiting waiting) {
  const auto version = pickVersion(waiting.call);
  if (!version) return failSoon(std::move(waiting.done), version.error());
  sendVersion(std::move(waiting), *version);
}

void TcpConnection::sendVersion(Waiting waiting, std::int16_t version) {
  last_used_ = now();
  const std::shared_ptr<void> message = waiting.call.build(version);
  protocol::RequestHead head;
  head.api_key = waiting.call.request->key;
  head.api_version = version;
  head.correlation_id = next_correlation_;
  head.client_id = Text::borrow(config_.client_id);
  auto frame = protocol::encodeRequest(head, *waiting.call.request, message.get());
  if (!frame) return failSoon(std::move(waiting.done), frame.error());
  next_correlation_ = next_correlation_ == INT32_MAX ? 0 : next_correlation_ + 1;
  Outgoing out{std::move(*frame), {}};
  if (waiting.call.expects_reply) {
    in_flight_.push_back(InFlight{head.correlation_id, version, waiting.call.response,
                                  std::move(waiting.done), waiting.deadline});
  } else {
    out.sent = std::move(waiting.done);
  }
  outgoing_.push_back(std::move(out));
  watchDeadlines();
  write();
}

void TcpConnection::failSoon(Done done, Error error) {
  runtime_.post([done = std::move(done), error = std::move(error)]() mutable {
    done(std::unexpected(std::move(error)));
  });
}

/// Moves what may go together behind what is being written.
std::vector<asio::const_buffer> TcpConnection::takeOutgoing() {
  std::vector<asio::const_buffer> buffers;
  while (!outgoing_.empty() && buffers.size() < 256) {
    for (const protocol::Segment& segment : outgoing_.front().frame.segments()) {
      buffers.emplace_back(segment.bytes.data(), segment.bytes.size());
    }
    writing_.push_back(std::move(outgoing_.front()));
    outgoing_.pop_front();
  }
  return buffers;
}

/// What the socket takes leaves at once, on the thread that asks; the rest waits for it.
void TcpConnection::write() {
  while (writing_.empty() && !outgoing_.empty()) {
    std::vector<asio::const_buffer> buffers = takeOutgoing();
    ErrorCode error;
    std::size_t sent = socket_.write_some(buffers, error);
    auto first = buffers.begin();
    while (first != buffers.end() && sent >= first->size()) sent -= (first++)->size();
    const bool broken = error && error != asio::error::would_block;
    const bool whole = first == buffers.end();
    if (whole && std::ranges::none_of(writing_, [](const Outgoing& o) { return bool(o.sent); })) {
      writing_.clear();
      continue;
    }
    auto done = runtime_.guard(
        [self = shared_from_this()](const ErrorCode& e, std::size_t) { self->onWritten(e); });
    if (broken || whole) {
      asio::post(socket_.get_executor(), asio::append(std::move(done), error, sent));
      return;
    }
    buffers.erase(buffers.begin(), first);
    buffers.front() += sent;
    asio::async_write(socket_, buffers, std::move(done));
  }
}

void TcpConnection::onWritten(const ErrorCode& error) {
  if (closed()) return;
  if (error) {
    return close(Error{Errc::kNetworkException,
                       fmt::format("connection to {} broke: {}", name(), error.message())});
  }
  std::deque<Outgoing> written = std::exchange(writing_, {});
  write();
  for (Outgoing& out : written) {
    if (out.sent) out.sent(Reply{});
  }
}

void TcpConnection::read() {
  auto arrived = [self = shared_from_this()](const ErrorCode& error, std::size_t got) {
    if (self->closed()) return;
    if (error) return self->onReadError(error);
    self->inbox_size_ += got;
    self->takeFrames();
  };
  socket_.async_read_some(asio::buffer(inbox_.data() + inbox_size_, inbox_.size() - inbox_size_),
                          runtime_.guard(std::move(arrived)));
}

void TcpConnection::takeFrames() {
  std::size_t at = 0;
  while (inbox_size_ - at >= kSizeBytes) {
    const auto claimed = loadBe<std::int32_t>(inbox_.data() + at);
    if (claimed < 4 || static_cast<std::size_t>(claimed) > kMaxFrameBytes) {
      return close(
          Error{Errc::kNetworkException,
                fmt::format("{} sent a frame of {} bytes: is it a Kafka listener without TLS?",
                            name(), claimed)});
    }
    at += kSizeBytes;
    const auto size = static_cast<std::size_t>(claimed);
    const std::size_t have = std::min(size, inbox_size_ - at);
    auto bytes = std::make_shared_for_overwrite<char[]>(size);
    std::memcpy(bytes.get(), inbox_.data() + at, have);
    at += have;
    if (have < size) {
      inbox_size_ = 0;
      return readRest(std::move(bytes), have, size);
    }
    if (!onFrame(bytes, size)) return;
  }
  inbox_size_ -= at;
  std::memmove(inbox_.data(), inbox_.data() + at, inbox_size_);
  read();
}

void TcpConnection::readRest(std::shared_ptr<char[]> bytes, std::size_t have, std::size_t size) {
  char* const target = bytes.get() + have;
  auto arrived = [self = shared_from_this(), bytes = std::move(bytes), size](const ErrorCode& error,
                                                                             std::size_t) {
    if (self->closed()) return;
    if (error) return self->onReadError(error);
    if (self->onFrame(bytes, size)) self->read();
  };
  asio::async_read(socket_, asio::buffer(target, size - have), runtime_.guard(std::move(arrived)));
}

void TcpConnection::onReadError(const ErrorCode& error) {
  close(Error{Errc::kNetworkException,
              fmt::format("{} closed the connection: {}", name(), error.message())});
}

bool TcpConnection::onFrame(const std::shared_ptr<char[]>& bytes, std::size_t size) {
  last_used_ = now();
  const Status status = answer(bytes, size);
  if (!status) close(status.error());
  return !closed();
}

Status TcpConnection::answer(const std::shared_ptr<char[]>& bytes, std::size_t size) {
  const BytesView frame(bytes.get(), size);
  MILLRACE_TRY(const std::int32_t correlation_id, protocol::peekCorrelationId(frame));
  if (in_flight_.empty() || in_flight_.front().correlation_id != correlation_id) {
    return fail(
        Errc::kNetworkException,
        fmt::format("{} answered request {} which is not the next one", name(), correlation_id));
  }
  InFlight request = std::move(in_flight_.front());
  in_flight_.pop_front();
  const protocol::ApiInfo* api = protocol::findApi(request.response->key);
  const auto split = protocol::splitResponse(frame, *api, request.version);
  if (!split) {
    request.done(std::unexpected(split.error()));
    return {};
  }
  auto message = protocol::decodeResponseBody(split->body, *api, request.version);
  if (!message) {
    request.done(std::unexpected(message.error()));
    return {};
  }
  auto holder = std::make_shared<protocol::AnyMessage>(std::move(*message));
  void* const body = holder->data();
  request.done(Reply{request.version, std::shared_ptr<void>(std::move(holder), body), bytes});
  return {};
}

SteadyTime TcpConnection::nextDeadline() const {
  SteadyTime next = SteadyTime::max();
  if (state_ == State::kConnecting || state_ == State::kNegotiating) next = setup_deadline_;
  for (const InFlight& r : in_flight_) next = std::min(next, r.deadline);
  for (const Waiting& w : waiting_) next = std::min(next, w.deadline);
  if (next == SteadyTime::max() && config_.connections_max_idle_ms >= 0) {
    next = last_used_ + std::chrono::milliseconds(config_.connections_max_idle_ms);
  }
  return next;
}

void TcpConnection::watchDeadlines() {
  const SteadyTime next = nextDeadline();
  if (closed() || next >= alarm_at_) return;
  alarm_at_ = next;
  timer_.expires_at(next);
  auto rung = [self = shared_from_this()](const ErrorCode& error) {
    if (error || self->closed()) return;
    self->alarm_at_ = SteadyTime::max();
    self->onAlarm();
  };
  timer_.async_wait(runtime_.guard(std::move(rung)));
}

void TcpConnection::onAlarm() {
  const SteadyTime at = now();
  if (state_ != State::kReady && at >= setup_deadline_) {
    return close(
        Error{Errc::kNetworkException, fmt::format("{} did not answer within {} ms of connecting",
                                                   name(), config_.connection_setup_timeout_ms)});
  }
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (at < it->deadline) {
      ++it;
      continue;
    }
    Done done = std::move(it->done);
    it = waiting_.erase(it);
    done(fail(Errc::kRequestTimedOut, fmt::format("no connection to {} in time", name())));
  }
  for (InFlight& request : in_flight_) {
    if (at < request.deadline) continue;
    Done done = std::exchange(request.done, {});
    if (done) {
      done(fail(Errc::kRequestTimedOut, fmt::format("{} did not answer in time", name())));
    }
    return close(Error{Errc::kNetworkException,
                       fmt::format("connection to {} closed after a request timed out", name())});
  }
  const bool idle = in_flight_.empty() && waiting_.empty() &&
                    config_.connections_max_idle_ms >= 0 &&
                    at >= last_used_ + std::chrono::milliseconds(config_.connections_max_idle_ms);
  if (idle) return close(Error{Errc::kNetworkException, "idle connection closed"});
  watchDeadlines();
}

void TcpConnection::close(Error why) {
  if (closed()) return;
  const bool was_ready = state_ == State::kReady;
  state_ = State::kClosed;
  MILLRACE_LOG_DEBUG("{}", why.toString());
  const auto self = shared_from_this();
  ErrorCode ignored;  // it is gone either way
  resolver_.cancel();
  timer_.cancel();
  socket_.close(ignored);
  on_closed_(*this, was_ready);
  for (InFlight& request : std::exchange(in_flight_, {})) {
    if (request.done) request.done(std::unexpected(why));
  }
  for (Waiting& waiting : std::exchange(waiting_, {})) waiting.done(std::unexpected(why));
  for (std::deque<Outgoing>* queue : {&writing_, &outgoing_}) {
    for (Outgoing& out : *queue) {
      if (out.sent) out.sent(std::unexpected(why));
    }
  }
  // Buffers of a cancelled write are still referred to until its handler has run.
  runtime_.post([self] {
    self->writing_.clear();
    self->outgoing_.clear();
  });
}

}  // namespace millrace::client
