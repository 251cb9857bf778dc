#include "base/net/task.h"

namespace millrace {

Task<bool> sleepUntil(SteadyTime deadline) {
  const Executor executor = co_await boost::asio::this_coro::executor;
  SteadyTimer timer(executor, deadline);
  const auto [error] = co_await timer.async_wait(kUseTask);
  co_return !error;
}

Task<bool> sleepFor(std::chrono::milliseconds duration) {
  const SteadyTime deadline = std::chrono::steady_clock::now() + duration;
  co_return co_await sleepUntil(deadline);
}

}  // namespace millrace
