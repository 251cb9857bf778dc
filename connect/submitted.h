// Which source offsets may be stored: those in front of which everything is acknowledged.
#pragma once

#include "connect/record.h"

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace millrace::connect {

/// Records in the order they were sent, by source partition. Acknowledgements may come in any order
/// and from any thread; an offset is released only when all records in front of it are
/// acknowledged.
class SubmittedRecords {
 public:
  struct Queue;
  /// One sent record.
  struct Ticket {
    Queue* queue = nullptr;
    std::uint64_t number = 0;
  };
  struct Released {
    std::shared_ptr<const SourceMap> partition;
    SourceMap offset;
  };

  SubmittedRecords();
  ~SubmittedRecords();

  Ticket submit(const std::shared_ptr<const SourceMap>& partition, SourceMap offset);
  void acknowledge(const Ticket& ticket);
  /// The newest releasable offset of each partition that has one since the last call.
  [[nodiscard]] std::vector<Released> release();
  [[nodiscard]] std::uint64_t acknowledged() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Queue>> queues_;  // by the partition's text
  const SourceMap* last_partition_ = nullptr;
  Queue* last_queue_ = nullptr;
  std::uint64_t acknowledged_ = 0;
};

}  // namespace millrace::connect
