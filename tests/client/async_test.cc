#include "client/async.h"

#include "base/net/gate.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

Task<std::string> waitFor(Future<std::string> future) {
  const auto value = co_await asyncGet(future);
  co_return value ? *value : value.error().detail;
}

TEST(Async, FutureResumesTheCoroutine) {
  Shard shard(0);
  shard.start();
  auto state = std::make_shared<client::ValueState<std::string>>();
  std::thread setter([&] { state->set(std::string("there")); });
  EXPECT_EQ(runAndWait(shard.executor(), waitFor(Future<std::string>(state))), "there");
  setter.join();
  EXPECT_EQ(runAndWait(shard.executor(),
                       waitFor(Future<std::string>::ready(fail(Errc::kTimeout, "late")))),
            "late");
  shard.stop();
}

Task<int> callOnPool(BlockingPool& pool) {
  auto call = [] { return 42; };
  const int value = co_await asyncCall(pool, call);
  co_return value;
}

TEST(Async, BlockingCallRunsOnThePool) {
  Shard shard(0);
  shard.start();
  BlockingPool pool(1);
  EXPECT_EQ(runAndWait(shard.executor(), callOnPool(pool)), 42);
  shard.stop();
}

}  // namespace
}  // namespace millrace
