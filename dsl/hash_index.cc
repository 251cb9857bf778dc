#include "dsl/hash_index.h"

namespace millrace::dsl {

void HashIndex::erase(std::uint64_t hash, std::uint32_t entry) {
  std::size_t hole = hash & mask();
  while (slots_[hole].entry != entry) hole = (hole + 1) & mask();
  // Pull back every follower that would not be found any more across the hole.
  for (std::size_t at = (hole + 1) & mask(); slots_[at].entry != kNone; at = (at + 1) & mask()) {
    const std::size_t distance_from_home = (at - (slots_[at].home & mask())) & mask();
    const std::size_t distance_from_hole = (at - hole) & mask();
    if (distance_from_home < distance_from_hole) continue;
    slots_[hole] = slots_[at];
    hole = at;
  }
  slots_[hole].entry = kNone;
  --size_;
}

void HashIndex::clear() {
  slots_.assign(64, {});
  size_ = 0;
}

void HashIndex::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.entry != kNone) place(slot);
  }
}

}  // namespace millrace::dsl
