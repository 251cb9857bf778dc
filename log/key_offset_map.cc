#include "log/key_offset_map.h"

#define XXH_INLINE_ALL
#include "base/assert.h"

#include <xxhash.h>

#include <algorithm>

namespace millrace::log {

KeyOffsetMap::KeyOffsetMap(std::size_t max_bytes, std::uint64_t seed, double load_factor)
    : capacity_(std::max<std::size_t>(max_bytes / sizeof(Slot), 16)),
      limit_(std::clamp<std::size_t>(
          static_cast<std::size_t>(static_cast<double>(capacity_) * load_factor), 1,
          capacity_ - 1)),
      seed_(seed) {
  slots_.reset(static_cast<Slot*>(std::calloc(capacity_, sizeof(Slot))));
  MILLRACE_ASSERT(slots_ != nullptr, "no memory for compaction's map");
}

KeyOffsetMap::Hash KeyOffsetMap::hash(BytesView key) const {
  const XXH128_hash_t hash = XXH3_128bits_withSeed(key.data(), key.size(), seed_);
  return {hash.high64, hash.low64};
}

std::size_t KeyOffsetMap::placeOf(const Hash& hash) const {
  // The hash as a fraction of 2^64, times the capacity: no division.
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::size_t>((Wide{hash.low} * capacity_) >> 64);
}

KeyOffsetMap::Slot& KeyOffsetMap::find(const Hash& hash) const {
  std::size_t at = placeOf(hash);
  for (;;) {
    Slot& slot = slots_[at];
    const bool free = slot.offset_plus_one == 0;
    if (free || (slot.high == hash.high && slot.low == hash.low)) return slot;
    at = at + 1 == capacity_ ? 0 : at + 1;
  }
}

void KeyOffsetMap::put(const Hash& hash, Offset offset) {
  Slot& slot = find(hash);
  if (slot.offset_plus_one == 0) {
    ++size_;
    slot.high = hash.high;
    slot.low = hash.low;
  }
  slot.offset_plus_one = offset.value() + 1;
}

Offset KeyOffsetMap::get(const Hash& hash) const { return Offset{find(hash).offset_plus_one - 1}; }

}  // namespace millrace::log
