#include "client/tcp_transport.h"

#include "base/log.h"
#include "base/random.h"
#include "client/backoff.h"
#include "client/tcp_connection.h"

#include <fmt/format.h>

#include <atomic>
#include <compare>

namespace millrace::client {
namespace {

/// Bootstrap addresses have ids of their own until metadata names the nodes.
constexpr NodeId kFirstBootstrapId = -2;

}  // namespace

/// Everything below runs in the runtime's handlers, but what is atomic or has a mutex.
struct TcpTransport::State : std::enable_shared_from_this<TcpTransport::State> {
  struct Key {
    NodeId id = kAnyNode;
    bool coordinator = false;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Node {
    NodeAddress address;
    std::shared_ptr<TcpConnection> connection;
    int failures = 0;
    SteadyTime not_before = SteadyTime::min();
    std::vector<std::pair<Call, Done>> waiting;  // for the back-off to end
    std::unique_ptr<Alarm> alarm;
    bool gone = false;  // no longer in the metadata
  };

  State(ClientRuntime& r, const CommonConfig& c)
      : runtime(r), config(c), backoff(c.reconnect_backoff_ms, c.reconnect_backoff_max_ms) {
    NodeId id = kFirstBootstrapId;
    for (const auto& [host, port] : config.bootstrap) {
      nodes[{id}].address = NodeAddress{id, host, port};
      --id;
    }
  }

  void call(NodeId id, Call call, Done done) {
    if (closed) return failSoon(std::move(done), Errc::kClosed, "the client is closed");
    Node* node = id == kAnyNode ? anyNode() : find({id, call.to_coordinator});
    if (node == nullptr) {
      return failSoon(std::move(done), Errc::kNetworkException,
                      fmt::format("node {} is not known", id));
    }
    // Also behind those that wait when the back-off is over but its alarm has not rung yet.
    const bool backs_off = std::chrono::steady_clock::now() < node->not_before;
    if (!node->connection && (backs_off || !node->waiting.empty())) {
      node->waiting.emplace_back(std::move(call), std::move(done));
      awaitBackoff(*node);
      return;
    }
    connect(*node, {id == kAnyNode ? node->address.id : id, id != kAnyNode && call.to_coordinator});
    node->connection->call(std::move(call), std::move(done));
  }

  /// Runs fn on the calling thread where that is possible: nothing then wakes the runtime's own.
  /// Not in front of those that wait for their turn.
  template <class F>
  void submit(F fn) {
    if (queued.load() == 0 && runtime.tryRun(fn)) return;
    queued.fetch_add(1);
    runtime.post([self = shared_from_this(), fn = std::move(fn)]() mutable {
      self->queued.fetch_sub(1);
      fn();
    });
  }

  /// Never in call(): whoever calls may hold a lock that `done` takes.
  void failSoon(Done done, Errc code, std::string why) {
    runtime.post([done = std::move(done), code, why = std::move(why)]() mutable {
      done(fail(code, std::move(why)));
    });
  }

  /// A coordinator's place is made when it is first asked for.
  Node* find(Key key) {
    const auto it = nodes.find({key.id});
    if (it == nodes.end() || it->second.gone) return nullptr;
    if (!key.coordinator) return &it->second;
    Node& node = nodes[key];
    node.address = it->second.address;
    return &node;
  }

  /// A ready connection with the least to do; else a node outside its back-off; else the one whose
  /// back-off ends first.
  Node* anyNode() {
    const SteadyTime at = std::chrono::steady_clock::now();
    Node* best = nullptr;
    auto rank = [&](const Node& n) {
      if (n.connection && n.connection->ready()) return 0;
      if (n.connection) return 1;
      return at >= n.not_before ? 2 : 3;
    };
    auto better = [&](const Node& a, const Node& b) {
      if (rank(a) != rank(b)) return rank(a) < rank(b);
      if (rank(a) == 0) return a.connection->load() < b.connection->load();
      if (rank(a) == 3) return a.not_before < b.not_before;
      return a.failures < b.failures;
    };
    for (auto& [key, node] : nodes) {
      if (node.gone || key.coordinator) continue;
      if (best == nullptr || better(node, *best)) best = &node;
    }
    return best;
  }

