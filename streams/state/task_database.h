// The RocksDB instance of one task: a column family per store and one for offsets.
#pragma once

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "streams/state/write_buffer.h"
#include "streams/store.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace millrace::streams {

/// Memory that all databases of a process share: one block cache and one budget of write buffers.
/// Opaque, so that RocksDB stays inside streams/state.
class StateMemory {
 public:
  virtual ~StateMemory() = default;
};
struct StateMemoryOptions {
  std::size_t block_cache_bytes = 64 << 20;
  std::size_t write_buffer_bytes = 128 << 20;  ///< over all tasks; reaching it flushes the fullest
};
[[nodiscard]] std::shared_ptr<StateMemory> makeStateMemory(const StateMemoryOptions& options = {});

/// What reaches the disk together. The write-ahead log is off and flushes are atomic over all
/// families: after kill -9 the directory holds the state of some earlier write(), whole, with the
/// offsets of that write(). One thread writes; get() and walk() may run on any thread.
class TaskDatabase {
 public:
  struct Family {
    std::string name;
    bool expires =
        false;  ///< rows end in start8 || seq4 or end8 || start8: old ones go at compaction
    std::size_t time_offset =
        0;  ///< where the big-endian time stands, counted from the end of the key
  };
  struct FamilyWrites {
    std::size_t family = 0;  ///< index into the families given to open()
    const WriteBuffer* writes = nullptr;
  };
  using Meta = std::vector<std::pair<std::string, Bytes>>;

  /// Creates the directory where it is not there. Families of stores that the topology no longer
  /// has are dropped. Errors: kIo, kCorruptData, kState where another process holds the directory.
  [[nodiscard]] static Result<std::unique_ptr<TaskDatabase>> open(
      const std::string& directory, std::vector<Family> families,
      std::shared_ptr<StateMemory> memory);
  ~TaskDatabase();
  TaskDatabase(const TaskDatabase&) = delete;
  TaskDatabase& operator=(const TaskDatabase&) = delete;

  [[nodiscard]] Result<bool> get(std::size_t family, BytesView key, Bytes& out) const;
  /// Rows with lower <= key < upper (empty: open) in the order of keys.
  [[nodiscard]] std::unique_ptr<KeyValueIterator> walk(std::size_t family, BytesView lower,
                                                       BytesView upper) const;
  [[nodiscard]] std::int64_t approximateRows(std::size_t family) const;
  /// Rows with a time below this may vanish at any time from now on.
  void expireBefore(std::size_t family, Millis time);

  /// Applies buffers and notes at once. Durable after flush(), or when RocksDB flushes by itself.
  [[nodiscard]] Status write(std::span<const FamilyWrites> writes, const Meta& meta);
  /// A note of an earlier write(), by name.
  [[nodiscard]] Result<bool> meta(const std::string& name, Bytes& out) const;
  [[nodiscard]] Status flush();

 private:
  struct State;
  explicit TaskDatabase(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace millrace::streams
