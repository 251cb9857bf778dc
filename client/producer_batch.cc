#include "client/producer_batch.h"

namespace millrace::client {

void BatchOutcome::set(Status status, std::int64_t base_offset, Millis log_append_time) {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
    base_offset_ = base_offset;
    log_append_time_ = log_append_time;
    set_ = true;
    callbacks.swap(callbacks_);
  }
  changed_.notify_all();
  for (const auto& callback : callbacks) callback();
}

void BatchOutcome::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return set_; });
}

bool BatchOutcome::waitFor(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [this] { return set_; });
}

void BatchOutcome::then(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!set_) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

std::uint64_t BatchTracker::add() {
  const std::lock_guard lock(mutex_);
  open_.insert(open_.end(), next_);
  return next_++;
}

void BatchTracker::done(std::uint64_t id, const Status& status) {
  {
    const std::lock_guard lock(mutex_);
    open_.erase(id);
    if (!status && first_failure_) first_failure_ = status;
  }
  changed_.notify_all();
}

Status BatchTracker::waitAll(std::optional<std::chrono::milliseconds> timeout) {
  std::unique_lock lock(mutex_);
  const std::uint64_t limit = next_;
  const auto all_done = [&] { return open_.empty() || *open_.begin() >= limit; };
  if (!timeout) {
    changed_.wait(lock, all_done);
  } else if (!changed_.wait_for(lock, *timeout, all_done)) {
    return fail(Errc::kTimeout, "some batches are still under way");
  }
  return std::exchange(first_failure_, Status());
}

Result<RecordMetadata> RecordFuture::take() {
  outcome_->wait();
  if (!outcome_->status()) return std::unexpected(outcome_->status().error());
  RecordMetadata out;
  out.topic = topic_;
  out.partition = partition_;
  out.offset = outcome_->baseOffset() < 0 ? -1 : outcome_->baseOffset() + index_;
  out.timestamp = outcome_->logAppendTime() >= 0 ? outcome_->logAppendTime() : timestamp_;
  return out;
}

}  // namespace millrace::client
