// Requests over TCP connections: one to each broker, and one more to a group's coordinator.
#pragma once

#include "client/client_config.h"
#include "client/runtime.h"
#include "client/transport.h"

#include <map>
#include <memory>
#include <mutex>
#include <vector>

namespace millrace::client {

class TcpConnection;

/// Lives on one runtime, used from any thread. Connects on demand, negotiates versions
/// (ApiVersions, falling back as KIP-511 says), pipelines, matches answers by correlation id,
/// reconnects with a back-off per node. A request that times out closes its connection, as answers
/// behind it could not come.
class TcpTransport final : public Transport {
 public:
  TcpTransport(ClientRuntime& runtime, const CommonConfig& config);
  ~TcpTransport() override;

  void call(NodeId node, Call call, Done done) override;
  void setNodes(const std::vector<NodeAddress>& nodes) override;
  [[nodiscard]] bool isUnreachable(NodeId node) const override;
  /// Fails everything under way, soon, on the runtime's thread. Call before the runtime stops.
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace millrace::client
