// The writes of one store that are not committed yet: newest value or deletion per key, in memory.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace millrace::streams {

/// Point operations go through a hash table; the first ordered walk builds an index, which is kept
/// up from then on (stores that are never scanned do not pay for it). Values that find() and walks
/// return stay valid until the same key is written again, iterators of ordered() until clear(). One
/// thread.
class WriteBuffer {
 public:
  struct Entry {
    std::uint64_t hash;
    std::uint32_t key_size;
    std::uint32_t value_size;
    std::uint32_t capacity;  ///< bytes reserved for the value
    bool deleted;

    [[nodiscard]] const char* data() const {
      return reinterpret_cast<const char*>(this) + sizeof(Entry);
    }
    [[nodiscard]] char* data() { return reinterpret_cast<char*>(this) + sizeof(Entry); }
    [[nodiscard]] BytesView key() const { return {data(), key_size}; }
    /// Nothing where the entry is a deletion.
    [[nodiscard]] std::optional<BytesView> value() const {
      if (deleted) return std::nullopt;
      return BytesView(data() + key_size, value_size);
    }
  };
  using Ordered = std::map<BytesView, const Entry*>;

  WriteBuffer() = default;
  WriteBuffer(const WriteBuffer&) = delete;
  WriteBuffer& operator=(const WriteBuffer&) = delete;

  /// nullopt deletes.
  void put(BytesView key, std::optional<BytesView> value);
  /// nullptr: this buffer knows nothing of the key.
  [[nodiscard]] const Entry* find(BytesView key) const;
  /// All entries by key.
  [[nodiscard]] const Ordered& ordered();
  /// Entries of which `keep` accepts the key (unset: all), sorted by key, without building the
  /// index: what a commit writes.
  [[nodiscard]] std::vector<const Entry*> sorted(
      const std::function<bool(BytesView)>& keep = {}) const;
  void clear();

  [[nodiscard]] std::size_t count() const { return count_; }
  /// Memory taken by entries, in bytes.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  [[nodiscard]] Entry** slot(BytesView key, std::uint64_t hash);
  Entry* allocate(BytesView key, std::uint64_t hash, std::size_t value_capacity);
  void grow();

  std::vector<Entry*> table_;  ///< open addressing, a power of two, at most half full
  std::vector<std::unique_ptr<char[]>> chunks_;
  std::size_t chunk_left_ = 0;
  char* chunk_at_ = nullptr;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::optional<Ordered> ordered_;
};

}  // namespace millrace::streams
