// The broker as one object: inside a program, behind `millrace broker`, later as a node of a
// cluster.
#pragma once

#include "base/properties.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>

namespace millrace {

namespace client {
class Transport;
}
namespace broker {
class Node;
}

/// What a broker is opened with. Everything is optional: the defaults make a working single node.
struct BrokerOptions {
  /// Where its data lives; created and formatted on first start. Empty: `log.dirs` of the
  /// properties.
  std::string directory;
  /// Kafka's server.properties, key by key, over the defaults. `listeners=PLAINTEXT://127.0.0.1:0`
  /// takes a free port, `listeners=` none at all (in-process clients only).
  Properties properties;
  /// Where a listener's port is taken, take the next free one.
  bool next_free_port = false;
};

/// A running broker. Owns its threads, files and sockets; the destructor stops it. Movable,
/// thread-safe except for being destroyed or moved while in use.
class Broker {
 public:
  /// Opens and starts a broker on `directory`; it listens on 127.0.0.1:9092, or the next free port
  /// when that is taken. A new group begins with its first member rather than waiting 3 s for
  /// others, which a program on its own has not. Throws std::runtime_error naming the key or file
  /// that is wrong.
  static Broker open(const std::string& directory);
  /// The same with options. Without `listeners` it listens where Kafka would: port 9092 everywhere.
  static Broker open(BrokerOptions options);
  /// As open(), with the failure as a value.
  [[nodiscard]] static Result<Broker> tryOpen(BrokerOptions options);

  ~Broker();
  Broker(Broker&&) noexcept;
  Broker& operator=(Broker&&) noexcept;
  Broker(const Broker&) = delete;
  Broker& operator=(const Broker&) = delete;

  /// The port of the first listener; 0 when there is none.
  [[nodiscard]] std::uint16_t port() const;
  /// "host:port" for a client on this machine; empty when there is no listener.
  [[nodiscard]] std::string bootstrap() const;
  [[nodiscard]] const std::string& clusterId() const;
  [[nodiscard]] const std::string& directory() const;

  /// Stops cleanly: no new connections, parked requests answered or dropped, logs flushed, the
  /// clean-shutdown marker written. Returns when done; later calls return at once.
  void stop();
  /// Blocks until stop() was called by another thread, or the broker stopped itself.
  void wait();
  /// Why the broker stopped itself: the disk with its metadata log failed, or the last one.
  [[nodiscard]] Status failure() const;

  /// A client transport into this broker without sockets or encoding. Defined in broker/embedded
  /// (link millrace_embedded); the broker must outlive it.
  [[nodiscard]] std::unique_ptr<client::Transport> transport();

  /// The parts, for broker/embedded and tests.
  [[nodiscard]] broker::Node& node();

 private:
  struct State;
  static void stop(State& state);
  explicit Broker(std::unique_ptr<broker::Node> node);
  std::unique_ptr<State> state_;
};

}  // namespace millrace
