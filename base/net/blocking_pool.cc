#include "base/net/blocking_pool.h"

#include "base/assert.h"

#include <pthread.h>

namespace millrace {

BlockingPool::BlockingPool(int threads, std::string name)
    : limit_(static_cast<std::size_t>(threads)), name_(std::move(name)) {
  MILLRACE_ASSERT(threads >= 1, "a blocking pool needs a thread");
}

BlockingPool::~BlockingPool() { stop(); }

void BlockingPool::submit(std::move_only_function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopped_) {
      queue_.push_back(std::move(call));
      if (idle_ < queue_.size() && threads_.size() < limit_) {
        threads_.emplace_back([this] { run(); });
      }
      ready_.notify_one();
      return;
    }
  }
  call();
}

void BlockingPool::stop() {
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
    ready_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

void BlockingPool::run() {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    ready_.wait(lock, [this] { return stopped_ || !queue_.empty(); });
    --idle_;
    if (queue_.empty()) return;
    auto call = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    call();
    call = nullptr;  // what the call holds ends here, not under the lock
    lock.lock();
  }
}

}  // namespace millrace
