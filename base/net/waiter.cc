#include "base/net/waiter.h"

namespace millrace {

/// Lives in the frame of its parked coroutine.
struct WaitList::Node {
  explicit Node(const Executor& executor, SteadyTime deadline) : timer(executor, deadline) {}
  SteadyTimer timer;
  Node* previous = nullptr;
  Node* next = nullptr;
  WaitList* list = nullptr;  // nullptr once woken
  Wake why = Wake::kCancelled;

  /// The coroutine may be destroyed while it is parked: the list must forget it.
  ~Node() {
    if (list != nullptr) list->unlink(*this);
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
};

WaitList::~WaitList() { close(); }

void WaitList::link(Node& node) {
  node.list = this;
  node.previous = last_;
  (last_ != nullptr ? last_->next : first_) = &node;
  last_ = &node;
  ++size_;
}

void WaitList::unlink(Node& node) {
  (node.previous != nullptr ? node.previous->next : first_) = node.next;
  (node.next != nullptr ? node.next->previous : last_) = node.previous;
  node.list = nullptr;
  --size_;
}

void WaitList::finish(Node& node, Wake why) {
  unlink(node);
  node.why = why;
  node.timer.cancel();
}

Task<Wake> WaitList::park(SteadyTime deadline) {
  if (closed_) co_return Wake::kCancelled;
  const Executor executor = co_await boost::asio::this_coro::executor;
  Node node(executor, deadline);
  link(node);
  const auto [error] = co_await node.timer.async_wait(kUseTask);
  // Woken and timed out at once: the wake was spent on this waiter, so it counts.
  if (node.list == nullptr) co_return node.why;
  unlink(node);
  co_return error ? Wake::kCancelled : Wake::kTimedOut;
}

Task<Wake> WaitList::park(std::chrono::milliseconds timeout) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  co_return co_await park(deadline);
}

bool WaitList::wakeOne() {
  if (first_ == nullptr) return false;
  finish(*first_, Wake::kNotified);
  return true;
}

std::size_t WaitList::wakeAll() {
  const std::size_t woken = size_;
  while (first_ != nullptr) finish(*first_, Wake::kNotified);
  return woken;
}

void WaitList::close() {
  closed_ = true;
  while (first_ != nullptr) finish(*first_, Wake::kCancelled);
}

}  // namespace millrace
