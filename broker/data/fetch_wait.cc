#include "broker/data/fetch_wait.h"

#include <chrono>
#include <set>

namespace millrace::broker {

bool FetchWait::begin() {
  const auto job = job_.lock();
  const std::set<int>& shards = job->shards();
  if (shards.empty()) return true;
  at_work_.store(static_cast<int>(shards.size()), std::memory_order_release);
  int local = -1;
  for (const int index : shards) {
    if (shards_.at(index).runsHere()) {
      local = index;
      continue;
    }
    shards_.at(index).post([self = shared_from_this(), job, index] {
      self->visit(*job, index);
      self->endVisit();
    });
  }
  if (local >= 0) {
    visit(*job, local);
    endVisit();
  }
  return signalled_;
}

/// On that shard.
void FetchWait::visit(FetchJob& job, int shard) {
  const FetchJob::Found found = job.read(shard);
  if (isDone()) return;
  const std::int64_t missing = missing_bytes_.fetch_sub(found.bytes, std::memory_order_acq_rel);
  if (found.must_answer || missing <= found.bytes) {
    done_.store(true, std::memory_order_release);
  } else {
    job.watch(shard, shared_from_this());
  }
}

/// On any shard.
void FetchWait::endVisit() {
  if (at_work_.fetch_sub(1, std::memory_order_acq_rel) != 1 || !isDone()) return;
  if (home_.runsHere()) return signal();
  home_.post([self = shared_from_this()] { self->signal(); });
}

void FetchWait::signal() {
  signalled_ = true;
  list_.wakeAll();
}

bool FetchWait::grown(std::int64_t bytes) {
  if (isDone()) return true;
  if (missing_bytes_.fetch_sub(bytes, std::memory_order_acq_rel) > bytes) return false;
  at_work_.fetch_add(1, std::memory_order_acq_rel);
  const bool first = !done_.exchange(true, std::memory_order_acq_rel);
  const auto job = first ? job_.lock() : nullptr;
  if (!job) {
    endVisit();
    return true;
  }
  Shard& here = *Shard::current();
  if (job->readsOneOn(here.index())) {
    job->read(here.index());
    endVisit();
    return true;
  }
  // What grows here grows often by one request: all of it goes into one answer.
  here.post([self = shared_from_this(), job, &here] {
    job->read(here.index());
    self->endVisit();
  });
  return true;
}

/// The job will find out why when it looks at the metadata again.
void FetchWait::gone() {
  at_work_.fetch_add(1, std::memory_order_acq_rel);
  done_.store(true, std::memory_order_release);
  endVisit();
}

/// Ends the round. False where a shard is still at work: it will call.
bool FetchWait::withdraw() {
  at_work_.fetch_add(1, std::memory_order_acq_rel);
  done_.store(true, std::memory_order_release);
  return at_work_.fetch_sub(1, std::memory_order_acq_rel) == 1;
}

Task<Wake> FetchWait::park(SteadyTime deadline) {
  if (signalled_) co_return Wake::kNotified;
  const Wake wake = co_await list_.park(deadline);
  if (wake == Wake::kCancelled) co_return wake;
  if (signalled_) co_return Wake::kNotified;
  bool at_rest = withdraw();
  while (!at_rest) {
    const Wake again = co_await list_.park(std::chrono::hours(1));
    if (again == Wake::kCancelled) co_return again;
    at_rest = signalled_;
  }
  co_return wake;
}

}  // namespace millrace::broker
