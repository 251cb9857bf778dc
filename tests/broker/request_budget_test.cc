#include "broker/request_budget.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <thread>

namespace millrace::broker {
namespace {

class Told final : public RequestBudget::Waiter {
 public:
  void onRoom() override {
    ++times;
    times.notify_all();
  }
  std::atomic<int> times{0};
};

TEST(RequestBudget, RefusesOnceItsPlacesAreTaken) {
  RequestBudget budget(2, -1);
  RequestPermit first;
  RequestPermit second;
  RequestPermit third;
  EXPECT_TRUE(first.takePlace(budget));
  EXPECT_TRUE(first.takePlace(budget)) << "it has one already";
  EXPECT_TRUE(second.takePlace(budget));
  EXPECT_FALSE(third.takePlace(budget));
  second.release();
  EXPECT_TRUE(third.takePlace(budget));
  EXPECT_EQ(budget.requests(), 2);
}

TEST(RequestBudget, TheLastRequestMayGoOverTheBytes) {
  RequestBudget budget(10, 100);
  RequestPermit small;
  RequestPermit large;
  RequestPermit next;
  EXPECT_TRUE(small.takeBytes(budget, 99));
  EXPECT_TRUE(large.takeBytes(budget, 1'000));
  EXPECT_FALSE(next.takeBytes(budget, 1));
  small.release();
  EXPECT_FALSE(next.takeBytes(budget, 1));
  large = RequestPermit();
  EXPECT_TRUE(next.takeBytes(budget, 1));
  EXPECT_EQ(budget.bytes(), 1);
}

TEST(RequestBudget, BytesAreNotCountedWithoutALimit) {
  RequestBudget budget(1, -1);
  RequestPermit permit;
  EXPECT_TRUE(permit.takeBytes(budget, 1 << 30));
  EXPECT_EQ(budget.bytes(), 0);
}

TEST(RequestBudget, AMovedPermitIsGivenBackOnce) {
  RequestBudget budget(5, 100);
  {
    RequestPermit permit;
    EXPECT_TRUE(permit.takePlace(budget) && permit.takeBytes(budget, 7));
    const RequestPermit moved = std::move(permit);
    EXPECT_EQ(budget.requests(), 1);
  }
  EXPECT_EQ(budget.requests(), 0);
  EXPECT_EQ(budget.bytes(), 0);
}

TEST(RequestBudget, TellsWhoWaitsOnce) {
  RequestBudget budget(1, -1);
  Told told;
  RequestPermit permit;
  EXPECT_TRUE(permit.takePlace(budget));
  budget.wait(told);
  budget.wait(told);
  permit.release();
  EXPECT_EQ(told.times, 1);
  EXPECT_TRUE(permit.takePlace(budget));
  permit.release();
  EXPECT_EQ(told.times, 1) << "nobody waits any more";
}

/// Threads that wait as connections do: each ends only if no wake is ever lost.
TEST(RequestBudget, NoRoomIsLostBetweenThreads) {
  RequestBudget budget(2, -1);
  std::array<Told, 4> waiters;
  const auto work = [&budget](Told& told) {
    for (int i = 0; i < 20'000; ++i) {
      RequestPermit permit;
      for (int seen = told.times; !permit.takePlace(budget); seen = told.times) {
        budget.wait(told);
        if (permit.takePlace(budget)) break;
        told.times.wait(seen);
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (Told& told : waiters) threads.emplace_back(work, std::ref(told));
  }
  EXPECT_EQ(budget.requests(), 0);
}

}  // namespace
}  // namespace millrace::broker
