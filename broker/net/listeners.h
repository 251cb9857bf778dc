// The doors: sockets that accept clients and hand them to the shards.
#pragma once

#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/net/connection_counts.h"
#include "broker/net/connection_host.h"
#include "broker/node_config.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::broker {

/// Accepts on the first shard and deals connections out to all in turn: with few clients this
/// spreads them better than SO_REUSEPORT's hash. Calling order: bind() each, start(), stop().
class Listeners {
 public:
  Listeners(ShardPool& shards, std::vector<std::unique_ptr<ConnectionHost>>& hosts,
            const Config& config, Complaints& complaints);
  ~Listeners();

  /// Binds and listens; clients that connect wait in the backlog. Errors: kConfig with the address
  /// and the cause.
  [[nodiscard]] Status bind(const ListenerSpec& spec, bool next_free_port);
  /// The ports that were bound, in order.
  [[nodiscard]] const std::vector<std::uint16_t>& ports() const { return ports_; }
  void start();
  /// No further clients. Blocks; not on a shard.
  void stop();

 private:
  struct Door {
    TcpAcceptor acceptor;
    std::string name;
  };
  /// A connection that its shard has not seen yet.
  struct Visitor {
    TcpSocket socket;
    std::string address;
    std::uint16_t port = 0;
    ConnectionCounts::Place place;
  };
  Task<> accept(Door* door);
  /// Null where it is gone already, or one too many.
  [[nodiscard]] std::shared_ptr<Visitor> admit(TcpSocket socket);
  void welcome(Visitor& visitor, ConnectionHost& host, const std::string& listener);
  void setOptions(TcpSocket& socket) const;

  ShardPool& shards_;
  std::vector<std::unique_ptr<ConnectionHost>>& hosts_;
  Complaints& complaints_;
  std::shared_ptr<ConnectionCounts> counts_;
  int backlog_;
  int send_buffer_ = -1;
  int receive_buffer_ = -1;
  std::vector<std::unique_ptr<Door>> doors_;
  std::vector<std::uint16_t> ports_;
  std::size_t next_host_ = 0;
  Gate gate_;
};

}  // namespace millrace::broker
