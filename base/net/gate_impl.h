// Templates of gate.h, apart so that its contract reads in one piece.
#pragma once

#include <boost/asio/co_spawn.hpp>

#include <future>

namespace millrace {

namespace detail {

/// Completion of co_spawn that hands the value to a promise.
template <class T>
struct Fulfil {
  std::shared_ptr<std::promise<T>> promise;
  void operator()(const std::exception_ptr& error, T value) const {
    if (error) {
      promise->set_exception(error);
    } else {
      promise->set_value(std::move(value));
    }
  }
};
template <>
struct Fulfil<void> {
  std::shared_ptr<std::promise<void>> promise;
  void operator()(const std::exception_ptr& error) const {
    if (error) {
      promise->set_exception(error);
    } else {
      promise->set_value();
    }
  }
};

}  // namespace detail

template <class T>
T runAndWait(const Executor& executor, Task<T> task) {
  auto promise = std::make_shared<std::promise<T>>();
  std::future<T> future = promise->get_future();
  boost::asio::co_spawn(executor, std::move(task), detail::Fulfil<T>{std::move(promise)});
  return future.get();
}

template <class F>
Task<detail::ShardResult<F>> onShardAsync(Shard& shard, F fn) {
  if (shard.runsHere()) co_return co_await fn();
  const boost::asio::use_awaitable_t<Executor> token;
  co_return co_await boost::asio::co_spawn(shard.executor(), fn(), token);
}

}  // namespace millrace
