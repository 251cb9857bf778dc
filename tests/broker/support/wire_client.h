// A client that speaks frames and nothing else: what tests need to be rude with.
#pragma once

#include "base/bytes.h"
#include "protocol/codec.h"
#include "protocol/frame.h"

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::broker::testing {

/// Blocking. Throws std::runtime_error where a test cannot go on.
class WireClient {
 public:
  explicit WireClient(std::uint16_t port);
  ~WireClient();
  WireClient(const WireClient&) = delete;
  WireClient& operator=(const WireClient&) = delete;

  /// Sends bytes as they are.
  void send(BytesView bytes);
  /// The next frame without its size; nothing when the broker closed the connection or `timeout_ms`
  /// passed (see closed()).
  [[nodiscard]] std::optional<Bytes> receive(int timeout_ms = 20'000);
  [[nodiscard]] bool closed() const { return closed_; }
  /// Waits for the broker to close; false when it sent something or did not close in time.
  [[nodiscard]] bool waitForClose(int timeout_ms = 10'000);
  /// No more bytes from here.
  void shutdownSend();

  /// A whole request frame.
  [[nodiscard]] static Bytes encode(const protocol::MessageInfo& info, const void* message,
                                    std::int16_t version, std::int32_t correlation_id,
                                    std::string_view client_id = "test");
  template <class Request>
  void sendRequest(const Request& request, std::int16_t version, std::int32_t correlation_id = 1) {
    send(encode(Request::info(), &request, version, correlation_id));
  }
  /// Sends and waits for the answer, which borrows from this client until the next call.
  template <class Request>
  typename Request::Response call(const Request& request, std::int16_t version) {
    const std::int32_t id = next_id_++;
    sendRequest(request, version, id);
    return receiveAnswer<typename Request::Response>(version, id);
  }
  template <class Response>
  Response receiveAnswer(std::int16_t version, std::int32_t correlation_id) {
    expectFrame(Response::kApiKey, correlation_id, version);
    auto decoded = protocol::decode<Response>(body_, version);
    if (!decoded) throwError(decoded.error().toString());
    return std::move(*decoded);
  }

 private:
  void expectFrame(protocol::ApiKey api, std::int32_t correlation_id, std::int16_t version);
  [[nodiscard]] bool readExactly(char* out, std::size_t size, int timeout_ms);
  [[noreturn]] static void throwError(const std::string& what);

  int socket_ = -1;
  bool closed_ = false;
  std::int32_t next_id_ = 100;
  Bytes last_;
  BytesView body_;
};

}  // namespace millrace::broker::testing
