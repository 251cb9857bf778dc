#include "produce_probe.h"

#include "base/varint.h"
#include "broker/broker.h"
#include "protocol/frame.h"
#include "protocol/messages/create_topics_request.h"
#include "protocol/messages/create_topics_response.h"
#include "protocol/messages/produce_request.h"
#include "protocol/messages/produce_response.h"
#include "tests/support/temp_dir.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace millrace::wire_check {

namespace {

using namespace protocol;

std::unexpected<Error> systemError(const char* what) {
  return fail(Errc::kIo, fmt::format("{}: {}", what, std::strerror(errno)));
}

/// A blocking connection: one request, one answer.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(std::uint16_t port) {
    std::unique_ptr<Connection> out(new Connection(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const auto* any = static_cast<const sockaddr*>(static_cast<const void*>(&address));
    if (out->fd_ < 0 || connect(out->fd_, any, sizeof address) != 0) return systemError("connect");
    const timeval limit{.tv_sec = 30, .tv_usec = 0};
    setsockopt(out->fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return out;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(fd_); }

  /// The decoded answer; it borrows from this connection until the next call.
  template <class Request>
  Result<AnyMessage> ask(const Request& request, std::int16_t version) {
    MILLRACE_TRY(const Frame frame, encodeRequest({.api_version = version,
                                                   .correlation_id = ++correlation_id_,
                                                   .client_id = Text("conformance")},
                                                  request));
    MILLRACE_TRY(const Bytes bytes, frame.join());
    if (send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(bytes.size()))
      return systemError("send");
    MILLRACE_CHECK_OK(read(4));
    const auto size = loadBe<std::int32_t>(answer_.data());
    if (size < 4 || size > (1 << 24))
      return fail(Errc::kMalformed, fmt::format("an answer of {} bytes", size));
    MILLRACE_CHECK_OK(read(static_cast<std::size_t>(size)));
    const ApiInfo& api = apiInfo(Request::kApiKey);
    MILLRACE_TRY(const ResponseFrame split, splitResponse(answer_, api, version));
    if (split.correlation_id != correlation_id_)
      return fail(Errc::kMalformed, "an answer to another request");
    return decodeResponseBody(split.body, api, version);
  }

 private:
  explicit Connection(int fd) : fd_(fd) {}
  Status read(std::size_t size) {
    answer_.resize(size);
    for (std::size_t done = 0; done < size;) {
      const ssize_t n = recv(fd_, answer_.data() + done, size - done, 0);
      if (n == 0) return fail(Errc::kClosed, "the broker closed the connection");
      if (n < 0) return systemError("recv");
      done += static_cast<std::size_t>(n);
    }
    return {};
  }

  int fd_;
  std::int32_t correlation_id_ = 0;
  Bytes answer_;
};

/// A broker in a directory that goes with it.
class Probe {
 public:
  static Result<std::unique_ptr<Probe>> start() {
    auto directory = std::make_unique<TempDir>();
    BrokerOptions options{.directory = directory->path(), .properties = {}};
    options.properties["listeners"] = "PLAINTEXT://127.0.0.1:0";
    MILLRACE_TRY(Broker broker, Broker::tryOpen(std::move(options)));
    return std::unique_ptr<Probe>(new Probe(std::move(broker), std::move(directory)));
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  ~Probe() { broker_.stop(); }

  /// Each batch gets a topic of its own, so that no producer's sequence depends on the batch
  /// before.
  Result<Errc> produce(BytesView records) {
    const std::string topic = fmt::format("plain-{}", ++topics_);
    MILLRACE_TRY(const auto connection, Connection::open(broker_.port()));
    MILLRACE_CHECK_OK(createTopic(*connection, topic));
    ProduceRequest request{.acks = -1, .timeout_ms = 30'000};
    request.topic_data.push_back(
        {.name = topic, .partition_data = {{.index = 0, .records = Records::borrow(records)}}});
    MILLRACE_TRY(const AnyMessage answer, connection->ask(request, 9));
    const auto& responses = answer.as<ProduceResponse>().responses;
    if (responses.size() != 1 || responses[0].partition_responses.size() != 1) {
      return fail(Errc::kMalformed, "the answer does not speak of the one partition");
    }
    return fromWire(responses[0].partition_responses[0].error_code);
  }

 private:
  Probe(Broker broker, std::unique_ptr<TempDir> directory)
      : directory_(std::move(directory)), broker_(std::move(broker)) {}

  static Status createTopic(Connection& connection, const std::string& topic) {
    CreateTopicsRequest request{.timeout_ms = 30'000};
    request.topics.push_back({.name = topic, .num_partitions = 1, .replication_factor = 1});
    MILLRACE_TRY(const AnyMessage answer, connection.ask(request, 7));
    const auto& topics = answer.as<CreateTopicsResponse>().topics;
    if (topics.size() == 1 && topics[0].error_code == 0) return {};
    return fail(topics.empty() ? Errc::kMalformed : fromWire(topics[0].error_code),
                "creating " + topic);
  }

  std::unique_ptr<TempDir> directory_;
  Broker broker_;
  int topics_ = 0;
};

std::unique_ptr<Probe>& probe() {
  static std::unique_ptr<Probe> the_probe;
  return the_probe;
}

}  // namespace

Result<Errc> produceError(std::string_view records) {
  if (!probe()) {
    MILLRACE_TRY(probe(), Probe::start());
  }
  return probe()->produce(records);
}

void stopProduceProbe() { probe().reset(); }

}  // namespace millrace::wire_check
