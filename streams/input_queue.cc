#include "streams/input_queue.h"

namespace millrace::streams {

void InputQueue::add(RecordSlice slice) {
  size_ += static_cast<std::size_t>(slice.count);
  slices_.push_back(std::move(slice));
}

void InputQueue::add(OwnedRecord record) {
  ++size_;
  owned_.push_back(std::move(record));
}

bool InputQueue::load() {
  while (!has_head_ && size_ > 0) {
    if (!(owned_.empty() ? loadFromSlice() : loadOwned())) return false;
  }
  return true;
}

bool InputQueue::loadFromSlice() {
  if (!cursor_open_) {
    cursor_ = RecordIterator(slices_.front());
    cursor_open_ = true;
  }
  const Record& record = *cursor_;
  RawRecord raw{.timestamp = record.timestamp(), .origin = {topic_, partition_, record.offset()}};
  if (record.hasKey()) raw.key = record.key();
  if (record.hasValue()) raw.value = record.value();
  if (record.headerCount() > 0) {
    headers_.clear();
    for (const HeaderView& header : record.headers()) {
      headers_.push_back({std::string(header.key),
                          header.value ? std::optional<Bytes>(*header.value) : std::nullopt});
    }
    raw.headers = &headers_;
  }
  return take(raw);
}

bool InputQueue::loadOwned() {
  const OwnedRecord& record = owned_.front();
  RawRecord raw{.timestamp = record.timestamp, .origin = {topic_, partition_, record.offset}};
  if (record.key) raw.key = BytesView(*record.key);
  if (record.value) raw.value = BytesView(*record.value);
  if (!record.headers.empty()) raw.headers = &record.headers;
  return take(raw);
}

bool InputQueue::take(const RawRecord& record) {
  const Loaded loaded = slot_->load(record, partition_time_);
  if (loaded == Loaded::kFailed) return false;
  head_offset_ = record.origin.offset;
  if (loaded == Loaded::kReady) {
    has_head_ = true;
    head_headers_ = record.headers;
    return true;
  }
  pop();
  return true;
}

void InputQueue::pop() {
  if (has_head_) partition_time_ = std::max(partition_time_, headTimestamp());
  has_head_ = false;
  --size_;
  if (!owned_.empty()) {
    passed(head_offset_ + 1);
    owned_.pop_front();
    return;
  }
  cursor_.next();
  if (cursor_.valid()) {
    passed(head_offset_ + 1);
    return;
  }
  passed(slices_.front().next_offset);
  cursor_open_ = false;
  slices_.pop_front();
}

void InputQueue::passed(std::int64_t next_offset) {
  next_offset_ = next_offset;
  moved = true;
}

void InputOrder::push(InputQueue* queue) {
  std::size_t hole = heap_.size();
  heap_.push_back(queue);
  while (hole > 0) {
    const std::size_t parent = (hole - 1) / 2;
    if (queue->headTimestamp() >= heap_[parent]->headTimestamp()) break;
    heap_[hole] = heap_[parent];
    hole = parent;
  }
  heap_[hole] = queue;
}

InputQueue* InputOrder::pop() {
  InputQueue* const top = heap_.front();
  InputQueue* const last = heap_.back();
  heap_.pop_back();
  const std::size_t size = heap_.size();
  if (size == 0) return top;
  std::size_t hole = 0;
  while (2 * hole + 1 < size) {
    std::size_t child = 2 * hole + 1;
    if (child + 1 < size && heap_[child]->headTimestamp() > heap_[child + 1]->headTimestamp())
      ++child;
    if (last->headTimestamp() <= heap_[child]->headTimestamp()) break;
    heap_[hole] = heap_[child];
    hole = child;
  }
  heap_[hole] = last;
  return top;
}

}  // namespace millrace::streams
