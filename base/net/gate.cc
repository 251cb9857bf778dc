#include "base/net/gate.h"

#include "base/assert.h"
#include "base/log.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/system/system_error.hpp>

namespace millrace {

/// One coroutine inside. The signal is emitted on the coroutine's own executor only.
struct Gate::Entry {
  Entry(const Executor& e, std::string n) : executor(e), name(std::move(n)) {}
  Executor executor;
  std::string name;
  boost::asio::cancellation_signal signal;
  std::list<std::shared_ptr<Entry>>::iterator position;
};

Gate::~Gate() {
  MILLRACE_ASSERT(entries_.empty(), "a gate ends while " + entries_.front()->name + " is inside");
}

bool Gate::isClosed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::size_t Gate::inside() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

std::shared_ptr<Gate::Entry> Gate::enter(const Executor& executor, std::string name) {
  const std::lock_guard lock(mutex_);
  if (closed_) return nullptr;
  auto entry = std::make_shared<Entry>(executor, std::move(name));
  entry->position = entries_.insert(entries_.end(), entry);
  return entry;
}

void Gate::leave(const std::shared_ptr<Entry>& entry) {
  std::vector<Resume> waiters;
  {
    const std::lock_guard lock(mutex_);
    entries_.erase(entry->position);
    if (!entries_.empty() || !closed_) return;
    waiters.swap(waiters_);
    empty_.notify_all();  // under the lock: the waiter may destroy the gate as soon as it has it
  }
  for (Resume& resume : waiters) resume();
}

void Gate::shut() {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  closed_ = true;
  for (const auto& entry : entries_) {
    boost::asio::post(entry->executor,
                      [entry] { entry->signal.emit(boost::asio::cancellation_type::terminal); });
  }
}

void Gate::addWaiter(Resume resume) {
  {
    const std::lock_guard lock(mutex_);
    if (!entries_.empty()) {
      waiters_.push_back(std::move(resume));
      return;
    }
  }
  resume();
}

Task<> Gate::close() {
  shut();
  auto start = [this](Resume resume) { addWaiter(std::move(resume)); };
  co_await suspend(std::ref(start));
}

void Gate::closeAndWait() {
  shut();
  std::unique_lock lock(mutex_);
  empty_.wait(lock, [this] { return entries_.empty(); });
}

namespace {

void reportEscape(const std::string& name, const std::exception_ptr& error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    if (e.code() == boost::asio::error::operation_aborted) return;  // the gate was closed
    MILLRACE_LOG_ERROR("{} ended with an error: {}", name, e.what());
  } catch (const std::exception& e) {
    MILLRACE_LOG_ERROR("{} ended with an exception: {}", name, e.what());
  }
}

}  // namespace

bool spawn(Gate& gate, const Executor& executor, std::string name, Task<> task) {
  std::shared_ptr<Gate::Entry> entry = gate.enter(executor, std::move(name));
  if (!entry) return false;
  auto done = [&gate, entry](const std::exception_ptr& error) {
    reportEscape(entry->name, error);
    gate.leave(entry);
  };
  boost::asio::co_spawn(executor, std::move(task),
                        boost::asio::bind_cancellation_slot(entry->signal.slot(), std::move(done)));
  return true;
}

}  // namespace millrace
