// The newest offset of each key, in bounded memory: what compaction decides by.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>

#include "base/bytes.h"
#include "base/ids.h"

namespace millrace::log {

/// 24 bytes a key: 128 bits of its hash and an offset. Keys are never compared; with 2^32 keys the
/// chance that any two share a hash is below 10^-19. The seed differs from run to run, so that no
/// producer can choose keys that collide.
class KeyOffsetMap {
 public:
  /// Takes up to `max_bytes`; memory that stays unused is not touched.
  KeyOffsetMap(std::size_t max_bytes, std::uint64_t seed);

  /// Whether `more` keys are sure to fit.
  [[nodiscard]] bool fits(std::size_t more) const { return size_ + more <= limit_; }
  /// Room for a key was made sure of by fits(). Later offsets replace earlier ones.
  void put(BytesView key, Offset offset);
  /// The newest offset of a key; -1 where it is not in the map.
  [[nodiscard]] Offset get(BytesView key) const;
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint64_t high;
    std::uint64_t low;
    std::int64_t offset_plus_one;  ///< 0: free
  };
  struct Free {
    void operator()(Slot* p) const { std::free(p); }
  };
  [[nodiscard]] Slot& find(BytesView key) const;

  std::unique_ptr<Slot[], Free> slots_;
  std::size_t capacity_;
  std::size_t limit_;
  std::size_t size_ = 0;
  std::uint64_t seed_;
};

}  // namespace millrace::log
