// Coroutines parked until something happens or a deadline passes: acks=all, a fetch's min.bytes, a
// join.
#pragma once

#include "base/net/task.h"

#include <cstddef>

namespace millrace {

enum class Wake {
  kNotified,   ///< wakeOne or wakeAll
  kTimedOut,   ///< the deadline passed
  kCancelled,  ///< the gate or the list was closed
};

/// A first-in first-out list of parked coroutines. Belongs to one shard: park, wake and the
/// destructor run on its thread. Woken coroutines go on in later handlers, never inside wakeOne or
/// wakeAll; what they waited for may have changed again: re-check.
class WaitList {
 public:
  WaitList() = default;
  ~WaitList();  ///< wakes all with kCancelled
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  /// Parks until woken or until `deadline`. Linked before the first suspension, so no wake is lost
  /// between the caller's check and its parking.
  [[nodiscard]] Task<Wake> park(SteadyTime deadline);
  /// Parks for at most `timeout`.
  [[nodiscard]] Task<Wake> park(std::chrono::milliseconds timeout);
  /// Wakes the one that waits longest. False where nobody waits.
  bool wakeOne();
  /// Wakes all that wait now; returns how many.
  std::size_t wakeAll();
  /// Wakes all with kCancelled; later park calls return kCancelled at once.
  void close();
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  struct Node;
  void link(Node& node);
  void unlink(Node& node);
  void finish(Node& node, Wake why);

  Node* first_ = nullptr;
  Node* last_ = nullptr;
  std::size_t size_ = 0;
  bool closed_ = false;
};

}  // namespace millrace
