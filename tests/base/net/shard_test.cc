#include "base/net/shard.h"

#include "base/log.h"
#include "base/net/blocking_pool.h"
#include "base/net/gate.h"
#include "base/net/waiter.h"

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <utility>

namespace millrace {
namespace {

using namespace std::chrono_literals;

class NetTest : public testing::Test {
 protected:
  NetTest() : shards_(2) { shards_.start(); }
  ~NetTest() override { shards_.stop(); }
  Shard& a() { return shards_.at(0); }
  Shard& b() { return shards_.at(1); }
  ShardPool shards_;
};

Task<std::vector<int>> hop(Shard& there) {
  std::vector<int> indexes;
  indexes.push_back(Shard::current()->index());
  auto ask = [] { return std::make_unique<int>(Shard::current()->index()); };
  const std::unique_ptr<int> other = co_await onShard(there, ask);
  indexes.push_back(*other);
  indexes.push_back(Shard::current()->index());
  co_return indexes;
}

TEST_F(NetTest, OnShardRunsThereAndComesBack) {
  EXPECT_THAT(runAndWait(a().executor(), hop(b())), testing::ElementsAre(0, 1, 0));
  EXPECT_THAT(runAndWait(a().executor(), hop(a())), testing::ElementsAre(0, 0, 0));
}

/// sendfile to a peer that has gone: what it returns, and errno.
Task<std::pair<ssize_t, int>> sendFileToNobody() {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0) co_return std::pair<ssize_t, int>(0, errno);
  ::close(pair[1]);
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  const ssize_t sent = ::sendfile(pair[0], file, nullptr, 100);
  const int error = errno;
  ::close(file);
  ::close(pair[0]);
  co_return std::pair<ssize_t, int>(sent, error);
}

TEST_F(NetTest, APeerThatWentAwayIsAnErrorAndNoSignal) {
  EXPECT_EQ(runAndWait(a().executor(), sendFileToNobody()), (std::pair<ssize_t, int>(-1, EPIPE)));
}

Task<int> sleepThere(int value) {
  const bool slept = co_await sleepFor(1ms);
  co_return slept ? value + Shard::current()->index() : -1;
}

Task<int> hopAsync(Shard& there) {
  auto ask = [] { return sleepThere(10); };
  const int result = co_await onShardAsync(there, ask);
  co_return result * 10 + Shard::current()->index();
}

TEST_F(NetTest, OnShardAsyncAwaitsACoroutineThere) {
  EXPECT_EQ(runAndWait(a().executor(), hopAsync(b())), 110);
  EXPECT_EQ(runAndWait(b().executor(), hopAsync(b())), 111);
}

Task<> countLoop(std::atomic<int>& steps, std::atomic<bool>& unwound) {
  struct Leave {
    std::atomic<bool>& flag;
    ~Leave() { flag = true; }
  };
  const Leave leave{unwound};
  for (;;) {
    (void)co_await sleepFor(1h);
    ++steps;  // reached once, when the gate cancels the sleep; the next await unwinds
  }
}

TEST_F(NetTest, GateCancelsAndWaitsForWhoIsInside) {
  Gate gate;
  std::atomic<int> steps = 0;
  std::atomic<bool> unwound = false;
  EXPECT_TRUE(spawn(gate, a(), "loop", countLoop(steps, unwound)));
  runAndWait(b().executor(), gate.close());
  EXPECT_TRUE(unwound);
  EXPECT_LE(steps, 1);
  EXPECT_TRUE(gate.isClosed());
  EXPECT_FALSE(spawn(gate, a(), "late", countLoop(steps, unwound)));
  gate.closeAndWait();
}

TEST_F(NetTest, GateClosesForAPlainThreadToo) {
  Gate gate;
  std::atomic<int> steps = 0;
  std::atomic<bool> unwound = false;
  for (int i = 0; i < 50; ++i) spawn(gate, shards_.at(i % 2), "loop", countLoop(steps, unwound));
  EXPECT_EQ(gate.inside(), 50U);
  gate.closeAndWait();
  EXPECT_EQ(gate.inside(), 0U);
}

Task<> throwing() {
  co_await sleepFor(0ms);
  throw std::runtime_error("broken");
}

TEST_F(NetTest, AnEscapedExceptionIsLoggedWithItsName) {
  std::vector<std::string> lines;
  setLogSink([&lines](LogLevel, std::string_view line) { lines.emplace_back(line); });
  {
    Gate gate;
    spawn(gate, a(), "fetcher", throwing());
    while (gate.inside() != 0) std::this_thread::yield();
    gate.closeAndWait();
  }
  setLogSink({});
  EXPECT_THAT(lines, testing::ElementsAre("fetcher ended with an exception: broken"));
}

Task<> parkAndNote(WaitList& list, std::chrono::milliseconds timeout, std::vector<Wake>& notes) {
  const Wake why = co_await list.park(timeout);
  notes.push_back(why);
}

Task<std::vector<Wake>> playWaitList(Gate& gate) {
  const Executor here = co_await boost::asio::this_coro::executor;
  WaitList list;
  std::vector<Wake> notes;
  for (int i = 0; i < 3; ++i) spawn(gate, here, "waiter", parkAndNote(list, 1h, notes));
  spawn(gate, here, "impatient", parkAndNote(list, 1ms, notes));
  while (list.size() != 4 && notes.empty()) co_await sleepFor(0ms);
  while (notes.empty()) co_await sleepFor(1ms);
  list.wakeOne();
  while (notes.size() < 2) co_await sleepFor(0ms);
  const std::size_t left = list.size();
  EXPECT_EQ(left, 2U);
  const std::size_t woken = list.wakeAll();
  EXPECT_EQ(woken, 2U);
  list.close();
  const Wake closed = co_await list.park(1h);
  notes.push_back(closed);
  while (notes.size() < 5) co_await sleepFor(0ms);
  co_return notes;
}

TEST_F(NetTest, WaitListWakesInOrderAndTimesOut) {
  Gate gate;
  const auto notes = runAndWait(a().executor(), playWaitList(gate));
  gate.closeAndWait();
  EXPECT_THAT(notes,
              testing::UnorderedElementsAre(Wake::kTimedOut, Wake::kNotified, Wake::kNotified,
                                            Wake::kNotified, Wake::kCancelled));
  EXPECT_EQ(notes[0], Wake::kTimedOut);
}

TEST_F(NetTest, ClosingTheGateUnlinksParkedWaiters) {
  Gate gate;
  WaitList list;
  std::vector<Wake> notes;
  spawn(gate, a(), "waiter", parkAndNote(list, 1h, notes));
  gate.closeAndWait();
  EXPECT_TRUE(list.empty());
}

Task<std::pair<int, bool>> blockingCall(BlockingPool& pool) {
  auto call = [] { return Shard::current() == nullptr ? 7 : 0; };
  const int value = co_await runBlocking(pool, call);
  co_return std::pair(value, Shard::current() != nullptr);
}

TEST_F(NetTest, BlockingPoolRunsElsewhereAndResumesHere) {
  BlockingPool pool(2);
  EXPECT_EQ(runAndWait(a().executor(), blockingCall(pool)), std::pair(7, true));
  pool.stop();
  EXPECT_EQ(runAndWait(a().executor(), blockingCall(pool)), std::pair(0, true));
}

TEST(BlockingPool, RunsEverythingQueuedBeforeItStops) {
  std::atomic<int> done = 0;
  {
    BlockingPool pool(3);
    for (int i = 0; i < 1000; ++i) pool.submit([&done] { ++done; });
  }
  EXPECT_EQ(done, 1000);
}

}  // namespace
}  // namespace millrace
