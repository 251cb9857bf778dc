// A gate counts the coroutines that use a service, so that stopping the service means: let nobody
// in, cancel who is in, wait until all are out. Without it a stopped object would be used after its
// end.
#pragma once

#include "base/net/shard.h"

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace {

/// Thread-safe: coroutines of several shards may hold one gate. Must outlive everything spawned
/// with it; the destructor asserts that nobody is inside.
class Gate {
 public:
  Gate() = default;
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// True once close was called: long loops leave at their next step.
  [[nodiscard]] bool isClosed() const;
  /// How many spawned coroutines are inside.
  [[nodiscard]] std::size_t inside() const;
  /// Refuses newcomers, cancels the operation that each spawned coroutine waits for, and returns
  /// (on the caller's executor) when all are out. May be called repeatedly. Not from a coroutine
  /// inside the gate.
  [[nodiscard]] Task<> close();
  /// The same for a plain thread, which blocks. Never on a shard that has to run those coroutines.
  void closeAndWait();
  /// Refuses newcomers and cancels, without waiting.
  void shut();

 private:
  struct Entry;
  friend bool spawn(Gate& gate, const Executor& executor, std::string name, Task<> task);
  std::shared_ptr<Entry> enter(const Executor& executor, std::string name);
  void leave(const std::shared_ptr<Entry>& entry);
  void addWaiter(Resume resume);

  mutable std::mutex mutex_;
  std::condition_variable empty_;
  std::list<std::shared_ptr<Entry>> entries_;
  std::vector<Resume> waiters_;
  bool closed_ = false;
};

/// Starts `task` on `executor` inside `gate`; false (and the task never runs) where the gate is
/// closed. `name` stands in log lines. When the gate closes, the operation the task waits for ends
/// with operation_aborted, and its next co_await unwinds the task quietly (RAII cleans up). Any
/// other exception that escapes is logged as an error.
bool spawn(Gate& gate, const Executor& executor, std::string name, Task<> task);
inline bool spawn(Gate& gate, Shard& shard, std::string name, Task<> task) {
  return spawn(gate, shard.executor(), std::move(name), std::move(task));
}

/// Starts `task` on `executor` and blocks this plain thread until its result is there. Never on a
/// shard.
template <class T>
T runAndWait(const Executor& executor, Task<T> task);

/// onShard for a coroutine: awaits `fn()`, a Task<T>, on `shard`, and resumes on the caller's
/// shard.
template <class F>
[[nodiscard]] Task<detail::ShardResult<F>> onShardAsync(Shard& shard, F fn);

}  // namespace millrace

#include "base/net/gate_impl.h"
