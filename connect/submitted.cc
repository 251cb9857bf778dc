#include "connect/submitted.h"

#include "connect/offset_store.h"

namespace millrace::connect {

struct SubmittedRecords::Queue {
  struct Entry {
    SourceMap offset;
    bool acknowledged = false;
  };
  std::shared_ptr<const SourceMap> partition;
  std::deque<Entry> entries;
  std::uint64_t first = 0;  // number of entries.front()
};

SubmittedRecords::SubmittedRecords() = default;
SubmittedRecords::~SubmittedRecords() = default;

SubmittedRecords::Ticket SubmittedRecords::submit(const std::shared_ptr<const SourceMap>& partition,
                                                  SourceMap offset) {
  const std::lock_guard lock(mutex_);
  // Sources mostly go on with the partition they just used; the queue keeps it alive, so the
  // pointer names it for good.
  if (last_queue_ == nullptr || partition.get() != last_partition_) {
    auto& queue = queues_[sourceMapText(*partition)];
    if (!queue) queue = std::make_unique<Queue>();
    queue->partition = partition;
    last_partition_ = partition.get();
    last_queue_ = queue.get();
  }
  last_queue_->entries.push_back({std::move(offset), false});
  return {last_queue_, last_queue_->first + last_queue_->entries.size() - 1};
}

void SubmittedRecords::acknowledge(const Ticket& ticket) {
  const std::lock_guard lock(mutex_);
  ticket.queue->entries[ticket.number - ticket.queue->first].acknowledged = true;
  ++acknowledged_;
}

std::vector<SubmittedRecords::Released> SubmittedRecords::release() {
  const std::lock_guard lock(mutex_);
  std::vector<Released> released;
  for (const auto& [text, queue] : queues_) {
    std::optional<SourceMap> newest;
    while (!queue->entries.empty() && queue->entries.front().acknowledged) {
      newest = std::move(queue->entries.front().offset);
      queue->entries.pop_front();
      ++queue->first;
    }
    if (newest) released.push_back({queue->partition, std::move(*newest)});
  }
  return released;
}

std::uint64_t SubmittedRecords::acknowledged() const {
  const std::lock_guard lock(mutex_);
  return acknowledged_;
}

}  // namespace millrace::connect
