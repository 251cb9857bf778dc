// How a client reaches brokers: typed requests to a node, typed answers back. Two kinds: TCP
// (client/tcp_transport.h) and, for an embedded broker, its handlers themselves (no socket, no
// encoding).
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "protocol/message.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::client {

/// A broker's id; kAnyNode: whichever is nearest to hand (bootstrap, Metadata, FindCoordinator).
using NodeId = std::int32_t;
inline constexpr NodeId kAnyNode = -1;

struct NodeAddress {
  NodeId id = kAnyNode;
  std::string host;
  std::uint16_t port = 0;
  std::string rack = {};
  friend bool operator==(const NodeAddress&, const NodeAddress&) = default;
};

/// One request, built late: only the way to the node knows which version both sides speak.
struct Call {
  const protocol::MessageInfo* request =
      nullptr;  ///< e.g. &FetchRequest::info(); ->key is the api key
  const protocol::MessageInfo* response = nullptr;  ///< e.g. &FetchResponse::info()
  std::int16_t min_version = 0;  ///< what `build` can serve; narrowed to what the node serves
  std::int16_t max_version = 0;
  /// Called at most once, on any thread: a message of type `request`, filled for that version.
  std::move_only_function<std::shared_ptr<void>(std::int16_t version)> build;
  Millis timeout_ms =
      30'000;                 ///< from now until the answer; passing it fails with kRequestTimedOut
  bool expects_reply = true;  ///< false: Produce with acks=0; done comes after the request has left
  /// Goes to the node as a group's coordinator: over a connection of its own, as in Kafka's
  /// clients, so that a fetch that waits there holds up no heartbeat and no commit.
  bool to_coordinator = false;
};

/// An answer: a message of the call's `response` type. Its views live as long as `owner` (and
/// `body`) do.
struct Reply {
  std::int16_t version = 0;
  std::shared_ptr<void> body;         ///< null only where no reply was expected
  std::shared_ptr<const void> owner;  ///< the frame; null where the message owns everything
};

using Done = std::move_only_function<void(Result<Reply>)>;

/// Shared by the clients of one program (in process) or owned by one client (TCP). Thread-safe.
class Transport {
 public:
  virtual ~Transport() = default;

  /// Sends `call` to `node`. Calls to one node reach it in the order of these calls and are
  /// pipelined. `done` is called exactly once, on any thread, never inside call() itself. Errors:
  /// kNetworkException (no connection, or it broke: whether the request took effect is unknown),
  /// kRequestTimedOut, kUnsupportedVersion (no common version), kClosed; and what decoding says.
  virtual void call(NodeId node, Call call, Done done) = 0;
  /// Where nodes live, from each Metadata answer. In process: nothing to do.
  virtual void setNodes(const std::vector<NodeAddress>& nodes) { (void)nodes; }
  /// Whether requests to the node are held up by a reconnect back-off now (the producer's adaptive
  /// partitioning).
  [[nodiscard]] virtual bool isUnreachable(NodeId node) const {
    (void)node;
    return false;
  }
};

struct VersionRange {
  std::int16_t min = 0;
  std::int16_t max = 0;
};

}  // namespace millrace::client
