#include "broker/broker.h"

#include "broker/directory_watch.h"
#include "broker/node.h"

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

namespace millrace {

/// Behind a pointer, so that a Broker moves while other threads wait on it.
struct Broker::State {
  std::unique_ptr<broker::Node> node;
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  bool stopped = false;
  Status failure;
  /// Stops the broker from within: none of its own threads can.
  std::thread stopper;
};

Broker::Broker(std::unique_ptr<broker::Node> node) : state_(std::make_unique<State>()) {
  state_->node = std::move(node);
  state_->node->directoryWatch().onFatal([state = state_.get()](const Error& cause) {
    const std::lock_guard lock(state->mutex);
    state->failure = std::unexpected(cause);
    state->stopper = std::thread([state] { stop(*state); });
  });
}

Broker::~Broker() {
  if (state_) stop();
  if (state_ && state_->stopper.joinable()) state_->stopper.join();
}
Broker::Broker(Broker&&) noexcept = default;
Broker& Broker::operator=(Broker&& other) noexcept {
  if (this == &other) return *this;
  const Broker before = std::move(*this);
  state_ = std::move(other.state_);
  return *this;
}

Broker Broker::open(const std::string& directory) {
  BrokerOptions options;
  options.directory = directory;
  options.properties["listeners"] = "PLAINTEXT://127.0.0.1:9092";
  options.next_free_port = true;
  options.properties["group.initial.rebalance.delay.ms"] = "0";
  return open(std::move(options));
}

Broker Broker::open(BrokerOptions options) {
  auto broker = tryOpen(std::move(options));
  if (!broker) throw std::runtime_error("cannot open the broker: " + broker.error().toString());
  return std::move(*broker);
}

Result<Broker> Broker::tryOpen(BrokerOptions options) {
  MILLRACE_TRY(auto node, broker::Node::start(options));
  return Broker(std::move(node));
}

std::uint16_t Broker::port() const {
  const auto& ports = state_->node->ports();
  return ports.empty() ? std::uint16_t{0} : ports.front();
}

std::string Broker::bootstrap() const {
  if (port() == 0) return {};
  std::string host = state_->node->config().listeners.front().host;
  if (host.empty() || host == "0.0.0.0" || host == "::") host = "127.0.0.1";
  if (host.find(':') != host.npos) host = "[" + host + "]";
  return host + ":" + std::to_string(port());
}

const std::string& Broker::clusterId() const { return state_->node->clusterId(); }
const std::string& Broker::directory() const { return state_->node->config().directories.front(); }
broker::Node& Broker::node() { return *state_->node; }

void Broker::stop() { stop(*state_); }

void Broker::stop(State& state) {
  std::unique_lock lock(state.mutex);
  if (state.stopping) {
    state.changed.wait(lock, [&state] { return state.stopped; });
    return;
  }
  state.stopping = true;
  lock.unlock();
  state.node->stop();
  lock.lock();
  state.stopped = true;
  state.changed.notify_all();
}

Status Broker::failure() const {
  const std::lock_guard lock(state_->mutex);
  return state_->failure;
}

void Broker::wait() {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [this] { return state_->stopped; });
}

}  // namespace millrace
