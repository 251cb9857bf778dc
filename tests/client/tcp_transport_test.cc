#include "client/tcp_transport.h"

#include "base/varint.h"
#include "client/requests.h"
#include "protocol/frame.h"
#include "protocol/messages/api_versions_response.h"
#include "protocol/messages/find_coordinator_request.h"
#include "protocol/messages/find_coordinator_response.h"
#include "protocol/messages/metadata_request.h"
#include "protocol/messages/metadata_response.h"
#include "tests/support/eventually.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>
#include <utility>
#include <vector>

namespace millrace::client {
namespace {

using protocol::ApiKey;
using testing::eventually;

/// A broker by hand, for one connection at a time: refuses connections until listen(), answers
/// ApiVersions and nothing else.
class BareServer {
 public:
  BareServer() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const timeval limit{.tv_sec = 30,
                        .tv_usec = 0};  // of a failing test; accepted sockets have it too
    EXPECT_EQ(::setsockopt(listener_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)), 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_, generic, size), 0);
    EXPECT_EQ(::getsockname(listener_, generic, &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~BareServer() {
    if (connection_ >= 0) ::close(connection_);
    if (earlier_ >= 0) ::close(earlier_);
    ::close(listener_);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  void listen() { EXPECT_EQ(::listen(listener_, 1), 0); }
  /// Keeps the connection open and goes on with the next one.
  void turnToNext() { earlier_ = std::exchange(connection_, -1); }
  /// The next requests' keys, in the order in which they came. Waits for them.
  std::vector<ApiKey> take(std::size_t count) {
    if (connection_ < 0) connection_ = ::accept(listener_, nullptr, nullptr);
    EXPECT_GE(connection_, 0);
    std::vector<ApiKey> keys;
    while (keys.size() < count && connection_ >= 0) {
      const Bytes frame = read(loadBe<std::uint32_t>(read(4).data()));
      const auto request = protocol::splitRequest(frame);
      if (!request) break;
      keys.push_back(request->api->key);
      if (keys.back() == ApiKey::kApiVersions) answer(*request);
    }
    return keys;
  }

 private:
  Bytes read(std::size_t size) const {
    Bytes bytes(size, '\0');
    EXPECT_EQ(::recv(connection_, bytes.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
    return bytes;
  }
  void answer(const protocol::RequestFrame& request) const {
    protocol::ApiVersionsResponse response;
    for (const ApiKey key : {ApiKey::kApiVersions, ApiKey::kMetadata, ApiKey::kFindCoordinator}) {
      protocol::ApiVersionsResponse::ApiVersion range;
      range.api_key = static_cast<std::int16_t>(key);
      range.max_version = 4;
      response.api_keys.push_back(std::move(range));
    }
    const auto frame =
        protocol::encodeResponse(request.head.correlation_id, request.head.api_version, response);
    ASSERT_TRUE(frame.has_value());
    const auto bytes = frame->join();
    ASSERT_TRUE(bytes.has_value());
    EXPECT_EQ(::send(connection_, bytes->data(), bytes->size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes->size()));
  }

  int listener_;
  int connection_ = -1;
  int earlier_ = -1;
  std::uint16_t port_ = 0;
};

constexpr NodeId kBootstrap = -2;

template <class Request>
Call emptyCall() {
  return makeCall<Request, typename Request::Response>({4, 4}, 30'000,
                                                       [](Request&, std::int16_t) {});
}

/// The thread that connects is late: the back-off is over, but what waited for its end has not been
/// looked at yet when the next call comes.
TEST(TcpTransport, NoCallOvertakesOneThatWaitsForTheBackoff) {
  BareServer server;
  CommonConfig config;
  config.bootstrap = {{"127.0.0.1", server.port()}};
  ClientRuntime runtime;
  TcpTransport transport(runtime, config);
  std::promise<void> refused;
  transport.call(kBootstrap, emptyCall<protocol::MetadataRequest>(), [&](Result<Reply> reply) {
    EXPECT_FALSE(reply.has_value());
    refused.set_value();
  });
  refused.get_future().wait();
  transport.call(kBootstrap, emptyCall<protocol::FindCoordinatorRequest>(), [](auto) {});
  std::promise<void> go;
  runtime.post([wait = go.get_future()] { wait.wait(); });
  const auto over = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  transport.call(kBootstrap, emptyCall<protocol::MetadataRequest>(), [](auto) {});
  server.listen();
  EXPECT_TRUE(eventually([&] { return std::chrono::steady_clock::now() > over; }));
  go.set_value();
  EXPECT_EQ(server.take(3), (std::vector<ApiKey>{ApiKey::kApiVersions, ApiKey::kFindCoordinator,
                                                 ApiKey::kMetadata}));
  transport.close();
  runtime.stop();
}

/// A fetch may wait at the broker, which answers in order: the group's requests go beside it.
TEST(TcpTransport, TheCoordinatorHasAConnectionOfItsOwn) {
  constexpr NodeId kBroker = 1;
  BareServer server;
  server.listen();
  CommonConfig config;
  ClientRuntime runtime;
  TcpTransport transport(runtime, config);
  transport.setNodes({{.id = kBroker, .host = "127.0.0.1", .port = server.port()}});
  transport.call(kBroker, emptyCall<protocol::MetadataRequest>(), [](auto) {});
  EXPECT_EQ(server.take(2), (std::vector<ApiKey>{ApiKey::kApiVersions, ApiKey::kMetadata}));
  server.turnToNext();
  Call call = emptyCall<protocol::FindCoordinatorRequest>();
  call.to_coordinator = true;
  transport.call(kBroker, std::move(call), [](auto) {});
  EXPECT_EQ(server.take(2), (std::vector<ApiKey>{ApiKey::kApiVersions, ApiKey::kFindCoordinator}));
  transport.close();
  runtime.stop();
}

/// Calls come at any moment of many back-offs, also where one ends and the next begins.
TEST(TcpTransport, EveryCallIsAnsweredWhileNobodyListens) {
  BareServer server;
  CommonConfig config;
  config.bootstrap = {{"127.0.0.1", server.port()}};
  config.reconnect_backoff_ms = config.reconnect_backoff_max_ms = 2;
  ClientRuntime runtime;
  TcpTransport transport(runtime, config);
  constexpr int kCalls = 5'000;
  std::atomic<int> answered = 0;
  for (int i = 0; i < kCalls; ++i) {
    transport.call(kBootstrap, emptyCall<protocol::MetadataRequest>(), [&](Result<Reply> reply) {
      EXPECT_FALSE(reply.has_value());
      ++answered;
    });
    const auto next = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
    while (std::chrono::steady_clock::now() < next) std::this_thread::yield();
  }
  EXPECT_TRUE(eventually([&] { return answered == kCalls; })) << answered << " were answered";
  transport.close();
  runtime.stop();
}

}  // namespace
}  // namespace millrace::client
