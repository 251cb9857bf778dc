#include "log/key_offset_map.h"

#define XXH_INLINE_ALL
#include "base/assert.h"

#include <xxhash.h>

#include <algorithm>

namespace millrace::log {
namespace {

/// Kafka's log.cleaner.io.buffer.load.factor: a fuller table probes too long.
constexpr double kLoad = 0.9;

}  // namespace

KeyOffsetMap::KeyOffsetMap(std::size_t max_bytes, std::uint64_t seed)
    : capacity_(std::max<std::size_t>(max_bytes / sizeof(Slot), 16)),
      limit_(static_cast<std::size_t>(static_cast<double>(capacity_) * kLoad)),
      seed_(seed) {
  slots_.reset(static_cast<Slot*>(std::calloc(capacity_, sizeof(Slot))));
  MILLRACE_ASSERT(slots_ != nullptr, "no memory for compaction's map");
}

KeyOffsetMap::Slot& KeyOffsetMap::find(BytesView key) const {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
  std::size_t at = static_cast<std::size_t>(hash.low64 % capacity_);
  for (;;) {
    Slot& slot = slots_[at];
    if (slot.offset_plus_one == 0) {
      slot.high = hash.high64;
      slot.low = hash.low64;
      return slot;
    }
    if (slot.high == hash.high64 && slot.low == hash.low64) return slot;
    at = at + 1 == capacity_ ? 0 : at + 1;
  }
}

void KeyOffsetMap::put(BytesView key, Offset offset) {
  Slot& slot = find(key);
  if (slot.offset_plus_one == 0) ++size_;
  slot.offset_plus_one = offset.value() + 1;
}

Offset KeyOffsetMap::get(BytesView key) const { return Offset{find(key).offset_plus_one - 1}; }

}  // namespace millrace::log
