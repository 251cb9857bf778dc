// A value that arrives later, from the client's I/O thread.
#pragma once

#include "base/result.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

namespace millrace {

namespace client {

/// Where a Future gets its value from. set() is called once.
template <class T>
class FutureState {
 public:
  virtual ~FutureState() = default;
  virtual void wait() = 0;
  virtual bool waitFor(std::chrono::milliseconds timeout) = 0;
  virtual Result<T> take() = 0;
  /// Calls back once the value is there: at once on this thread, or later on the I/O thread.
  virtual void then(std::function<void()> callback) = 0;
};

/// A single value behind a mutex.
template <class T>
class ValueState final : public FutureState<T> {
 public:
  void set(Result<T> value) {
    std::function<void()> callback;
    {
      const std::lock_guard lock(mutex_);
      value_ = std::move(value);
      callback = std::move(callback_);
    }
    ready_.notify_all();
    if (callback) callback();
  }
  void wait() override {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return value_.has_value(); });
  }
  bool waitFor(std::chrono::milliseconds timeout) override {
    std::unique_lock lock(mutex_);
    return ready_.wait_for(lock, timeout, [this] { return value_.has_value(); });
  }
  Result<T> take() override {
    wait();
    const std::lock_guard lock(mutex_);
    return *value_;
  }
  void then(std::function<void()> callback) override {
    {
      const std::lock_guard lock(mutex_);
      if (!value_) {
        callback_ = std::move(callback);
        return;
      }
    }
    callback();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::optional<Result<T>> value_;
  std::function<void()> callback_;
};

}  // namespace client

/// A result that will be there later. get() may be called again.
template <class T>
class Future {
 public:
  Future() = default;
  explicit Future(std::shared_ptr<client::FutureState<T>> state) : state_(std::move(state)) {}
  /// A future that is ready already.
  static Future ready(Result<T> value) {
    auto state = std::make_shared<client::ValueState<T>>();
    state->set(std::move(value));
    return Future(std::move(state));
  }

  [[nodiscard]] Result<T> get() const { return state_->take(); }
  void wait() const { state_->wait(); }
  /// False where the time ran out.
  [[nodiscard]] bool waitFor(std::chrono::milliseconds timeout) const {
    return state_->waitFor(timeout);
  }
  /// Runs once the value is there: at once, or on the I/O thread.
  void then(std::function<void()> callback) const { state_->then(std::move(callback)); }

 private:
  std::shared_ptr<client::FutureState<T>> state_;
};

}  // namespace millrace
