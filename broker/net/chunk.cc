#include "broker/net/chunk.h"

#include "base/assert.h"

#include <algorithm>
#include <bit>

namespace millrace::broker {

namespace {

std::size_t classOf(std::size_t capacity) {
  return static_cast<std::size_t>(std::countr_zero(capacity) -
                                  std::countr_zero(ChunkPool::kSmallest));
}

}  // namespace

void intrusive_ptr_release(Chunk* c) {
  if (--c->references_ == 0) c->pool_->give(c);
}

ChunkPool::~ChunkPool() {
  trim();
  MILLRACE_ASSERT(outstanding_ == 0, "a request outlives its shard's chunk pool");
}

ChunkPtr ChunkPool::take(std::size_t size) {
  const std::size_t capacity = std::bit_ceil(std::max(size, kSmallest));
  ++outstanding_;
  if (capacity <= kLargestKept) {
    auto& kept = free_[classOf(capacity)];
    if (!kept.empty()) {
      Chunk* chunk = kept.back();
      kept.pop_back();
      kept_bytes_ -= capacity;
      return {chunk};
    }
  }
  return {new Chunk(this, capacity)};
}

void ChunkPool::give(Chunk* chunk) {
  --outstanding_;
  if (chunk->capacity() > kLargestKept || kept_bytes_ + chunk->capacity() > keep_bytes_) {
    delete chunk;
    return;
  }
  kept_bytes_ += chunk->capacity();
  free_[classOf(chunk->capacity())].push_back(chunk);
}

void ChunkPool::trim() {
  for (auto& kept : free_) {
    for (Chunk* chunk : kept) delete chunk;
    kept.clear();
    kept.shrink_to_fit();
  }
  kept_bytes_ = 0;
}

}  // namespace millrace::broker
