// An open hash table from hashes to numbers of entries that live elsewhere. Not templated: the
// caller compares keys.
#pragma once

#include <cstdint>
#include <vector>

namespace millrace::dsl {

/// Linear probing, at most half full, backward-shift deletion (no tombstones).
class HashIndex {
 public:
  static constexpr std::uint32_t kNone = 0xFFFF'FFFFU;

  HashIndex() : slots_(64) {}

  /// The entry with that hash for which `same(entry)` holds, or kNone.
  template <class Same>
  [[nodiscard]] std::uint32_t find(std::uint64_t hash, Same same) const {
    const std::uint32_t tag = tagOf(hash);
    for (std::size_t at = hash & mask();; at = (at + 1) & mask()) {
      const Slot& slot = slots_[at];
      if (slot.entry == kNone) return kNone;
      if (slot.tag == tag && same(slot.entry)) return slot.entry;
    }
  }
  void insert(std::uint64_t hash, std::uint32_t entry) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    place({static_cast<std::uint32_t>(hash), tagOf(hash), entry});
    ++size_;
  }
  /// The entry is there.
  void erase(std::uint64_t hash, std::uint32_t entry);
  void clear();
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Slot {
    std::uint32_t home = 0;  // low bits of the hash
    std::uint32_t tag = 0;   // high bits
    std::uint32_t entry = kNone;
  };
  [[nodiscard]] std::size_t mask() const { return slots_.size() - 1; }
  [[nodiscard]] static std::uint32_t tagOf(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 32);
  }
  void place(Slot slot) {
    std::size_t at = slot.home & mask();
    while (slots_[at].entry != kNone) at = (at + 1) & mask();
    slots_[at] = slot;
  }
  void grow();

  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace millrace::dsl
