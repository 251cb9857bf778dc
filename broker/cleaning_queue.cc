#include "broker/cleaning_queue.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace millrace::broker {

void CleaningQueue::fill(std::vector<DirtyLog> due) {
  if (!queue_.empty()) return;
  std::ranges::stable_sort(due, std::greater<>{}, &DirtyLog::dirty_ratio);
  for (const DirtyLog& one : due)
    if (!busy_.contains(one.id) && !uncleanable_.contains(one.id)) queue_.push_back(one.id);
}

std::optional<TopicIdPartition> CleaningQueue::take() {
  if (queue_.empty()) return std::nullopt;
  const TopicIdPartition id = queue_.front();
  queue_.pop_front();
  busy_.insert(id);
  return id;
}

bool CleaningQueue::done(const TopicIdPartition& id, const Status& outcome) {
  busy_.erase(id);
  if (outcome) return compacted_ = true;
  switch (outcome.error().code) {
    case Errc::kUnknownTopicOrPartition:  // deleted meanwhile
      return true;
    case Errc::kCancelled:  // stop
    case Errc::kDiskFull:   // may be over after a while
      return false;
    default:
      // Another try finds the same bytes.
      uncleanable_.insert(id);
      return false;
  }
}

bool CleaningQueue::takeCompacted() { return std::exchange(compacted_, false); }

}  // namespace millrace::broker
