// One task: a subtopology over one partition of each of its inputs.
#pragma once

#include "streams/context.h"
#include "streams/topology.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace millrace::streams {

class InputQueue;

/// An input record that owns its bytes: for drivers and tests.
struct OwnedRecord {
  std::optional<Bytes> key;
  std::optional<Bytes> value;
  Millis timestamp = -1;
  std::int64_t offset = 0;
  Headers headers = {};
};

/// Runs one or all subtopologies over its input partitions. One thread at a time; time is handed
/// in. Order of calls: constructor, init(), then any of the rest; after an error only close() and
/// destruction.
class Task {
 public:
  /// An input: topics by the name in the topology (internal ones without the application id).
  struct Input {
    std::string topic;
    std::int32_t partition = 0;
  };
  struct Options {
    TaskId id;
    std::string application_id;
    std::vector<std::int32_t> subtopologies;  ///< usually one; the test driver runs all in one task
    std::vector<Input> inputs;                ///< their position is the handle used below
    RecordCollector* collector = nullptr;
    StoreProvider* stores = nullptr;
    CacheBudget* cache = nullptr;
    Millis wall_ms = 0;
  };
  Task(Topology topology, Options options);
  ~Task();
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;

  /// Makes stores and nodes, and calls every node's init. Stores must be restored by now.
  [[nodiscard]] Status init();

  /// Queues what a poll returned; keeps the batch alive until processed.
  void add(std::size_t input, RecordSlice slice);
  void add(std::size_t input, OwnedRecord record);
  [[nodiscard]] std::size_t buffered(std::size_t input) const;
  /// Records queued over all inputs.
  [[nodiscard]] std::size_t buffered() const;
  /// No input is empty: the next record is surely the one of the smallest timestamp.
  [[nodiscard]] bool allInputsBuffered() const;

  /// Processes up to `max_records` in the order of timestamps over the inputs, stream-time
  /// punctuators after each. Returns how many were taken from the queues. Errors: what user code
  /// threw, a record that cannot be read, a store or an output that failed. With `stop_when_dry` it
  /// also returns when an input ran empty: the caller then decides whether to go on without that
  /// input (max.task.idle.ms).
  [[nodiscard]] Result<std::size_t> process(std::size_t max_records, bool stop_when_dry = false);
  /// Runs wall-clock punctuators that are due.
  [[nodiscard]] Result<bool> punctuateWallClock(Millis wall_ms);
  void setWallClock(Millis wall_ms);

  /// Flushes caches in the order of store creation: what they held is in the stores and sent on
  /// afterwards. First step of a commit; then the collector is flushed, then committable() offsets
  /// are committed.
  [[nodiscard]] Status flush();
  /// The next offset to read per input that moved since the last clearCommit(), and the partition
  /// time.
  struct Position {
    std::size_t input = 0;
    std::int64_t next_offset = 0;
    Millis partition_time = -1;
  };
  [[nodiscard]] std::vector<Position> committable() const;
  void committed();
  [[nodiscard]] bool commitNeeded() const;
  /// A processor called commit() since the last committed().
  [[nodiscard]] bool commitRequested() const;
  /// Restores a partition's time from a committed offset's metadata.
  void setPartitionTime(std::size_t input, Millis time);

  void close();
  [[nodiscard]] Millis streamTime() const;
  [[nodiscard]] std::uint64_t dropped() const;
  [[nodiscard]] std::uint64_t processed() const;
  [[nodiscard]] TaskStore* store(std::string_view name);

 private:
  struct State;
  [[nodiscard]] Status makeStores(const std::vector<std::string>& names);
  [[nodiscard]] Status openInput(const Input& input, const std::vector<std::string>& names);
  void enqueued(std::size_t input, bool was_empty);
  bool punctuate(std::vector<ProcessorContext::Schedule>& schedules, Millis now);

  std::unique_ptr<State> state_;
};

}  // namespace millrace::streams
