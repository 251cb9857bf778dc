#include "broker/net/listeners.h"

#include "base/log.h"
#include "broker/net/connection.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <fmt/format.h>

#include <chrono>

namespace millrace::broker {

namespace {

namespace ip = boost::asio::ip;
using Endpoint = ip::tcp::endpoint;

/// A literal address, "localhost", or whatever the resolver says. Empty: every interface, IPv6
/// included where the machine has it.
Result<std::vector<Endpoint>> resolve(IoContext& context, const ListenerSpec& spec) {
  if (spec.host.empty())
    return std::vector{Endpoint(ip::tcp::v6(), spec.port), Endpoint(ip::tcp::v4(), spec.port)};
  ErrorCode error;
  const auto literal = ip::make_address(spec.host, error);
  if (!error) return std::vector{Endpoint(literal, spec.port)};
  ip::tcp::resolver resolver(context);
  const auto found = resolver.resolve(spec.host, std::to_string(spec.port), error);
  if (error || found.empty()) {
    return fail(Errc::kConfig,
                fmt::format("listeners: host {} is not known: {}", spec.host, error.message()));
  }
  std::vector<Endpoint> endpoints;
  for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  return endpoints;
}

ErrorCode open(TcpAcceptor& acceptor, const Endpoint& endpoint, int backlog) {
  ErrorCode error;
  acceptor.open(endpoint.protocol(), error);
  if (error) return error;
  acceptor.set_option(TcpAcceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6() && endpoint.address().is_unspecified()) {
    acceptor.set_option(ip::v6_only(false), error);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(backlog, error);
  if (error) {
    ErrorCode ignored;
    acceptor.close(ignored);
  }
  return error;
}

/// "/127.0.0.1" for IPv4, also where it came through an IPv6 socket.
std::string hostOf(const ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

}  // namespace

Listeners::Listeners(ShardPool& shards, std::vector<std::unique_ptr<ConnectionHost>>& hosts,
                     const Config& config, Complaints& complaints)
    : shards_(shards),
      hosts_(hosts),
      complaints_(complaints),
      counts_(std::make_shared<ConnectionCounts>(config.getInt("max.connections"),
                                                 config.getInt("max.connections.per.ip"),
                                                 ConnectionCounts::descriptorsForConnections())),
      backlog_(config.isSet("socket.listen.backlog.size")
                   ? config.getInt("socket.listen.backlog.size")
                   : TcpAcceptor::max_listen_connections) {
  // What stands in the configuration counts. Kafka's default of 50 for the backlog lets clients
  // that come back all at once wait for a second or more: the kernel drops whom it has no room for.
  // Its default of 100 KiB for the buffers halves the throughput of a fast link; the kernel tunes
  // the sizes better by itself.
  if (config.isSet("socket.send.buffer.bytes"))
    send_buffer_ = config.getInt("socket.send.buffer.bytes");
  if (config.isSet("socket.receive.buffer.bytes"))
    receive_buffer_ = config.getInt("socket.receive.buffer.bytes");
}

Listeners::~Listeners() { stop(); }

Status Listeners::bind(const ListenerSpec& spec, bool next_free_port) {
  IoContext& context = shards_.at(0).context();
  MILLRACE_TRY(auto endpoints, resolve(context, spec));
  ErrorCode error;
  for (Endpoint endpoint : endpoints) {
    auto door = std::make_unique<Door>(Door{TcpAcceptor(context.get_executor()), spec.name});
    error = open(door->acceptor, endpoint, backlog_);
    while (error == boost::asio::error::address_in_use && next_free_port &&
           endpoint.port() < 65535) {
      endpoint.port(static_cast<std::uint16_t>(endpoint.port() + 1));
      error = open(door->acceptor, endpoint, backlog_);
    }
    if (error) continue;
    ports_.push_back(door->acceptor.local_endpoint(error).port());
    doors_.push_back(std::move(door));
    return {};
  }
  return fail(Errc::kConfig, fmt::format("cannot listen on {}://{}:{}: {}", spec.name, spec.host,
                                         spec.port, error.message()));
}

void Listeners::start() {
  for (const auto& door : doors_) spawn(gate_, shards_.at(0), "accept", accept(door.get()));
}

void Listeners::stop() {
  gate_.closeAndWait();
  doors_.clear();
}

Task<> Listeners::accept(Door* door) {
  while (!gate_.isClosed()) {
    const std::size_t turn = next_host_++ % hosts_.size();
    ConnectionHost& host = *hosts_[turn];
    auto result = co_await door->acceptor.async_accept(host.shard().executor(), kUseTask);
    const ErrorCode error = std::get<0>(result);
    if (gate_.isClosed()) co_return;
    if (error) {
      // Out of descriptors, mostly: waiting clients stay in the backlog until some come free.
      complaints_.log("listener " + door->name, "accept", error.message());
      const bool slept = co_await sleepFor(std::chrono::milliseconds(100));
      if (!slept) co_return;
      continue;
    }
    auto visitor = admit(std::move(std::get<1>(result)));
    if (visitor == nullptr) continue;
    host.shard().post([this, visitor, &host, door] { welcome(*visitor, host, door->name); });
  }
}

/// Counted before its shard hears of it: a crowd must not take descriptors that nobody counts.
std::shared_ptr<Listeners::Visitor> Listeners::admit(TcpSocket socket) {
  ErrorCode error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return nullptr;  // gone already
  const std::string address = hostOf(remote.address());
  auto place = counts_->enter(address);
  if (!place) {
    complaints_.log("client at /" + address, "limit",
                    "connection refused: " + place.error().detail);
    return nullptr;
  }
  return std::make_shared<Visitor>(std::move(socket), address, remote.port(), std::move(*place));
}

void Listeners::setOptions(TcpSocket& socket) const {
  ErrorCode ignored;
  socket.non_blocking(true, ignored);
  socket.set_option(ip::tcp::no_delay(true), ignored);
  if (send_buffer_ > 0) socket.set_option(TcpSocket::send_buffer_size(send_buffer_), ignored);
  if (receive_buffer_ > 0)
    socket.set_option(TcpSocket::receive_buffer_size(receive_buffer_), ignored);
}

void Listeners::welcome(Visitor& visitor, ConnectionHost& host, const std::string& listener) {
  ErrorCode error;
  const auto local = visitor.socket.local_endpoint(error);
  setOptions(visitor.socket);
  Session session;
  session.client_host = "/" + visitor.address;
  session.listener_name = listener;
  session.local_host = hostOf(local.address());
  session.local_port = local.port();
  ConnectionClient client{std::move(session), fmt::format("{}:{}", visitor.address, visitor.port),
                          std::move(visitor.place)};
  const auto connection =
      std::make_shared<Connection>(host, std::move(visitor.socket), std::move(client));
  spawn(host.gate(), host.shard(), "connection", connection->run());
}

}  // namespace millrace::broker
