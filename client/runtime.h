// The thread behind a client: its timers, and its connections where it has any.
#pragma once

#include "base/clock.h"
#include "base/net/task.h"
#include "client/transport.h"

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace millrace::client {

class MetadataService;
class TcpTransport;
struct CommonConfig;

/// One event loop, owned by one client, whose handlers run one at a time. Its own thread runs the
/// loop, except where the client's caller does it while it waits anyway: an answer then reaches the
/// caller without a second thread in between.
class ClientRuntime {
 public:
  ClientRuntime();
  ~ClientRuntime();
  ClientRuntime(const ClientRuntime&) = delete;
  ClientRuntime& operator=(const ClientRuntime&) = delete;

  [[nodiscard]] IoContext& context() { return context_; }
  /// Whether the calling thread is in a handler (or in tryRun) now.
  [[nodiscard]] bool runsHere() const { return turn_owner_.load() == std::this_thread::get_id(); }
  /// Queues a call. From any thread. While a caller has the loop and does not wait, it may take
  /// kGrace to begin.
  void post(std::move_only_function<void()> fn);
  /// Makes a completion handler of fn: it waits for its turn.
  template <class F>
  [[nodiscard]] auto guard(F fn) {
    return [this, fn = std::move(fn)]<class... Args>(Args&&... args) mutable {
      const std::lock_guard turn(turn_);
      const TurnOwner owner(*this);
      fn(std::forward<Args>(args)...);
    };
  }
  /// Calls fn() now, on the calling thread, unless a handler runs on another one: then false. Takes
  /// no lock that it would have to wait for.
  template <class F>
  [[nodiscard]] bool tryRun(F&& fn) {
    if (runsHere()) {
      fn();
      return true;
    }
    const std::unique_lock turn(turn_, std::try_to_lock);
    if (!turn) return false;
    const TurnOwner owner(*this);
    fn();
    return true;
  }

  /// Reserves the loop for the calling thread, which must call runClaimed() next. False where it
  /// runs elsewhere: the caller then waits for what handlers tell it.
  [[nodiscard]] bool claim();
  /// Waits for one handler and runs it, until `deadline`. Then nobody runs the loop, until the next
  /// claim or, after kGrace, the runtime's thread.
  void runClaimed(SteadyTime deadline);
  /// What the caller waits for may be there. Ends a runClaimed() on another thread; where a claim
  /// has failed, the loop is kept for the caller from now on.
  void tellCaller();
  /// The caller is about to wait for something else: the runtime's thread takes the loop now.
  void handOver();
  /// While true, claims fail: answers are so large that their handlers should run beside the
  /// caller.
  void preferOwnThread(bool prefer);

  /// Runs what is queued, ends the loop and joins. Not from a handler.
  void stop();

  static constexpr std::chrono::milliseconds kGrace{5};

 private:
  enum class Driver : std::uint8_t { kNobody, kOwnThread, kCaller };
  class TurnOwner {
   public:
    explicit TurnOwner(ClientRuntime& runtime) : runtime_(runtime) {
      runtime_.turn_owner_.store(std::this_thread::get_id());
    }
    ~TurnOwner() { runtime_.turn_owner_.store(std::thread::id()); }
    TurnOwner(const TurnOwner&) = delete;
    TurnOwner& operator=(const TurnOwner&) = delete;

   private:
    ClientRuntime& runtime_;
  };

  void run();
  [[nodiscard]] bool ownThreadMayDrive();
  void park(std::unique_lock<std::mutex>& lock);

  IoContext context_{1};
  boost::asio::executor_work_guard<Executor> work_{context_.get_executor()};
  std::mutex turn_;  ///< held by whoever runs a handler
  std::atomic<std::thread::id> turn_owner_;

  std::mutex mutex_;  ///< guards what follows: who runs the loop
  std::condition_variable parked_;
  Driver driver_ = Driver::kNobody;
  SteadyTime caller_until_ = SteadyTime::min();  ///< until then the loop is kept for the caller
  std::uint64_t claims_ = 0;
  bool caller_waits_ = false;       ///< its claim has failed, and nobody told it of news since
  bool own_thread_sleeps_ = false;  ///< until told, however long the caller's wait takes
  bool prefers_own_thread_ = false;
  bool stopping_ = false;
  bool ended_ = false;
  std::atomic<bool> caller_runs_{false};
  std::thread thread_;
};

/// Calls one function at one time as a handler of the runtime; moving the time replaces it. Used in
/// handlers only.
class Alarm {
 public:
  Alarm(ClientRuntime& runtime, std::function<void()> fire);
  ~Alarm();
  /// In `delay_ms` from now; an earlier time that is set already stays.
  void setWithin(Millis delay_ms);
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// What producer, consumer and admin stand on: a runtime, a way to the brokers, a picture of the
/// cluster.
class ClientBase {
 public:
  ClientBase(const CommonConfig& config, std::shared_ptr<Transport> transport, bool auto_create);
  ~ClientBase();

  /// Fails what is under way and joins the thread. Idempotent. Not from the runtime's thread.
  void shutdown();

  /// Shared with what may come back late from a transport on other threads.
  std::shared_ptr<ClientRuntime> runtime;
  std::shared_ptr<Transport> transport;
  std::shared_ptr<MetadataService> metadata;

 private:
  std::shared_ptr<TcpTransport> own_;  // null with a transport that others share
};

}  // namespace millrace::client
