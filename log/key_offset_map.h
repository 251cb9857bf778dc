// The newest offset of each key, in bounded memory: what compaction decides by.
#pragma once

#include "base/bytes.h"
#include "base/ids.h"

#include <cstdint>
#include <cstdlib>
#include <memory>

namespace millrace::log {

/// 24 bytes a key: 128 bits of its hash and an offset. Keys are never compared; with 2^32 keys the
/// chance that any two share a hash is below 10^-19. The seed differs from run to run, so that no
/// producer can choose keys that collide.
class KeyOffsetMap {
 public:
  /// What stands for a key.
  struct Hash {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
  };
  /// Kafka's log.cleaner.io.buffer.load.factor: a fuller table probes too long.
  static constexpr double kLoadFactor = 0.9;
  static constexpr std::size_t kBytesPerKey = 24;

  /// Takes up to `max_bytes`; memory that stays unused is not touched. `load_factor`: how full it
  /// may get, above 0 and below 1.
  KeyOffsetMap(std::size_t max_bytes, std::uint64_t seed, double load_factor = kLoadFactor);

  /// Whether `more` keys are sure to fit.
  [[nodiscard]] bool fits(std::size_t more) const { return size_ + more <= limit_; }
  [[nodiscard]] Hash hash(BytesView key) const;
  /// Fetches a key's place from memory early: one that looks up many keys hashes them all first.
  void prefetch(const Hash& hash) const { __builtin_prefetch(&slots_[placeOf(hash)]); }
  /// Room for a key was made sure of by fits(). Later offsets replace earlier ones.
  void put(const Hash& hash, Offset offset);
  void put(BytesView key, Offset offset) { put(hash(key), offset); }
  /// The newest offset of a key; -1 where it is not in the map.
  [[nodiscard]] Offset get(const Hash& hash) const;
  [[nodiscard]] Offset get(BytesView key) const { return get(hash(key)); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint64_t high;
    std::uint64_t low;
    std::int64_t offset_plus_one;  ///< 0: free
  };
  static_assert(sizeof(Slot) == kBytesPerKey);
  struct Free {
    void operator()(Slot* p) const { std::free(p); }
  };
  [[nodiscard]] std::size_t placeOf(const Hash& hash) const;
  /// The key's slot, or the free one where it belongs.
  [[nodiscard]] Slot& find(const Hash& hash) const;

  std::unique_ptr<Slot[], Free> slots_;
  std::size_t capacity_;
  std::size_t limit_;
  std::size_t size_ = 0;
  std::uint64_t seed_;
};

}  // namespace millrace::log
