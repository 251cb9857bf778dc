// Who answers which request: one table by ApiKey, for sockets and for in-process clients alike.
#pragma once

#include "base/net/task.h"
#include "broker/request_context.h"
#include "protocol/any_message.h"

#include <array>
#include <functional>
#include <memory>
#include <utility>

namespace millrace::broker {

/// A handler with its message types hidden.
class ErasedHandler {
 public:
  virtual ~ErasedHandler() = default;
  /// `request` is a message of the handler's request type, which the handler moves out of; what its
  /// text and records borrow from outlives the task. The answer holds the response type.
  [[nodiscard]] virtual Task<protocol::AnyMessage> call(RequestContext context, void* request) = 0;
  /// The type of `request`.
  [[nodiscard]] virtual const protocol::MessageInfo& requestInfo() const = 0;
};

template <class Request, class Response>
class TypedHandler final : public ErasedHandler {
 public:
  using Function = std::function<Task<Response>(RequestContext, Request)>;
  explicit TypedHandler(Function function) : function_(std::move(function)) {}
  Task<protocol::AnyMessage> call(RequestContext context, void* request) override {
    Response response = co_await function_(context, std::move(*static_cast<Request*>(request)));
    co_return protocol::AnyMessage(std::move(response));
  }
  const protocol::MessageInfo& requestInfo() const override { return Request::info(); }

 private:
  Function function_;
};

/// Filled once at start, then read from every shard.
///
/// A handler is a coroutine on the connection's shard. Text of the request is borrowed from the
/// frame, which stays until the answer is encoded; an answer owns its text or has moved it out of
/// the request. The handler may wait; later requests of the same connection are served meanwhile
/// and their answers wait their turn. What a handler does before its first suspension happens in
/// the order of the requests.
class HandlerTable {
 public:
  /// `table.add<MetadataRequest, MetadataResponse>([s](RequestContext c, MetadataRequest r) {
  /// return f(s, c, std::move(r)); });`
  template <class Request, class Response>
  void add(std::function<Task<Response>(RequestContext, Request)> handler) {
    handlers_.at(static_cast<std::size_t>(Request::kApiKey)) =
        std::make_unique<TypedHandler<Request, Response>>(std::move(handler));
  }

  /// Null where nobody serves it.
  [[nodiscard]] ErasedHandler* find(protocol::ApiKey api) const {
    const auto index = static_cast<std::size_t>(api);
    return index < handlers_.size() ? handlers_[index].get() : nullptr;
  }

 private:
  std::array<std::unique_ptr<ErasedHandler>, 128> handlers_;
};

}  // namespace millrace::broker
