// The buffers that requests are received into. A shard reuses them, so that a busy connection
// neither allocates nor faults pages in, and an idle one holds next to nothing.
#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace millrace::broker {

class ChunkPool;

/// A run of bytes shared by the connection that fills it and the requests that borrow from it.
/// Counted without atomics: all references stay on one shard.
class Chunk {
 public:
  Chunk(ChunkPool* pool, std::size_t capacity)
      : pool_(pool), bytes_(new char[capacity]), capacity_(capacity) {}

  [[nodiscard]] char* data() { return bytes_.get(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }
  [[nodiscard]] bool isShared() const { return references_ > 1; }

 private:
  friend class ChunkPool;
  friend void intrusive_ptr_add_ref(Chunk* c) { ++c->references_; }
  friend void intrusive_ptr_release(Chunk* c);

  ChunkPool* pool_;
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_;
  std::size_t references_ = 0;
};

using ChunkPtr = boost::intrusive_ptr<Chunk>;

/// Keeps freed chunks by size. One per shard; outlives its chunks.
class ChunkPool {
 public:
  /// Capacities are powers of two from here on.
  static constexpr std::size_t kSmallest = 8 << 10;
  /// Larger ones go back to the system at once.
  static constexpr std::size_t kLargestKept = 4 << 20;

  /// Keeps at most `keep_bytes` of free chunks.
  explicit ChunkPool(std::size_t keep_bytes = 8 << 20) : keep_bytes_(keep_bytes) {}
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// A chunk of at least `size` bytes.
  [[nodiscard]] ChunkPtr take(std::size_t size);
  /// Gives the free chunks back to the system (the shard has nothing to do).
  void trim();
  [[nodiscard]] std::size_t keptBytes() const { return kept_bytes_; }

 private:
  friend void intrusive_ptr_release(Chunk* c);
  void give(Chunk* chunk);

  static constexpr std::size_t kClasses = 10;  // 8 KiB .. 4 MiB
  std::vector<Chunk*> free_[kClasses];
  std::size_t keep_bytes_;
  std::size_t kept_bytes_ = 0;
  std::size_t outstanding_ = 0;
};

}  // namespace millrace::broker