  void connect(Node& node, Key key) {
    if (node.connection) return;
    auto on_closed = [weak = weak_from_this(), key](TcpConnection& connection, bool was_ready) {
      if (const auto state = weak.lock()) state->onClosed(key, connection, was_ready);
    };
    node.connection =
        std::make_shared<TcpConnection>(runtime, node.address, config, std::move(on_closed));
    node.connection->start();
  }

  void onClosed(Key key, TcpConnection& connection, bool was_ready) {
    Node& node = nodes[key];
    if (node.connection.get() != &connection) return;
    node.connection.reset();
    node.failures = was_ready ? 0 : node.failures + 1;
    const Millis delay = backoff.delay(std::max(node.failures - 1, 0), systemRandom());
    node.not_before = std::chrono::steady_clock::now() + std::chrono::milliseconds(delay);
    if (!node.alarm) {
      node.alarm = std::make_unique<Alarm>(runtime, [this, key] { onAlarm(key); });
    }
    awaitBackoff(node);
    publish();
  }

  /// An alarm of the back-off before may still be set; it counts as this one's when it rings early.
  void awaitBackoff(Node& node) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        node.not_before - std::chrono::steady_clock::now());
    node.alarm->setWithin(left.count() + 1);
  }

  void onAlarm(Key key) {
    Node& node = nodes[key];
    publish();
    if (closed) return;
    if (!node.connection && std::chrono::steady_clock::now() < node.not_before)
      return awaitBackoff(node);
    if (node.waiting.empty()) return;
    connect(node, key);
    auto waiting = std::exchange(node.waiting, {});
    for (auto& [call, done] : waiting) node.connection->call(std::move(call), std::move(done));
  }

  static void move(Node& node, const NodeAddress& address) {
    const bool moved = node.address.host != address.host || node.address.port != address.port;
    node.address = address;
    if (moved && node.connection) {
      node.connection->close(Error{Errc::kNetworkException, "the broker's address changed"});
    }
  }

  void setNodes(const std::vector<NodeAddress>& fresh) {
    if (closed || fresh.empty()) return;
    std::map<NodeId, bool> named;
    for (const NodeAddress& address : fresh) {
      named[address.id] = true;
      nodes[{address.id}].gone = false;
      move(nodes[{address.id}], address);
      const auto coordinator = nodes.find({address.id, true});
      if (coordinator != nodes.end()) move(coordinator->second, address);
    }
    for (auto& [key, node] : nodes) {
      if (key.id >= 0 && !key.coordinator && !named.contains(key.id)) node.gone = true;
    }
  }

  void publish() {
    std::map<NodeId, bool> now;
    const SteadyTime at = std::chrono::steady_clock::now();
    for (const auto& [key, node] : nodes) {
      if (!key.coordinator && !node.connection && at < node.not_before) now[key.id] = true;
    }
    const std::lock_guard lock(unreachable_mutex);
    unreachable = std::move(now);
  }

  void close() {
    if (std::exchange(closed, true)) return;
    for (auto& [key, node] : nodes) {
      if (node.connection) node.connection->close(Error{Errc::kClosed, "the client is closed"});
      for (auto& [call, done] : std::exchange(node.waiting, {})) {
        done(fail(Errc::kClosed, "the client is closed"));
      }
      node.alarm.reset();
    }
  }

  ClientRuntime& runtime;
  CommonConfig config;
  Backoff backoff;
  std::map<Key, Node> nodes;
  bool closed = false;
  std::atomic<int> queued{0};  ///< submitted, and waiting for their turn
  mutable std::mutex unreachable_mutex;
  std::map<NodeId, bool> unreachable;
};

TcpTransport::TcpTransport(ClientRuntime& runtime, const CommonConfig& config)
    : state_(std::make_shared<State>(runtime, config)) {}

TcpTransport::~TcpTransport() = default;

void TcpTransport::close() {
  state_->runtime.post([state = state_] { state->close(); });
}

void TcpTransport::call(NodeId node, Call call, Done done) {
  state_->submit([state = state_.get(), node, c = std::move(call), d = std::move(done)]() mutable {
    state->call(node, std::move(c), std::move(d));
  });
}

void TcpTransport::setNodes(const std::vector<NodeAddress>& nodes) {
  state_->submit([state = state_.get(), nodes] { state->setNodes(nodes); });
}

bool TcpTransport::isUnreachable(NodeId node) const {
  const std::lock_guard lock(state_->unreachable_mutex);
  return state_->unreachable.contains(node);
}

}  // namespace millrace::client
