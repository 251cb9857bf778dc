// Who runs a client's handlers: its own thread, or a caller that waits.
#include "client/runtime.h"

#include "tests/support/eventually.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace millrace::client {
namespace {

using millrace::testing::eventually;
using Clock = std::chrono::steady_clock;

class ClientRuntimeTest : public ::testing::Test {
 protected:
  /// Has the own thread leave the loop to this one.
  bool claim() {
    return eventually([this] {
      if (runtime_.claim()) return true;
      std::promise<void> told;
      runtime_.post([&] {
        runtime_.tellCaller();
        told.set_value();
      });
      told.get_future().wait();
      return false;
    });
  }
  /// Where a posted handler runs.
  std::future<std::thread::id> postHandler() {
    auto ran = std::make_shared<std::promise<std::thread::id>>();
    runtime_.post([ran] { ran->set_value(std::this_thread::get_id()); });
    return ran->get_future();
  }

  ClientRuntime runtime_;
  const std::thread::id here_ = std::this_thread::get_id();
};

TEST_F(ClientRuntimeTest, HandlersRunOnTheOwnThreadWhereNobodyWaits) {
  auto ran = postHandler();
  EXPECT_NE(ran.get(), here_);
}

TEST_F(ClientRuntimeTest, ACallerThatWaitsRunsThemItself) {
  ASSERT_TRUE(claim());
  auto ran = postHandler();
  runtime_.runClaimed(Clock::now() + std::chrono::seconds(30));
  EXPECT_EQ(ran.get(), here_);
}

TEST_F(ClientRuntimeTest, TheOwnThreadTakesOverFromACallerThatStaysAway) {
  ASSERT_TRUE(claim());
  runtime_.runClaimed(Clock::now());
  auto ran = postHandler();
  EXPECT_NE(ran.get(), here_);
}

TEST_F(ClientRuntimeTest, TheOwnThreadTakesOverAfterALongWait) {
  ASSERT_TRUE(claim());
  runtime_.runClaimed(Clock::now() + 4 * ClientRuntime::kGrace);
  auto ran = postHandler();
  EXPECT_NE(ran.get(), here_);
}

TEST_F(ClientRuntimeTest, LargeAnswersAreTheOwnThreads) {
  ASSERT_TRUE(claim());
  runtime_.preferOwnThread(true);
  runtime_.runClaimed(Clock::now());
  EXPECT_FALSE(runtime_.claim());
  auto ran = postHandler();
  EXPECT_NE(ran.get(), here_);
  runtime_.preferOwnThread(false);
  ASSERT_TRUE(claim());
  runtime_.runClaimed(Clock::now());
}

TEST_F(ClientRuntimeTest, NewsEndTheWaitOfACaller) {
  std::promise<void> ended;
  std::thread caller([&] {
    EXPECT_TRUE(claim());
    runtime_.runClaimed(Clock::now() + std::chrono::hours(1));
    ended.set_value();
  });
  const auto done = ended.get_future();
  EXPECT_TRUE(eventually([&] {
    runtime_.tellCaller();
    return done.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }));
  caller.join();
}

TEST_F(ClientRuntimeTest, TryRunKeepsAwayWhileAHandlerRuns) {
  std::promise<void> in;
  std::promise<void> go;
  runtime_.post([&] {
    in.set_value();
    go.get_future().wait();
  });
  in.get_future().wait();
  EXPECT_FALSE(runtime_.tryRun([] {}));
  go.set_value();
  bool here = false;
  EXPECT_TRUE(eventually([&] { return runtime_.tryRun([&] { here = runtime_.runsHere(); }); }));
  EXPECT_TRUE(here);
  EXPECT_FALSE(runtime_.runsHere());
}

TEST_F(ClientRuntimeTest, AnAlarmRingsForTheCallerThatWaits) {
  std::thread::id rung;
  std::unique_ptr<Alarm> alarm;
  ASSERT_TRUE(eventually([&] {
    return runtime_.tryRun([&] {
      alarm = std::make_unique<Alarm>(runtime_, [&] { rung = std::this_thread::get_id(); });
    });
  }));
  ASSERT_TRUE(claim());
  ASSERT_TRUE(runtime_.tryRun([&] { alarm->setWithin(1); }));
  runtime_.runClaimed(Clock::now() + std::chrono::seconds(30));
  EXPECT_EQ(rung, here_);
}

TEST_F(ClientRuntimeTest, StoppingRunsWhatIsQueued) {
  ASSERT_TRUE(claim());
  auto ran = postHandler();
  runtime_.runClaimed(Clock::now() - std::chrono::seconds(1));
  runtime_.stop();
  EXPECT_EQ(ran.wait_for(std::chrono::seconds(0)), std::future_status::ready);
}

}  // namespace
}  // namespace millrace::client
