// The doors: sockets that accept clients and hand them to the shards.
#pragma once

#include "base/net/gate.h"
#include "base/net/shard.h"
#include "broker/net/connection_host.h"
#include "broker/node_config.h"

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::broker {

/// Counts connections in all and per address, against max.connections and max.connections.per.ip.
/// Thread-safe.
class ConnectionCounts {
 public:
  ConnectionCounts(int max_in_all, int max_per_address)
      : max_in_all_(max_in_all), max_per_address_(max_per_address) {}
  /// Errors: kInvalidRequest, with the limit that is reached.
  [[nodiscard]] Status enter(const std::string& address);
  void leave(const std::string& address);

 private:
  std::mutex mutex_;
  int max_in_all_;
  int max_per_address_;
  int in_all_ = 0;
  std::map<std::string, int> per_address_;
};

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
  Task<> accept(Door* door);
  void welcome(TcpSocket socket, ConnectionHost& host, const std::string& listener);
  void setOptions(TcpSocket& socket) const;

  ShardPool& shards_;
  std::vector<std::unique_ptr<ConnectionHost>>& hosts_;
  Complaints& complaints_;
  ConnectionCounts counts_;
  int backlog_;
  int send_buffer_ = -1;
  int receive_buffer_ = -1;
  std::vector<std::unique_ptr<Door>> doors_;
  std::vector<std::uint16_t> ports_;
  std::size_t next_host_ = 0;
  Gate gate_;
};

}  // namespace millrace::broker
