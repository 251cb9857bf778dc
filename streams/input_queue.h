// The queues of a task's inputs and the choice of the next record.
#pragma once

#include "streams/processor.h"
#include "streams/task.h"

#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace millrace::streams {

/// Records of one partition, in offset order. The first readable one is the head: loaded
/// (deserialised, with its timestamp) into the source's slot. Records that the slot drops are
/// passed over.
class InputQueue {
 public:
  InputQueue(std::string topic, std::int32_t partition, std::unique_ptr<SourceSlot> slot)
      : topic_(std::move(topic)), partition_(partition), slot_(std::move(slot)) {}

  void add(RecordSlice slice);
  void add(OwnedRecord record);
  /// Loads the next readable record where there is no head. False where the slot failed.
  [[nodiscard]] bool load();
  [[nodiscard]] bool hasHead() const { return has_head_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] Millis headTimestamp() const { return slot_->timestamp(); }
  [[nodiscard]] RecordOrigin headOrigin() const { return {topic_, partition_, head_offset_}; }
  /// Sends the head down the topology. The head stays until pop().
  void forwardHead() { slot_->forwardLoaded(head_headers_); }
  void pop();

  [[nodiscard]] std::int64_t nextOffset() const { return next_offset_; }
  [[nodiscard]] Millis partitionTime() const { return partition_time_; }
  void setPartitionTime(Millis time) { partition_time_ = time; }
  /// Set when the position moves, cleared by the task's commit.
  bool moved = false;

 private:
  [[nodiscard]] bool loadFromSlice();
  [[nodiscard]] bool loadOwned();
  [[nodiscard]] bool take(const RawRecord& record);
  void passed(std::int64_t next_offset);

  std::string topic_;
  std::int32_t partition_;
  std::unique_ptr<SourceSlot> slot_;
  std::deque<RecordSlice> slices_;
  RecordIterator cursor_;
  bool cursor_open_ = false;
  std::deque<OwnedRecord> owned_;
  Headers headers_;
  const Headers* head_headers_ = nullptr;
  bool has_head_ = false;
  std::int64_t head_offset_ = 0;
  std::size_t size_ = 0;
  std::int64_t next_offset_ = -1;
  Millis partition_time_ = -1;
};

/// Queues with a head, smallest timestamp first. Ties fall as in java.util.PriorityQueue, because
/// the order of a task's inputs can be seen in its output.
class InputOrder {
 public:
  void push(InputQueue* queue);
  [[nodiscard]] InputQueue* pop();
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }

 private:
  std::vector<InputQueue*> heap_;
};

}  // namespace millrace::streams
