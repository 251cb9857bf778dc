// One primitive to park a coroutine until some other thread or callback says go.
#pragma once

#include "base/net/task.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <utility>

namespace millrace {

/// Resumes a parked coroutine on its own executor. Call exactly once, from any thread.
using Resume = std::move_only_function<void()>;

namespace detail {

template <class Handler>
class Resumer {
 public:
  Resumer(Handler handler, const Executor& executor)
      : handler_(std::move(handler)), work_(executor) {}
  void operator()() {
    const Executor executor = work_.get_executor();
    boost::asio::post(executor, std::move(handler_));
    work_.reset();
  }

 private:
  Handler handler_;
  boost::asio::executor_work_guard<Executor> work_;
};

template <class Start>
struct SuspendInitiation {
  template <class Handler>
  void operator()(Handler handler, Start* start, const Executor& executor) const {
    (*start)(Resume(Resumer<Handler>(std::move(handler), executor)));
  }
};

}  // namespace detail

/// Parks the calling coroutine and calls `start(Resume)` on its thread; the coroutine goes on, on
/// its own executor, after the Resume was called. Whoever holds the Resume must call it: a dropped
/// Resume destroys the coroutine. Not cancellable: use WaitList where a gate must be able to
/// interrupt.
template <class Start>
[[nodiscard]] Task<> suspend(Start start) {
  const Executor executor = co_await boost::asio::this_coro::executor;
  Start* const borrowed = &start;
  const detail::SuspendInitiation<Start> initiation;
  co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<Executor>&, void()>(
      initiation, boost::asio::use_awaitable_t<Executor>(), borrowed, executor);
}

}  // namespace millrace
