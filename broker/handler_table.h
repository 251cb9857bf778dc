// Who answers which request: one table by ApiKey, for sockets and for in-process clients alike.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <utility>

#include "base/bytes.h"
#include "base/net/task.h"
#include "base/result.h"
#include "broker/request_context.h"
#include "protocol/any_message.h"
#include "protocol/codec.h"
#include "protocol/frame.h"

namespace millrace::broker {

/// A handler with its message types hidden.
class ErasedHandler {
 public:
  virtual ~ErasedHandler() = default;
  /// Decodes `body` (which must outlive the task), serves it, encodes the answer. Errors: kMalformed and
  /// kTruncated where the body does not decode: the connection is then closed, as Kafka does.
  [[nodiscard]] virtual Task<Result<protocol::Segments>> serve(RequestContext context, BytesView body) = 0;
  /// The same for a request that is an object already; nothing is encoded.
  [[nodiscard]] virtual Task<protocol::AnyMessage> call(RequestContext context, protocol::AnyMessage request) = 0;
};

/// Filled once at start, then read from every shard.
///
/// A handler is a coroutine on the connection's shard. Text of the request is borrowed from the frame, which
/// stays until the answer is encoded; an answer owns its text or borrows it from the request. The handler
/// may wait; later requests of the same connection are served meanwhile and their answers wait their turn.
class HandlerTable {
 public:
  /// `table.add<MetadataRequest, MetadataResponse>([s](RequestContext c, MetadataRequest r) { return f(s, c, std::move(r)); });`
  template <class Request, class Response>
  void add(std::function<Task<Response>(RequestContext, Request)> handler);

  /// Null where nobody serves it.
  [[nodiscard]] ErasedHandler* find(protocol::ApiKey api) const {
    const auto index = static_cast<std::size_t>(api);
    return index < handlers_.size() ? handlers_[index].get() : nullptr;
  }

 private:
  std::array<std::unique_ptr<ErasedHandler>, 128> handlers_;
};

}  // namespace millrace::broker
