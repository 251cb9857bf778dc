// The administrator behind client/admin.h: blocking requests with retries, per kind of thing in a
// file of its own.
#pragma once

#include "client/admin.h"
#include "client/client_config.h"
#include "client/metadata.h"
#include "client/requests.h"
#include "client/runtime.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::client {

class AdminCore {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  AdminCore(ClientConfig config, std::shared_ptr<Transport> transport)
      : config_(std::move(config)), base_(config_.common, std::move(transport), false) {}

  [[nodiscard]] ClientBase& base() { return base_; }
  [[nodiscard]] const CommonConfig& common() const { return config_.common; }
  [[nodiscard]] TimePoint deadline() const {
    return std::chrono::steady_clock::now() +
           std::chrono::milliseconds(config_.common.api_timeout_ms);
  }
  /// What an attempt may take at most.
  [[nodiscard]] Millis attemptMs(TimePoint deadline) const;
  /// Waits the back-off; false where the deadline comes first.
  bool pause(TimePoint deadline) const;

  /// Asks any node until an answer comes, the error is final or time is over. `make(timeout_ms)`
  /// makes the call, `retriable(reply)` says whether to ask again (the broker was not ready).
  template <class Make, class Again>
  Result<Reply> askAny(Make make, Again again) {
    return ask([](TimePoint) -> Result<NodeId> { return kAnyNode; }, make, again);
  }
  /// The same at the coordinator of a group, found anew after an error.
  template <class Make, class Again>
  Result<Reply> askCoordinator(const std::string& group, Make make, Again again) {
    return ask([&](TimePoint limit) { return coordinator(group, limit); }, make, again);
  }
  [[nodiscard]] Result<NodeId> coordinator(const std::string& group, TimePoint deadline);
  [[nodiscard]] Result<ClusterImage> cluster(std::optional<std::vector<std::string>> topics,
                                             TimePoint deadline);

 private:
  template <class Node, class Make, class Again>
  Result<Reply> ask(Node node, Make make, Again again) {
    const TimePoint limit = deadline();
    for (;;) {
      Result<Reply> reply = std::unexpected(Error{Errc::kTimeout, "no broker answered in time"});
      const Result<NodeId> at = node(limit);
      if (at) {
        reply = callAndWait(*base_.transport, *at, make(attemptMs(limit)));
        if (reply && !again(*reply)) return reply;
        if (!reply && !isRetriable(reply.error().code)) return reply;
      } else {
        reply = std::unexpected(at.error());
        if (!isRetriable(at.error().code)) return reply;
      }
      if (!pause(limit)) return reply;
    }
  }

  const ClientConfig config_;
  ClientBase base_;
};

/// A Result<void> from a wire code and the broker's message.
[[nodiscard]] Status statusOf(std::int16_t code, const std::optional<Text>& message,
                              const std::string& what);

}  // namespace millrace::client
