// A client's way into a broker of the same process: decoded requests are handed to the handlers.
#pragma once

#include "broker/node.h"
#include "broker/request_context.h"
#include "client/transport.h"

#include <memory>

namespace millrace::broker {

/// Hands calls to one shard, in their order; nothing is encoded. Records of a Fetch answer are read
/// into memory. Calls under way when the broker stops fail with kClosed. The node must outlive it.
class InProcessTransport final : public client::Transport {
 public:
  explicit InProcessTransport(Node& node);
  ~InProcessTransport() override;
  InProcessTransport(const InProcessTransport&) = delete;
  InProcessTransport& operator=(const InProcessTransport&) = delete;

  void call(client::NodeId node, client::Call call, client::Done done) override;

 private:
  struct Link;
  static Task<> serve(std::shared_ptr<Link> link, std::shared_ptr<struct InProcessCall> call);

  std::shared_ptr<Link> link_;
};

}  // namespace millrace::broker
