#include "tests/broker/support/wire_client.h"

#include "base/varint.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace millrace::broker::testing {

WireClient::WireClient(std::uint16_t port) {
  socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr generic{};
  static_assert(sizeof generic == sizeof address);
  std::memcpy(&generic, &address, sizeof address);
  if (::connect(socket_, &generic, sizeof generic) != 0)
    throwError(fmt::format("connect: {}", std::strerror(errno)));
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

WireClient::~WireClient() { ::close(socket_); }

void WireClient::throwError(const std::string& what) { throw std::runtime_error(what); }

void WireClient::send(BytesView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;  // the broker closed: the test sees it when it reads
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
}

void WireClient::shutdownSend() { ::shutdown(socket_, SHUT_WR); }

bool WireClient::readExactly(char* out, std::size_t size, int timeout_ms) {
  while (size > 0) {
    pollfd entry{socket_, POLLIN, 0};
    if (::poll(&entry, 1, timeout_ms) <= 0) return false;
    const ssize_t n = ::recv(socket_, out, size, 0);
    if (n <= 0) {
      closed_ = true;
      return false;
    }
    out += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

std::optional<Bytes> WireClient::receive(int timeout_ms) {
  char size[4];
  if (!readExactly(size, sizeof size, timeout_ms)) return std::nullopt;
  Bytes frame(static_cast<std::size_t>(loadBe<std::int32_t>(size)), '\0');
  if (!readExactly(frame.data(), frame.size(), timeout_ms)) return std::nullopt;
  return frame;
}

bool WireClient::waitForClose(int timeout_ms) {
  char byte;
  return !readExactly(&byte, 1, timeout_ms) && closed_;
}

Bytes WireClient::encode(const protocol::MessageInfo& info, const void* message,
                         std::int16_t version, std::int32_t correlation_id,
                         std::string_view client_id) {
  protocol::RequestHead head;
  head.api_key = info.key;
  head.api_version = version;
  head.correlation_id = correlation_id;
  head.client_id = Text(client_id);
  const auto frame = protocol::encodeRequest(head, info, message);
  if (!frame) throwError(frame.error().toString());
  auto bytes = frame->join();
  if (!bytes) throwError(bytes.error().toString());
  return std::move(*bytes);
}

void WireClient::expectFrame(protocol::ApiKey api, std::int32_t correlation_id,
                             std::int16_t version) {
  auto frame = receive();
  if (!frame) throwError(closed_ ? "the broker closed the connection" : "no answer in time");
  const auto split = protocol::splitResponse(*frame, protocol::apiInfo(api), version);
  if (!split) throwError(split.error().toString());
  if (split->correlation_id != correlation_id) {
    throwError(
        fmt::format("answer to {} where {} was expected", split->correlation_id, correlation_id));
  }
  const auto at = static_cast<std::size_t>(split->body.data() - frame->data());
  const std::size_t size = split->body.size();
  last_ = std::move(*frame);
  body_ = BytesView(last_).substr(at, size);
}

}  // namespace millrace::broker::testing
