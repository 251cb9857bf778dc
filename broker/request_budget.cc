#include "broker/request_budget.h"

#include "broker/request_context.h"

#include <algorithm>

namespace millrace::broker {

namespace {

// Whoever waits sets any_waits_ and then tries again; whoever gives frees room and then looks at
// any_waits_. All of it is sequentially consistent, so one of the two sees the other.

/// Adds where less than `most` is taken.
bool take(std::atomic<std::int64_t>& taken, std::int64_t amount, std::int64_t most) {
  std::int64_t now = taken.load();
  while (now < most) {
    if (taken.compare_exchange_weak(now, now + amount)) return true;
  }
  return false;
}

}  // namespace

bool RequestBudget::takePlace() { return take(requests_, 1, max_requests_); }

bool RequestBudget::takeBytes(std::int64_t bytes) { return take(bytes_, bytes, max_bytes_); }

void RequestBudget::give(std::int64_t places, std::int64_t bytes) {
  if (places != 0) requests_.fetch_sub(places);
  if (bytes != 0) bytes_.fetch_sub(bytes);
  if (!any_waits_.load()) return;
  std::vector<Waiter*> waiters;
  {
    const std::lock_guard lock(mutex_);
    waiters.swap(waiters_);
    any_waits_.store(false);
  }
  for (Waiter* waiter : waiters) waiter->onRoom();
}

void RequestBudget::wait(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(waiters_, &waiter) == waiters_.end()) waiters_.push_back(&waiter);
  any_waits_.store(true);
}

bool RequestPermit::takeBytes(RequestBudget& budget, std::int64_t bytes) {
  if (bytes_ != 0 || !budget.countsBytes()) return true;
  if (!budget.takeBytes(bytes)) return false;
  budget_ = &budget;
  bytes_ = bytes;
  return true;
}

bool RequestPermit::takePlace(RequestBudget& budget) {
  if (places_ != 0) return true;
  if (!budget.takePlace()) return false;
  budget_ = &budget;
  places_ = 1;
  return true;
}

void RequestPermit::release() {
  if (budget_ != nullptr) std::exchange(budget_, nullptr)->give(places_, bytes_);
  places_ = bytes_ = 0;
}

void parks(const RequestContext& context) {
  if (context.permit != nullptr) context.permit->release();
}

}  // namespace millrace::broker
