// What the idle probe says of busy and of idle processors.
#include "base/idle_probe.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <thread>

namespace millrace {
namespace {

TEST(IdleProbe, SaysIdleBeforeItKnows) {
  IdleProbe probe;
  EXPECT_TRUE(probe.idled());
}

TEST(IdleProbe, SeesThatAProcessorHasNothingToDo) {
  IdleProbe probe;
  EXPECT_TRUE(probe.idled());
  while (!probe.idled()) std::this_thread::yield();
}

/// On one processor the asking itself leaves no idle moment.
TEST(IdleProbe, SeesThatTheProcessorIsBusy) {
  std::jthread([] {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0) GTEST_SKIP() << "no affinity here";
    IdleProbe probe;
    EXPECT_TRUE(probe.idled());
    int busy = 0;
    for (int i = 0; i < 1000; ++i)
      if (!probe.idled()) ++busy;
    EXPECT_GT(busy, 0);
  }).join();
}

}  // namespace
}  // namespace millrace
