// Coroutine forms of the clients: the calling coroutine is parked, its thread goes on.
#pragma once

#include "base/net/blocking_pool.h"
#include "client/admin.h"
#include "client/consumer.h"
#include "client/producer.h"

#include <memory>

namespace millrace {

/// Waits for a future, e.g. `const auto future = producer.send(record); const auto ack = co_await
/// asyncGet(future);` The record is in its batch when send returns: several may be sent before the
/// first is awaited.
template <class T>
[[nodiscard]] Task<Result<T>> asyncGet(Future<T> future) {
  auto start = [&future](Resume resume) {
    auto kept = std::make_shared<Resume>(std::move(resume));
    future.then([kept] { (*kept)(); });
  };
  co_await suspend(std::ref(start));
  co_return future.get();
}

/// Consumer::poll on a thread of the pool. As with the blocking form, one call at a time for a
/// consumer.
[[nodiscard]] inline Task<ConsumerRecords> asyncPoll(BlockingPool& pool, Consumer& consumer,
                                                     std::chrono::milliseconds timeout) {
  auto call = [&consumer, timeout] { return consumer.poll(timeout); };
  co_return co_await runBlocking(pool, call);
}

/// Any other blocking call: `auto commit = [&] { return consumer.commitSync(); };
/// const Status done = co_await asyncCall(pool, commit);`
template <class F>
[[nodiscard]] Task<std::invoke_result_t<F&>> asyncCall(BlockingPool& pool, F call) {
  co_return co_await runBlocking(pool, std::move(call));
}

}  // namespace millrace
